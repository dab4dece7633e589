//! What is attacked: the endpoint of a `run` that keeps one small service well.
//!
//! Deliberately absent: attacking.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::{Bed, Daemon, image};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A stack that is well, its supervisor, and where that listens.
#[derive(Debug)]
pub struct Target {
    /// The supervisor.
    pub daemon: Daemon,
    /// The stack.
    pub bed: Bed,
    /// A TCP address, which asks for the token.
    pub address: SocketAddr,
    /// The token.
    pub token: &'static str,
    /// The process that answers.
    pub endpoint: u32,
}

impl Target {
    /// Starts it, and waits until the stack is well.
    #[track_caller]
    pub fn start(room: &str) -> Self {
        let stack = format!(
            "\
services:
  web:
    image: {}
    user: \"1001:1001\"
    command: [caddy, respond, --listen, \":8080\", --body, well]
    mem_limit: 128m
    networks: [back]
    tmpfs: [\"/config:size=8m,uid=1001\", \"/data:size=8m,uid=1001\"]
    x-supervisor: {{runtime: go, probe: {{http: /, port: 8080, body: well, interval: 1s, timeout: 5s}}}}
networks:
  back: {{internal: true}}
",
            image::caddy()
        );
        let bed = Bed::with(room, &stack);
        let token = bed.write("token", &format!("{TOKEN}\n"));
        std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("the token");
        // The port is free a moment before it is bound: the kernel does not give it to others in between.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = port.expect("a free port");
        let (listen, token) = (address.to_string(), token.display().to_string());
        let daemon = Daemon::start_with(&bed, &[], &["--listen", &listen, "--token-file", &token]);
        daemon.until_healthy();
        let pid = daemon.status()["processes"]["endpoint"]["pid"].as_u64();
        let endpoint = pid.and_then(|pid| pid.try_into().ok()).expect("the endpoint's process");
        Self { daemon, bed, address, token: TOKEN, endpoint }
    }

    /// Waits until the stack is well; how often its service was started again.
    #[track_caller]
    pub fn restarts(&self) -> Value {
        self.daemon.until_healthy();
        self.daemon.status()["services"]["web"]["containers"][0]["restarts"].clone()
    }
}
