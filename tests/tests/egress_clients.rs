//! Real clients through the egress proxy: OpenClaw's own HTTP stack, npm, git, curl and Node.js, which check the server's
//! certificate; `WebSocket`s, streams of gigabytes, and as many tunnels as a busy service has.
//!
//! What stands for the internet is a container without a network, on a link with the host: a neighbour. Deliberately
//! absent: what the proxy keeps from a service (`egress`, `guard`), and times; the bench measures.

use std::fs::read_to_string;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tests::bed::{self, Bed};
use tests::dns::Dns;
use tests::neighbour::{Neighbour, in_network};
use tests::{Daemon, image, stack, tls, wait};

/// Where the engine asks for names.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// Stands for a server on the internet.
const SERVER: &str = "45.33.32.158";
/// The names that lead there.
const NAMES: [&str; 2] = ["allowed.example.net", "denied.example.net"];

/// A key and a certificate of both names, which signs itself, in the folder `pki`.
fn certificate(bed: &Bed) {
    let folder = bed.folder().join("pki");
    std::fs::create_dir(&folder).expect("a folder");
    let at = |name: &str| folder.join(name).display().to_string();
    let names = format!("subjectAltName=DNS:{},DNS:{}", NAMES[0], NAMES[1]);
    let fixed = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"];
    let (key, cert) = (at("key.pem"), at("cert.pem"));
    let mut openssl = Command::new("openssl");
    bed::ran(openssl.args(fixed).args(["-addext", &names, "-keyout", &key, "-out", &cert])).expect(0);
    bed::ran(Command::new("chmod").args(["-R", "a+rX"]).arg(&folder)).expect(0);
}

/// Starts what stands for the internet.
fn internet(bed: &Bed) -> Neighbour {
    let script = bed.write("internet.js", include_str!("../fixtures/internet.js"));
    let name = bed.container("internet");
    bed.engine.run(
        &name,
        &json!({
            "Image": image::openclaw(),
            "User": "0:0",
            "Entrypoint": ["node", "/internet.js", NAMES[0]],
            "Labels": {"com.docker.compose.project": bed.project},
            "HostConfig": {"NetworkMode": "none", "Binds": [
                format!("{}:/internet.js:ro", script.display()),
                format!("{}:/pki:ro", bed.folder().join("pki").display()),
            ]},
        }),
    );
    let neighbour = Neighbour::of(bed.engine.pid(&name));
    neighbour.has(SERVER);
    neighbour.has(&RESOLVER.to_string());
    wait::until("the internet", || TcpStream::connect((SERVER, 443)).ok());
    neighbour
}

/// npm's own folder, as the image of OpenClaw has none.
fn npm() -> PathBuf {
    let folder =
        std::env::var_os("SUPERVISOR_NPM").expect("SUPERVISOR_NPM names no npm; `cargo xtask test` sets it");
    PathBuf::from(folder)
}

fn stack_of(image: &str, npm: &Path) -> String {
    format!(
        r#"
x-supervisor:
  egress:
    app: ["{}:443"]
services:
  app:
    image: {image}
    user: "1000:1000"
    command: [sleep, infinity]
    environment:
      HOME: /tmp
      XDG_CACHE_HOME: /tmp/cache
      OPENCLAW_STATE_DIR: /tmp/openclaw
      NODE_EXTRA_CA_CERTS: /pki/cert.pem
      CURL_CA_BUNDLE: /pki/cert.pem
      GIT_SSL_CAINFO: /pki/cert.pem
      npm_config_cafile: /pki/cert.pem
    configs: [{{source: cert, target: /pki/cert.pem}}]
    volumes: ["{}:/npm:ro"]
    tmpfs: ["/tmp:size=512m,mode=1777"]
    mem_limit: 1536m
    networks: [back]
    restart: unless-stopped
    stop_grace_period: 1s
    x-supervisor: {{runtime: node}}
configs:
  cert: {{file: ./pki/cert.pem}}
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.42.0/28}}]}}}}
"#,
        NAMES[0],
        npm.display(),
    )
}

