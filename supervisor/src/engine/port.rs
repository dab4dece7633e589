//! The port: what the shell asks of an engine, in our own words.
//!
//! Deliberately absent: the engine's API types, decisions, retries. The one adapter is `docker`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;

use super::error::EngineError;
use crate::decide::seen::{Health, ImageStart, Seen, SeenImage, State};
use crate::decide::spare;
use crate::decide::spec::{
    AttachSpec, Bounds, ContainerSpec, NetworkShape, PortSpec, Restart, VolumeSpec, Wanted,
};
use crate::decide::start::Start;

/// Values that keep coming from the engine. Owns all it needs; dropping it closes the connection.
pub type EngineStream<T> = Pin<Box<dyn Stream<Item = Result<T, EngineError>>>>;

/// A container engine on this machine. Every request ends in time or fails with [`EngineError::Slow`].
#[allow(async_fn_in_trait, reason = "the shell is single-threaded: no future has to be Send")]
pub trait Engine {
    /// Who answers, refused where it is too old. One request.
    async fn version(&self) -> Result<EngineVersion, EngineError>;

    /// The ids of those of these images that are there, by the name that was asked for. One request.
    async fn images(&self, names: &BTreeSet<String>) -> Result<BTreeMap<String, SeenImage>, EngineError>;

    /// One look at a project's containers, networks and volumes. Three requests; `Seen::images` is left empty.
    async fn observe(&self, scope: &Scope) -> Result<Seen, EngineError>;

    /// Creates a network and gives its id.
    async fn create_network(&self, shape: &NetworkShape) -> Result<String, EngineError>;
    /// Removes a network by id.
    async fn remove_network(&self, id: &str) -> Result<(), EngineError>;
    /// Creates a volume.
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), EngineError>;
    /// Removes a volume by name, with its data.
    async fn remove_volume(&self, name: &str) -> Result<(), EngineError>;

    /// What an image says about the start of its containers. One request.
    async fn image_start(&self, image: &str) -> Result<ImageStart, EngineError>;

    /// Creates a container of this name under its confinement and gives its id. `contents` has the staged host file of
    /// each secret and config given, by its path in the container; the AppArmor profile must be loaded already. `start` is
    /// what it executes.
    async fn create_container(
        &self,
        spec: &ContainerSpec,
        name: &str,
        contents: &BTreeMap<String, PathBuf>,
        start: &Start,
    ) -> Result<String, EngineError>;
    /// Starts a container by id or name; one that runs already is left alone.
    async fn start(&self, container: &str) -> Result<(), EngineError>;
    /// Sends the stop signal, waits `grace`, kills; one that is stopped already is left alone.
    async fn stop(&self, container: &str, grace: Duration) -> Result<(), EngineError>;
    /// Sends a signal by name, such as `SIGKILL`.
    async fn kill(&self, container: &str, signal: &str) -> Result<(), EngineError>;
    /// Lets a frozen container go on.
    async fn unpause(&self, container: &str) -> Result<(), EngineError>;
    /// Removes a stopped container; its anonymous volumes stay.
    async fn remove(&self, container: &str) -> Result<(), EngineError>;
    /// Changes the engine's restart policy in place.
    async fn set_restart(&self, container: &str, restart: Restart) -> Result<(), EngineError>;
    /// Changes its bounds in place; memory and swap together stay the same, so that there is no swap.
    async fn set_bounds(&self, container: &str, bounds: Bounds) -> Result<(), EngineError>;
    /// Puts it on a network, running or not.
    async fn connect(&self, container: &str, network: &str, at: &AttachSpec) -> Result<(), EngineError>;
    /// Puts one that is down on the network of this name in the place of one of that name that is gone, as it was there: its
    /// names and addresses. Two requests.
    async fn rejoin(&self, container: &str, network: &str) -> Result<(), EngineError>;
    /// Takes it off a network, running or not.
    async fn disconnect(&self, container: &str, network: &str) -> Result<(), EngineError>;
    /// Gives it another name.
    async fn rename(&self, container: &str, to: &str) -> Result<(), EngineError>;
    /// Fetches an image; the stream ends when it is there, and its last item is an error if it is not.
    fn pull(&self, image: &str) -> EngineStream<PullProgress>;

    /// Everything about one container by id or name, but for its environment.
    async fn inspect(&self, container: &str) -> Result<Inspected, EngineError>;
    /// What happens to the project's containers from `since` on (from now on if `None`), in order.
    fn events(&self, project: &str, since: Option<Timestamp>) -> EngineStream<EngineEvent>;
    /// A container's output.
    fn logs(&self, container: &str, query: &LogQuery) -> EngineStream<LogChunk>;
    /// Runs a command in a running container.
    async fn exec(&self, container: &str, spec: &ExecSpec) -> Result<ExecIo, EngineError>;
    /// The exit code of a command started by [`Engine::exec`]; `None` while it runs.
    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>, EngineError>;
    /// Tells a command's terminal its size: rows, columns.
    async fn exec_resize(&self, exec: &str, rows: u16, columns: u16) -> Result<(), EngineError>;
    /// The processes of a container.
    async fn top(&self, container: &str) -> Result<ProcessTable, EngineError>;
    /// What a container uses; one reading, or one a second while `follow`.
    fn stats(&self, container: &str, follow: bool) -> EngineStream<Usage>;
}

