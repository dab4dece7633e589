//! Each way in which the engine or a service fails has its exit code, its place, its reason and its next step; what
//! was made stays, and `down` removes it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use serde_json::json;
use tests::{Bed, image};

fn one(image: &str, lines: &str, net: u8) -> String {
    format!(
        r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
{lines}
networks:
  net: {{ipam: {{config: [{{subnet: 10.79.5.{net}/28}}]}}}}
x-supervisor: {{edge: app}}
"#
    )
}

#[test]
fn no_engine_answers() {
    let bed = Bed::with("engine", &one("busybox:1", "", 128));
    let said = bed.supervisor(&["--host", "unix:///nowhere/docker.sock", "up"]).expect(10);
    assert!(said.err.contains("cannot reach the engine at `unix:///nowhere/docker.sock`"), "{}", said.err);
    assert!(said.err.contains("help: start the engine"), "{}", said.err);
    let socket = bed.folder().join("dead.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let host = format!("unix://{}", socket.display());
    let said = bed.supervisor(&["--host", &host, "ps"]).expect(10);
    assert!(said.err.contains("nothing listens there"), "{}", said.err);
    let said = bed.supervisor(&["--host", "tcp://127.0.0.1:2375", "up"]).expect(10);
    assert!(said.err.contains("not a local unix socket"), "{}", said.err);
}

#[test]
fn a_service_for_another_machine_or_for_more_than_this_one_changes_nothing() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &one(&image, "    platform: linux/riscv64\n    cpus: 100000\n    cpuset: '8000'", 144),
    );
    for command in ["plan", "up"] {
        let (ran, asked) = bed.asked(&[command]);
        let ran = ran.expect(4);
        for word in ["`platform`", "write `cpus: ", "`cpuset`: 8000"] {
            assert!(ran.err.contains(word), "{word}: {}", ran.err);
        }
        assert!(asked.iter().all(|request| !request.mutates()), "{asked:?}");
    }
}

/// A peer of an age that cannot be had: it answers one question only.
#[test]
fn the_engine_is_too_old() {
    let bed = Bed::with("engine", &one("busybox:1", "", 128));
    let socket = bed.folder().join("old.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let body = r#"{"Version":"20.10.24","ApiVersion":"1.41","Arch":"amd64","Os":"linux"}"#;
            let _ = write!(
                client,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let said = bed.supervisor(&["--host", &format!("unix://{}", socket.display()), "up"]).expect(11);
    assert!(said.err.contains("the engine 20.10.24 speaks API 1.41, and 1.44 is needed"), "{}", said.err);
    assert!(said.err.contains("help: upgrade"), "{}", said.err);
}

#[test]
fn an_engine_that_hangs_is_an_error_and_not_a_hang() {
    let bed = Bed::with("engine", &one("busybox:1", "", 128));
    let socket = bed.folder().join("mute.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let said = bed.supervisor(&["--host", &format!("unix://{}", socket.display()), "ps"]).expect(4);
    assert!(said.err.contains("the engine did not say its version within"), "{}", said.err);
}

#[test]
fn an_image_is_missing() {
    let bed = Bed::new("engine");
    let id = format!("sha256:{}", "0".repeat(64));
    bed.write("compose.yaml", &one(&id, "", 128));
    let said = bed.supervisor(&["up"]).expect(12);
    assert!(said.err.contains(&format!("image `{id}` is not on the engine")), "{}", said.err);
    bed.write("compose.yaml", &one("supervisor-test-nowhere:1", "", 128));
    bed.supervisor(&["up", "--pull", "never"]).expect(12);
    assert!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).is_empty());
}

#[test]
fn a_port_is_taken() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let lines = format!("    ports: [\"127.0.0.1:{port}:8080\"]");
    bed.write("compose.yaml", &one(&image, &lines, 144));
    let said = bed.supervisor(&["up"]).expect(13);
    assert!(said.err.contains(&format!("cannot publish `127.0.0.1:{port}`")), "{}", said.err);
    assert!(said.err.contains(&format!("sport = :{port}")), "{}", said.err);
    assert_eq!(bed.engine.inspect(&bed.container("app"))["State"]["Running"], json!(false));
    drop(taken);
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["down"]).expect(0);
    assert!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).is_empty());
}

