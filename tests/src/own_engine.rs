//! An engine of a test's own, that can be killed: in a network and mount namespace that outlive it, with its data in a
//! folder that is gone with it.
//!
//! Deliberately absent: images but those that a test makes; and ending any engine that was not started here.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bed::signal;
use crate::engine::Engine;
use crate::wait;

/// A running engine; dropping it ends it with all that it runs.
#[derive(Debug)]
pub struct OwnEngine {
    /// Its process id, which changes when it is started again.
    pub pid: Arc<AtomicU32>,
    engine: Engine,
    daemon: Child,
    /// What runs the containers for it, as on most machines in a service of its own: it outlives the engine.
    containerd: Child,
    /// A process that keeps the namespaces while the engine is down.
    holder: Child,
    folder: tempfile::TempDir,
}

impl OwnEngine {
    /// Starts one and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("engine-").tempdir().expect("a temporary folder");
        let holder = dying(["unshare", "--net", "--mount", "--propagation", "private"])
            .args(["sh", "-c", "ip link set lo up; exec sleep infinity"])
            .stdin(Stdio::null())
            .spawn()
            .expect("namespaces");
        let own = std::fs::read_link("/proc/self/ns/net").expect("a network namespace");
        wait::until("another network namespace", || {
            let its = std::fs::read_link(namespace(&holder, "net")).ok()?;
            (its != own && name_of(&holder)? == "sleep").then_some(())
        });
        let containerd = containerd(&holder, folder.path());
        let daemon = daemon(&holder, folder.path());
        let pid = Arc::new(AtomicU32::new(daemon.id()));
        let engine = Engine::at(&folder.path().join("docker.sock"));
        let mut own = Self { pid, engine, daemon, containerd, holder, folder };
        own.answers();
        own
    }

    /// It, to be asked.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The file of its network namespace.
    pub fn network(&self) -> PathBuf {
        namespace(&self.holder, "net")
    }

    /// Kills it, and nothing of what it runs.
    #[track_caller]
    pub fn kill(&mut self) {
        signal(self.daemon.id(), "KILL");
        self.daemon.wait().expect("the end of the engine");
    }

    /// Starts it again if it has ended; whether it had.
    #[track_caller]
    pub fn revive(&mut self) -> bool {
        if matches!(self.daemon.try_wait(), Ok(None)) {
            return false;
        }
        self.daemon = daemon(&self.holder, self.folder.path());
        self.pid.store(self.daemon.id(), Ordering::SeqCst);
        self.answers();
        true
    }

    #[track_caller]
    fn answers(&mut self) {
        let folder = self.folder.path().to_owned();
        wait::until("the engine's answer", || {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(matches!(self.daemon.try_wait(), Ok(None)), "the engine ended:\n{}", log());
            UnixStream::connect(self.engine.socket()).ok()?;
            (self.engine.request("GET", "/_ping", "", b"").status == 200).then_some(())
        });
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the engine's last lines:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        // The engine ends its containers before it ends.
        for process in [&mut self.daemon, &mut self.containerd] {
            if matches!(process.try_wait(), Ok(None)) {
                signal(process.id(), "TERM");
                let _ = process.wait();
            }
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A command that ends with the thread that starts it. Under `nohup` nobody could hang up on its containers: what is ignored is
/// handed down, and a shell cannot trap it (POSIX, `trap`).
fn dying<const N: usize>(words: [&str; N]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", "setpriv", "--pdeathsig", "TERM"]).args(words);
    command
}

fn namespace(holder: &Child, kind: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/ns/{kind}", holder.id()))
}

fn name_of(process: &Child) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{}/comm", process.id())).ok()?.trim().to_owned())
}

#[track_caller]
fn containerd(holder: &Child, folder: &Path) -> Child {
    let settings = folder.join("containerd.toml");
    let text = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
    std::fs::write(&settings, text).expect("a file");
    let place = |name: &str| folder.join(name).display().to_string();
    let child = inside(holder, folder, "usr/bin/containerd")
        .args(["--config", &settings.display().to_string()])
        .args(["--root", &place("containerd"), "--state", &place("containerd-state")])
        .args(["--address", &place("containerd.sock")])
        .spawn()
        .expect("`env`");
    wait::until("containerd", || UnixStream::connect(place("containerd.sock")).ok());
    child
}

#[track_caller]
fn daemon(holder: &Child, folder: &Path) -> Child {
    let option = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    inside(holder, folder, "usr/sbin/dockerd")
        .arg(format!("--host=unix://{}", folder.join("docker.sock").display()))
        .args([option("data-root", "data"), option("exec-root", "exec"), option("pidfile", "pid")])
        .arg(option("containerd", "containerd.sock"))
        .args(["--exec-opt", "native.cgroupdriver=cgroupfs", "--userland-proxy=false"])
        .args(["--cgroup-parent", "/supervisor-own-engine"])
        .args(["--default-address-pool", "base=10.79.0.0/16,size=24"])
        // Nobody is asked outside of that network: a test that needs names answers there (TEST-NET-1, RFC 5737).
        .args(["--dns", "192.0.2.53"])
        .spawn()
        .expect("`env`")
}

/// A program of the unpacked engine in these namespaces; it ends with the thread that starts it.
#[track_caller]
fn inside(holder: &Child, folder: &Path, program: &str) -> Command {
    let root = std::env::var_os("SUPERVISOR_ENGINE_ROOT")
        .expect("SUPERVISOR_ENGINE_ROOT names no unpacked engine; `cargo xtask test` sets it");
    let root = PathBuf::from(root);
    let log = || File::options().create(true).append(true).open(folder.join("log")).expect("a log file");
    let mut paths = vec![root.join("usr/sbin"), root.join("usr/bin")];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = dying(["nsenter"]);
    command
        .arg(format!("--net={}", namespace(holder, "net").display()))
        .arg(format!("--mount={}", namespace(holder, "mnt").display()))
        .arg(root.join(program))
        .env("PATH", std::env::join_paths(paths).expect("a path"))
        .env_remove("DOCKER_HOST")
        .stdin(Stdio::null())
        .stdout(log())
        .stderr(log());
    command
}
