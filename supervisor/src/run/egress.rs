//! What the egress proxy told of those who ask it: asked for now and then, added up, and shown.
//!
//! Deliberately absent: the proxy itself (`net::egress`), and adding up (`decide::egress`).

use std::net::SocketAddr;
use std::time::Duration;

use super::watch::Watch;
use crate::decide::egress::{Asked, Counted, Tally};
use crate::serve::snapshot::Snapshot;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(10);

/// The counts so far.
#[derive(Debug, Default)]
pub(super) struct Egress {
    tally: Tally,
    asked_at: Option<Duration>,
    under_way: bool,
}

impl Egress {
    /// The proxy, if it runs and it is time to ask it again.
    pub(super) fn due(&mut self, watch: &Watch, now: Duration) -> Option<SocketAddr> {
        if self.under_way || self.asked_at.is_some_and(|at| now < at + EVERY) {
            return None;
        }
        let proxy = watch.wanted.as_ref()?.services.get(compose::egress::SERVICE)?;
        let address = proxy.containers.iter().find_map(|spec| watch.keeps.get(&spec.name)?.way_out())?;
        (self.under_way, self.asked_at) = (true, Some(now));
        Some(SocketAddr::new(address, compose::egress::PORT.get()))
    }

    /// What it told; nothing where it did not answer.
    pub(super) fn heard(&mut self, counted: Option<Counted>) {
        self.under_way = false;
        for Asked { service, name, port } in
            counted.map(|counted| self.tally.take(counted)).unwrap_or_default()
        {
            tracing::warn!(service, "denied a way to `{name}:{port}`, which its file does not grant");
        }
    }

    /// Shows the totals.
    pub(super) fn show(&self, snapshot: &mut Snapshot) {
        snapshot.egress = self.tally.rows();
    }
}