#[test]
fn a_service_never_becomes_healthy_and_is_left_for_a_look() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let lines = "    x-supervisor: {probe: {http: /health, port: 8080, start_period: 2s}}
    command: [sh, -c, 'echo so far so good; exec httpd -f -p 8080 -h /tmp']";
    bed.write("compose.yaml", &one(&image, lines, 160));
    let said = bed.supervisor(&["up"]).expect(14);
    assert!(said.err.contains("service `app` did not become healthy within 2 s"), "{}", said.err);
    assert!(said.err.contains("GET /health: answered with status 404"), "{}", said.err);
    let last = format!("{} | so far so good\n", bed.container("app"));
    assert!(said.err.contains(&last), "its last lines: {}", said.err);
    let said = bed.supervisor(&["up", "--json"]).expect(14);
    let summary =
        said.out.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let summary = summary.expect("a summary");
    assert_eq!(summary["last_lines"][bed.container("app")][0], "so far so good");
    assert_eq!(bed.engine.inspect(&bed.container("app"))["State"]["Running"], json!(true));
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn the_engines_own_check_is_heard_and_believed() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let lines = |test: &str| {
        format!(
            "    healthcheck: {{test: [CMD, {test}], interval: 1s, timeout: 1s, retries: 1, start_period: 1s, start_interval: 1s}}
    command: [sleep, '1000']"
        )
    };
    bed.write("compose.yaml", &one(&image, &lines("'true'"), 176));
    bed.supervisor(&["up"]).expect(0);
    bed.write("compose.yaml", &one(&image, &lines("'false'"), 176));
    let said = bed.supervisor(&["up", "--wait-timeout", "3"]).expect(14);
    assert!(said.err.contains("did not become healthy within 3 s"), "{}", said.err);
}

#[test]
fn a_service_that_ends_at_once_says_why() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let lines = "    x-supervisor: {probe: {http: /, port: 8080}}
    command: [sh, -c, \"echo out of $$PWD; printf '\\\\033[2J'; sleep 1; exit 9\"]";
    bed.write("compose.yaml", &one(&image, lines, 192));
    let said = bed.supervisor(&["up"]).expect(4);
    assert!(said.err.contains("ended with code 9"), "{}", said.err);
    assert!(said.err.contains("| out of /\n"), "its last output: {}", said.err);
    assert!(!said.err.contains('\u{1b}'), "neutralised");
}

#[test]
fn a_strangers_container_under_our_name_is_in_the_way_and_stays() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.engine.run(&bed.container("app"), &json!({"Image": image, "HostConfig": {"Init": true}}));
    bed.write("compose.yaml", &one(&image, "", 208));
    let said = bed.supervisor(&["up"]).expect(4);
    assert!(said.err.contains(&bed.container("app")), "{}", said.err);
    assert_eq!(bed.engine.inspect(&bed.container("app"))["State"]["Running"], json!(true));
    bed.supervisor(&["down"]).expect(0);
    assert_eq!(bed.engine.inspect(&bed.container("app"))["State"]["Running"], json!(true));
    bed.engine.remove(&bed.container("app"));
}

#[test]
fn two_writers_of_one_project_are_told_apart() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let lines = "    x-supervisor: {probe: {http: /never, port: 8080, start_period: 1m}}";
    bed.write("compose.yaml", &one(&image, lines, 224));
    let first = bed.spawn("first", &["up"]);
    tests::wait::until("the first to start its container", || {
        let made = bed.engine.containers(&format!("supervisor.project={}", bed.project));
        made.iter().any(|c| c["State"] == "running").then_some(())
    });
    let said = bed.supervisor(&["down"]).expect(4);
    let holder = format!("is being changed by process {} (`up`)", first.pid());
    assert!(said.err.contains(&holder), "{}", said.err);
    drop(first);
    // The lock goes with its holder, however that ended.
    bed.supervisor(&["down"]).expect(0);
}
