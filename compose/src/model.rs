//! The final model of a stack: no short forms, units in types, every value with its place.
//!
//! Made by `lower` alone, filled in by `harden`. Deliberately absent: anything of the engine's API.

mod mounts;
mod network;
mod objects;
mod options;
mod recorded;
mod service;
mod stack;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::destination::Destination;
use crate::source::{At, Span};

pub use mounts::{Bind, Mount, MountSource, Tmpfs};
pub use network::{Attachment, Link, Network, Pool, PublishedPort};
pub use objects::{ContentSource, FileObject, Volume};
pub use options::{Landlock, OnExit, Probe, Reload, Runtime, ServiceOptions, TcpPorts};
pub use recorded::{Recorded, Recording};
pub use service::{
    Condition, Dependency, EnvValue, FailureAction, Grant, HealthTest, Healthcheck, Hook, Logging, Restart,
    Service, Ulimit, Update, UpdateOrder,
};
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
    /// Keys of the top that are refused whatever they say, each with its place.
    pub refused: Vec<(&'static str, Span)>,
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

impl Date {
    /// A day of the calendar, such as `2027-01-31`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            parts.next().filter(|p| p.len() == length && p.bytes().all(|b| b.is_ascii_digit()))
        };
        let (year, month, day) =
            (part(4)?.parse::<i16>().ok()?, part(2)?.parse::<u8>().ok()?, part(2)?.parse::<u8>().ok()?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (parts.next().is_none() && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
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
