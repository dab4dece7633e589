//! The final model of a stack: no short forms, units in types, every value with its place.
//!
//! Made by `lower` alone, filled in by `harden`. Deliberately absent: anything of the engine's API.

mod recorded;
mod stack;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::destination::Destination;
use crate::source::{At, Span};
use crate::units::{Bytes, NanoCpus, Port};

pub use recorded::{Recorded, Recording};
pub use stack::{EdgeFrom, Exemption, Guard, Stack};

/// A whole stack.
#[derive(Clone, Debug)]
pub struct Project {
    /// `[a-z0-9][a-z0-9_-]*`; from `-p`, `COMPOSE_PROJECT_NAME`, `name:`, or the folder's name.
    pub name: String,
    /// Absolute path of the folder of the first Compose file; relative host paths start here.
    pub directory: PathBuf,
    /// By name. Every service, in an active profile or not.
    pub services: BTreeMap<String, Service>,
    /// Declared networks by key, `default` included where a service needs it.
    pub networks: BTreeMap<String, Network>,
    /// Declared volumes by key.
    pub volumes: BTreeMap<String, Volume>,
    /// Top-level `secrets`.
    pub secrets: BTreeMap<String, FileObject>,
    /// Top-level `configs`.
    pub configs: BTreeMap<String, FileObject>,
    /// Top-level `x-supervisor`.
    pub stack: Stack,
    /// Every file that `extends` and `include` led to, absolute, at the place that names it.
    pub included: Vec<At<PathBuf>>,
}

