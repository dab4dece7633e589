//! A loopback port of a service that is only on internal networks: listened on by `run`, passed on to the container.
//!
//! Real services on a real engine: Node.js with `WebSocket`s and long streams, and OpenClaw itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::bed::{self, Bed};
use tests::stack::Stack;
use tests::{Daemon, http, image, wait};

/// A port of loopback that nobody uses now.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port()
}

fn node(bed: &Bed, port: u16, subnet: &str) {
    bed.write("relayed.js", include_str!("../fixtures/relayed.js"));
    bed.write(
        "compose.yaml",
        &format!(
            "
services:
  web:
    image: {}
    user: '1000:1000'
    command: [node, /relayed.js]
    configs: [{{source: program, target: /relayed.js}}]
    ports: ['127.0.0.1:{port}:8080', '[::1]:{port}:8080']
    mem_limit: 512m
    restart: unless-stopped
    stop_grace_period: 1s
    networks: [back]
    x-supervisor:
      runtime: node
      probe: {{http: /, port: 8080, interval: 1s, timeout: 2s, retries: 5, start_period: 120s}}
configs:
  program: {{file: ./relayed.js}}
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: {subnet}}}]}}}}
",
            image::openclaw()
        ),
    );
}

/// What a GET through the port answers; empty where nobody does.
fn get(address: SocketAddr) -> String {
    http::get(&address.to_string(), "/").map(|answer| answer.text()).unwrap_or_default()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the port");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out");
    stream
}

/// A WebSocket, opened (RFC 6455, section 1.3).
fn websocket(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    let ask = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask.as_bytes()).expect("to ask");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the answer");
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    stream
}

/// Sends a text in one masked frame, and reads the one that comes back.
fn echoes(socket: &mut TcpStream, text: &str) -> bool {
    let length = u8::try_from(text.len()).expect("a short text");
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    let mut answer = vec![0; text.len() + 2];
    socket.write_all(&frame).is_ok()
        && socket.read_exact(&mut answer).is_ok()
        && answer.ends_with(text.as_bytes())
}