/// What a look is about: one project, and the names that it wants although they may be someone else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Everything under this project's label.
    pub project: String,
    /// Container names besides, with those that an update may need.
    pub containers: BTreeSet<String>,
    /// Network names besides.
    pub networks: BTreeSet<String>,
    /// Volume names besides.
    pub volumes: BTreeSet<String>,
    /// What Docker Compose made from this folder under the project counts as the project's, too.
    pub composed_in: Option<String>,
}

impl Scope {
    /// Everything that carries the project's label, and nothing else.
    pub fn project(name: impl Into<String>) -> Self {
        Self { project: name.into(), ..Self::default() }
    }

    /// The project's things, and whatever has a name that it wants.
    pub fn wanted(wanted: &Wanted) -> Self {
        let containers = wanted.services.values().flat_map(|s| &s.containers).map(|c| c.name.clone());
        Self {
            project: wanted.project.clone(),
            containers: containers
                .flat_map(|name| [spare::next(&name), spare::previous(&name), name])
                .collect(),
            networks: wanted.networks.keys().cloned().collect(),
            volumes: wanted.volumes.keys().cloned().collect(),
            composed_in: Some(wanted.folder.clone()),
        }
    }
}

/// Who answers on the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion {
    /// Such as `28.5.2`.
    pub engine: String,
    /// The OCI runtime's version, such as `1.3.3`, if it says.
    pub runc: Option<String>,
}

/// Everything about one container that a promise can be compared with. Its environment is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// Engine id.
    pub id: String,
    /// Engine name without the slash.
    pub name: String,
    /// Whether it runs.
    pub state: State,
    /// Process 1 as the host numbers it, while it runs.
    pub pid: Option<u32>,
    /// Last start.
    pub started_at: Option<Timestamp>,
    /// Last end.
    pub finished_at: Option<Timestamp>,
    /// Of the last end.
    pub exit_code: i64,
    /// The kernel killed it for its memory.
    pub oom_killed: bool,
    /// Why it could not start, in the engine's words; empty if it could.
    pub error: String,
    /// The engine's own health check, if there is one.
    pub health: Option<Health>,
    /// What the last run of the health check printed.
    pub health_output: Option<String>,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// Image id.
    pub image_id: String,
    /// What process 1 executes, or the engine's init executes for it: program and arguments.
    pub executes: Vec<String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// UTS host name.
    pub hostname: String,
    /// `user[:group]` that process 1 was started as; empty is root.
    pub user: String,
    /// The engine's init is process 1.
    pub init: bool,
    /// Every right there is.
    pub privileged: bool,
    /// Root mounted read-only.
    pub read_only_root: bool,
    /// Capabilities added, as given to the engine.
    pub cap_add: BTreeSet<String>,
    /// Capabilities dropped, as given to the engine.
    pub cap_drop: BTreeSet<String>,
    /// Security options, seccomp's text included.
    pub security_opt: Vec<String>,
    /// The AppArmor profile that the engine chose; empty without AppArmor.
    pub apparmor: String,
    /// `private`, `host`, …
    pub ipc_mode: String,
    /// Empty is private.
    pub pid_mode: String,
    /// Empty is private.
    pub uts_mode: String,
    /// Empty is the engine's default.
    pub userns_mode: String,
    /// `private` or `host`.
    pub cgroupns_mode: String,
    /// Network mode as given at create.
    pub network_mode: String,
    /// Bytes; 0 is unbounded.
    pub memory: i64,
    /// Memory and swap in bytes; -1 is unbounded.
    pub memory_swap: i64,
    /// Billionths of a core; 0 is unbounded.
    pub nano_cpus: i64,
    /// 0 and below are unbounded.
    pub pids_limit: i64,
    /// Where its cgroup was put; empty is the engine's default.
    pub cgroup_parent: String,
    /// Networks by engine name.
    pub networks: BTreeMap<String, Joined>,
    /// Everything mounted by the engine but for tmpfs.
    pub mounts: Vec<MountPoint>,
    /// Tmpfs target to options.
    pub tmpfs: BTreeMap<String, String>,
    /// Ports that are bound on the host now.
    pub ports: BTreeSet<PortSpec>,
    /// Devices of the host that were given.
    pub devices: Vec<String>,
    /// OCI runtime by name.
    pub runtime: String,
    /// The engine's restart policy.
    pub restart: Restart,
}

