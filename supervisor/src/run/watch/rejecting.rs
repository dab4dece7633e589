//! An update that does not work: what was there before is in force again, until the file is read anew.
//!
//! Deliberately absent: the way back itself, which is a plan's.

use std::rc::Rc;

use super::super::compare::{differs, in_use};
use super::super::event::{Effect, Level, Now};
use super::super::journal::Rejected;
use super::{LeadsTo, Watch, say};
use crate::decide::hash;
use crate::decide::spec::Wanted;
use crate::pipeline::Stack;
use crate::serve::snapshot::Refusal;

impl Watch {
    /// Whether what is wanted was tried before and did not work.
    pub(super) fn is_rejected(&mut self, wanted: &Wanted, now: Now) -> bool {
        let Some(rejected) = &self.rejected else { return false };
        if rejected.wanted != hash::wanted(wanted) {
            return false;
        }
        if self.refused.is_none() {
            let errors = vec![rejected.reason.clone()];
            self.refused = Some(Refusal { at: now.wall, unreadable: false, errors });
        }
        true
    }

    /// What the file leads to does not work: what was there before is in force again, until the file is read anew.
    pub(super) fn reject(&mut self, reason: &str, now: Now, out: &mut Vec<Effect>) {
        let Some(LeadsTo { wanted, stack, is_news, before, .. }) = self.leads_to.take() else { return };
        let wanted = hash::wanted(&wanted);
        if !self.good_hash.as_ref().map_or(is_news, |good| *good != wanted) {
            // It was there before: something else went wrong while it was put right.
            return;
        }
        let is_in_force = self.stack.as_ref().is_some_and(|now| Rc::ptr_eq(now, &stack));
        if !is_in_force {
            // The file was read anew meanwhile: what failed is not wanted any more.
            self.failures = 0;
            self.due.converge = now.boot;
            return;
        }
        if self.rejected.as_ref().is_some_and(|rejected| rejected.wanted == wanted) {
            return;
        }
        let reason = format!("the update to it was taken back: {reason}");
        say(out, Level::Error, "", format!("the file is not taken; the stack stays as it was: {reason}"));
        self.rejected = Some(Rejected { wanted, reason: reason.clone() });
        self.totals.refusals += 1;
        self.refused = Some(Refusal { at: now.wall, unreadable: false, errors: vec![reason] });
        // What ran last may never have been well: then nobody knows its file any more, and it is only kept.
        let was_there = |good: &&(Rc<Stack>, Rc<Wanted>)| !differs(&good.1, &in_use(&before));
        if let Some((good, _)) = self.good.as_ref().filter(was_there) {
            self.stack = Some(Rc::clone(good));
            self.images.clear();
        }
        self.failures = 0;
        self.due.converge = now.boot;
    }
}
