//! A control plane is told once that the stack is up, over TLS, by a process that can do nothing else.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::bed::{ran, signal};
use tests::control_plane::{ControlPlane, Request, free_port};
use tests::{Bed, Daemon, image, wait};

const SECRET: &str = "hunter2hunter2hunter2";

/// A stack of one service that runs, and the secret's file.
fn bed(room: &str) -> (Bed, PathBuf) {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    let service =
        "command: [sleep, infinity]\n    user: '1000:1000'\n    mem_limit: 64m\n    stop_grace_period: 1s";
    bed.write("compose.yaml", &format!("services:\n  web:\n    image: {image}\n    {service}\n"));
    let secret = bed.write("secret", &format!("{SECRET}\n"));
    (bed, secret)
}

fn start(bed: &Bed, secret: &Path, url: &str, ca: &Path, further: &[&str]) -> Daemon {
    let (secret, ca) = (secret.to_string_lossy(), ca.to_string_lossy());
    let options = ["--callback-url", url, "--instance-id", "i-1", "--callback-secret-file", &secret];
    Daemon::start_with(bed, &[], &[&options[..], &["--callback-ca", &ca], further].concat())
}

/// Away, then elsewhere, then there.
fn at_the_third_time(request: &Request, before: usize) -> u16 {
    match (request.line.contains("/ready"), before) {
        (false, _) => 204,
        (true, 0) => 503,
        (true, 1) => 302,
        (true, _) => 200,
    }
}

#[test]
fn a_control_plane_hears_once_that_the_stack_is_up_whatever_it_answers_and_whoever_dies() {
    let (bed, secret) = bed("call-once");
    let plane = ControlPlane::start(&bed.folder().join("plane"), None, at_the_third_time);
    let beat = plane.url("/beat");
    let further = ["--heartbeat-url", beat.as_str()];
    let daemon = start(&bed, &secret, &plane.url("/ready"), plane.ca(), &further);
    let status = daemon
        .until("a control plane that knows", |status| status["control_plane"]["announced_at"].is_string());
    let told = plane.requests("/ready");
    assert_eq!(told.len(), 3, "{told:#?}");
    let key = told[0].header("idempotency-key").expect("a key");
    assert!(told.iter().all(|request| request.header("idempotency-key") == Some(key)), "{told:#?}");
    let body = &told[2].body;
    assert_eq!((&body["instance_id"], &body["callback_secret"]), (&"i-1".into(), &SECRET.into()));
    assert_eq!(body["engine_version"], status["engine"]["version"]);
    assert_eq!(body["supervisor_version"], status["version"]);
    assert!(body["web_version"].as_str().is_some_and(|version| !version.is_empty()), "{body}");
    assert!(!daemon.log().contains(SECRET) && !status.to_string().contains(SECRET));

    daemon.signal("KILL");
    drop(daemon);
    let beats = plane.requests("/beat").len();
    let daemon = start(&bed, &secret, &plane.url("/ready"), plane.ca(), &further);
    daemon.until_healthy();
    wait::until("a heartbeat of the next process", || plane.requests("/beat").get(beats).cloned());
    assert_eq!(daemon.status()["control_plane"]["announced_at"], status["control_plane"]["announced_at"]);
    assert_eq!(plane.requests("/ready").len(), 3);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn who_is_not_who_it_says_it_is_hears_nothing() {
    let (bed, secret) = bed("call-tls");
    let plane = ControlPlane::start(&bed.folder().join("plane"), None, |_, _| 200);
    let other = ControlPlane::start(&bed.folder().join("other"), None, |_, _| 200);
    let daemon = start(&bed, &secret, &plane.url("/ready"), other.ca(), &[]);
    let status = daemon.until("a call that was not made", |status| {
        status["control_plane"]["failure"].is_string() || status["control_plane"]["announced_at"].is_string()
    });
    assert!(status["control_plane"]["failure"].to_string().contains("certificate"), "{status}");
    assert!(status["warnings"].to_string().contains("certificate"), "{status}");
    daemon.until_healthy();
    assert!(plane.requests("/ready").is_empty());
}

#[test]
fn the_process_that_calls_has_no_rights_and_shows_no_secret() {
    let (bed, secret) = bed("call-bare");
    // It takes connections and says nothing: whoever calls waits for its greeting.
    let port = free_port();
    let silent = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    let plane = ControlPlane::start(&bed.folder().join("plane"), None, |_, _| 200);
    let daemon = start(&bed, &secret, &format!("https://localhost:{port}/ready"), plane.ca(), &[]);
    let caller = wait::until("a caller", || {
        let pids =
            ran(Command::new("pgrep").args(["--parent", &daemon.pid().to_string(), "--exact", "curl"])).out;
        pids.split_whitespace().next().map(str::to_owned)
    });
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{caller}/{name}")).expect(name);
    assert_eq!(read("cmdline"), "curl\0--disable\0--config\0-\0");
    assert_eq!(read("environ"), "PATH=/usr/sbin:/usr/bin:/sbin:/bin\0");
    let status = read("status");
    let row = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim_start_matches(':').trim().to_owned()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(row(set), "0000000000000000", "{set}");
    }
    assert_eq!(row("NoNewPrivs"), "1");
    assert!(
        read("limits").lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 "))
    );
    signal(caller.parse().expect("a process id"), "KILL");
    daemon.until("a call that ended", |status| status["control_plane"]["failure"].is_string());
    drop(silent);
}

#[test]
fn a_callback_that_cannot_be_made_is_told_of_and_the_stack_is_kept_all_the_same() {
    let (bed, secret) = bed("call-wrong");
    let secret = secret.display().to_string();
    let options = [
        "--callback-url",
        "http://localhost/ready",
        "--instance-id",
        "i-1",
        "--callback-secret-file",
        &secret,
    ];
    let ran = bed.supervisor(&[&["run"][..], &options[..]].concat()).expect(2);
    assert!(ran.err.contains("no plain https:// address"), "{}", ran.err);
    let nobody = bed.folder().join("nobody.sock");
    let daemon = Daemon::start_with(&bed, &[("NOTIFY_SOCKET", nobody.to_str().unwrap())], &options);
    daemon.until_healthy();
    let warnings = daemon.status()["warnings"].to_string();
    assert!(warnings.contains("the control plane is not told of the stack"), "{warnings}");
    assert_eq!(daemon.stop(), 0);
}
