//! Every key of the Compose format, one row each: how the policy treats it, why, and what its value looks like.
//!
//! The rows are those of the Compose schema. A key that has no row is unknown and refuses the file. Deliberately
//! absent: what a value means (`lower`) and when it is refused (the policy's rules).

mod nested;
mod service;

use crate::shape::{self, Shape};

pub use service::SERVICE;

/// How the policy treats a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Passed on as written.
    Accepted,
    /// Filled in where absent, refused where weak.
    Constrained,
    /// Refused whatever it says.
    Refused,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// How the policy treats it.
    pub class: Class,
    /// Why, in one sentence.
    pub why: &'static str,
    /// What its value looks like.
    pub shape: &'static Shape,
}

pub(crate) const fn accepted(name: &'static str, shape: &'static Shape, why: &'static str) -> Key {
    Key { name, class: Class::Accepted, why, shape }
}

pub(crate) const fn constrained(name: &'static str, shape: &'static Shape, why: &'static str) -> Key {
    Key { name, class: Class::Constrained, why, shape }
}

pub(crate) const fn refused(name: &'static str, shape: &'static Shape, why: &'static str) -> Key {
    Key { name, class: Class::Refused, why, shape }
}

/// The keys at the top of a file.
pub const TOP: &[Key] = &[
    accepted("version", &shape::TEXT, "ignored by Compose, and warned of"),
    constrained("name", &shape::TEXT, "part of every name on the engine"),
    constrained(
        "include",
        &nested::INCLUDE,
        "local files of the stack only: what is fetched can change unseen",
    ),
    accepted("services", &nested::SERVICES, "what is launched"),
    refused("models", &nested::MODELS, "starts a model runner that no rule sees"),
    accepted("networks", &nested::NETWORKS, "what connects services"),
    accepted("volumes", &nested::VOLUMES, "what outlives containers"),
    accepted("secrets", &nested::SECRETS, "the channel for credentials"),
    accepted("configs", &nested::CONFIGS, "files given to containers"),
];

/// The keys of a network.
pub const NETWORK: &[Key] = &[
    accepted("name", &shape::TEXT, "its name on the engine"),
    constrained("driver", &shape::TEXT, "`bridge` alone keeps containers apart from the host's links"),
    constrained("driver_opts", &nested::OPTIONS, "some options open the network or bind to every address"),
    constrained("ipam", &nested::IPAM, "private address ranges only"),
    constrained("external", &nested::EXTERNAL, "made elsewhere, so it is looked at like our own"),
    constrained("internal", &shape::FLAG, "a network without a route out, but for the edge's"),
    constrained("enable_ipv4", &shape::FLAG, "every network has IPv4"),
    constrained("enable_ipv6", &shape::FLAG, "needs firewall rules of its own"),
    constrained("attachable", &shape::FLAG, "lets other containers join"),
    accepted("labels", &shape::PAIRS, "descriptive"),
];

/// The keys of a volume.
pub const VOLUME: &[Key] = &[
    accepted("name", &shape::TEXT, "its name on the engine"),
    constrained("driver", &shape::TEXT, "a plugin runs as root; `local` alone"),
    constrained("driver_opts", &nested::OPTIONS, "can bind any host path under a harmless name"),
    constrained("external", &nested::EXTERNAL, "made elsewhere, so it is looked at like our own"),
    accepted("labels", &shape::PAIRS, "descriptive"),
];

/// The keys of a secret.
pub const SECRET: &[Key] = &[
    accepted("name", &shape::TEXT, "its name"),
    constrained("environment", &shape::TEXT, "delivered as a file; a file of its own is better"),
    constrained("file", &shape::TEXT, "a file of the stack, by the rules of mounts"),
    refused("external", &nested::EXTERNAL, "needs Swarm"),
    accepted("labels", &shape::PAIRS, "descriptive"),
    refused("driver", &shape::TEXT, "a plugin runs as root"),
    refused("driver_opts", &nested::OPTIONS, "a plugin runs as root"),
    refused("template_driver", &shape::TEXT, "renders content that no rule has seen"),
];

/// The keys of a config.
pub const CONFIG: &[Key] = &[
    accepted("name", &shape::TEXT, "its name"),
    accepted("content", &shape::TEXT, "written in the file itself"),
    constrained("environment", &shape::TEXT, "taken from the caller's environment when the stack is loaded"),
    constrained("file", &shape::TEXT, "a file of the stack, by the rules of mounts"),
    refused("external", &nested::EXTERNAL, "needs Swarm"),
    accepted("labels", &shape::PAIRS, "descriptive"),
    refused("template_driver", &shape::TEXT, "renders content that no rule has seen"),
];

/// The keys of `deploy`.
pub const DEPLOY: &[Key] = &[
    constrained("mode", &shape::TEXT, "`replicated` alone: there is one host"),
    refused("endpoint_mode", &shape::TEXT, "needs Swarm"),
    constrained("replicas", &shape::WHOLE, "bounded, and one where a host port is bound"),
    accepted("labels", &shape::PAIRS, "descriptive, of the service and not its containers"),
    accepted("rollback_config", &nested::UPDATE, "how an update that failed is taken back"),
    accepted("update_config", &nested::UPDATE, "how containers are replaced, and what follows when it fails"),
    constrained("resources", &nested::RESOURCES, "limits are honoured, devices refused"),
    constrained(
        "restart_policy",
        &nested::RESTART_POLICY,
        "read as an intent; restarts are the supervisor's own",
    ),
    refused("placement", &shape::FREE, "there is one host"),
];

/// The shape of a whole file.
pub(crate) const FILE: Shape = Shape::keys_only(TOP);

/// The row of a service key.
pub fn service_key(name: &str) -> Option<&'static Key> {
    SERVICE.iter().find(|k| k.name == name)
}

#[cfg(test)]
mod tests;
