//! The systemd unit, started by cloud-init as on a fresh server: it comes up, comes back, and is there after a boot.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tests::bed::{Ran, ran, signal};
use tests::control_plane::ControlPlane;
use tests::machine::inside;
use tests::{Engine, http, wait};

/// Where the unit listens.
const SOCKET: &str = "/run/supervisor/endpoint.sock";
/// The stack's one container.
const CONTAINER: &str = "unit-web-1";
/// Notes from before the machine was switched off.
const BEFORE: &str = "/root/before.json";

/// What systemd says of the unit.
#[track_caller]
fn property(name: &str) -> String {
    let show = ["show", "--value", "--property", name, "supervisor.service"];
    ran(Command::new("systemctl").args(show)).expect(0).out.trim().to_owned()
}

#[track_caller]
fn systemctl(command: &str) -> Ran {
    ran(Command::new("systemctl").args([command, "supervisor.service"]))
}

/// `/status`, once `/healthz` says 200.
#[track_caller]
fn healthy() -> Value {
    let socket = Path::new(SOCKET);
    wait::until("a healthy stack of the unit", || {
        http::get_unix(socket, "/healthz").ok().filter(|answer| answer.status == 200)
    });
    serde_json::from_slice(&http::get_unix(socket, "/status").unwrap().body).unwrap()
}

/// Id and start of the container, if it is there.
fn seen() -> Option<(String, String)> {
    let inspected = Engine::from_env().find(CONTAINER)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some((text(&inspected["Id"])?, text(&inspected["State"]["StartedAt"])?))
}

#[track_caller]
fn identity() -> (String, String) {
    seen().expect("the container of the unit")
}

#[track_caller]
fn is_confined() {
    let engine = Engine::from_env();
    let label = std::fs::read_to_string(format!("/proc/{}/attr/current", engine.pid(CONTAINER))).unwrap();
    assert!(label.starts_with("supervisor-unit.web-") && label.trim().ends_with(" (enforce)"), "{label}");
}

/// The supervisor is under the package's own profile, in the kernel's word, and was denied nothing by it.
#[track_caller]
fn is_confined_itself() {
    let label = std::fs::read_to_string(format!("/proc/{}/attr/current", property("MainPID"))).unwrap();
    assert_eq!(label.trim(), format!("{} (enforce)", profiles::apparmor::SUPERVISOR));
    let log = ran(&mut Command::new("dmesg")).expect(0).out;
    let ours = format!("profile=\"{}\"", profiles::apparmor::SUPERVISOR);
    let denied: Vec<&str> =
        log.lines().filter(|line| line.contains("apparmor=\"DENIED\"") && line.contains(&ours)).collect();
    assert_eq!(denied, Vec::<&str>::new());
}

/// Where the user-data has the supervisor call.
const PORT: u16 = 8444;

/// A control plane that takes what it is told at the second time, known by the system's own certificates.
#[track_caller]
fn control_plane() -> ControlPlane {
    let plane =
        ControlPlane::start(
            Path::new("/root/plane"),
            Some(PORT),
            |_, before| if before == 0 { 503 } else { 200 },
        );
    std::fs::copy(plane.ca(), "/usr/local/share/ca-certificates/plane.crt").unwrap();
    ran(&mut Command::new("update-ca-certificates")).expect(0);
    plane
}

/// When the control plane took the news, by `/status`.
fn announced_at() -> Option<String> {
    let status = http::get_unix(Path::new(SOCKET), "/status").ok()?;
    let status: Value = serde_json::from_slice(&status.body).ok()?;
    status["control_plane"]["announced_at"].as_str().map(str::to_owned)
}

/// It does not know the control plane's certificate at first, is refused then, and is taken at last.
#[track_caller]
fn the_control_plane_is_told_once(plane: &ControlPlane) -> String {
    let at = wait::until("a control plane that knows", announced_at);
    let told = plane.requests("/ready");
    assert_eq!(told.len(), 2, "{told:?}");
    let body = &told[1].body;
    assert_eq!(
        (&body["instance_id"], &body["callback_secret"], &body["web_version"]),
        (&"machine-1".into(), &"not-known-to-anybody".into(), &"1".into())
    );
    at
}

/// Kills what a container runs, and waits for it to be back.
#[track_caller]
fn a_crashed_container_comes_back() {
    let (before, from) = (identity(), Instant::now());
    signal(Engine::from_env().pid(CONTAINER), "KILL");
    wait::until("the container to run again", || seen().filter(|now| now.1 != before.1));
    healthy();
    println!("crashed, and well again after {:.1} s", from.elapsed().as_secs_f32());
    assert_eq!(identity().0, before.0, "it was made anew");
}

/// The package, as the machine was given it.
const PACKAGE: &str = "/mnt/payload/supervisor.deb";

