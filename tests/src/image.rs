//! Images for tests: a tiny one that is made on the spot of the machine's static busybox, and the real ones by name.
//!
//! Deliberately absent: fetching anything, and building the real images; `cargo xtask images` does that.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::engine::{Engine, escape};
use crate::tar::Tar;

/// Where a static busybox is on Debian and Ubuntu (package `busybox-static`).
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// The programs of busybox that tests call by name.
const APPLETS: [&str; 24] = [
    "sh", "sleep", "cat", "ls", "id", "ps", "kill", "httpd", "nc", "wget", "mkdir", "touch", "rm", "cp",
    "mount", "umount", "mknod", "unshare", "true", "false", "echo", "env", "grep", "test",
];

/// A busybox image with user 1000 as its own, `/bin/sh` and a world-writable `/tmp`; its id, `sha256:…`.
///
/// It runs for ever until it is told to stop, unless it is given a command. One machine makes it once an engine:
/// same bytes, same tag.
#[track_caller]
pub fn busybox(engine: &Engine) -> String {
    tagged(
        engine,
        "supervisor-test-busybox",
        &[r#"CMD ["sh","-c","trap 'exit 0' TERM; while :; do sleep 1 & wait; done"]"#, "USER 1000:1000"],
    )
}

/// A busybox image of a name of its own and further Dockerfile lines (`CMD`, `USER`, `ENV`, `EXPOSE`, `HEALTHCHECK`, …).
#[track_caller]
pub fn tagged(engine: &Engine, name: &str, changes: &[&str]) -> String {
    imported(engine, name, changes, root)
}

/// A busybox image with the attack program as `/attack`, as the setuid program `/raise`, with a capability as
/// `/capable`, and with a file of user 4321's in `/srv`.
#[track_caller]
pub fn attack(engine: &Engine, program: &[u8]) -> String {
    // Another program is another image.
    let mut hash = DefaultHasher::new();
    program.hash(&mut hash);
    let name = format!("supervisor-test-attack-{:016x}", hash.finish());
    imported(engine, &name, &["USER 1000:1000"], || {
        root()
            .folder("srv/", 0o755, 0)
            .owned("srv/private", 0o600, 4321, b"private")
            .file("attack", 0o755, program)
            .file("raise", 0o4755, program)
            .capable("capable", 0o755, CAP_NET_RAW, program)
    })
}

/// Their numbers (`linux/capability.h`).
const CAP_NET_BIND_SERVICE: u32 = 10;
const CAP_NET_RAW: u32 = 13;

#[track_caller]
fn imported(engine: &Engine, name: &str, changes: &[&str], content: impl FnOnce() -> Tar) -> String {
    if let Some(id) = find(engine, name) {
        return id;
    }
    let changes = changes.iter().flat_map(|line| ["&changes=".to_owned(), escape(line)]).collect::<String>();
    let path = format!("/images/create?fromSrc=-&repo={name}&tag=1{changes}");
    let answer = engine.request("POST", &path, "application/x-tar", &content().finish());
    assert_eq!(answer.status, 200, "POST {path}: {}", answer.text());
    find(engine, name).unwrap_or_else(|| panic!("`{name}` was not imported: {}", answer.text()))
}

/// The real Caddy image, as `SUPERVISOR_IMAGE_CADDY` names it.
#[track_caller]
pub fn caddy() -> String {
    real("SUPERVISOR_IMAGE_CADDY")
}

/// The real OpenClaw image, as `SUPERVISOR_IMAGE_OPENCLAW` names it.
#[track_caller]
pub fn openclaw() -> String {
    real("SUPERVISOR_IMAGE_OPENCLAW")
}

/// Node.js alone with one native module, as `SUPERVISOR_IMAGE_NODE` names it: inside the machine.
#[track_caller]
pub fn node() -> String {
    real("SUPERVISOR_IMAGE_NODE")
}

#[track_caller]
fn real(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} names no image; `cargo xtask test` sets it"))
}

/// A busybox image in which `/bin/capable` is busybox with the file capability `NET_BIND_SERVICE`, as the official Caddy
/// image has it on its program.
#[track_caller]
pub fn capable(engine: &Engine) -> String {
    let content = || root().capable("bin/capable", 0o755, CAP_NET_BIND_SERVICE, &static_busybox());
    imported(engine, "supervisor-test-capable", &[], content)
}

fn find(engine: &Engine, name: &str) -> Option<String> {
    let answer = engine.request("GET", &format!("/images/{name}:1/json"), "", b"");
    if answer.status != 200 {
        return None;
    }
    let image: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    image["Id"].as_str().map(str::to_owned)
}

fn static_busybox() -> Vec<u8> {
    let busybox = BUSYBOX.iter().find_map(|path| std::fs::read(path).ok());
    busybox.expect("no static busybox on this machine: install the package `busybox-static`")
}

/// A busybox image of a name of its own that has this text in `/srv/page`; its id.
#[track_caller]
pub fn with_page(engine: &Engine, name: &str, text: &str) -> String {
    let content = || root().folder("srv/", 0o755, 0).file("srv/page", 0o644, text.as_bytes());
    imported(engine, name, &[], content)
}

/// The root file system of these images, with one more file: an archive for an import.
#[track_caller]
pub fn root_with(name: &str, content: &[u8]) -> Vec<u8> {
    root().file(name, 0o644, content).finish()
}

fn root() -> Tar {
    let mut tar = Tar::default()
        .folder("bin/", 0o755, 0)
        .folder("etc/", 0o755, 0)
        .folder("tmp/", 0o1777, 0)
        .folder("data/", 0o755, 1000)
        .file("etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")
        .file("etc/group", 0o644, b"root:x:0:\nuser:x:1000:\n")
        .file("bin/busybox", 0o755, &static_busybox());
    for applet in APPLETS {
        tar = tar.link(&format!("bin/{applet}"), "busybox");
    }
    tar
}
