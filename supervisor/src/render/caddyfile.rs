//! A hardened Caddyfile for a stack: the one that `init` writes, with the names of this stack in it.
//!
//! One text is the truth for both. Deliberately absent: plugins, which the official image does not have, and whatever the
//! stack's model does not say.

use std::fmt::Write as _;

use compose::edge::ranges;
use compose::model::{Probe, Project, Service};

/// The Caddyfile of the shipped stack.
const SHIPPED: &str = include_str!("../stack/Caddyfile");

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The host name.
    pub name: String,
    /// `internal`, or an e-mail address for a public authority.
    pub tls: String,
    /// Service and port behind; the model's only choice without.
    pub upstream: Option<String>,
    /// The proxy in front says who the client is by the PROXY protocol.
    pub proxy_protocol: bool,
    /// Bytes of a request's body, as Caddy writes sizes.
    pub max_body: String,
}

/// Writes it.
///
/// # Errors
/// What the model or the command line does not say, in a sentence.
pub fn caddyfile(project: &Project, site: &Site) -> Result<String, String> {
    let (service, port) = upstream(project, site.upstream.as_deref())?;
    let ranges = ranges(project);
    if site.proxy_protocol && ranges.is_none() {
        return Err(
            "the PROXY protocol is believed from `x-supervisor.edge_from` alone, and the file has none"
                .into(),
        );
    }
    if !compose::destination::is_dns_name(&site.name) {
        return Err(format!("`{}` is not a host name", site.name));
    }
    let mail = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
    if site.tls != "internal" && !(site.tls.contains('@') && site.tls.chars().all(mail)) {
        return Err(format!("`{}` is neither `internal` nor an e-mail address", site.tls));
    }
    if site.max_body.is_empty() || !site.max_body.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("`{}` is not a size such as `16MB`", site.max_body));
    }
    let list = ranges.map(|ranges| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let mut text = Text(SHIPPED.to_owned());
    text.swap(HEAD, "# Written by `supervisor render caddyfile` from the stack's model: render it again when the model changes.\n")?;
    text.swap("{$SITE} {", &format!("{} {{", site.name))?;
    text.swap("http://{$SITE} {", &format!("http://{} {{", site.name))?;
    text.swap("{$ORIGIN}", &format!("https://{}", site.name))?;
    text.swap("{$TLS}", &site.tls)?;
    text.swap("{$UPSTREAM:openclaw:18789}", &format!("{}:{port}", service.name))?;
    text.swap("max_size 16MB", &format!("max_size {}", site.max_body))?;
    text.swap(HEALTH, &health(service.supervisor.probe.as_ref().map(|probe| &probe.value))?)?;
    match (list, site.proxy_protocol) {
        (None, _) => text.swap("{$ALLOW_FROM:0.0.0.0/0 ::/0}", "0.0.0.0/0 ::/0")?,
        (Some(list), false) => {
            text.swap("{$ALLOW_FROM:0.0.0.0/0 ::/0}", &list)?;
            text.swap("\tservers {\n", &format!("\tservers {{\n{}", trusted(&list)))?;
            text.swap(FORWARDED, CLIENT)?;
        }
        (Some(list), true) => {
            // The address that a filter sees is the client's then: who may connect is for the listener to say.
            text.swap("{$ALLOW_FROM:0.0.0.0/0 ::/0}", "0.0.0.0/0 ::/0")?;
            let settings = text.cut("\tservers {\n", "\n\t}\n")?;
            let of = |port: &str, tls: &str| {
                format!("\tservers :{port} {{\n{}{settings}\n\t}}\n", listener(&list, tls))
            };
            // Caddy's own health is asked by the supervisor, without that protocol.
            let own = format!("\tservers :8180 {{\n{settings}\n\t}}\n");
            text.swap(
                &format!("\tservers {{\n{settings}\n\t}}\n"),
                &(of("443", "\t\t\ttls\n") + &of("80", "") + &own),
            )?;
        }
    }
    Ok(text.0)
}

/// Anchors in the shipped text.
const HEAD: &str = "# The edge. No plugins: the official image has none. Needs Caddy 2.8 or later.
# SITE: the host name. ORIGIN: the site as the browser's bar shows it. TLS: an e-mail address, or `internal`.
# UPSTREAM: OpenClaw. ALLOW_FROM: client addresses, all of them by default.
";
const HEALTH: &str = "\t\t\thealth_uri /startupz\n\t\t\thealth_body `\"status\":\"started\"`\n";
const FORWARDED: &str = "\t\t\t# X-Forwarded-For, -Proto and -Host of the client are replaced by what Caddy sees, since no proxy is trusted
\t\t\t# here; its other words about itself are dropped.
";
const CLIENT: &str = "\t\t\t# One client, whom the trusted proxy in front named, in place of the list of all who passed it on; the client's
\t\t\t# other words about itself are dropped.
\t\t\theader_up X-Forwarded-For {client_ip}
";

/// The proxies in front say who the client is, and nobody else.
fn trusted(list: &str) -> String {
    format!(
        "\t\t# From nowhere else is a client's address taken that somebody says.\n\t\ttrusted_proxies static {list}\n\
         \t\ttrusted_proxies_strict\n\t\tclient_ip_headers CF-Connecting-IP X-Forwarded-For\n"
    )
}

