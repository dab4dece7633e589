//! The way out by name, on a real engine: what a service reaches through the proxy, and everything that it must not.
//!
//! The addresses that stand for the internet are those of a neighbour in a network namespace of its own, and nowhere else,
//! while the test has its turn: no other test may find them. One test, since they and the resolver's address are there once.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tests::dns::Dns;
use tests::neighbour::Neighbour;
use tests::{Bed, bed, image, stack, wait};

/// Where the test's engine asks for names.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// Stands for a server on the internet that several names lead to.
const SERVER: &str = "45.33.32.156";
/// Stands for another one.
const OTHER: &str = "45.33.32.157";
/// The cloud's metadata service, at its real address.
const METADATA: &str = "169.254.169.254";
/// A private one, of the host.
const PRIVATE: &str = "10.99.0.1";
/// Where somebody listens during the test.
const ADDRESSES: [&str; 4] = [SERVER, OTHER, METADATA, PRIVATE];

struct Servers {
    children: Vec<Child>,
    _neighbour: Neighbour,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &mut self.children {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    bed::ran(Command::new(program).args(arguments)).expect(0);
}

/// TLS on 443 and 8443, plain HTTP on 80, at every address of the test.
fn servers(bed: &Bed, neighbour: Neighbour) -> Servers {
    let at = |name: &str| bed.folder().join(name).display().to_string();
    let (key, cert) = (at("key.pem"), at("cert.pem"));
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"];
    run("openssl", &[&request[..], &["-keyout", &key, "-out", &cert]].concat());
    std::fs::write(bed.folder().join("index.html"), "plain\n").expect("a page");
    let mut servers = Vec::new();
    for address in ADDRESSES {
        neighbour.has(address);
        for port in [443, 8443] {
            let accept = format!("{address}:{port}");
            let tls = ["s_server", "-quiet", "-www", "-accept", &accept, "-key", &key, "-cert", &cert];
            servers.push(
                neighbour.command("openssl").args(tls).stdout(Stdio::null()).stderr(Stdio::null()).spawn(),
            );
        }
        let httpd =
            ["httpd", "-f", "-p", &format!("{address}:80"), "-h", &bed.folder().display().to_string()];
        servers.push(neighbour.command("busybox").args(httpd).spawn());
    }
    let children = servers.into_iter().map(|child| child.expect("a server")).collect();
    let servers = Servers { children, _neighbour: neighbour };
    wait::until("the servers", || std::net::TcpStream::connect((SERVER, 443)).ok());
    servers
}

fn stack(image: &str) -> String {
    format!(
        r#"
x-supervisor:
  egress:
    app:
      - allowed.example.net:443
      - "*.wild.example.net:443"
      - plain.example.net:80
      - rebound.example.net:443
      - mixed.example.net:443
      - metadata.example.net:80
    job: []
services:
  app: &client
    image: {image}
    user: "1000:1000"
    command: [sleep, infinity]
    mem_limit: 512m
    networks: [back]
    stop_grace_period: 1s
    x-supervisor: {{runtime: node}}
  job: *client
  stranger:
    <<: *client
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.40.0/28}}]}}}}
"#
    )
}

/// Asks for a URL from inside a service's container, with what curl is told besides: the status of the answer, and the
/// status of the proxy's, `000` where there was none.
fn curl(bed: &Bed, service: &str, url: &str, more: &[&str]) -> String {
    let fixed = ["curl", "-sk", "-m", "15", "-o", "/dev/null", "-w", "%{http_code} %{http_connect}"];
    let (_, out) = bed.engine.exec(&bed.container(service), &[&fixed[..], more, &[url]].concat());
    out.trim().to_owned()
}

