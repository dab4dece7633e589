//! Letting go of a service that somebody asks for, and taking it back.
//!
//! Deliberately absent: when (`lend`).

use std::net::IpAddr;

use super::super::event::{Effect, Level, Now};
use super::super::keep::Keep;
use super::super::lend::Change;
use super::{Watch, say};

impl Watch {
    /// Lets go of a service, or takes it back.
    pub(super) fn lend(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(change) = self.lend.turn(self.applying, &self.keeps) else { return };
        // A look that is under way is about the time before.
        self.under_way.stale |= self.under_way.looking;
        self.due.look = Some(now.boot);
        let (asked, message) = match change {
            Change::Lent(asked) => {
                self.keeps.retain(|_, keep| keep.spec.service != asked.service);
                let message = format!("it is left to {}, and taken back when that ends", asked.holder);
                (asked, message)
            }
            Change::Back(asked) => {
                self.converged = false;
                self.due.converge = now.boot;
                let message = format!("it is taken back from {}", asked.holder);
                (asked, message)
            }
        };
        say(out, Level::Info, &asked.service, message);
    }

    /// Where the host reaches a container, whoever has it in hand.
    pub(in super::super) fn address(&self, name: &str) -> Option<IpAddr> {
        self.keeps.get(name).and_then(Keep::address).or_else(|| self.lend.address(name))
    }
}
