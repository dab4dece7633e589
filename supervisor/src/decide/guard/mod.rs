//! The guard: what the host's packet filter lets through to and from a stack's containers.
//!
//! One table of our own a project, for IPv4 and IPv6 together. It goes by the networks' bridges and not by containers'
//! addresses, so that it can be in force before any container is. A drop in a table of ours is final, whatever the chains
//! of ufw, firewalld and the engine accept, and an acceptance in ours leaves theirs the last word: nothing of theirs has to
//! be touched. Deliberately absent: running `nft`, and what was seen of the host.

mod just;
pub mod listing;
mod print;
pub mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use compose::prefix::Prefix;
use sha2::{Digest as _, Sha256};

use super::hash::digits;
use super::seen::{Seen, SeenGuard, SeenNetwork, SeenTable};
use super::spec::{PortSpec, Wanted};
use rows::Rate;

/// The longest name of a network interface (`IFNAMSIZ` of `linux/if.h`, less the zero at its end).
const LONGEST_LINK: usize = 15;
/// The option that names a network's bridge.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

/// What a stack wants of the guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSpec {
    /// Project name.
    pub project: String,
    /// The networks of the file, by engine name: whether they have no way out. Those made outside are not among them, since
    /// others are on them, too.
    pub networks: BTreeMap<String, bool>,
    /// What the outside may reach.
    pub published: BTreeSet<Published>,
    /// From where the edge's ports may be reached; from everywhere without.
    pub edge_from: Option<BTreeSet<Prefix>>,
    /// Where names may be asked for from networks with a way out, wherever these addresses are.
    pub resolvers: BTreeSet<IpAddr>,
}

/// A port of the host through which the outside reaches a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// On the host.
    pub port: u16,
    /// UDP rather than TCP.
    pub udp: bool,
    /// The host's address; the unspecified one stands for all of its kind.
    pub address: IpAddr,
}

/// The guard of one project, complete: what it prints to is what the kernel is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    project: String,
    bridges: BTreeMap<Link, bool>,
    published: BTreeSet<Published>,
    edge_from: Option<BTreeSet<Prefix>>,
    resolvers: BTreeSet<IpAddr>,
}

/// The name of a network interface that means itself alone in a ruleset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(String);

impl Link {
    /// A name of letters, digits, `.`, `_` and `-`: the kernel allows others, which nft's language would read as more than
    /// that.
    pub fn new(name: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good = !name.is_empty() && name.len() <= LONGEST_LINK && name.chars().all(plain);
        good.then(|| Self(name.to_owned()))
    }

    /// As the kernel knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GuardSpec {
    /// What a wanted state wants of the guard, whose edge is reached from these blocks alone, without the engine's resolvers;
    /// nothing where no container is on a network.
    pub fn of(wanted: &Wanted, edge_from: Option<Vec<Prefix>>) -> Option<Self> {
        let ours = wanted.networks.values().filter(|network| !network.external);
        let networks: BTreeMap<_, _> = ours.map(|network| (network.name.clone(), network.internal)).collect();
        let specs = || wanted.services.values().flat_map(|service| &service.containers);
        let resolvers = specs().flat_map(|spec| &spec.dns).filter_map(|text| text.parse::<IpAddr>().ok());
        (!networks.is_empty()).then(|| Self {
            project: wanted.project.clone(),
            networks,
            published: specs().flat_map(|spec| &spec.ports).filter_map(Published::of).collect(),
            edge_from: edge_from.map(|ranges| ranges.into_iter().collect()),
            resolvers: resolvers.filter(|at| !at.is_loopback()).collect(),
        })
    }

    /// The same on a host whose engine asks these resolvers, too.
    #[must_use]
    pub fn on(&self, host: Option<&SeenGuard>) -> Self {
        let mut spec = self.clone();
        spec.resolvers.extend(host.iter().flat_map(|host| &host.resolvers));
        spec
    }
}

impl Published {
    /// What the outside may reach of a published port: nothing on loopback, and nothing where the engine chooses the
    /// number, which nobody can know before.
    fn of(port: &PortSpec) -> Option<Self> {
        let published = Self { port: port.host_port, udp: port.protocol == "udp", address: port.host_ip };
        (port.host_port != 0 && !port.host_ip.is_loopback()).then_some(published)
    }

    const fn protocol(self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }

    /// Whether it is one of those that the edge service alone may publish.
    const fn is_of_the_edge(self) -> bool {
        matches!(self.port, 80 | 443)
    }

    /// How many connections a source may begin here.
    const fn rate(self) -> Rate {
        rows::rate(self.port)
    }
}

impl Ruleset {
    /// The guard of a stack over the networks that are there now. Those that carry the project's label and are not in the
    /// file any more are guarded as they are: containers may still be on them.
    ///
    /// # Errors
    /// Networks whose bridges have names that nft's language would read as more than names.
    pub fn of(spec: &GuardSpec, networks: &[SeenNetwork]) -> Result<Self, Vec<String>> {
        let (mut bridges, mut odd) = (BTreeMap::new(), Vec::new());
        let ours = networks
            .iter()
            .filter(|network| network.project.as_ref() == Some(&spec.project) && network.notes().is_none());
        for network in ours {
            let internal = spec.networks.get(&network.name).copied().unwrap_or(network.internal);
            let name = bridge(network);
            match Link::new(&name) {
                Some(link) => drop(bridges.insert(link, internal)),
                None => odd.push(format!(
                    "network `{}` is on the bridge `{}`, whose name the guard cannot use: letters, digits, `.`, `_` and \
                     `-`, at most {LONGEST_LINK}",
                    network.name,
                    name.escape_debug()
                )),
            }
        }
        if !odd.is_empty() {
            return Err(odd);
        }
        let GuardSpec { project, published, edge_from, resolvers, .. } = spec.clone();
        Ok(Self { project, bridges, published, edge_from, resolvers })
    }

