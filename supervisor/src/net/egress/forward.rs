//! A plain HTTP request made in the client's place, over a connection of its own.
//!
//! Deliberately absent: following a redirect, a cache, and keeping the connection for another request.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listen::Body;

/// From the request to the answer's headers: a model may think for minutes.
const ANSWER: Duration = Duration::from_hours(1);
/// What concerns one connection alone and is not passed on (RFC 9110, section 7.6.1), whatever `Connection` says.
const HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends a request over a connection and gives the answer, its body still on the way. `drivers` owns the connection.
///
/// # Errors
/// What the other side did not do.
pub(super) async fn pass(
    request: Request<Incoming>,
    server: TcpStream,
    drivers: &mut JoinSet<()>,
) -> Result<Response<Body>, String> {
    let failed = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(server)).await.map_err(failed)?;
    drivers.spawn_local(async move {
        // How it ends shows in the answer.
        let _ = connection.await;
    });
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().map(ToString::to_string).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse::<Uri>().map_err(|error| error.to_string())?;
    strip(&mut parts.headers);
    // The URI's host is the one that was granted; a header that says another would reach another site (RFC 9112, 3.2.2).
    let host = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
    parts.headers.insert(HOST, host);
    let sending = timeout(ANSWER, sender.send_request(Request::from_parts(parts, body)));
    let answer = sending.await.map_err(|_| "no answer came in time".to_owned())?.map_err(failed)?;
    let (mut parts, body) = answer.into_parts();
    strip(&mut parts.headers);
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

/// Removes what concerns one connection alone, and what `Connection` names besides.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_one_connection_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("proxy-authorization", "Basic eA=="),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        strip(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["accept"]);
    }
}