/// A calendar day, ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year, such as 2027.
    pub year: i16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// One service, every key in its long form. `None` and empty mean that neither file nor hardening said anything.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Its key.
    pub name: String,
    /// Where its key is written; what is missing is reported here.
    pub span: Span,
    /// `image`, as written after interpolation.
    pub image: Option<At<String>>,
    /// `command` as arguments; `Some` and empty clears the image's.
    pub command: Option<At<Vec<String>>>,
    /// `entrypoint` as arguments; `Some` and empty clears the image's.
    pub entrypoint: Option<At<Vec<String>>>,
    /// `user[:group]`.
    pub user: Option<At<String>>,
    /// Supplementary groups.
    pub group_add: Vec<At<String>>,
    /// Absolute path in the container.
    pub working_dir: Option<At<String>>,
    /// Final environment, `env_file` included; `None` is a name without a value that nothing declared.
    pub environment: BTreeMap<String, At<Option<EnvValue>>>,
    /// The `env_file` entries that were read.
    pub env_file: Vec<At<PathBuf>>,
    /// Published ports, ranges expanded, in order.
    pub ports: Vec<At<PublishedPort>>,
    /// `expose`: port or range with protocol, as text.
    pub expose: Vec<At<String>>,
    /// `volumes` and `tmpfs` together, in order.
    pub mounts: Vec<At<Mount>>,
    /// Networks by key of [`Project::networks`].
    pub networks: BTreeMap<String, At<Attachment>>,
    /// `network_mode`, as written.
    pub network_mode: Option<At<String>>,
    /// Service names to how they are waited for.
    pub depends_on: BTreeMap<String, At<Dependency>>,
    /// `links`: also in `depends_on`, and an alias of the other service on each network that both are on.
    pub links: Vec<At<Link>>,
    /// The Compose health check.
    pub healthcheck: Option<At<Healthcheck>>,
    /// `restart`.
    pub restart: Option<At<Restart>>,
    /// `read_only`.
    pub read_only: Option<At<bool>>,
    /// `privileged`.
    pub privileged: Option<At<bool>>,
    /// `cap_add`, as written.
    pub cap_add: Vec<At<String>>,
    /// `cap_drop`, as written.
    pub cap_drop: Vec<At<String>>,
    /// `security_opt`, as written.
    pub security_opt: Vec<At<String>>,
    /// `pid`, as written.
    pub pid: Option<At<String>>,
    /// `ipc`, as written.
    pub ipc: Option<At<String>>,
    /// `uts`, as written.
    pub uts: Option<At<String>>,
    /// `cgroup`, as written.
    pub cgroup: Option<At<String>>,
    /// `userns_mode`, as written.
    pub userns_mode: Option<At<String>>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, At<String>>,
    /// Resource limits of processes by name: `nofile`, `nproc`.
    pub ulimits: BTreeMap<String, At<Ulimit>>,
    /// `pids_limit` or `deploy.resources.limits.pids`; -1 and 0 are kept, for the policy to refuse.
    pub pids: Option<At<i64>>,
    /// `mem_limit` or `deploy.resources.limits.memory`; -1 and 0 are kept.
    pub memory: Option<At<i64>>,
    /// `memswap_limit`: memory and swap together; -1 is kept.
    pub memory_swap: Option<At<i64>>,
    /// `cpu_shares`: the weight of its CPU time among containers; the engine's default is 1,024.
    pub cpu_shares: Option<At<u64>>,
    /// `cpuset`: the cores that it stays on, such as `0-2,4`.
    pub cpuset: Option<At<String>>,
    /// `blkio_config.weight`: its weight for block devices, 10 to 1,000.
    pub blkio_weight: Option<At<u16>>,
    /// `mem_reservation` or `deploy.resources.reservations.memory`.
    pub memory_reservation: Option<At<i64>>,
    /// `cpus` or `deploy.resources.limits.cpus`; 0 is kept.
    pub cpus: Option<At<NanoCpus>>,
    /// `shm_size`.
    pub shm_size: Option<At<Bytes>>,
    /// `oom_score_adj`.
    pub oom_score_adj: Option<At<i64>>,
    /// Log driver and options.
    pub logging: Option<At<Logging>>,
    /// Labels, ours not among them.
    pub labels: BTreeMap<String, At<String>>,
    /// `init`.
    pub init: Option<At<bool>>,
    /// `hostname`.
    pub hostname: Option<At<String>>,
    /// `domainname`.
    pub domainname: Option<At<String>>,
    /// `container_name`.
    pub container_name: Option<At<String>>,
    /// `extra_hosts`: name to addresses as text.
    pub extra_hosts: Vec<At<(String, String)>>,
    /// Resolvers, as text.
    pub dns: Vec<At<String>>,
    /// Search domains.
    pub dns_search: Vec<At<String>>,
    /// Resolver options.
    pub dns_opt: Vec<At<String>>,
    /// `SIGTERM` or any other name or number, as written.
    pub stop_signal: Option<At<String>>,
    /// `stop_grace_period`.
    pub stop_grace_period: Option<At<Duration>>,
    /// Secrets by key of [`Project::secrets`], in order.
    pub secrets: Vec<At<Grant>>,
    /// Configs by key of [`Project::configs`], in order.
    pub configs: Vec<At<Grant>>,
    /// Profiles that switch the service on; empty is always on.
    pub profiles: Vec<At<String>>,
    /// `scale` or `deploy.replicas`.
    pub scale: Option<At<u32>>,
    /// `deploy.update_config`.
    pub update: Option<At<Update>>,
    /// `deploy.rollback_config`.
    pub rollback: Option<At<Update>>,
    /// `tty`.
    pub tty: Option<At<bool>>,
    /// `stdin_open`.
    pub stdin_open: Option<At<bool>>,
    /// `platform`, as written.
    pub platform: Option<At<String>>,
    /// `pull_policy`, as written.
    pub pull_policy: Option<At<String>>,
    /// `runtime`, as written.
    pub runtime: Option<At<String>>,
    /// Keys that are refused whatever they say, or whose value no rule has to see: `devices`, `build`,
    /// `volumes_from`, `use_api_socket`. The key's name and the place of the key and its value.
    pub refused: Vec<(&'static str, Span)>,
    /// The service's own `x-supervisor`.
    pub supervisor: ServiceOptions,
}

/// An environment variable's value. It may be a secret, so that `Debug` shows its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(pub String);

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnvValue({} bytes)", self.0.len())
    }
}

/// A service's `x-supervisor`.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// Our own HTTP probe.
    pub probe: Option<At<Probe>>,
    /// Exit code to what is done about it.
    pub on_exit: BTreeMap<u8, At<OnExit>>,
    /// Which base the seccomp and AppArmor profiles start from.
    pub runtime: Option<At<Runtime>>,
    /// Paths in the container from which files may be run although they can be written: absolute, lexically normal,
    /// of letters, digits and `/._+-` alone.
    pub exec_from: Vec<At<String>>,
    /// What of that base is granted, by the file that `seccomp` names.
    pub seccomp: Option<At<Recorded>>,
    /// What is wanted of Landlock; without it, it is used where the kernel has it.
    pub landlock: Option<At<Landlock>>,
    /// The TCP ports that the service is held to.
    pub tcp: Option<At<TcpPorts>>,
}

/// What a service wants of Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// Nothing is started where the kernel cannot keep the whole of it.
    Required,
    /// It is not used, although the kernel may have it.
    Off,
}

