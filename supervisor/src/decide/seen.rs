//! What was observed: the only way back from the engine into a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::guard::listing::Counters;
use super::hooks::Hooks;
use super::live::Live;
use super::spec::{Bounds, NetworkShape, Pool, Restart};
use super::{labels, spare};

/// One look at a project's things on the engine.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Seen {
    /// Networks that carry our project's label, and those that a wanted network names.
    pub networks: Vec<SeenNetwork>,
    /// Volumes likewise.
    pub volumes: Vec<SeenVolume>,
    /// Every container with our project's label, and those under a name that is wanted.
    pub containers: Vec<SeenContainer>,
    /// Image as the file says it to its id, of those that are there.
    pub images: BTreeMap<String, SeenImage>,
    /// The newest API of the engine; `None` where nobody said.
    pub api: Option<(u16, u16)>,
    /// The guard on the host; `None` where nobody asked for it.
    pub guard: Option<SeenGuard>,
}

/// The guard, and what else of the host's network it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeenGuard {
    /// Our table.
    pub table: SeenTable,
    /// Names of the links in this network namespace, or of those that are bridges of the networks that were seen.
    pub links: BTreeSet<String>,
    /// Where the engine asks for names from a container's network: those on loopback are asked from the host's.
    pub resolvers: BTreeSet<IpAddr>,
    /// What the table counted.
    pub counters: Counters,
    /// The script that set the table, if that is known.
    pub script: Option<String>,
    /// The kernel has no IPv6: no link here could have an address of it.
    pub without_ipv6: bool,
}

/// Our table in the host's packet filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SeenTable {
    /// It is not there.
    Absent {
        /// It was set by us, and not taken away by us.
        was_set: bool,
    },
    /// It is there.
    There {
        /// The hash of the ruleset that it says it was made of.
        ruleset: String,
        /// It lists as it did right after it was set.
        intact: bool,
    },
    /// It can neither be seen nor set, for this reason.
    Unable(String),
}

impl Default for SeenTable {
    fn default() -> Self {
        Self::Absent { was_set: false }
    }
}

/// An image on the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenImage {
    /// `sha256:…`.
    pub id: String,
}

/// What an image says about the start of its containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageStart {
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
}

/// A network on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeenNetwork {
    /// Engine id.
    pub id: String,
    /// Engine name.
    pub name: String,
    /// Project by our label, if it carries one.
    pub project: Option<String>,
    /// The spec's hash by our label.
    pub hash: Option<String>,
    /// It has no way out.
    pub internal: bool,
    /// Docker Compose made it for a project of this name.
    pub composed: bool,
    /// Its driver.
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// With IPv6.
    pub ipv6: bool,
    /// Subnets, asked for or chosen by the engine.
    pub pools: Vec<Pool>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// Names of containers on it, stopped ones too, that are not the project's.
    pub strangers: BTreeSet<String>,
}

impl SeenNetwork {
    /// All that it takes to make it again; its subnets only where addresses in them were asked for, since the engine may
    /// give them to another network meanwhile.
    pub fn shape(&self, with_pools: bool) -> NetworkShape {
        NetworkShape {
            name: self.name.clone(),
            internal: self.internal,
            ipv6: self.ipv6,
            options: self.options.clone(),
            pools: if with_pools { self.pools.clone() } else { Vec::new() },
            labels: self.labels.clone(),
        }
    }

    /// The network that this one stands for, if it is the note of one that an update replaces.
    pub fn notes(&self) -> Option<NetworkShape> {
        let text =
            self.labels.get(labels::REPLACED).filter(|_| spare::role(&self.name) == spare::Role::Previous)?;
        serde_json::from_str(text).ok()
    }

    /// Whether it is as the note says.
    pub fn is(&self, shape: &NetworkShape) -> bool {
        self.name == shape.name && self.internal == shape.internal && self.labels == shape.labels
    }
}

/// A volume on the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenVolume {
    /// Engine name.
    pub name: String,
    /// Project by our label, if it carries one.
    pub project: Option<String>,
    /// The spec's hash by our label.
    pub hash: Option<String>,
    /// Its driver.
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}

/// A container on the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenContainer {
    /// Engine id.
    pub id: String,
    /// Engine name without the slash.
    pub name: String,
    /// Project by our label, if it carries one.
    pub project: Option<String>,
    /// Service by our label.
    pub service: Option<String>,
    /// Replica by our label.
    pub number: Option<u32>,
    /// The spec's hash by our label.
    pub hash: Option<String>,
    /// Short hashes of the spec's parts by our label, to name what changed.
    pub parts: Option<String>,
    /// The engine's restart policy: as it was asked for, else as our label has it, since the engine's list does not
    /// tell it. `None`: not known, and nothing is planned about it.
    pub restart: Option<Restart>,
    /// The bounds that can be changed in place, known in the same ways.
    pub bounds: Option<Bounds>,
    /// Which of the containers of its place it is, by our label.
    pub generation: Option<u64>,
    /// What its files hold whose content it is given anew without a restart; `None` where it has none, or nobody can tell.
    pub live: Option<Live>,
    /// It ran with other rights than promised: no plan starts it.
    pub refused: bool,
    /// Its hooks, as they are kept; none where nobody can tell.
    pub hooks: Hooks,
    /// Those after its start have not ended well yet.
    pub owes: bool,
    /// Image id.
    pub image_id: String,
    /// Whether it runs.
    pub state: State,
    /// The engine's health, where it checks one.
    pub health: Option<Health>,
    /// Seconds since 1970 of its creation.
    pub created: i64,
    /// Networks by engine name to its address there.
    pub networks: BTreeMap<String, Option<IpAddr>>,
    /// The networks that it was started on, by engine name to engine id: another of that name is not the one it knows.
    pub joined: BTreeMap<String, String>,
    /// Networks on which its address was asked for.
    pub fixed: BTreeSet<String>,
}

impl SeenContainer {
    /// Whether it knows a network of this name that is gone: it cannot be started before it has been put on the one that
    /// took its place.
    pub fn has_lost(&self, seen: &Seen, network: &str) -> bool {
        let knows = self.joined.get(network);
        knows.is_some_and(|id| !seen.networks.iter().any(|there| there.name == network && there.id == *id))
    }
}

/// A container's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Created, never started.
    Created,
    /// Running.
    Running,
    /// Frozen by someone.
    Paused,
    /// The engine is restarting it.
    Restarting,
    /// Ended with this code.
    Exited(i64),
    /// Being removed.
    Removing,
    /// The engine gave up on it.
    Dead,
}

/// The engine's word on health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// In the start period, nothing known.
    Starting,
    /// Its check passes.
    Healthy,
    /// Its check failed `retries` times in a row.
    Unhealthy,
}
