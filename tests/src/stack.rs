//! The real stack on a bed: the files that `init` writes, the real images, an address that no other test has.
//!
//! Deliberately absent: starting it, and everything that is asserted about it.

use std::process::Command;

use crate::bed::{Bed, Ran, ran};
use crate::{attack, image};

/// The site's name; resolved to loopback by the client of the test alone.
pub const SITE: &str = "openclaw.test";
/// Where HTTPS is published.
pub const HTTPS: u16 = 8443;
/// Where plain HTTP is published.
pub const HTTP: u16 = 8080;

/// The stack's bed. One machine has room for one: another test waits until this one is dropped.
#[derive(Debug)]
pub struct Stack {
    /// Its project.
    pub bed: Bed,
    _turn: std::fs::File,
}

impl Stack {
    /// Writes the stack's files, with the attack program and the tools' script mounted into both services by an
    /// override file.
    #[track_caller]
    pub fn new(room: &str) -> Self {
        let turn = turn();
        let bed = Bed::new(room);
        let network =
            ["BACKEND_SUBNET=10.79.7.0/24", "CADDY_ADDRESS=10.79.7.2", "OPENCLAW_ADDRESS=10.79.7.3"];
        init(&bed, &image::openclaw(), &[&network[..], &["OPENCLAW_CPUS=2"]].concat());
        attack::build(&bed.folder().join("attack"));
        bed.write("tools.sh", include_str!("../fixtures/tools.sh"));
        bed.write("compose.override.yaml", OVERRIDE);
        Self { bed, _turn: turn }
    }

    /// The site's answer to a health request: OpenClaw's own, through Caddy.
    #[track_caller]
    pub fn is_healthy(&self) -> bool {
        self.https("/healthz", &[]).out.contains(r#""ok":true"#)
    }

    /// A WebSocket to OpenClaw through Caddy, held open for three seconds.
    #[track_caller]
    pub fn websocket(&self) -> Ran {
        let origin = format!("Origin: https://{SITE}:{HTTPS}");
        self.https(
            "/",
            &[
                "--http1.1",
                "--max-time",
                "3",
                "--header",
                "Connection: Upgrade",
                "--header",
                "Upgrade: websocket",
                "--header",
                "Sec-WebSocket-Version: 13",
                "--header",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "--header",
                &origin,
            ],
        )
    }

    /// A request to the site over HTTPS by curl, with further arguments; output begins with the headers.
    #[track_caller]
    pub fn https(&self, path: &str, arguments: &[&str]) -> Ran {
        let address = format!("https://{SITE}:{HTTPS}{path}");
        let resolve = format!("{SITE}:{HTTPS}:127.0.0.1");
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--insecure",
            "--include",
            "--max-time",
            "20",
            "--resolve",
            &resolve,
        ]);
        ran(curl.args(arguments).arg(address))
    }
}

/// Has the stack's files written, with this image of OpenClaw and these further answers.
#[track_caller]
pub fn init(bed: &Bed, openclaw: &str, further: &[&str]) {
    let set = [
        format!("CADDY_IMAGE={}", image::caddy()),
        format!("OPENCLAW_IMAGE={openclaw}"),
        format!("HTTP_BIND=127.0.0.1:{HTTP}"),
        format!("HTTPS_BIND=127.0.0.1:{HTTPS}"),
        format!("ORIGIN=https://{SITE}:{HTTPS}"),
    ];
    let mut init = vec!["init", ".", "--site", SITE, "--tls", "internal"];
    init.extend(set.iter().map(String::as_str).chain(further.iter().copied()).flat_map(|row| ["--set", row]));
    bed.supervisor(&init).expect(0);
}

/// Waits for the turn of a test that needs the engine's network for itself, and holds it for as long as the file is open.
/// Each engine has a network, and a turn, of its own.
#[track_caller]
pub fn turn() -> std::fs::File {
    let engine =
        std::env::var("DOCKER_HOST").expect("an engine").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let turn =
        std::fs::File::create(std::env::temp_dir().join(format!("supervisor-tests-turn-{engine}.lock")));
    let turn = turn.expect("a lock file");
    turn.lock().expect("the lock");
    turn
}

/// Mounts what the test brings along, read-only.
const OVERRIDE: &str = "services:
  caddy:
    volumes: ['./attack:/attack:ro']
  openclaw:
    volumes: ['./attack:/attack:ro', './tools.sh:/tools.sh:ro']
";
