//! The relayed ports of the stack in force: handed to the relay after each turn, and shown beside the services.
//!
//! Deliberately absent: which ports (`decide::relay`), and sockets (`net::relay`).

use super::watch::Watch;
use crate::decide::relay::relays;
use crate::net::relay::Relaying;
use crate::privileged::Rights;
use crate::serve::snapshot::{RelayStatus, Snapshot};

/// The relay, once there is a port for it.
#[derive(Debug)]
pub(super) struct Ports {
    rights: Rights,
    relaying: Option<Relaying>,
}

impl Ports {
    /// None yet.
    pub(super) const fn new(rights: Rights) -> Self {
        Self { rights, relaying: None }
    }

    /// Passes on where containers are now, and shows how each port is doing.
    pub(super) fn turn(&mut self, watch: &Watch, snapshot: &mut Snapshot) {
        let Some(wanted) = &watch.wanted else { return };
        let relays = relays(wanted, |name| watch.address(name));
        if relays.is_empty() && self.relaying.is_none() {
            return;
        }
        if self.relaying.is_none() {
            match Relaying::start(self.rights.clone()) {
                Ok(relaying) => self.relaying = Some(relaying),
                Err(error) => return snapshot.reasons.push(format!("ports cannot be relayed: {error}")),
            }
        }
        let Some(relaying) = &self.relaying else { return };
        relaying.set(relays);
        for (relay, to, status) in relaying.statuses() {
            if let Some(error) = &status.error {
                snapshot.reasons.push(format!("service `{}`: {error}", relay.service));
            }
            snapshot.relays.push(RelayStatus {
                listen: relay.listen,
                service: relay.service,
                to,
                error: status.error,
                open: status.open,
                bound: status.bound,
                passed: status.passed,
                refused: status.refused,
            });
        }
    }
}
