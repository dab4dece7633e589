//! What the top-level `x-supervisor` says: of the stack as a whole, and of nothing that Compose knows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Date, Destination};
use crate::prefix::Prefix;
use crate::source::At;

/// Top-level `x-supervisor`.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The one service that may publish 80/tcp, 443/tcp and 443/udp beyond loopback.
    pub edge: Option<At<String>>,
    /// From where the edge may be reached; from everywhere without.
    pub edge_from: Option<At<EdgeFrom>>,
    /// Service to the names that it may reach.
    pub egress: BTreeMap<String, Vec<At<Destination>>>,
    /// Where images may come from: registries, or folders in them; from anywhere without a list.
    pub registries: Option<Vec<At<String>>>,
    /// Whether the host's packet filter guards the stack; it does without a word.
    pub guard: Option<At<Guard>>,
    /// Named exceptions.
    pub exempt: Vec<At<Exemption>>,
}

/// The list that `x-supervisor.edge_from` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeFrom {
    /// The file.
    pub path: PathBuf,
    /// Its blocks of addresses.
    pub ranges: Vec<At<Prefix>>,
}

/// Whether the host's packet filter guards the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It does, and without it nothing is started.
    On,
    /// It does not: the file says by name that it goes without.
    Off,
}

/// One row of `x-supervisor.exempt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// The rule's id.
    pub rule: String,
    /// The service that it is for; `None` for rules that are not about a service.
    pub service: Option<String>,
    /// Why, in the author's words.
    pub reason: String,
    /// The last day on which it holds: year, month, day.
    pub until: Date,
}
