//! What is wanted, in words that every engine knows. Complete: whoever executes a step asks nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;
use std::time::Duration;

use compose::model::{Condition, FailureAction, OnExit, Probe, UpdateOrder};
use profiles::Confinement;
use serde::{Deserialize, Serialize};

use super::guard::GuardSpec;
use super::hooks::{Hook, Hooks};
use super::{hash, labels};

/// The wanted state of one project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Project name.
    pub project: String,
    /// By engine name.
    pub networks: BTreeMap<String, NetworkSpec>,
    /// By engine name.
    pub volumes: BTreeMap<String, VolumeSpec>,
    /// By service name, those of active profiles alone.
    pub services: BTreeMap<String, ServiceSpec>,
    /// Services of the file whose profile is not active: theirs are no orphans.
    pub inactive: BTreeSet<String>,
    /// Absolute path of the file's folder: what Docker Compose runs from there under this project is taken over.
    pub folder: String,
    /// What the host's packet filter is to let through; `None` where the file goes without, or nothing is on a network.
    pub guard: Option<GuardSpec>,
}

/// One service: its containers and the rules by which it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Name.
    pub service: String,
    /// One a replica, numbered from 1.
    pub containers: Vec<ContainerSpec>,
    /// Services that come first.
    pub depends_on: BTreeMap<String, compose::model::Dependency>,
    /// Our own probe.
    pub probe: Option<Probe>,
    /// The engine will report a health: the file or the image has a health check.
    pub engine_health: bool,
    /// Budget for the first health: the probe's or health check's start period plus its retries.
    pub start_period: Duration,
    /// Exit code contract.
    pub on_exit: BTreeMap<u8, OnExit>,
    /// What the file says about restarts.
    pub restart: Restart,
    /// Its image is never fetched: `pull_policy: never`.
    pub never_pull: bool,
    /// How its containers are replaced.
    pub update: UpdateSpec,
    /// How an update of it is taken back.
    pub rollback: UpdateSpec,
    /// Loopback ports that the engine would drop, and on which the supervisor listens in its place.
    pub relayed: BTreeSet<PortSpec>,
    /// Ports that nobody answers on, each with the reason.
    pub unpublished: BTreeMap<PortSpec, &'static str>,
}

/// How containers are replaced, or put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateSpec {
    /// So many of a service's containers at a time; 0 is all.
    pub parallelism: u32,
    /// Between one batch and the next.
    pub delay: Duration,
    /// What follows when one fails.
    pub failure_action: FailureAction,
    /// How long a new container has to stay well.
    pub monitor: Duration,
    /// So many of a service's containers may fail.
    pub tolerated: u32,
    /// Which comes first.
    pub order: UpdateOrder,
}

/// What the file wants after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Restart {
    /// Never.
    No,
    /// After any exit.
    Always,
    /// After any exit unless someone stopped it.
    UnlessStopped,
    /// After an exit with another code than 0, at most so often in a row.
    OnFailure(Option<u32>),
}

/// A container to create. Serialized without what can be changed in place, it is what the hash covers.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ContainerSpec {
    /// Project name.
    pub project: String,
    /// Service name.
    pub service: String,
    /// Replica, from 1.
    pub number: u32,
    /// Container name: `container_name` or `PROJECT-SERVICE-NUMBER`.
    pub name: String,
    /// The image as the file says it.
    pub image: String,
    /// The image's id on the engine; empty where it is not there yet.
    pub image_id: String,
    /// The ids of images that are mounted, by target; those that are not there yet are missing.
    pub mounted: BTreeMap<String, String>,
    /// Arguments; `None` leaves the image's.
    pub command: Option<Vec<String>>,
    /// Entry point; `None` leaves the image's, empty clears it.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=value`, sorted. May hold secrets: never printed.
    pub environment: Vec<String>,
    /// Absolute path.
    pub working_dir: Option<String>,
    /// Stable UTS host name.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: Option<String>,
    /// The file's labels; ours are added by [`ContainerSpec::labels`].
    pub user_labels: BTreeMap<String, String>,
    /// The file's annotations, for the runtime.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Networks by engine name. Empty: none.
    pub networks: BTreeMap<String, AttachSpec>,
    /// Ports bound on the host by the engine.
    pub ports: BTreeSet<PortSpec>,
    /// `NAME:ADDRESS` rows for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Resolvers.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Resolver options.
    pub dns_opt: Vec<String>,
    /// Engine-run health check.
    pub healthcheck: Option<HealthSpec>,
    /// Log driver.
    pub log_driver: String,
    /// Its options.
    pub log_options: BTreeMap<String, String>,
    /// Signal name.
    pub stop_signal: Option<String>,
    /// From the stop signal to the kill.
    pub stop_grace: Duration,
    /// What is run in it after each start and before each stop.
    pub hooks: Option<Hooks>,
    /// Allocate a terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin_open: bool,
    /// OCI runtime by name, if not the engine's default.
    pub runtime: Option<String>,
    /// SHA-256 of the content of each secret and config given, by `kind/key`, so that a change of content is a change.
    pub content: BTreeMap<String, String>,
    /// The promise.
    pub confinement: Confinement,
    /// What the engine is told to do after an exit: `No` under `run`.
    pub restart: Restart,
    /// How it takes other contents of some configs without a restart.
    pub reload: Option<ReloadSpec>,
    /// Which of the containers of its place it is, from 1; 0 where that is not said: a plan that makes one does.
    pub generation: u64,
    /// Its hash, once somebody asked for it (`hash::container`).
    #[serde(skip)]
    pub(crate) hash: Memo,
}

