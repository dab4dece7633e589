//! Attempts that are not made from inside: what a Compose file asks for, and what the host has to judge.
//!
//! Deliberately absent: everything that the attack program does itself.

use serde_json::Value;

use crate::bed::Bed;

use super::Row;
use super::containers::{compose, kept};

/// A file that asks for the host.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its row's name.
    pub id: &'static str,
    /// The keys of a service that ask for it, as one flow mapping's content. `SOCKET` is the engine's socket.
    pub keys: &'static str,
    /// What it is.
    pub tries: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// The rule that refuses it.
    pub rule: &'static str,
    /// What an engine has to be, or nothing.
    pub needs: &'static str,
}

/// One row a way to ask.
pub const ASKED: &[Asked] = &[
    asked("ask-privileged", "privileged: true", "a privileged container", "root on the host", "SV105"),
    asked(
        "ask-capability",
        "cap_add: [SYS_ADMIN]",
        "the capability `SYS_ADMIN`",
        "it can mount, and with that undo the rest",
        "SV102",
    ),
    asked(
        "ask-engine-socket",
        "volumes: ['SOCKET:/engine']",
        "the engine's socket",
        "root on the host",
        "SV151",
    ),
    asked("ask-host-root", "volumes: ['/:/host']", "the host's root", "every file of the host", "SV151"),
    asked(
        "ask-symlink",
        "volumes: ['./link:/host']",
        "a folder of its own, which is a symbolic link to one of the host",
        "whoever may write beside the file chooses what is mounted",
        "SV155",
    ),
    asked("ask-device", "devices: ['/dev/kmsg']", "a device", "the kernel's log; or its disk", "SV131"),
    asked("ask-host-processes", "pid: host", "the host's processes", "it sees and signals them", "SV125"),
    asked(
        "ask-host-network",
        "network_mode: host",
        "the host's network",
        "what listens on loopback is in reach",
        "SV130",
    ),
    asked("ask-host-ipc", "ipc: host", "the host's shared memory", "other services' memory", "SV126"),
    asked("ask-host-name", "uts: host", "the host's name", "logs and certificates name it", "SV127"),
    asked("ask-host-cgroup", "cgroup: host", "the host's control groups", "it sees all services", "SV128"),
    asked(
        "ask-seccomp",
        "security_opt: ['seccomp=unconfined']",
        "no filter of system calls",
        "the whole kernel is in reach",
        "SV120",
    ),
    asked(
        "ask-masks",
        "security_opt: ['systempaths=unconfined']",
        "no masks over `/proc` and `/sys`",
        "the host's kernel is set there",
        "SV123",
    ),
    Asked {
        id: "ask-working-dir",
        keys: "working_dir: /proc/self/fd/8",
        tries: "a folder to start in that runc has left open",
        why: "the host's file system is around it (CVE-2024-21626)",
        rule: "SV166",
        needs: "a runc before 1.1.12",
    },
];

const fn asked(
    id: &'static str,
    keys: &'static str,
    tries: &'static str,
    why: &'static str,
    rule: &'static str,
) -> Asked {
    Asked { id, keys, tries, why, rule, needs: "" }
}

/// The row of the log, which only the host can judge.
pub const LOG: &str = "log-flood";
/// What the program writes, in bytes.
const WRITTEN: u64 = 80 << 20;

/// The rows, as those of the program.
pub fn rows() -> Vec<Row> {
    let own = |id: &str, class: &str| Row {
        class: class.to_owned(),
        id: id.to_owned(),
        tries: String::new(),
        done: String::new(),
        why: String::new(),
        layers: String::new(),
        needs: String::new(),
    };
    let log = Row {
        tries: "logs 80 MiB without a stop".to_owned(),
        done: "the engine kept all of it".to_owned(),
        why: "a full disk stops every service of the host".to_owned(),
        layers: "limits".to_owned(),
        ..own(LOG, super::RESOURCES)
    };
    let files = ASKED.iter().map(|asked| Row {
        tries: format!("the Compose file asks for {}: `{}`", asked.tries, asked.keys),
        done: "the service was started so".to_owned(),
        why: asked.why.to_owned(),
        layers: format!("rule {}", asked.rule),
        needs: asked.needs.to_owned(),
        ..own(asked.id, "the file itself")
    });
    [log].into_iter().chain(files).collect()
}