/// The TCP ports that a service is held to. `None` leaves a direction open; an empty list closes it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TcpPorts {
    /// Ports that it may listen on.
    pub bind: Option<Vec<Port>>,
    /// Ports that it may connect to, whatever the address.
    pub connect: Option<Vec<Port>>,
}

/// How a service's containers are replaced, or put back. `None` is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Update {
    /// So many containers at a time; 0 is all.
    pub parallelism: Option<u32>,
    /// Between one batch and the next.
    pub delay: Option<Duration>,
    /// What follows when one fails.
    pub failure_action: Option<FailureAction>,
    /// How long a new container has to stay well.
    pub monitor: Option<Duration>,
    /// The share of containers that may fail, in thousandths.
    pub max_failure_ratio: Option<u16>,
    /// Which comes first.
    pub order: Option<UpdateOrder>,
}

/// What follows when an update fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// It goes on.
    Continue,
    /// It stops where it is.
    Pause,
    /// Everything that it changed goes back.
    Rollback,
}

/// Whether the old container stops before the new one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOrder {
    /// The new one starts first: both run for a while.
    StartFirst,
    /// The old one stops first.
    StopFirst,
}

/// An HTTP probe from the host over the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Path of the health request, starting with `/`.
    pub http: String,
    /// Port in the container.
    pub port: Port,
    /// Text that the body must contain; without it, status 200 to 299 is enough.
    pub body: Option<String>,
    /// Path that must answer first, within `start_period`.
    pub startup: Option<String>,
    /// From one answer to the next request. Default 10 s.
    pub interval: Duration,
    /// For the whole answer. Default 2 s.
    pub timeout: Duration,
    /// Consecutive failures that make it unhealthy, 1 to 10. Default 3.
    pub retries: u32,
    /// How long it may take to become healthy after a start. Default 5 min.
    pub start_period: Duration,
}

/// What is done when a container exits with a certain code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Started again after the back-off.
    Restart,
    /// Left stopped and shown as such: starting it again cannot help.
    Stop,
}

/// Which program family a profile starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// An ordinary libc program.
    Generic,
    /// Node.js: V8 and libuv.
    Node,
    /// A Go program.
    Go,
}

impl Runtime {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Generic, Self::Node, Self::Go];

    /// Its name in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Node => "node",
            Self::Go => "go",
        }
    }
}

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    /// Address on the host as written; `None` means all of them.
    pub host_ip: Option<String>,
    /// The address, where the text is one.
    pub address: Option<IpAddr>,
    /// Port on the host; `None` lets the engine choose.
    pub published: Option<u16>,
    /// Port in the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`, lower case.
    pub protocol: String,
    /// `host` or `ingress`, as written in the long form.
    pub mode: Option<String>,
}

/// Something mounted in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Absolute path in the container.
    pub target: String,
    /// Mounted read-only.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A path of the host.
    Bind(Bind),
    /// A declared volume by key of [`Project::volumes`], or an anonymous one.
    Volume {
        /// `None` is anonymous.
        name: Option<String>,
        /// Do not copy what the image has there.
        nocopy: bool,
        /// Folder inside the volume.
        subpath: Option<String>,
    },
    /// A file system in memory.
    Tmpfs(Tmpfs),
    /// `image`, `npipe`, `cluster`: parsed, and refused by the policy.
    Other {
        /// The `type`, as written.
        kind: String,
    },
}

/// A bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The path as written, after interpolation.
    pub written: String,
    /// Absolute, lexically normal.
    pub path: PathBuf,
    /// `bind.propagation`, as written.
    pub propagation: Option<String>,
    /// `bind.create_host_path`, where it is written.
    pub create_host_path: Option<bool>,
    /// `bind.selinux` or the short `z`, `Z`.
    pub selinux: Option<String>,
    /// `bind.recursive`, as written.
    pub recursive: Option<String>,
}

/// Options of a tmpfs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tmpfs {
    /// Upper bound of its content.
    pub size: Option<Bytes>,
    /// Permission bits of its root.
    pub mode: Option<u32>,
    /// Owner of its root.
    pub uid: Option<u32>,
    /// Group of its root.
    pub gid: Option<u32>,
    /// Every other option as written: `noexec`, `exec`, `nosuid`, `suid`, `nodev`, `dev`.
    pub options: Vec<String>,
}