/// What follows from the rest of a value, computed once: hashing is dear, and is asked for at every look. A copy computes
/// its own, since it may be changed.
#[derive(Default)]
pub(crate) struct Memo(OnceLock<String>);

impl Memo {
    pub(crate) fn get(&self, compute: impl FnOnce() -> String) -> &str {
        self.0.get_or_init(compute)
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

/// How a running container is told that its configs have other contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReloadSpec {
    /// Signal name.
    pub signal: String,
    /// Configs that it reads anew, by `config/KEY`.
    pub contents: BTreeSet<String>,
    /// A command in the container that ends with 0 where it can take them; empty: none.
    pub check: Vec<String>,
    /// What its output says once it has taken them.
    pub logs: Option<String>,
}

/// The bounds that the engine changes on a living container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Bounds {
    /// Bytes of memory; swap is bounded to the same.
    pub memory: u64,
    /// Billionths of a core.
    pub nano_cpus: u64,
    /// Processes and threads.
    pub pids: u32,
}

/// A container's place on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Default)]
pub struct AttachSpec {
    /// Names there, the service's own included.
    pub aliases: Vec<String>,
    /// Fixed address.
    pub ipv4: Option<Ipv4Addr>,
    /// Fixed address.
    pub ipv6: Option<Ipv6Addr>,
    /// Which gives the default route; higher wins.
    pub gw_priority: i64,
}