/// Whether the engine kept all that a container logged.
#[track_caller]
pub fn log(bed: &Bed, container: &str) -> String {
    if kept(&bed.engine, container) >= WRITTEN { "done" } else { "bounded" }.to_owned()
}

/// A file with one service for each of [`ASKED`], by the row's name, each with these keys too, which its own replace.
#[track_caller]
fn file(bed: &Bed, image: &str, keys: &str) -> String {
    let host = bed.write("host/secret", "of the host");
    let link = bed.folder().join("link");
    if !link.exists() {
        std::os::unix::fs::symlink(host.parent().expect("a folder"), link).expect("a link");
    }
    let socket = bed.engine.socket().display().to_string();
    let service = |asked: &Asked| {
        let own = asked.keys.replace("SOCKET", &socket);
        let (key, _) = own.split_once(':').expect("a key");
        // What runs in the host's network or processes is in no other.
        let replaced = |line: &&str| {
            let line = line.trim_start();
            let other = if key == "network_mode" { "networks" } else { key };
            ![key, other].iter().any(|key| line.starts_with(&format!("{key}:")))
        };
        let rest: String = keys.lines().filter(replaced).flat_map(|line| [line, "\n"]).collect();
        format!("  {}:\n    image: {image}\n    command: [/attack, neighbour]\n    {own}\n{rest}", asked.id)
    };
    let services: Vec<String> = ASKED.iter().map(service).collect();
    let rest = "volumes: {data: {}}\nnetworks: {backend: {internal: true}}\n";
    format!("services:\n{}{rest}", services.concat())
}

/// What became of each file under Docker Compose, where every service has these keys besides.
#[track_caller]
pub fn under_compose(bed: &Bed, image: &str, keys: &str) -> Vec<(String, String)> {
    bed.write("asked.yaml", &file(bed, image, keys));
    compose(bed, "asked.yaml", &["create"]).expect(0);
    let answer = |asked: &Asked| {
        let container = bed.container(asked.id);
        let started = bed.engine.request("POST", &format!("/containers/{container}/start"), "", b"");
        let runs = started.status == 204 && reads_the_host(bed, asked, &container);
        bed.engine.remove(&container);
        (asked.id.to_owned(), if runs { "done" } else { "refused by runc" }.to_owned())
    };
    ASKED.iter().map(answer).collect()
}

/// For the link, whether what it leads to can be read; the others are what they are by running.
fn reads_the_host(bed: &Bed, asked: &Asked, container: &str) -> bool {
    asked.id != "ask-symlink" || bed.engine.exec(container, &["cat", "/host/secret"]).1 == "of the host"
}

/// What `check` says of each file: the rule that refuses it, or `done`.
#[track_caller]
pub fn under_check(bed: &Bed, image: &str, keys: &str) -> Vec<(String, String)> {
    bed.write("asked.yaml", &file(bed, image, keys));
    let report = bed.supervisor(&["check", "--file", "asked.yaml", "--format", "json"]).expect(1).json();
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let refused = |asked: &Asked, finding: &Value| {
        (&finding["rule"], &finding["service"], &finding["severity"])
            == (&asked.rule.into(), &asked.id.into(), &"error".into())
    };
    let answer = |asked: &Asked| {
        let found = findings.iter().any(|finding| refused(asked, finding));
        (asked.id.to_owned(), if found { asked.rule } else { "done" }.to_owned())
    };
    ASKED.iter().map(answer).collect()
}
