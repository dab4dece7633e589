//! A server made by user-data that `render cloud-init` printed, as it is: hardened, then the stack under its unit.
//!
//! Packages and images come as files, and its network ends at itself. Deliberately absent: each row of the guard and of
//! Landlock (`guard`, `landlock`), and OpenClaw (`real`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::bed::ran;
use tests::control_plane::ControlPlane;
use tests::machine::inside_server;
use tests::{Engine, http, wait};

use super::audit::audit;

const SOCKET: &str = "/run/supervisor/endpoint.sock";
/// Notes from before the machine was switched off.
const BEFORE: &str = "/root/before.json";
/// Where the answers have the supervisor call.
const PORT: u16 = 8444;
/// And what proves to whom it calls that it is this server.
const SECRET: &str = "not-known-to-anybody";

#[track_caller]
fn said(program: &str, arguments: &[&str]) -> String {
    ran(Command::new(program).args(arguments)).expect(0).out
}

#[track_caller]
fn healthy() -> Value {
    let socket = Path::new(SOCKET);
    wait::until("a healthy stack", || {
        http::get_unix(socket, "/healthz").ok().filter(|answer| answer.status == 200)
    });
    serde_json::from_slice(&http::get_unix(socket, "/status").unwrap().body).unwrap()
}

/// When the control plane took the news, by `/status`.
fn announced_at() -> Option<String> {
    let status = http::get_unix(Path::new(SOCKET), "/status").ok()?;
    let status: Value = serde_json::from_slice(&status.body).ok()?;
    status["control_plane"]["announced_at"].as_str().map(str::to_owned)
}