#[test]
fn a_service_reaches_the_names_that_it_was_granted_and_nothing_else() {
    let _turn = stack::turn();
    let bed = Bed::new("egress");
    let neighbour = Neighbour::new();
    neighbour.has(&RESOLVER.to_string());
    let dns = neighbour.within(|| Dns::at(RESOLVER));
    for name in ["allowed.example.net", "a.wild.example.net", "a.b.wild.example.net", "plain.example.net"] {
        dns.set(name, &[SERVER]);
    }
    dns.set("denied.example.net", &[SERVER]);
    dns.set("rebound.example.net", &[PRIVATE]);
    dns.set("mixed.example.net", &[SERVER, PRIVATE]);
    dns.set("metadata.example.net", &[METADATA]);
    let _servers = servers(&bed, neighbour);
    bed.write("compose.yaml", &stack(&image::openclaw()));
    let dynamic = bed.supervisor(&["up"]).expect(4);
    assert!(dynamic.err.contains("linked statically"), "{}", dynamic.err);
    bed::ran(bed.static_command().args(["up", "--wait"])).expect(0);
    bed::ran(bed.static_command().arg("attest")).expect(0);

    // What was granted, by curl and by Node.js, which find the proxy by themselves.
    assert_eq!(curl(&bed, "app", "https://allowed.example.net/", &[]), "200 200");
    assert_eq!(curl(&bed, "app", "https://a.wild.example.net/", &[]), "200 200");
    assert_eq!(curl(&bed, "app", "http://plain.example.net/index.html", &[]), "200 000");
    let fetch = "fetch('https://allowed.example.net/').then(a => console.log(a.status), e => console.log(e))";
    let node = ["env", "NODE_TLS_REJECT_UNAUTHORIZED=0", "node", "--no-warnings", "-e", fetch];
    assert_eq!(bed.engine.exec(&bed.container("app"), &node).1, "200\n");
    let git = ["git", "-c", "http.sslVerify=false", "ls-remote", "https://allowed.example.net/x.git"];
    let (_, out) = bed.engine.exec(&bed.container("app"), &git);
    assert!(!out.contains("403") && out.contains("not valid: is this a git repository?"), "{out}");

    // Names, ports, addresses and services that were not.
    for url in [
        "https://denied.example.net/",
        "https://a.b.wild.example.net/",
        "https://wild.example.net/",
        "https://allowed.example.net:8443/",
        "https://allowed.example.net:80/",
        "https://45.33.32.156/",
        "https://[::ffff:45.33.32.156]/",
        "https://rebound.example.net/",
        "https://mixed.example.net/",
        "https://169.254.169.254/",
    ] {
        assert_eq!(curl(&bed, "app", url, &[]), "000 403", "{url}");
    }
    for url in
        ["http://metadata.example.net/index.html", "http://169.254.169.254/index.html", "http://10.99.0.1/"]
    {
        assert_eq!(curl(&bed, "app", url, &[]), "403 000", "{url}");
    }

    // An answer is believed for as long as it says and no longer, and what was judged is what is connected to.
    let asked = || dns.asked().iter().filter(|name| *name == "lasting.wild.example.net").count();
    dns.set_for("lasting.wild.example.net", &[SERVER], 60);
    assert_eq!(curl(&bed, "app", "https://lasting.wild.example.net/", &[]), "200 200");
    let first = asked();
    dns.set("lasting.wild.example.net", &[PRIVATE]);
    assert_eq!(curl(&bed, "app", "https://lasting.wild.example.net/", &[]), "200 200");
    assert_eq!(asked(), first, "the resolver was asked again");
    dns.set("a.wild.example.net", &[PRIVATE]);
    assert_eq!(curl(&bed, "app", "https://a.wild.example.net/", &[]), "000 403");

    assert_eq!(curl(&bed, "job", "https://allowed.example.net/", &[]), "000 403");
    let proxy = format!("http://{}:3128", bed.container("egress-proxy"));
    assert_eq!(curl(&bed, "stranger", "https://allowed.example.net/", &["-x", &proxy]), "000 403");

    // What others asked for is told to the host alone, and its own network is reached from no other.
    for service in ["app", "stranger"] {
        let counts = proxy.clone() + "/counts";
        assert_eq!(curl(&bed, service, &counts, &["--noproxy", "*"]), "403 000", "{service}");
    }
    let networks = bed.engine.inspect(&bed.container("egress-proxy"))["NetworkSettings"]["Networks"].clone();
    let outer = networks[format!("{}_egress", bed.project)]["IPAddress"].as_str().unwrap().to_owned();
    let counts = format!("http://{outer}:3128/counts");
    assert_eq!(curl(&bed, "app", &counts, &["--noproxy", "*", "--connect-timeout", "2"]), "000 000");
    let told = bed::ran(bed.static_command().args(["egress", "--format", "json"])).expect(0).json();
    let denied = |row: &Value| row["service"] == "app" && row["name"] == "denied.example.net";
    assert!(told["rows"].as_array().unwrap().iter().any(denied), "{told}");

    // An allowed name as the wrapping of another: the greeting and the `Host` header say who is meant.
    let wrapped = ["--connect-to", "denied.example.net:443:allowed.example.net:443"];
    assert_eq!(curl(&bed, "app", "https://denied.example.net/", &wrapped), "000 200");
    let through = "printf 'GET / HTTP/1.0\\r\\nHost: denied.example.net\\r\\n\\r\\n' | \
                   curl -s -m 5 -p -x $HTTP_PROXY telnet://allowed.example.net:443; echo $?";
    let (_, out) = bed.engine.exec(&bed.container("app"), &["sh", "-c", through]);
    assert!(!out.contains("HTTP/1"), "{out}");

    // Past the proxy: no route, no resolver, no way through the engine's resolver.
    for url in [format!("https://{SERVER}/"), format!("http://{METADATA}/index.html")] {
        assert_eq!(
            curl(&bed, "app", &url, &["--noproxy", "*", "--connect-timeout", "3"]),
            "000 000",
            "{url}"
        );
    }
    let before = dns.asked().len();
    let lookup = "require('dns').lookup('secret.tunnel.example.net', e => console.log(e ? e.code : 'found'))";
    let (_, out) = bed.engine.exec(&bed.container("app"), &["node", "-e", lookup]);
    assert!(!out.contains("found"), "{out}");
    let leaked: Vec<String> =
        dns.asked().split_off(before).into_iter().filter(|n| n.contains("tunnel")).collect();
    assert!(leaked.is_empty(), "the engine's resolver passed on {leaked:?}");

    // It is written down, once each, without what was sent.
    let log = bed.engine.logs(&bed.container("egress-proxy"));
    for (outcome, name) in
        [("allowed", "allowed.example.net"), ("denied", "denied.example.net"), ("denied", "10.99.0.1")]
    {
        let rows = log
            .lines()
            .filter(|line| line.contains(&format!(r#""message":"{outcome}""#)) && line.contains(name));
        assert_ne!(rows.count(), 0, "{outcome} {name} in\n{log}");
    }

    // What was made is what is wanted: the same file again changes nothing.
    let again = bed::ran(bed.static_command().args(["up", "--wait"])).expect(0);
    assert!(!again.err.contains("Created"), "{}", again.err);
}