/// A service's place on a network.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Attachment {
    /// Further names of the service there.
    pub aliases: Vec<String>,
    /// Fixed address.
    pub ipv4_address: Option<std::net::Ipv4Addr>,
    /// Fixed address.
    pub ipv6_address: Option<std::net::Ipv6Addr>,
    /// Which network is connected first.
    pub priority: Option<i64>,
    /// Which network gives the default route.
    pub gw_priority: Option<i64>,
}

/// A further name of another service, as `links` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The other service.
    pub service: String,
    /// Its name here; its own where the file says none.
    pub alias: String,
}

/// How another service is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// What has to be true of it.
    pub condition: Condition,
    /// Restart this service when that one is recreated or restarted on request.
    pub restart: bool,
    /// `false`: its absence or failure is only a warning.
    pub required: bool,
}

/// `depends_on` conditions of the Compose specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// `service_started`.
    Started,
    /// `service_healthy`.
    Healthy,
    /// `service_completed_successfully`.
    Completed,
}

/// The Compose `healthcheck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthcheck {
    /// What is run.
    pub test: HealthTest,
    /// Between two runs.
    pub interval: Option<Duration>,
    /// For one run.
    pub timeout: Option<Duration>,
    /// Consecutive failures.
    pub retries: Option<u32>,
    /// Failures in it do not count.
    pub start_period: Option<Duration>,
    /// Between two runs in the start period.
    pub start_interval: Option<Duration>,
}

/// What a health check runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthTest {
    /// The image's own, with other times.
    Inherit,
    /// `disable: true` or `NONE`.
    Disabled,
    /// `CMD`: arguments.
    Exec(Vec<String>),
    /// `CMD-SHELL`: a line for the image's shell.
    Shell(String),
}

/// `restart` and `deploy.restart_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// `no`.
    No,
    /// `always`.
    Always,
    /// `unless-stopped`.
    UnlessStopped,
    /// `on-failure[:n]`.
    OnFailure(Option<u32>),
}

/// Soft and hard limit; -1 is unlimited and kept, for the policy to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// What a process starts with.
    pub soft: i64,
    /// What it may raise it to.
    pub hard: i64,
}

/// `logging`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Logging {
    /// The driver; `None` is the engine's default.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// A secret or config given to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Key of the top-level entry.
    pub source: String,
    /// Absolute path in the container; secrets default to `/run/secrets/NAME`, configs to `/NAME`.
    pub target: String,
    /// Owner of the file, numeric text.
    pub uid: Option<String>,
    /// Group of the file, numeric text.
    pub gid: Option<String>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// A top-level network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its key.
    pub key: String,
    /// Where its key is written, or where it was first used.
    pub span: Span,
    /// `name`, where it is written; else `PROJECT_KEY`.
    pub name: Option<At<String>>,
    /// `driver`.
    pub driver: Option<At<String>>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, At<String>>,
    /// Not made by us.
    pub external: Option<At<bool>>,
    /// No route out.
    pub internal: Option<At<bool>>,
    /// `enable_ipv6`.
    pub enable_ipv6: Option<At<bool>>,
    /// `attachable`.
    pub attachable: Option<At<bool>>,
    /// Address pools.
    pub ipam: Vec<At<Pool>>,
    /// `ipam.driver`.
    pub ipam_driver: Option<At<String>>,
    /// Labels, ours not among them.
    pub labels: BTreeMap<String, At<String>>,
    /// Keys that no field takes and that would change the network: `ipam.options`, `enable_ipv4: false`.
    pub refused: Vec<(&'static str, Span)>,
}

/// One `ipam.config` row, as text that is a valid address or prefix.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pool {
    /// CIDR.
    pub subnet: Option<String>,
    /// Address of the host on the bridge.
    pub gateway: Option<String>,
    /// CIDR within the subnet that addresses are taken from.
    pub ip_range: Option<String>,
}

/// A top-level volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its key.
    pub key: String,
    /// Where its key is written.
    pub span: Span,
    /// `name`, where it is written; else `PROJECT_KEY`.
    pub name: Option<At<String>>,
    /// `driver`.
    pub driver: Option<At<String>>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, At<String>>,
    /// Not made by us.
    pub external: Option<At<bool>>,
    /// Labels, ours not among them.
    pub labels: BTreeMap<String, At<String>>,
}

