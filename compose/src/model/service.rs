//! What the file says of one service, every key in its long form.
//!
//! Deliberately absent: our own keys, which are `options`, and what is mounted or reached.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::network::{Attachment, Link, PublishedPort};
use super::{Mount, MountSource, ServiceOptions};
use crate::source::{At, Span};
use crate::units::{Bytes, NanoCpus};

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
    /// Networks by key of [`Project::networks`](super::Project::networks).
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
    /// `annotations`, which the runtime is told.
    pub annotations: BTreeMap<String, At<String>>,
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
    /// What is run in the container after each start, in order.
    pub post_start: Vec<At<Hook>>,
    /// What is run in the container before each stop, in order.
    pub pre_stop: Vec<At<Hook>>,
    /// Secrets by key of [`Project::secrets`](super::Project::secrets), in order.
    pub secrets: Vec<At<Grant>>,
    /// Configs by key of [`Project::configs`](super::Project::configs), in order.
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

impl Service {
    /// Every image that its containers need: its own, then those that are mounted.
    pub fn images(&self) -> impl Iterator<Item = &At<String>> {
        let mounted = self.mounts.iter().filter_map(|mount| match &mount.value.source {
            MountSource::Image { image, .. } => Some(image),
            _ => None,
        });
        self.image.iter().chain(mounted)
    }

    /// Every command of its own that is run in its containers: after each start, then before each stop.
    pub fn hooks(&self) -> impl Iterator<Item = &At<Hook>> {
        self.post_start.iter().chain(&self.pre_stop)
    }

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
            annotations: BTreeMap::new(),
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
            post_start: Vec::new(),
            pre_stop: Vec::new(),
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

/// An environment variable's value. It may be a secret, so that `Debug` shows its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(pub String);

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnvValue({} bytes)", self.0.len())
    }
}

/// A command in a service's container, after its start or before its stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// Arguments.
    pub command: Vec<String>,
    /// `user[:group]`; `None` is the service's.
    pub user: Option<At<String>>,
    /// `privileged`.
    pub privileged: Option<At<bool>>,
    /// Absolute path in the container; `None` is the service's.
    pub working_dir: Option<At<String>>,
    /// Variables besides the service's; `None` is a name without a value that nothing declared.
    pub environment: BTreeMap<String, At<Option<EnvValue>>>,
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