#[test]
fn real_clients_reach_an_allowed_server_and_no_other() {
    let _turn = stack::turn();
    let bed = Bed::new("egress-clients");
    certificate(&bed);
    let internet = internet(&bed);
    let dns = internet.within(|| Dns::at(RESOLVER));
    for name in NAMES {
        dns.set(name, &[SERVER]);
    }
    // Its folder is this machine's own, which no stack is to see.
    bed::ran(Command::new("cp").arg("-r").arg(npm()).arg(bed.folder().join("npm"))).expect(0);
    bed.write("compose.yaml", &stack_of(&image::openclaw(), Path::new("./npm")));
    let daemon = Daemon::start_static(&bed);
    daemon.until_healthy();
    let app = bed.container("app");
    let exec = |words: &[&str]| bed.engine.exec(&app, words);
    let [allowed, denied] = NAMES.map(|name| format!("https://{name}/"));

    // OpenClaw's own HTTP stack, by the command with which its operators validate a proxy.
    let openclaw = ["node", "/app/node_modules/openclaw/openclaw.mjs", "proxy", "validate", "--json"];
    let validate = |url: &str| exec(&[&openclaw[..], &["--allowed-url", url]].concat());
    let (code, said) = validate(&allowed);
    assert_eq!(code, 0, "{said}");
    let (code, said) = validate(&denied);
    assert_ne!(code, 0, "{said}");

    // npm, git, and curl.
    let npm = |words: &[&str], name: &str| {
        let registry = format!("--registry=https://{name}");
        let fixed =
            ["node", "/npm/bin/npm-cli.js", "--no-audit", "--no-fund", "--fetch-retries=0", &registry];
        exec(&[&fixed[..], words].concat())
    };
    let (code, said) = npm(&["install", "tiny", "--prefix", "/tmp/p"], NAMES[0]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(exec(&["cat", "/tmp/p/node_modules/tiny/package.json"]).0, 0);
    let (code, said) = npm(&["view", "tiny"], NAMES[1]);
    assert!(code != 0 && said.contains("403"), "{said}");
    let clone = |name: &str, to: &str| exec(&["git", "clone", "-q", &format!("https://{name}/repo.git"), to]);
    let (code, said) = clone(NAMES[0], "/tmp/r");
    assert_eq!(code, 0, "{said}");
    let (code, said) = clone(NAMES[1], "/tmp/s");
    assert!(code != 0 && said.contains("403"), "{said}");
    assert_eq!(exec(&["curl", "-sS", &allowed]), (0, "the internet\n".to_owned()));
    let (code, said) = exec(&["curl", "-sS", &denied]);
    assert!(code != 0 && said.contains("403"), "{said}");

    // Node.js's own `fetch` and WebSocket.
    let node = |script: &str| exec(&["node", "--no-warnings", "-e", script]).1;
    let fetch = |url: &str| {
        node(&format!(
            "fetch('{url}').then(a => a.text()).then(console.log, e => console.log(e.cause?.message))"
        ))
    };
    assert_eq!(fetch(&allowed), "the internet\n\n");
    assert!(!fetch(&denied).contains("the internet"));
    let echo = |name: &str| {
        node(&format!(
            "const s = new WebSocket('wss://{name}/'); s.onopen = () => s.send('hello');
             s.onmessage = m => {{ console.log(m.data); s.close(); }}; s.onerror = () => console.log('none')"
        ))
    };
    assert_eq!(echo(NAMES[0]), "echo hello\n");
    assert_eq!(echo(NAMES[1]), "none\n");

    // A stream of gigabytes, whole.
    let stream = format!("{allowed}stream/2048");
    let size = ["curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", &stream];
    assert_eq!(exec(&size), (0, (2048_u64 << 20).to_string()));

    // The proxy is killed in the middle of one: it ends, and the way out is there again.
    let endless = format!("{allowed}stream/1000000");
    std::thread::scope(|scope| {
        let long = scope.spawn(|| exec(&["curl", "-sS", "-o", "/tmp/long", &endless]));
        wait::until("the stream's begin", || (exec(&["sh", "-c", "test -s /tmp/long"]).0 == 0).then_some(()));
        bed::signal(bed.engine.pid(&bed.container("egress-proxy")), "KILL");
        let (code, said) = long.join().expect("the stream's end");
        assert_ne!(code, 0, "{said}");
    });
    daemon.until("a proxy that was started again", |status| {
        status["services"]["egress-proxy"]["containers"][0]["restarts"] == 1
    });
    daemon.until_healthy();
    wait::until("the way out again", || (exec(&["curl", "-sS", &allowed]).0 == 0).then_some(()));
    assert_eq!(daemon.stop(), 0);
}

/// How many tunnels are held.
const TUNNELS: usize = 2000;
/// What they may add to the proxy's memory, in KiB.
const MEMORY: u64 = 12 * 1024;

/// The resident set of a process, in KiB.
fn memory(pid: u32) -> u64 {
    let status = read_to_string(format!("/proc/{pid}/status")).expect("the proxy");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A tunnel whose greeting was answered.
fn tunnel(proxy: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(proxy).expect("the proxy");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out on a socket");
    write!(stream, "CONNECT {0}:443 HTTP/1.1\r\nHost: {0}:443\r\n\r\n", NAMES[0]).expect("to ask");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the proxy's answer");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    stream.write_all(&tls::greeting(NAMES[0])).expect("to greet");
    stream.read_exact(&mut [0]).expect("the server's first byte");
    stream
}

#[test]
fn two_thousand_tunnels_are_held_in_little_memory_and_all_of_them_go_on() {
    let _turn = stack::turn();
    let bed = Bed::new("egress-tunnels");
    let neighbour = Neighbour::new();
    neighbour.has(SERVER);
    neighbour.has(&RESOLVER.to_string());
    let dns = neighbour.within(|| Dns::at(RESOLVER));
    dns.set(NAMES[0], &[SERVER]);
    bed.write(
        "compose.yaml",
        &format!(
            "x-supervisor: {{egress: {{app: ['{}:443']}}}}\nservices:\n  app:\n    image: {}\n    user: '1000:1000'\n    \
             command: [sleep, infinity]\n    mem_limit: 64m\n    stop_grace_period: 1s\n    networks: [back]\n\
             networks: {{back: {{internal: true}}}}\n",
            NAMES[0],
            image::busybox(&bed.engine)
        ),
    );
    bed::ran(bed.static_command().args(["up", "--wait"])).expect(0);
    // Both ends of every tunnel are this process's.
    let own = ["--pid", &std::process::id().to_string(), "--nofile=16384:16384"];
    bed::ran(Command::new("prlimit").args(own)).expect(0);
    let listener = neighbour.within(|| TcpListener::bind((SERVER, 443)).expect("the server's port"));
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for client in listener.incoming() {
            let mut client = client.expect("a client");
            // The greeting, and one byte for it. Whoever is there goes on until this process ends.
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b".");
            let mut echo = client.try_clone().expect("a descriptor");
            if held.len() % 500 == 0 {
                std::thread::spawn(move || {
                    let mut bytes = [0; 64];
                    while let Ok(count @ 1..) = echo.read(&mut bytes) {
                        let _ = echo.write_all(&bytes[..count]);
                    }
                });
            }
            held.push(client);
        }
    });

    let container = bed.container("egress-proxy");
    let networks = bed.engine.inspect(&container)["NetworkSettings"]["Networks"].clone();
    let address =
        networks[format!("{}_back", bed.project)]["IPAddress"].as_str().expect("an address").to_owned();
    let proxy = SocketAddr::new(address.parse().expect("an address"), 3128);
    let init = bed.engine.pid(&container);
    let children = read_to_string(format!("/proc/{init}/task/{init}/children")).expect("the proxy's init");
    let pid = children.split_whitespace().next().expect("the proxy").parse().expect("a process id");
    let network = PathBuf::from(format!("/proc/{}/ns/net", bed.engine.pid(&bed.container("app"))));
    // What it takes once, for whoever comes first, is not the tunnels'.
    drop(in_network(&network, || tunnel(proxy)));
    let before = memory(pid);
    let mut held = in_network(&network, || (0..TUNNELS).map(|_| tunnel(proxy)).collect::<Vec<_>>());
    let added = memory(pid).saturating_sub(before);
    assert!(added <= MEMORY, "{TUNNELS} tunnels take {added} KiB more than {before}");
    // The first that is answered is the 500th, the one before having been dropped.
    for stream in held.iter_mut().skip(499).step_by(500) {
        stream.write_all(b"still there").expect("to ask");
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"still there");
    }
    bed::ran(bed.static_command().arg("down")).expect(0);
}
