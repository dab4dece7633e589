//! What a request asks for, from its first line.
//!
//! Deliberately absent: who asks, and whether it is granted.

use hyper::{Method, Uri};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// CONNECT: bytes both ways.
    Tunnel(Target),
    /// A request for an `http` URI, to be made in the client's place.
    Forward(Target),
    /// Whether the proxy itself is well.
    Health,
    /// What was allowed and denied so far.
    Counts,
}

/// A name and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) port: u16,
}

/// Reads a request's first line.
///
/// # Errors
/// What is wrong with it, for the answer.
pub(super) fn ask(method: &Method, uri: &Uri) -> Result<Ask, &'static str> {
    if method == Method::CONNECT {
        let port = uri.port_u16().ok_or("CONNECT needs a name and a port")?;
        return Ok(Ask::Tunnel(target(uri, port)?));
    }
    match (uri.scheme_str(), uri.path()) {
        (Some("http"), _) => Ok(Ask::Forward(target(uri, uri.port_u16().unwrap_or(80))?)),
        (Some(_), _) => Err("only `http` is asked for in the clear; use CONNECT for everything else"),
        (None, "/healthz") if method == Method::GET => Ok(Ask::Health),
        (None, "/counts") if method == Method::GET => Ok(Ask::Counts),
        (None, _) => Err("this is a proxy: ask with CONNECT, or for a whole `http` URI"),
    }
}

fn target(uri: &Uri, port: u16) -> Result<Target, &'static str> {
    let authority = uri.authority().ok_or("the request names no host")?;
    if authority.as_str().contains('@') {
        return Err("a host with a user name before it is not passed on");
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    Ok(Target { name, port })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(method: &str, uri: &str, expect: Expect) {
        let uri: Uri = uri.parse().unwrap();
        expect.assert_eq(&format!("{:?}", ask(&method.parse().unwrap(), &uri)));
    }

    #[test]
    fn tunnels_name_a_host_and_a_port() {
        check(
            "CONNECT",
            "API.example.com.:443",
            expect![[r#"Ok(Tunnel(Target { name: "api.example.com", port: 443 }))"#]],
        );
        check("CONNECT", "api.example.com", expect![[r#"Err("CONNECT needs a name and a port")"#]]);
        check(
            "CONNECT",
            "u:p@api.example.com:443",
            expect![[r#"Err("a host with a user name before it is not passed on")"#]],
        );
        check("CONNECT", "[::1]:443", expect![[r#"Ok(Tunnel(Target { name: "[::1]", port: 443 }))"#]]);
    }

    #[test]
    fn plain_requests_name_a_whole_uri() {
        check(
            "GET",
            "http://files.example.com/a?b",
            expect![[r#"Ok(Forward(Target { name: "files.example.com", port: 80 }))"#]],
        );
        check(
            "POST",
            "http://files.example.com:8080/",
            expect![[r#"Ok(Forward(Target { name: "files.example.com", port: 8080 }))"#]],
        );
        check(
            "GET",
            "https://files.example.com/",
            expect![[r#"Err("only `http` is asked for in the clear; use CONNECT for everything else")"#]],
        );
        check(
            "GET",
            "/",
            expect![[r#"Err("this is a proxy: ask with CONNECT, or for a whole `http` URI")"#]],
        );
        check("GET", "/healthz", expect!["Ok(Health)"]);
        check("GET", "/counts", expect!["Ok(Counts)"]);
    }
}