    /// The table's name.
    pub fn table(&self) -> String {
        table(&self.project)
    }

    /// The project that it guards.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The bridges that it goes by.
    pub fn bridges(&self) -> impl Iterator<Item = &Link> {
        self.bridges.keys()
    }

    /// What tells it from every other: it is in the table, as a comment.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(print::text(self, ""));
        digits(&digest).chars().take(32).collect()
    }

    /// The script for nft that puts it in place of the table that is there, in one transaction.
    pub fn script(&self) -> String {
        print::text(self, &self.hash())
    }
}

/// The name of a project's table.
pub fn table(project: &str) -> String {
    format!("supervisor-{project}")
}

/// How many rules a [script](Ruleset::script) puts into each of its chains.
pub fn rules(script: &str) -> listing::Rules {
    print::rules(script)
}

/// What a [script](Ruleset::script) does, where there is no table yet; where there is one, nothing.
///
/// Nothing is deleted then, for which nft would wait: the kernel lets go of what a transaction deleted when no packet looks
/// at it any more, and has whoever asked for it wait for that at the end (`nft_rcv_nl_event` of `nf_tables_api.c`), three times
/// as long as all the rest takes.
pub fn first(script: &str, project: &str) -> String {
    let table = table(project);
    script.replacen(&removal(project), &format!("create table inet {table}\n"), 1)
}

/// The script for nft that takes a project's table away, whether it is there or not.
pub fn removal(project: &str) -> String {
    let table = table(project);
    format!("table inet {table}\ndelete table inet {table}\n")
}

/// Whether a script is one that sets a project's table, and touches nothing besides.
pub fn is_just(script: &str, project: &str) -> bool {
    just::is_just(script, &table(project))
}

/// A script that goes by a bridge, going by another one; both are names as the engine gives them.
pub fn moved(script: &str, from: &str, to: &str) -> String {
    script.replace(&format!("\"{from}\""), &format!("\"{to}\""))
}

/// A network's bridge: as its option says, else as the engine names it.
pub fn bridge(network: &SeenNetwork) -> String {
    match network.options.get(BRIDGE_NAME) {
        Some(name) => name.clone(),
        None => format!("br-{}", network.id.chars().take(12).collect::<String>()),
    }
}

/// What is to be done about the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as wanted.
    Keep,
    /// It has to be set.
    Set(Why),
    /// It cannot be set, and nothing is started without it.
    Blocked(Vec<String>),
}

/// Why the guard has to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It never was.
    Missing,
    /// It was, and nothing is left of it.
    Gone,
    /// It is not what was set.
    Changed,
    /// It is about another state of the stack.
    Outdated,
}

impl Why {
    /// In words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Missing => "it is not there",
            Self::Gone => "it was there and is gone",
            Self::Changed => "somebody changed it",
            Self::Outdated => "the networks, ports, blocks or resolvers that it is about changed",
        }
    }
}

/// Compares the guard that is there with the one that is wanted over the networks that are there.
pub fn judge(spec: &GuardSpec, seen: &Seen) -> Verdict {
    let Some(host) = &seen.guard else {
        return Verdict::Blocked(vec![
            "the guard was not looked for, which is a mistake of this program".to_owned(),
        ]);
    };
    if let SeenTable::Unable(why) = &host.table {
        return Verdict::Blocked(vec![format!(
            "the guard cannot be set: {why}; put that right, or say `x-supervisor: {{guard: off}}` to go without it"
        )]);
    }
    let ruleset = match Ruleset::of(spec, &seen.networks) {
        Ok(ruleset) => ruleset,
        Err(odd) => return Verdict::Blocked(odd),
    };
    let hidden = ruleset.bridges().find(|link| !host.links.contains(link.as_str()));
    if let Some(link) = hidden {
        return Verdict::Blocked(vec![elsewhere(link)]);
    }
    match &host.table {
        SeenTable::Unable(_) => Verdict::Blocked(Vec::new()),
        SeenTable::Absent { was_set: true } => Verdict::Set(Why::Gone),
        SeenTable::Absent { was_set: false } => Verdict::Set(Why::Missing),
        SeenTable::There { ruleset: there, .. } if *there != ruleset.hash() => Verdict::Set(Why::Outdated),
        SeenTable::There { intact: false, .. } => Verdict::Set(Why::Changed),
        SeenTable::There { intact: true, .. } => Verdict::Keep,
    }
}

/// Why a guard that goes by this bridge would guard nothing.
pub fn elsewhere(link: &Link) -> String {
    format!(
        "the engine's bridge `{}` is not in this network namespace, so a guard here would guard nothing: run this on the \
         engine's own host, not against a rootless engine or one in a machine of its own; or say \
         `x-supervisor: {{guard: off}}` to go without it",
        link.as_str()
    )
}

#[cfg(test)]
mod tests;
