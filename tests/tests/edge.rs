//! `render caddyfile` on the real Caddy: valid, and it does what it says.
//!
//! Deliberately absent: public certificates, for which nobody is asked here.

use std::net::TcpListener;
use std::process::Command;

use tests::bed::{self, Bed, Ran};
use tests::{image, wait};

const SITE: &str = "edge.example.net";

struct Edge {
    bed: Bed,
    https: u16,
    http: u16,
}

impl Edge {
    /// A stack whose Caddy takes the Caddyfile that is rendered for it; the edge is published on loopback alone.
    fn new(room: &str, subnet: &str, from: Option<&str>, more: &[&str]) -> Self {
        let bed = Bed::new(room);
        let port = || TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a port").port();
        let (https, http) = (port(), port());
        let restriction = from.map(|list| {
            bed.write("from.txt", list);
            "\n  edge_from: ./from.txt"
        });
        let (caddy, node) = (image::caddy(), image::openclaw());
        bed.write(
            "compose.yaml",
            &format!(
                r#"
x-supervisor:
  edge: caddy{}
services:
  caddy:
    image: {caddy}
    user: "1001:1001"
    command: [caddy, run, --config, /etc/caddy/Caddyfile, --adapter, caddyfile]
    environment: {{HOME: /data, XDG_DATA_HOME: /data, XDG_CONFIG_HOME: /data/config}}
    sysctls: {{net.ipv4.ip_unprivileged_port_start: "0"}}
    configs: [{{source: caddyfile, target: /etc/caddy/Caddyfile, uid: "1001", gid: "1001", mode: "0440"}}]
    tmpfs: ["/data:size=16m,mode=0700,uid=1001,gid=1001"]
    ports: ["127.0.0.1:{https}:443", "127.0.0.1:{http}:80"]
    networks: [front, back]
    mem_limit: 256m
    stop_grace_period: 1s
    x-supervisor:
      runtime: go
      probe: {{http: /caddy, port: 8180, body: '"caddy":"up"', interval: 1s, timeout: 2s, retries: 5, start_period: 60s}}
  app:
    image: {node}
    user: "1000:1000"
    command: [node, -e, "require('http').createServer((q, r) => q.resume().on('end', () => r.end('client=' + q.headers['x-forwarded-for'] + ';'))).listen(8080, '0.0.0.0')"]
    mem_limit: 512m
    networks: [back]
    stop_grace_period: 1s
    x-supervisor:
      runtime: node
      probe: {{http: /health, port: 8080, body: client, interval: 1s, timeout: 2s, retries: 5, start_period: 120s}}
configs:
  caddyfile: {{file: ./Caddyfile}}
networks:
  front: {{}}
  back: {{internal: true, ipam: {{config: [{{subnet: {subnet}}}]}}}}
"#,
                restriction.unwrap_or_default()
            ),
        );
        bed.write("Caddyfile", "");
        let words = [&["render", "caddyfile", "--site", SITE, "--max-body", "1KB"][..], more].concat();
        let rendered = bed.supervisor(&words).expect(0).out;
        bed.write("Caddyfile", &rendered);
        bed.supervisor(&["up", "--wait"]).expect(0);
        // The image's own program finds nothing wrong with it.
        let validate = ["caddy", "validate", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"];
        let (code, out) = bed.engine.exec(&bed.container("caddy"), &validate);
        assert!(code == 0 && out.contains("Valid configuration"), "{out}");
        Self { bed, https, http }
    }

    fn curl(&self, path: &str, arguments: &[&str]) -> Ran {
        let resolve = format!("{SITE}:{}:127.0.0.1", self.https);
        let url = format!("https://{SITE}:{}{path}", self.https);
        let fixed = ["--silent", "--insecure", "--include", "--max-time", "20", "--resolve", &resolve];
        bed::ran(Command::new("curl").args(fixed).args(arguments).arg(url))
    }

    /// Status and text once the site answers with something else than that nobody is behind it.
    #[track_caller]
    fn answers(&self, path: &str, arguments: &[&str]) -> String {
        wait::until("the site", || {
            let ran = self.curl(path, arguments);
            (ran.code == 0 && !ran.out.starts_with("HTTP/2 50")).then_some(ran.out)
        })
    }
}

#[track_caller]
fn hardened(answer: &str) {
    let answer = answer.to_lowercase();
    for header in ["strict-transport-security:", "x-content-type-options: nosniff", "x-frame-options: deny"] {
        assert!(answer.contains(header), "{header} in\n{answer}");
    }
    assert!(!answer.contains("\nserver:"), "{answer}");
}

#[test]
fn a_rendered_caddyfile_is_valid_and_hardens_answers_and_errors_alike() {
    let edge = Edge::new("edge-open", "10.79.46.0/28", None, &[]);
    let good = edge.answers("/health", &[]);
    assert!(good.starts_with("HTTP/2 200"), "{good}");
    hardened(&good);
    let large = edge.curl("/health", &["--data", &"x".repeat(4096)]).out;
    assert!(large.starts_with("HTTP/2 413"), "{large}");
    hardened(&large);
    // Nobody behind it: the error page is as hardened as the rest.
    edge.bed.supervisor(&["stop", "app"]).expect(0);
    let gone = wait::until("an error", || {
        Some(edge.curl("/health", &[]).out).filter(|out| out.starts_with("HTTP/2 50"))
    });
    hardened(&gone);
    // Plain HTTP only sends on, to the site's own name.
    let plain = ["--silent", "--include", "-H", "Host: edge.example.net"];
    let plain = bed::ran(Command::new("curl").args(plain).arg(format!("http://127.0.0.1:{}/a", edge.http)));
    assert!(
        plain.out.starts_with("HTTP/1.1 308") && plain.out.contains("https://edge.example.net/a"),
        "{}",
        plain.out
    );
    // A client's word about itself is not believed.
    edge.bed.supervisor(&["start", "app"]).expect(0);
    let who = edge
        .answers("/who", &["-H", "CF-Connecting-IP: 198.51.100.7", "-H", "X-Forwarded-For: 198.51.100.8"]);
    assert!(who.contains("client=") && !who.contains("198.51.100."), "{who}");
}

#[test]
fn only_the_listed_blocks_reach_the_site_and_say_who_the_client_is() {
    let near =
        "# whoever comes over the engine's bridges\n10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n127.0.0.0/8\n";
    let edge = Edge::new("edge-near", "10.79.46.16/28", Some(near), &[]);
    let who = edge.answers("/who", &["-H", "CF-Connecting-IP: 198.51.100.7"]);
    assert!(who.contains("client=198.51.100.7;"), "{who}");

    let edge = Edge::new("edge-far", "10.79.46.32/28", Some("203.0.113.0/24\n2001:db8:1::/48\n"), &[]);
    let refused =
        wait::until("a refusal", || Some(edge.curl("/health", &[]).out).filter(|out| !out.is_empty()));
    assert!(refused.starts_with("HTTP/2 403"), "{refused}");
    hardened(&refused);
}

#[test]
fn the_proxy_protocol_is_taken_from_the_listed_blocks_alone() {
    let near = "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n127.0.0.0/8\n";
    let edge = Edge::new("edge-proxy", "10.79.46.48/28", Some(near), &["--proxy-protocol"]);
    // curl says in the protocol's own line who it is.
    let who = edge.answers("/who", &["--haproxy-protocol"]);
    assert!(who.contains("client=127.0.0.1;"), "{who}");
    let far = Edge::new("edge-proxy-far", "10.79.46.64/28", Some("203.0.113.0/24\n"), &["--proxy-protocol"]);
    let refused = far.curl("/health", &["--haproxy-protocol"]);
    assert!(refused.code != 0 && refused.out.is_empty(), "{}", refused.out);
}