impl Inspected {
    /// What of its bounds can be changed in place; unbounded is 0.
    pub fn bounds(&self) -> Bounds {
        let positive = |number: i64| u64::try_from(number).unwrap_or_default();
        Bounds {
            memory: positive(self.memory),
            nano_cpus: positive(self.nano_cpus),
            pids: u32::try_from(positive(self.pids_limit)).unwrap_or_default(),
        }
    }
}

/// A container's place on a network, as the engine made it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Joined {
    /// Engine id of the network.
    pub network_id: String,
    /// Its IPv4 address there, while it runs.
    pub ipv4: Option<IpAddr>,
    /// Its IPv6 address there, while it runs.
    pub ipv6: Option<IpAddr>,
    /// Names there.
    pub aliases: Vec<String>,
}

/// One mount, as the engine made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    pub kind: String,
    /// Volume name.
    pub name: Option<String>,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
    /// `rprivate`, …; empty for volumes.
    pub propagation: String,
}

/// Something that happened to a container of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// When, by the engine's clock.
    pub at: Timestamp,
    /// Engine id.
    pub id: String,
    /// Engine name.
    pub name: String,
    /// Service by our label.
    pub service: Option<String>,
    /// What.
    pub kind: EventKind,
}

/// What happened. Others than these are not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Made.
    Create,
    /// Process 1 runs.
    Start,
    /// A signal was sent through the engine, by its number; a stop of our own says so too. Comes before [`Self::Die`].
    Kill(i32),
    /// Process 1 ended with this code; a stop of our own says so too.
    Die(i64),
    /// Stopped on request; comes after [`Self::Die`], and tells a stop from a crash.
    Stop,
    /// The kernel killed a process of it for its memory.
    OutOfMemory,
    /// The engine's health check changed its mind.
    Health(Health),
    /// Frozen.
    Pause,
    /// Goes on.
    Unpause,
    /// Its limits or restart policy were changed in place.
    Update,
    /// Renamed.
    Rename,
    /// Removed.
    Destroy,
}

/// Which part of a container's output.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Keep on as it comes.
    pub follow: bool,
    /// The last so many lines; `None` is all.
    pub tail: Option<u64>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Up to then.
    pub until: Option<Timestamp>,
    /// Each line starts with its time.
    pub timestamps: bool,
}

/// Some of a container's output: usually a line with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written.
    pub channel: Channel,
    /// As written, control characters and all.
    pub bytes: Vec<u8>,
}

/// Where output was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Standard output, or a terminal.
    Out,
    /// Standard error.
    Err,
}

/// A command for a running container. It gets the container's confinement.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ExecSpec {
    /// Arguments.
    pub command: Vec<String>,
    /// `user[:group]`; `None` is the container's.
    pub user: Option<String>,
    /// Absolute path; `None` is the container's.
    pub working_dir: Option<String>,
    /// `NAME=value`; may hold secrets.
    pub environment: Vec<String>,
    /// Allocate a terminal.
    pub tty: bool,
    /// Standard input is passed on.
    pub stdin: bool,
}

/// A running command's ends.
pub struct ExecIo {
    /// For [`Engine::exec_exit_code`].
    pub id: String,
    /// What it prints; ends when it does.
    pub output: EngineStream<LogChunk>,
    /// What it reads.
    pub input: Pin<Box<dyn AsyncWrite>>,
}

/// The processes of a container, as a table.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProcessTable {
    /// Column names.
    pub titles: Vec<String>,
    /// One a process.
    pub rows: Vec<Vec<String>>,
}

/// One reading of what a container uses.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Usage {
    /// Billionths of a core since the last reading.
    pub nano_cpus: u64,
    /// Bytes, caches that can be dropped at once left out.
    pub memory: u64,
    /// Bytes that it may use.
    pub memory_limit: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes received on all networks.
    pub received: u64,
    /// Bytes sent on all networks.
    pub sent: u64,
    /// Bytes read from block devices.
    pub read: u64,
    /// Bytes written to block devices.
    pub written: u64,
}

/// A step of fetching an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// Layer, or empty for the image.
    pub layer: String,
    /// Such as `Downloading`.
    pub status: String,
    /// Bytes done and to do, where known.
    pub bytes: Option<(u64, u64)>,
}