/// One port bound on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PortSpec {
    /// Address on the host.
    pub host_ip: IpAddr,
    /// Port on the host.
    pub host_port: u16,
    /// Port in the container.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// An engine-run health check. `None` leaves the image's or the engine's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthSpec {
    /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`, or empty to inherit.
    pub test: Vec<String>,
    /// Between two runs.
    pub interval: Option<Duration>,
    /// For one run.
    pub timeout: Option<Duration>,
    /// Failures in it do not count.
    pub start_period: Option<Duration>,
    /// Between two runs in it.
    pub start_interval: Option<Duration>,
    /// Consecutive failures.
    pub retries: Option<u32>,
}

/// Subnet, gateway, range; as text.
pub type Pool = (Option<String>, Option<String>, Option<String>);

/// A network in full: made of a spec, or of one that was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Engine name.
    pub name: String,
    /// No route out.
    pub internal: bool,
    /// With IPv6.
    pub ipv6: bool,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// Empty: the engine chooses.
    pub pools: Vec<Pool>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

impl NetworkShape {
    /// A network of ours on which nobody ever is, and whose label says what this one was: while an update replaces it, a
    /// kill loses nothing. It has the name that a container put aside would have.
    #[must_use]
    pub fn note(&self, project: &str) -> Self {
        let text = serde_json::to_string(self).unwrap_or_default();
        Self {
            name: super::spare::previous(&self.name),
            internal: true,
            labels: [(labels::PROJECT, project.to_owned()), (labels::REPLACED, text)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            ..Self::default()
        }
    }
}

/// A network to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkSpec {
    /// Project name.
    pub project: String,
    /// Key in the file.
    pub key: String,
    /// Engine name.
    pub name: String,
    /// Made outside: only looked for, never changed.
    pub external: bool,
    /// No route out.
    pub internal: bool,
    /// With IPv6.
    pub ipv6: bool,
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// Empty: the engine chooses.
    pub pools: Vec<Pool>,
    /// The file's labels.
    pub user_labels: BTreeMap<String, String>,
}

/// A volume to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeSpec {
    /// Project name.
    pub project: String,
    /// Key in the file.
    pub key: String,
    /// Engine name.
    pub name: String,
    /// Made outside: only looked for.
    pub external: bool,
    /// Driver options that the policy lets through.
    pub options: BTreeMap<String, String>,
    /// The file's labels.
    pub user_labels: BTreeMap<String, String>,
}

/// A condition on a service that a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Await {
    /// The service.
    pub service: String,
    /// What has to be true of all its containers.
    #[serde(serialize_with = "condition_name")]
    pub condition: Condition,
    /// Then it has failed.
    pub timeout: Duration,
    /// A failure fails the plan; else it is said and passed over.
    pub required: bool,
    /// Its containers by engine name.
    pub containers: Vec<String>,
    /// So long it has to stay true from then on.
    pub stays: Duration,
    /// So many of the containers may fail.
    pub tolerated: u32,
}

impl Await {
    /// A condition on all containers of a service, with no time for it yet.
    pub fn of(service: &ServiceSpec, condition: Condition) -> Self {
        Self {
            service: service.service.clone(),
            condition,
            timeout: Duration::ZERO,
            required: true,
            containers: service.containers.iter().map(|spec| spec.name.clone()).collect(),
            stays: Duration::ZERO,
            tolerated: 0,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn condition_name<S: serde::Serializer>(c: &Condition, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match c {
        Condition::Started => "service_started",
        Condition::Healthy => "service_healthy",
        Condition::Completed => "service_completed_successfully",
    })
}

impl AttachSpec {
    /// Whether nothing is said of it but the service's name.
    pub fn is_plain(&self, service: &str) -> bool {
        self.aliases == [service] && self.ipv4.is_none() && self.ipv6.is_none() && self.gw_priority == 0
    }
}

impl ContainerSpec {
    /// The network that has its default route by the file's word.
    pub fn way_out(&self) -> Option<&str> {
        let first = self.networks.iter().max_by_key(|(_, attach)| attach.gw_priority)?;
        (first.1.gw_priority > 0).then_some(first.0)
    }

    /// What is run in it after each start.
    pub fn post_start(&self) -> &[Hook] {
        self.hooks.as_ref().map_or(&[], |hooks| &hooks.post_start)
    }

    /// Every image that it needs, as the file says it, with its id where it is there: its own, then those that are mounted.
    pub fn images(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let own = (self.image.as_str(), Some(self.image_id.as_str()).filter(|id| !id.is_empty()));
        std::iter::once(own).chain(self.mounted_images())
    }

    /// Those that are mounted.
    pub fn mounted_images(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let images = self.confinement.mounted_images();
        images.map(|(target, image)| (image.as_str(), self.mounted.get(target).map(String::as_str)))
    }

    /// The same with the ids of images that came meanwhile, by name.
    #[must_use]
    pub fn resolved(&self, came: &BTreeMap<String, String>) -> Self {
        let mut spec = self.clone();
        if let (true, Some(id)) = (spec.image_id.is_empty(), came.get(&spec.image)) {
            spec.image_id.clone_from(id);
        }
        for (target, image) in self.confinement.mounted_images() {
            if let Some(id) = came.get(image) {
                spec.mounted.entry(target.clone()).or_insert_with(|| id.clone());
            }
        }
        spec
    }

    /// The bounds that can be changed in place.
    pub fn bounds(&self) -> Bounds {
        let limits = self.confinement.limits();
        Bounds { memory: limits.memory, nano_cpus: limits.nano_cpus, pids: limits.pids }
    }

    /// The same with other bounds, as one has that was changed in place.
    #[must_use]
    pub fn bounded(&self, bounds: Bounds) -> Self {
        let mut spec = self.clone();
        spec.confinement.change_bounds(bounds.memory, bounds.nano_cpus, bounds.pids);
        spec
    }

    /// Every label that the container is created with: the file's, and ours over them.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let generation = (self.generation > 0).then(|| (labels::GENERATION, self.generation.to_string()));
        labels::with_ours(
            &self.user_labels,
            [
                (labels::PROJECT, self.project.clone()),
                (labels::SERVICE, self.service.clone()),
                (labels::NUMBER, self.number.to_string()),
                (labels::HASH, hash::container(self).to_owned()),
                (labels::PARTS, hash::parts(self)),
                (labels::RESTART, labels::print_restart(self.restart)),
                (labels::BOUNDS, labels::print_bounds(self.bounds())),
                (labels::IMAGE, self.image.clone()),
            ]
            .into_iter()
            .chain(generation),
        )
    }
}

impl NetworkSpec {
    /// What is created.
    pub fn shape(&self) -> NetworkShape {
        NetworkShape {
            name: self.name.clone(),
            internal: self.internal,
            ipv6: self.ipv6,
            options: self.options.clone(),
            pools: self.pools.clone(),
            labels: self.labels(),
        }
    }

    /// Every label that the network is created with.
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels::with_ours(
            &self.user_labels,
            [
                (labels::PROJECT, self.project.clone()),
                (labels::NETWORK, self.key.clone()),
                (labels::HASH, hash::network(self)),
            ],
        )
    }
}

impl VolumeSpec {
    /// Every label that the volume is created with.
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels::with_ours(
            &self.user_labels,
            [
                (labels::PROJECT, self.project.clone()),
                (labels::VOLUME, self.key.clone()),
                (labels::HASH, hash::volume(self)),
            ],
        )
    }
}

impl std::fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("name", &self.name)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}
