//! A bed for one stack: a project of a name that nobody else has, in a folder of its own, gone when the test ends.
//!
//! Deliberately absent: what any stack says; a test writes its own Compose text.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::engine::Engine;
use crate::proxy::{Proxy, Recorded};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A project under test. Dropping it removes its containers, networks, volumes and folder.
#[derive(Debug)]
pub struct Bed {
    /// The engine that it runs on.
    pub engine: Engine,
    /// `ROOM-PID-N`: valid as a Compose project name, and unique on the machine.
    pub project: String,
    folder: tempfile::TempDir,
    /// The network namespace that its binary runs in, if that is not the test's.
    network: Option<PathBuf>,
}

/// How a run of the binary ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Itself, if the exit code is this one; else the test fails and shows both outputs.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.out, self.err))
    }
}

impl Bed {
    /// An empty project; `room` begins its name.
    #[track_caller]
    pub fn new(room: &str) -> Self {
        Self::on(room, Engine::from_env(), None)
    }

    /// The same on another engine, whose networks are in this namespace.
    #[track_caller]
    pub fn on(room: &str, engine: Engine, network: Option<PathBuf>) -> Self {
        let project = format!("{room}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::Builder::new().prefix(&project).tempdir().expect("a temporary folder");
        Self { engine, project, folder, network }
    }

    /// A project with this text as its `compose.yaml`.
    #[track_caller]
    pub fn with(room: &str, compose: &str) -> Self {
        let bed = Self::new(room);
        bed.write("compose.yaml", compose);
        bed
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the stack, folders included; its path.
    #[track_caller]
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the bed");
        std::fs::write(&path, content).expect("a file of the bed");
        path
    }

    /// The binary under test in this project's folder, ready for its arguments. It sees no environment but
    /// `PATH`, the engine's address, the project's name and a state folder in the bed.
    #[track_caller]
    pub fn command(&self) -> Command {
        self.command_of("SUPERVISOR_BIN")
    }

    /// The same with the binary that is linked statically, of which the egress proxy's image can be made.
    #[track_caller]
    pub fn static_command(&self) -> Command {
        self.command_of("SUPERVISOR_STATIC_BIN")
    }

    #[track_caller]
    fn command_of(&self, variable: &str) -> Command {
        let binary = std::env::var_os(variable)
            .unwrap_or_else(|| panic!("{variable} names no binary; `cargo xtask test` sets it"));
        let mut command = match &self.network {
            None => Command::new(binary),
            Some(network) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", network.display())).arg(binary);
                command
            }
        };
        command
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DOCKER_HOST", format!("unix://{}", self.engine.socket().display()))
            .env("COMPOSE_PROJECT_NAME", &self.project)
            .env("SUPERVISOR_STATE_DIR", self.folder().join("state"))
            .stdin(Stdio::null());
        command
    }

    /// What the binary asks of the engine while it runs to its end.
    #[track_caller]
    pub fn asked(&self, arguments: &[&str]) -> (Ran, Vec<Recorded>) {
        let proxy = Proxy::before(self.engine.socket());
        let ran = ran(self.command().env("DOCKER_HOST", proxy.host()).args(arguments));
        (ran, proxy.take())
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn supervisor(&self, arguments: &[&str]) -> Ran {
        ran(self.command().args(arguments))
    }

    /// Starts the binary and leaves it running, output and errors in `NAME.out` and `NAME.err` of the folder.
    #[track_caller]
    pub fn spawn(&self, name: &str, arguments: &[&str]) -> Running {
        Running::start(self, name, self.command().args(arguments))
    }

    /// The name that a service's first container gets.
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.project)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.network.is_some() {
            // All of it goes with that engine.
            return;
        }
        let table = format!("supervisor-{}", self.project);
        let removal = Command::new("nft").args(["delete", "table", "inet", &table]).output();
        // Most tests have taken their stack down, and the guard with it.
        drop(removal);
        for key in ["supervisor.project", "com.docker.compose.project"] {
            self.engine.remove_all(&format!("{key}={}", self.project));
        }
    }
}

/// Runs any program to its end.
#[track_caller]
pub fn ran(command: &mut Command) -> Ran {
    let output =
        command.output().unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A binary that was left running; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts a command of this bed, output and errors in `NAME.out` and `NAME.err` of its folder.
    #[track_caller]
    pub fn start(bed: &Bed, name: &str, command: &mut Command) -> Self {
        let [out, err] = ["out", "err"].map(|kind| bed.folder().join(format!("{name}.{kind}")));
        let file = |path: &Path| std::fs::File::create(path).expect("a log file");
        let child = command.stdout(file(&out)).stderr(file(&err)).spawn().expect("the binary");
        Self { child, out, err }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far to output and errors, one after the other.
    pub fn output(&self) -> String {
        [&self.out, &self.err].map(|path| std::fs::read_to_string(path).unwrap_or_default()).concat()
    }

    /// Sends it a signal by name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM and waits for its end; its exit code.
    #[track_caller]
    pub fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.child.wait().expect("its end").code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name to a process of the test's own.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    ran(Command::new("kill").args(["-s", name, &pid.to_string()])).expect(0);
}