#[track_caller]
fn dpkg(arguments: &[&str]) -> Ran {
    ran(Command::new("dpkg").args(arguments)).expect(0)
}

/// Installed again, removed, installed and purged: each makes systemd read its units again, and none touches the stack.
#[track_caller]
fn the_package_comes_and_goes_and_the_stack_stays(announced: Option<&str>) {
    let (before, pid) = (identity(), property("MainPID"));
    dpkg(&["--install", PACKAGE]);
    wait::until("another process", || Some(property("MainPID")).filter(|new| *new != pid && new != "0"));
    healthy();
    is_confined_itself();
    assert_eq!(identity(), before, "an upgrade touched the container");
    assert_eq!(announced_at().as_deref(), announced, "after an upgrade");

    dpkg(&["--remove", "supervisor"]);
    let left = ["/usr/bin/supervisor", "/etc/default/supervisor", "/var/lib/supervisor/unit/journal.json"];
    assert_eq!(left.map(|path| Path::new(path).exists()), [false, true, true]);
    assert_eq!(identity(), before, "a removal touched the container");
    dpkg(&["--install", PACKAGE]);
    healthy();
    is_confined_itself();
    assert_eq!(identity(), before, "an installation touched the container");

    dpkg(&["--purge", "supervisor"]);
    assert_eq!(identity(), before, "a purge touched the container");
    let left = ["/etc/default/supervisor", "/var/lib/supervisor", "/etc/supervisor/compose.yaml"];
    assert_eq!(left.map(|path| Path::new(path).exists()), [false, false, true], "what a purge leaves");
}

/// One test, since each step begins where the one before has left the unit.
#[test]
fn cloud_init_starts_it_a_kill_is_survived_and_a_reload_takes_the_new_file() {
    inside(|| {
        let status = healthy();
        assert_eq!(status["services"]["web"]["containers"][0]["attestation"]["result"], "passed", "{status}");
        assert_eq!([property("ActiveState"), property("SubState")], ["active", "running"]);
        is_confined();
        is_confined_itself();
        let relayed = ran(Command::new("curl").args(["-sS", "http://127.0.0.1:81/"])).expect(0);
        assert_eq!(relayed.out, "well", "by way of a port to which `run` has no right");
        let plane = control_plane();
        a_crashed_container_comes_back();

        let (before, pid) = (identity(), property("MainPID"));
        signal(pid.parse().unwrap(), "KILL");
        wait::until("another process", || Some(property("MainPID")).filter(|new| *new != pid && new != "0"));
        healthy();
        assert_eq!(property("NRestarts"), "1");
        assert_eq!(identity(), before, "the container was touched");

        let file = "/etc/supervisor/compose.yaml";
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, text.replace("128m", "128m\n    privileged: true")).unwrap();
        systemctl("reload").expect(0);
        let refused = |status: &Value| {
            status["stack"]["refused"]["errors"].as_array().is_some_and(|errors| !errors.is_empty())
        };
        wait::until("a refusal", || {
            let status = http::get_unix(Path::new(SOCKET), "/status").ok()?;
            serde_json::from_slice(&status.body).ok().filter(refused)
        });
        assert_eq!(identity(), before, "a file that is refused changed something");
        std::fs::write(file, text.replace("size=8m", "size=9m")).unwrap();
        systemctl("reload").expect(0);
        wait::until("a container of the new file", || seen().filter(|now| now.0 != before.0));
        healthy();
        is_confined();
        assert_eq!(property("NRestarts"), "1");
        let announced = the_control_plane_is_told_once(&plane);
        is_confined_itself();
        let (id, started) = identity();
        let before = serde_json::json!({"id": id, "started": started, "announced": announced});
        std::fs::write(BEFORE, before.to_string()).unwrap();
    });
}

#[test]
fn after_a_reboot_all_is_healthy_without_a_hand() {
    inside(|| {
        let before: Value = serde_json::from_str(&std::fs::read_to_string(BEFORE).unwrap()).unwrap();
        let plane = control_plane();
        let status = healthy();
        assert_eq!(status["services"]["web"]["containers"][0]["attestation"]["result"], "passed", "{status}");
        let up = std::fs::read_to_string("/proc/uptime").unwrap();
        println!("healthy {} s after the kernel's start", up.split(' ').next().unwrap_or_default());
        is_confined();
        is_confined_itself();
        let (id, started) = identity();
        assert_eq!(before["id"], id.as_str(), "the container was made anew");
        assert_ne!(before["started"], started.as_str());
        assert_eq!(announced_at().as_deref(), before["announced"].as_str(), "after a reboot");
        the_package_comes_and_goes_and_the_stack_stays(before["announced"].as_str());
        assert_eq!(plane.requests("/ready").len(), 0, "it was told again");
    });
}
