//! The relayed ports of the stack in force: handed to the relay after each turn, and shown beside the services.
//!
//! Deliberately absent: which ports (`decide::relay`), and sockets (`net::relay`).

use super::watch::Watch;
use crate::decide::relay::relays;
use crate::net::relay::Relaying;
use crate::serve::snapshot::{RelayStatus, Snapshot};

/// The relay, once there is a port for it.
#[derive(Debug, Default)]
pub(super) struct Ports(Option<Relaying>);

impl Ports {
    /// Passes on where containers are now, and shows how each port is doing.
    pub(super) fn turn(&mut self, watch: &Watch, snapshot: &mut Snapshot) {
        let Some(wanted) = &watch.wanted else { return };
        let relays = relays(wanted, |name| watch.address(name));
        if relays.is_empty() && self.0.is_none() {
            return;
        }
        if self.0.is_none() {
            match Relaying::start() {
                Ok(relaying) => self.0 = Some(relaying),
                Err(error) => return snapshot.reasons.push(format!("ports cannot be relayed: {error}")),
            }
        }
        let Some(relaying) = &self.0 else { return };
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