/// The PROXY protocol from these, and no connection from anybody else.
fn listener(list: &str, tls: &str) -> String {
    format!(
        "\t\tlistener_wrappers {{\n\t\t\tproxy_protocol {{\n\t\t\t\ttimeout 5s\n\t\t\t\tallow {list}\n\
         \t\t\t\tfallback_policy reject\n\t\t\t}}\n{tls}\t\t}}\n"
    )
}

/// The text while it is changed. An anchor that is not there is a defect of ours, and is told rather than passed over.
struct Text(String);

impl Text {
    /// Puts one piece in the place of the first of another.
    fn swap(&mut self, old: &str, new: &str) -> Result<(), String> {
        let Some(at) = self.0.find(old) else {
            return Err(format!("the shipped Caddyfile has no `{}`", old.trim()));
        };
        self.0.replace_range(at..at + old.len(), new);
        Ok(())
    }

    /// What stands between two pieces.
    fn cut(&self, from: &str, to: &str) -> Result<String, String> {
        let inner = self.0.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(inner, _)| inner);
        inner.map(str::to_owned).ok_or_else(|| format!("the shipped Caddyfile has no `{}`", from.trim()))
    }
}

/// The service behind and its port.
fn upstream<'a>(project: &'a Project, said: Option<&str>) -> Result<(&'a Service, u16), String> {
    let edge =
        project.stack.edge.as_ref().ok_or("the file names no edge service under `x-supervisor.edge`")?;
    let edge = project.services.get(&edge.value).ok_or("the edge service is not in the file")?;
    let near = |service: &&Service| {
        service.name != edge.name
            && service.name != compose::egress::SERVICE
            && service.networks.keys().any(|key| edge.networks.contains_key(key))
    };
    let port = |service: &Service| service.supervisor.probe.as_ref().map(|probe| probe.value.port.get());
    let Some(said) = said else {
        let mut found = project.services.values().filter(near).filter_map(|s| Some((s, port(s)?)));
        return match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => {
                Err("no service on a network of the edge's has a probe: say which with `--upstream`".into())
            }
            (Some((a, _)), Some((b, _))) => Err(format!(
                "`{}` and `{}` could both be behind the edge: say which with `--upstream`",
                a.name, b.name
            )),
        };
    };
    let (name, number) = said.split_once(':').map_or((said, None), |(name, port)| (name, Some(port)));
    let service = project.services.get(name).filter(near);
    let service = service.ok_or_else(|| format!("`{name}` is no service on a network of the edge's"))?;
    let number = match number {
        Some(number) => number.parse().ok().filter(|port| *port != 0),
        None => port(service),
    };
    Ok((service, number.ok_or_else(|| format!("`{said}` says no port, and `{name}` has no probe"))?))
}

/// How Caddy asks whether the service may have traffic: as its probe does, its start before its health.
fn health(probe: Option<&Probe>) -> Result<String, String> {
    let Some(probe) = probe else {
        return Ok("\t\t\thealth_uri /\n".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~?=&%".contains(c);
    if !probe.http.chars().all(plain) {
        return Err(format!("the probe's path `{}` cannot be written into a Caddyfile", probe.http));
    }
    let body = probe.body.as_deref().map(|body| format!("\t\t\thealth_body `{}`\n", pattern(body)));
    Ok(format!("\t\t\thealth_uri {}\n{}", probe.http, body.unwrap_or_default()))
}

/// A regular expression of Go's for this text, with nothing in it that a Caddyfile would take for its own.
fn pattern(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_control() || r"\.+*?()|[]{}^$`#".contains(c) {
            // Writing to a `String` does not fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::project;

    const STACK: &str = "
x-supervisor: {edge: web}
services:
  web: {image: 'i:1', networks: [front, back]}
  app:
    image: 'i:1'
    networks: [back]
    x-supervisor: {probe: {http: /healthz, port: 8080, body: '{\"ok\":true}'}}
networks: {front: {}, back: {}}
";

    fn site() -> Site {
        let name = "example.org".to_owned();
        Site { name, tls: "internal".into(), max_body: "1MB".into(), ..Site::default() }
    }

    #[test]
    fn the_stacks_own_names_are_in_it_and_no_variable_is_left() {
        let text = caddyfile(&project(STACK), &site()).unwrap();
        for line in [
            "example.org {",
            "\ttls internal {",
            "\t\treverse_proxy app:8080 {",
            "\t\t\thealth_uri /healthz",
            "\t\t\thealth_body `\\x7b\"ok\":true\\x7d`",
            "\t\t\tmax_size 1MB",
            "\tredir https://example.org{uri} 308",
            "http://example.org {",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(!text.contains("{$"), "{text}");
    }

    #[test]
    fn what_is_not_said_or_cannot_be_written_is_an_error() {
        let fails = |stack: &str, site: Site, says: &str| {
            let error = caddyfile(&project(stack), &site).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        fails(&STACK.replace("edge: web", ""), site(), "no edge service");
        fails(
            STACK,
            Site { upstream: Some("web:80".into()), ..site() },
            "`web` is no service on a network of the edge's",
        );
        fails(STACK, Site { upstream: Some("app:0".into()), ..site() }, "says no port");
        fails(STACK, Site { name: "a b".into(), ..site() }, "not a host name");
        fails(STACK, Site { tls: "x } import /etc/passwd".into(), ..site() }, "neither `internal`");
        fails(STACK, Site { max_body: "1 MB".into(), ..site() }, "not a size");
        fails(STACK, Site { proxy_protocol: true, ..site() }, "the file has none");
        fails(&STACK.replace("/healthz", "/a*b"), site(), "cannot be written into a Caddyfile");
    }
}
