//! A `supervisor run` on a bed: started, asked by its own socket, and ended.
//!
//! Deliberately absent: what its stack is, and everything that is asserted about it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bed::{Bed, Running};
use crate::http::{self, Response};
use crate::wait;

/// A running daemon; dropping it kills it and leaves its containers to the bed.
#[derive(Debug)]
pub struct Daemon {
    running: Running,
    socket: PathBuf,
}

impl Daemon {
    /// Starts it, with further variables in its environment. It may not answer yet.
    #[track_caller]
    pub fn start(bed: &Bed, variables: &[(&str, &str)]) -> Self {
        Self::start_with(bed, variables, &[])
    }

    /// The same with the binary of which the egress proxy's image can be made.
    #[track_caller]
    pub fn start_static(bed: &Bed) -> Self {
        Self::run(bed, bed.static_command(), &[], &[])
    }

    /// The same in the machine's own network namespace, that of the kernel's threads, as on a host: there the audit system
    /// tells. Without a way to the engine's bridges, where the engine has a namespace of its own.
    #[track_caller]
    pub fn start_on_the_host(bed: &Bed) -> Self {
        let inner = bed.command();
        let mut outer = Command::new("nsenter");
        outer.arg("--net=/proc/2/ns/net").arg(inner.get_program()).env_clear().current_dir(bed.folder());
        outer.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        Self::run(bed, outer, &[], &[])
    }

    /// The same as a user that is root by its number alone: without any capability from its first instruction on.
    #[track_caller]
    pub fn start_without_rights(bed: &Bed, variables: &[(&str, &str)]) -> Self {
        let inner = bed.command();
        let mut outer = Command::new("setpriv");
        outer.args(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]);
        outer.arg(inner.get_program()).env_clear().current_dir(bed.folder());
        outer.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        Self::run(bed, outer, variables, &[])
    }

    /// The same, with further arguments.
    #[track_caller]
    pub fn start_with(bed: &Bed, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::run(bed, bed.command(), variables, arguments)
    }

    #[track_caller]
    fn run(bed: &Bed, mut command: Command, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let socket = bed.folder().join("endpoint.sock");
        let listen = format!("unix:{}", socket.display());
        let state = bed.folder().join("state");
        command
            .args(["run", "--listen", &listen, "--state-dir"])
            .arg(state)
            .args(arguments)
            .envs(variables.iter().copied());
        Self { running: Running::start(bed, "run", command.stdin(Stdio::null())), socket }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.running.runs()
    }

    /// Its answer; `None` while it does not listen.
    pub fn get(&self, path: &str) -> Option<Response> {
        http::get_unix(&self.socket, path).ok()
    }

    /// `/status`, once it listens.
    #[track_caller]
    pub fn status(&self) -> Value {
        let answer = wait::until("the endpoint's answer", || self.get("/status"));
        serde_json::from_slice(&answer.body).expect("JSON of /status")
    }

    /// Waits until `/status` is as it should be; it, then.
    #[track_caller]
    pub fn until(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait::until(&format!("{what}\n{}", self.running.output()), || {
            let answer = self.get("/status")?;
            serde_json::from_slice(&answer.body).ok().filter(|status| good(status))
        })
    }

    /// Waits until `/healthz` says 200.
    #[track_caller]
    pub fn until_healthy(&self) {
        wait::until("a healthy stack", || self.get("/healthz").filter(|answer| answer.status == 200));
    }

    /// Sends it a signal by name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.running.output()
    }

    /// Ends it by SIGTERM; its exit code.
    #[track_caller]
    pub fn stop(self) -> i32 {
        self.running.stop()
    }
}
