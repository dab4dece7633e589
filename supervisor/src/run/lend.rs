//! A service that somebody has in hand for a while, such as a recording: nothing is done to it, and nothing is concluded
//! from what it does.
//!
//! Deliberately absent: who asks, and how it is told (`host::lent`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::event::Asked;
use super::keep::Keep;
use crate::decide::seen::{SeenContainer, State};

/// What is lent, and what is asked for.
#[derive(Debug, Default)]
pub(super) struct Lend {
    /// Who asks for which service now.
    pub(super) asked: Option<Asked>,
    /// Whose it is.
    pub(super) lent: Option<Asked>,
    /// Where its containers are: whoever has it in hand uses it, too.
    addresses: BTreeMap<String, IpAddr>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The service is in somebody else's hands from now on.
    Lent(Asked),
    /// It is back.
    Back(Asked),
}

impl Lend {
    /// Whether this service is in somebody else's hands.
    pub(super) fn has(&self, service: &str) -> bool {
        self.lent.as_ref().is_some_and(|lent| lent.service == service)
    }

    /// What changes now. A service is not let go of while something is under way with it or with the whole stack.
    pub(super) fn turn(&mut self, applying: bool, keeps: &BTreeMap<String, Keep>) -> Option<Change> {
        if self.asked == self.lent {
            return None;
        }
        if let Some(lent) = self.lent.take() {
            self.addresses.clear();
            return Some(Change::Back(lent));
        }
        let asked = self.asked.clone()?;
        let of_it = keeps.values().filter(|keep| keep.spec.service == asked.service);
        if applying || of_it.clone().any(Keep::is_acting) {
            return None;
        }
        self.lent = Some(asked.clone());
        self.addresses = of_it.filter_map(|keep| Some((keep.spec.name.clone(), keep.address()?))).collect();
        Some(Change::Lent(asked))
    }

    /// Where its containers are by now.
    pub(super) fn see(&mut self, containers: &[SeenContainer]) {
        let Some(lent) = &self.lent else { return };
        let of_it = containers.iter().filter(|container| {
            container.service.as_ref() == Some(&lent.service) && container.state == State::Running
        });
        let found = of_it.filter_map(|container| {
            Some((container.name.clone(), container.networks.values().copied().flatten().next()?))
        });
        self.addresses = found.collect();
    }

    /// Where one of its containers is.
    pub(super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.addresses.get(name).copied()
    }
}