/// Asks for a stream of so many MiB; the connection after the head, and the bytes of the body that came with it.
fn stream(address: SocketAddr, mebibytes: u32) -> TcpStream {
    let mut stream = connect(address);
    let ask = format!("GET /stream/{mebibytes} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).expect("to ask");
    stream
}

/// Reads to the end, however it comes; how many bytes.
fn read_all(stream: &mut TcpStream) -> u64 {
    let mut bytes = vec![0; 1 << 20];
    let mut count = 0;
    while let Ok(more @ 1..) = stream.read(&mut bytes) {
        count += more as u64;
    }
    count
}

fn relay(status: &Value) -> &Value {
    &status["relays"][0]
}

#[test]
fn a_loopback_port_of_an_inner_service_is_served_and_follows_its_container() {
    let bed = Bed::new("relay");
    let port = free_port();
    let v4 = SocketAddr::from(([127, 0, 0, 1], port));
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
    node(&bed, port, "10.79.44.0/28");

    // `up` ends, and says what it does not serve.
    let said =
        format!("port `127.0.0.1:{port}` of service `web` is served while `supervisor run` keeps this stack");
    assert!(bed.supervisor(&["plan"]).expect(3).out.contains(&said));
    assert!(bed.supervisor(&["up", "--wait"]).expect(0).err.contains(&said));
    assert!(TcpStream::connect(v4).is_err());
    bed.supervisor(&["port", "web", "8080"]).expect(4);

    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let first = wait::until("an answer", || Some(get(v4)).filter(|said| !said.is_empty()));
    assert_eq!(get(v6), first);
    assert!(!bed.supervisor(&["plan"]).expect(0).out.contains("is served while"));
    let table = bed.supervisor(&["ps"]).expect(0).out;
    assert!(table.contains(&format!("127.0.0.1:{port}->8080/tcp, [::1]:{port}->8080/tcp")), "{table}");
    assert_eq!(bed.supervisor(&["port", "web", "8080"]).expect(0).out, format!("{v4}\n{v6}\n"));

    // WebSockets, and a stream that is no short one.
    let mut socket = websocket(v4);
    assert!(echoes(&mut socket, "hello"));
    assert!(read_all(&mut stream(v4, 512)) > 512 << 20);

    // Killed in the middle: what was open ends, and the next connection finds the container again.
    let mut long = stream(v4, 1 << 20);
    let mut some = vec![0; 4 << 20];
    long.read_exact(&mut some).expect("the stream's begin");
    bed::signal(bed.engine.pid(&bed.container("web")), "KILL");
    read_all(&mut long);
    assert!(!echoes(&mut socket, "still there?"));
    daemon.until("healing", |status| status["services"]["web"]["containers"][0]["restarts"] == 1);
    daemon.until_healthy();
    wait::until("an answer after the kill", || Some(get(v4)).filter(|said| !said.is_empty()));

    // Stopped, its address taken by another, and started again: it is found where it is now.
    bed.supervisor(&["stop", "web"]).expect(0);
    daemon.until("no container behind the port", |status| relay(status)["to"] == json!([]));
    assert_eq!(get(v4), "");
    let network = format!("{}_back", bed.project);
    bed.engine.run(
        &format!("{}-squatter", bed.project),
        &json!({
            "Image": image::busybox(&bed.engine),
            "Labels": {"supervisor.project.test": bed.project, "com.docker.compose.project": bed.project},
            "HostConfig": {"NetworkMode": network},
            "NetworkingConfig": {"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": first}}}},
        }),
    );
    bed.supervisor(&["start", "web"]).expect(0);
    let second = wait::until("an answer after the move", || Some(get(v4)).filter(|said| !said.is_empty()));
    assert_ne!(second, first);
    daemon.until_healthy();

    // With few descriptors there are few connections, and one too many is closed at once.
    let limit = ["--pid", &daemon.pid().to_string(), "--nofile=530:530"];
    bed::ran(Command::new("prlimit").args(limit)).expect(0);
    bed.supervisor(&["restart", "web"]).expect(0);
    let status = daemon.until("a bound of one connection", |status| relay(status)["bound"] == 1);
    assert_eq!(relay(&status)["error"], Value::Null);
    let mut one = wait::until("the one connection", || {
        let mut stream = connect(v4);
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok()?;
        let mut byte = [0];
        stream.read_exact(&mut byte).ok().map(|()| stream)
    });
    assert_eq!(get(v4), "");
    assert!(one.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
    one.shutdown(Shutdown::Both).expect("an end");
    wait::until("room again", || Some(get(v4)).filter(|said| !said.is_empty()));
    let metrics = daemon.get("/metrics").expect("metrics").text();
    assert!(
        metrics.contains(&format!(r#"supervisor_relay_listening{{service="web",listen="{v4}"}} 1"#)),
        "{metrics}"
    );
    assert!(metrics.contains("supervisor_relay_refused_total{"), "{metrics}");

    // It goes with the supervisor.
    assert_eq!(daemon.stop(), 0);
    assert!(TcpStream::connect(v4).is_err());
}

#[test]
fn a_port_that_somebody_has_is_named_and_served_once_it_is_free() {
    let bed = Bed::new("relay-taken");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = other.local_addr().expect("its address");
    node(&bed, at.port(), "10.79.44.16/28");
    let daemon = Daemon::start(&bed, &[]);
    let status = daemon.until("the reason", |status| relay(status)["error"].is_string());
    assert!(
        relay(&status)["error"]
            .as_str()
            .unwrap()
            .starts_with(&format!("cannot listen on `{at}`: Address already"))
    );
    let answer = daemon.get("/healthz").expect("an answer");
    assert!(answer.status == 503, "{}", answer.text());
    drop(other);
    daemon.until_healthy();
    wait::until("an answer", || Some(get(at)).filter(|said| !said.is_empty()));
}

#[test]
fn a_low_port_is_served_by_a_run_that_has_no_right_to_it() {
    let bed = Bed::new("relay-low");
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = (600..1024).rev().find(free).expect("a low port that nobody uses");
    node(&bed, port, "10.79.44.64/28");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    assert_eq!(daemon.status()["processes"]["supervisor"]["capabilities"], "none");
    let at = SocketAddr::from(([127, 0, 0, 1], port));
    wait::until("an answer", || Some(get(at)).filter(|said| !said.is_empty()));
}

#[test]
fn a_port_of_the_file_is_attested_with_whoever_listens_there() {
    let bed = Bed::new("relay-attest");
    let port = free_port();
    node(&bed, port, "10.79.44.32/28");
    let row = |ran: &bed::Ran| -> Value {
        let stack = ran.json()["stack"].clone();
        let item = format!("port 127.0.0.1:{port}/tcp");
        let rows = stack.as_array().expect("rows").iter();
        rows.clone().find(|row| row["item"] == item.as_str()).unwrap_or_else(|| panic!("{stack}")).clone()
    };
    let attest = || bed.supervisor(&["attest", "--format", "json"]);
    bed.supervisor(&["up", "--wait"]).expect(0);
    assert_eq!(row(&attest().expect(0))["verdict"], "noted");
    {
        let daemon = Daemon::start(&bed, &[]);
        daemon.until_healthy();
        let kept = row(&attest().expect(0));
        assert_eq!(
            (&kept["verdict"], &kept["seen"]),
            (&json!("kept"), &json!(format!("supervisor ({})", daemon.pid())))
        );
    }
    // Somebody else was faster: this test.
    let _other = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until("the reason", |status| relay(status)["error"].is_string());
    let broken = row(&attest().expect(5));
    let pid = format!("({})", std::process::id());
    assert!(broken["verdict"] == "broken" && broken["seen"].as_str().unwrap().contains(&pid), "{broken}");
}

#[test]
fn the_real_openclaw_answers_on_the_loopback_port_that_its_guide_gives_it() {
    let stack = Stack::new("relay-openclaw");
    let path = stack.bed.folder().join("compose.override.yaml");
    let own = std::fs::read_to_string(&path).expect("the override");
    stack.bed.write("compose.override.yaml", &format!("{own}    ports: ['127.0.0.1:3000:18789']\n"));
    let daemon = Daemon::start(&stack.bed, &[]);
    daemon.until_healthy();
    let at = SocketAddr::from(([127, 0, 0, 1], 3000));
    let health = || {
        http::get(&at.to_string(), "/healthz").ok().filter(|answer| answer.text().contains(r#""ok":true"#))
    };
    wait::until("its health", health);
    // The gateway's own first frame, over a WebSocket.
    let mut socket = websocket(at);
    let mut frame = [0; 64];
    let count = socket.read(&mut frame).expect("a frame");
    let text = String::from_utf8_lossy(frame.get(..count).expect("its bytes")).into_owned();
    assert!(text.contains("connect.challenge"), "{text:?}");
    // Killed in the middle, it is started again, and found again.
    bed::signal(stack.bed.engine.pid(&stack.bed.container("openclaw")), "KILL");
    while let Ok(1..) = socket.read(&mut frame) {}
    daemon.until("healing", |status| status["services"]["openclaw"]["containers"][0]["restarts"] == 1);
    daemon.until_healthy();
    wait::until("its health again", health);
}