/// A top-level secret or config.
#[derive(Clone, Debug)]
pub struct FileObject {
    /// Its key.
    pub key: String,
    /// Where its key is written.
    pub span: Span,
    /// Where its content is.
    pub content: At<ContentSource>,
    /// `name`, where it is written.
    pub name: Option<At<String>>,
    /// The variable that `environment` names.
    pub from_environment: Option<At<String>>,
    /// Keys that are refused whatever they say: `driver`, `template_driver`.
    pub refused: Vec<(&'static str, Span)>,
}

/// Where the content of a secret or config is.
#[derive(Clone, PartialEq, Eq)]
pub enum ContentSource {
    /// A file of the host: absolute, lexically normal.
    File(PathBuf),
    /// `content:`, or the variable's value for `environment:`. Never printed.
    Inline(String),
    /// The variable that `environment:` names is not set: nothing that is given it can be launched.
    Unset(String),
    /// Made outside; refused.
    External,
}

impl std::fmt::Debug for ContentSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
            Self::Unset(name) => f.debug_tuple("Unset").field(name).finish(),
            Self::External => f.write_str("External"),
        }
    }
}

impl Service {
    /// A service that says nothing but its name.
    pub fn new(name: String, span: Span) -> Self {
        Self {
            name,
            span,
            image: None,
            command: None,
            entrypoint: None,
            user: None,
            group_add: Vec::new(),
            working_dir: None,
            environment: BTreeMap::new(),
            env_file: Vec::new(),
            ports: Vec::new(),
            expose: Vec::new(),
            mounts: Vec::new(),
            networks: BTreeMap::new(),
            network_mode: None,
            depends_on: BTreeMap::new(),
            links: Vec::new(),
            healthcheck: None,
            restart: None,
            read_only: None,
            privileged: None,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            security_opt: Vec::new(),
            pid: None,
            ipc: None,
            uts: None,
            cgroup: None,
            userns_mode: None,
            sysctls: BTreeMap::new(),
            ulimits: BTreeMap::new(),
            pids: None,
            memory: None,
            memory_swap: None,
            memory_reservation: None,
            cpu_shares: None,
            cpuset: None,
            blkio_weight: None,
            cpus: None,
            shm_size: None,
            oom_score_adj: None,
            logging: None,
            labels: BTreeMap::new(),
            init: None,
            hostname: None,
            domainname: None,
            container_name: None,
            extra_hosts: Vec::new(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_opt: Vec::new(),
            stop_signal: None,
            stop_grace_period: None,
            secrets: Vec::new(),
            configs: Vec::new(),
            profiles: Vec::new(),
            scale: None,
            update: None,
            rollback: None,
            tty: None,
            stdin_open: None,
            platform: None,
            pull_policy: None,
            runtime: None,
            refused: Vec::new(),
            supervisor: ServiceOptions::default(),
        }
    }
}

impl Network {
    /// A network that says nothing but its key.
    pub const fn new(key: String, span: Span) -> Self {
        Self {
            key,
            span,
            name: None,
            driver: None,
            driver_opts: BTreeMap::new(),
            external: None,
            internal: None,
            enable_ipv6: None,
            attachable: None,
            ipam: Vec::new(),
            ipam_driver: None,
            labels: BTreeMap::new(),
            refused: Vec::new(),
        }
    }
}

impl Project {
    /// The engine's name of a declared network.
    pub fn network_name(&self, network: &Network) -> String {
        network.name.as_ref().map_or_else(|| format!("{}_{}", self.name, network.key), |n| n.value.clone())
    }

    /// The engine's name of a declared volume.
    pub fn volume_name(&self, volume: &Volume) -> String {
        volume.name.as_ref().map_or_else(|| format!("{}_{}", self.name, volume.key), |n| n.value.clone())
    }

    /// Whether any service of the stack can write what is mounted here: through this mount, or through another one of
    /// the same files.
    pub fn is_written(&self, mount: &Mount) -> bool {
        let mut mounts = self.services.values().flat_map(|service| &service.mounts).map(|mount| &mount.value);
        !mount.read_only || mounts.any(|other| !other.read_only && self.is_same(&mount.source, &other.source))
    }

    /// Whether two mounts have files in common.
    fn is_same(&self, one: &MountSource, other: &MountSource) -> bool {
        let engine_name = |key: &String| {
            self.volumes.get(key).map_or_else(|| key.clone(), |volume| self.volume_name(volume))
        };
        match (one, other) {
            (MountSource::Bind(one), MountSource::Bind(other)) => {
                one.path.starts_with(&other.path) || other.path.starts_with(&one.path)
            }
            (MountSource::Volume { name: Some(one), .. }, MountSource::Volume { name: Some(other), .. }) => {
                engine_name(one) == engine_name(other)
            }
            _ => false,
        }
    }
}
