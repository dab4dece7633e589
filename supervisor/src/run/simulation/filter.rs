//! The simulated host's packet filter: the table that guards the stack, and somebody who takes it away.
//!
//! Set as a whole, as the kernel does it, and known by the bridges that it goes by. Deliberately absent: its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::dice::Dice;
use super::world::World;
use crate::decide::guard::{GuardSpec, Ruleset, listing};
use crate::decide::seen::{SeenGuard, SeenNetwork, SeenTable};

/// Every table that was ever made, and what became of the one that was set last.
#[derive(Default)]
pub(super) struct PacketFilter {
    there: Option<Table>,
    /// The state folder's word: what was set last, and by which script.
    kept: Option<(String, String)>,
    /// The bridges that each ruleset goes by.
    bridges: BTreeMap<String, BTreeSet<String>>,
    /// Somebody had a hand in it since it was set.
    pub(super) touched: bool,
}

struct Table {
    ruleset: String,
    intact: bool,
}

impl PacketFilter {
    pub(super) fn set(&mut self, ruleset: &Ruleset) {
        self.bridges.insert(ruleset.hash(), names(ruleset));
        self.set_as_before(&ruleset.hash(), &ruleset.script());
    }

    pub(super) fn set_as_before(&mut self, ruleset: &str, script: &str) {
        self.there = Some(Table { ruleset: ruleset.to_owned(), intact: true });
        self.kept = Some((ruleset.to_owned(), script.to_owned()));
        self.touched = false;
    }

    pub(super) fn remove(&mut self) {
        (self.there, self.kept) = (None, None);
    }

    /// Somebody flushes all tables, or changes ours.
    pub(super) fn tamper(&mut self, dice: &mut Dice) {
        self.touched = true;
        match &mut self.there {
            Some(table) if dice.roll(2) == 0 => table.intact = false,
            _ => self.there = None,
        }
    }

    pub(super) fn look(&self, networks: &[SeenNetwork]) -> SeenGuard {
        let table = match &self.there {
            Some(Table { ruleset, intact }) => SeenTable::There { ruleset: ruleset.clone(), intact: *intact },
            None => SeenTable::Absent { was_set: self.kept.is_some() },
        };
        SeenGuard {
            table,
            links: links(networks.iter()),
            resolvers: BTreeSet::new(),
            counters: listing::Counters::new(),
            script: self.kept.as_ref().map(|(_, script)| script.clone()),
            without_ipv6: false,
        }
    }

    /// Whether all that is on these networks is guarded.
    fn covers<'a>(&self, networks: impl Iterator<Item = &'a SeenNetwork>) -> bool {
        let table = self.there.as_ref().filter(|table| table.intact);
        let bridges = table.and_then(|table| self.bridges.get(&table.ruleset));
        bridges.is_some_and(|bridges| links(networks).is_subset(bridges))
    }
}

/// Plans the next time that somebody takes the table away or changes it, and the one after it.
pub(super) fn keep_tampering(world: &mut World, mut dice: Dice) {
    let pause = Duration::from_secs(5 + dice.roll(120));
    world.after(pause, move |world| {
        if world.faulty {
            world.disturb(|| "somebody takes the guard away, or changes it".to_owned());
            world.filter.tamper(&mut dice);
            keep_tampering(world, dice);
        }
    });
}

impl World {
    /// Whether a container may be started, as far as its networks are guarded.
    pub(super) fn is_guarded(&self, container: &str) -> bool {
        let Some(container) = self.find(container) else { return true };
        let on = |network: &&SeenNetwork| container.seen.networks.contains_key(&network.name);
        self.filter.covers(self.networks.iter().filter(on))
    }
}

fn names(ruleset: &Ruleset) -> BTreeSet<String> {
    ruleset.bridges().map(|link| link.as_str().to_owned()).collect()
}

fn links<'a>(networks: impl Iterator<Item = &'a SeenNetwork>) -> BTreeSet<String> {
    let spec = GuardSpec { project: "shop".to_owned(), ..GuardSpec::default() };
    let networks: Vec<_> = networks.cloned().collect();
    Ruleset::of(&spec, &networks).map(|ruleset| names(&ruleset)).unwrap_or_default()
}