/// Ids and starts of the stack's containers.
#[track_caller]
fn containers() -> Value {
    let engine = Engine::from_env();
    ["server-caddy-1", "server-node-1"]
        .map(|name| {
            let inspected = engine.inspect(name);
            let label = std::fs::read_to_string(format!("/proc/{}/attr/current", engine.pid(name))).unwrap();
            assert!(
                label.starts_with("supervisor-server.") && label.trim().ends_with(" (enforce)"),
                "{label}"
            );
            assert_eq!(inspected["Path"], "/.supervisor-confine", "its own rules are not kept by Landlock");
            (name.to_owned(), serde_json::json!([inspected["Id"], inspected["State"]["StartedAt"]]))
        })
        .into_iter()
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[track_caller]
fn is_up() {
    let status = healthy();
    for service in ["caddy", "node"] {
        let container = &status["services"][service]["containers"][0];
        assert_eq!(container["attestation"]["result"], "passed", "{status}");
    }
    assert!(status["kernel"]["landlock_abi"].as_u64() > Some(0), "{status}");
    for process in ["supervisor", "endpoint"] {
        assert_eq!(status["processes"][process]["landlock"], "full", "{status}");
    }
    assert_eq!(said("curl", &["-sS", "http://127.0.0.1/"]), r#"{"ok":true}"#);
}

/// Where in a text each of these begins, which is in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let places: Vec<Option<usize>> = parts.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{parts:?} at {places:?} in\n{text}");
}

/// Rows that do not pass on the server, and why.
const NOT_PASSED: [(&str, &str); 7] = [
    ("AU144", "no provider's metadata service is near"),
    ("AU206", "this kernel does not say what it does against processors' faults"),
    ("AU226", "no time server can be reached"),
    ("AU230", "the machine's apt installs no recommended packages, and AIDE's first look is in one"),
    ("AU231", "what watches system calls is the operator's choice"),
    ("AU265", "the stack of this test has no certificate"),
    ("AU266", "nor a browser"),
];

#[test]
fn rendered_user_data_makes_a_server_whose_stack_is_up_and_told_of_once() {
    inside_server(|| {
        let cloud_init = said("cloud-init", &["status", "--long"]);
        assert!(cloud_init.contains("status: done") && cloud_init.contains("errors: []"), "{cloud_init}");
        let log = std::fs::read_to_string("/var/log/cloud-init-output.log").unwrap();
        let steps = ["firewall", "SSH", "guards", "engine", "package", "stack", "done"];
        in_order(&log, &steps.map(|step| format!("hardened: {step}")).each_ref().map(String::as_str));
        assert_eq!(said("systemctl", &["is-enabled", "supervisor.service"]).trim(), "enabled");
        // The one who may log in is there, and root is not.
        said("id", &["keeper"]);
        let keys = std::fs::read_to_string("/home/keeper/.ssh/authorized_keys").unwrap();
        assert!(keys.starts_with("ssh-ed25519 "), "{keys}");

        let plane = ControlPlane::start(Path::new("/root/plane"), Some(PORT), |_, _| 200);
        std::fs::copy(plane.ca(), "/usr/local/share/ca-certificates/plane.crt").unwrap();
        said("update-ca-certificates", &[]);
        is_up();
        let announced = wait::until("a control plane that knows", announced_at);
        let told = plane.requests("/ready");
        assert_eq!(told.len(), 1, "{told:?}");
        let body = &told[0].body;
        assert_eq!((&body["instance_id"], &body["callback_secret"]), (&"server-1".into(), &SECRET.into()));

        it_is_hardened();
        assert!(!log.contains(SECRET), "the secret is in cloud-init's log");
        let before = serde_json::json!({"containers": containers(), "announced": announced});
        std::fs::write(BEFORE, before.to_string()).unwrap();
    });
}

/// By the audit's word, and by the programs' own.
#[track_caller]
fn it_is_hardened() {
    let audit = audit();
    let expected: Vec<&str> = NOT_PASSED.iter().map(|(id, _)| *id).collect();
    let not_passed = audit.iter().filter(|(_, (verdict, _))| verdict != "passed");
    let not_passed: BTreeMap<_, _> = not_passed.collect();
    assert_eq!(not_passed.keys().copied().collect::<Vec<_>>(), expected, "{not_passed:#?}");
    let ufw = said("ufw", &["status", "verbose"]);
    assert!(ufw.contains("Status: active") && ufw.contains("deny (incoming), deny (outgoing)"), "{ufw}");
    it_is_filtered();
    for unit in ["supervisor-privileged.socket", "fail2ban.service", "auditd.service", "ssh.service"] {
        assert_eq!(said("systemctl", &["is-active", unit]).trim(), "active", "{unit}");
    }
}

/// The edge's filter and the stack's guard are loaded, beside ufw's chains and the engine's, and the guard drops.
#[track_caller]
fn it_is_filtered() {
    let tables = said("nft", &["list", "tables"]);
    for table in ["table inet edge", "table inet supervisor-server", "table ip nat", "table ip6 filter"] {
        assert!(tables.lines().any(|line| line == table), "{table} in\n{tables}");
    }
    let dropped = || {
        let counter = said("nft", &["--json", "list", "counter", "inet", "supervisor-server", "to-host"]);
        let counter: Value = serde_json::from_str(&counter).unwrap();
        counter["nftables"][1]["counter"]["packets"].as_u64().expect("a counter")
    };
    let before = dropped();
    // The bridge's own address is the host's, and SSH listens on all of them.
    let knock = "const to = require('node:os').networkInterfaces().eth0[0].address.replace(/[0-9]+$/, '1'); \
                 require('node:net').connect({ host: to, port: 22, timeout: 2000 }) \
                   .on('connect', () => { console.log('let in'); process.exit() }) \
                   .on('timeout', () => { console.log('no answer'); process.exit() }) \
                   .on('error', (error) => { console.log(error.code); process.exit() });";
    assert_eq!(said("docker", &["exec", "server-node-1", "node", "--eval", knock]).trim(), "no answer");
    assert!(dropped() > before, "something else than the guard dropped it");
}

#[test]
fn after_a_reboot_the_server_is_as_it_was_and_a_removed_package_leaves_the_stack() {
    inside_server(|| {
        let before: Value = serde_json::from_str(&std::fs::read_to_string(BEFORE).unwrap()).unwrap();
        is_up();
        let up = std::fs::read_to_string("/proc/uptime").unwrap();
        println!("healthy {} s after the kernel's start", up.split(' ').next().unwrap_or_default());
        let now = containers();
        for name in ["server-caddy-1", "server-node-1"] {
            assert_eq!(before["containers"][name][0], now[name][0], "{name} was made anew");
            assert_ne!(before["containers"][name][1], now[name][1], "{name} was not started");
        }
        assert_eq!(announced_at().as_deref(), before["announced"].as_str(), "it was told again");
        it_is_hardened();

        said("dpkg", &["--remove", "supervisor"]);
        assert_eq!(containers(), now, "a removal touched a container");
        assert_eq!(said("curl", &["-sS", "http://127.0.0.1/"]), r#"{"ok":true}"#);
        said("docker", &["volume", "inspect", "server_data"]);
        assert!(Path::new("/etc/supervisor/compose.yaml").exists());
    });
}
