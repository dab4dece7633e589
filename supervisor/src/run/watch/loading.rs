//! The stack's file, read anew: taken, or refused.
//!
//! Deliberately absent: reading it, and what a file that was taken leads to (`converging`).

use std::rc::Rc;
use std::time::Duration;

use super::super::event::{Effect, Level, Now};
use super::{Watch, say};
use crate::pipeline::Stack;
use crate::serve::snapshot::Refusal;

/// Without a stack in force, the file is read again after this long: whatever was wrong may be put right.
const READ_AGAIN: Duration = Duration::from_secs(5);

impl Watch {
    pub(super) fn loaded(&mut self, stack: Box<Stack>, now: Now, out: &mut Vec<Effect>) {
        self.under_way.loading = false;
        if let Some(old) = &self.stack
            && old.project() != stack.project()
        {
            let (old, new) = (old.project(), stack.project());
            let error = format!(
                "the project's name changed from `{old}` to `{new}`: end this supervisor, run `down`, and start anew"
            );
            return self.refuse(Refusal { at: now.wall, unreadable: false, errors: vec![error] }, now, out);
        }
        say(out, Level::Info, "", format!("read the stack `{}`", stack.project()));
        let first = self.stack.replace(Rc::from(stack)).is_none();
        if !first {
            // Somebody had it read anew: that is a new chance.
            self.rejected = None;
        }
        self.refused = None;
        self.loaded_at = Some(now.wall);
        self.images.clear();
        self.under_way.stale = self.under_way.looking;
        self.failures = 0;
        self.due.converge = now.boot;
        self.converged = false;
        self.try_again = true;
        if first {
            self.due.load = None;
            self.due.connect = Some(now.boot);
            return;
        }
        self.due.look = Some(now.boot);
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, now: Now, out: &mut Vec<Effect>) {
        self.under_way.loading = false;
        if self.stack.is_none() {
            self.due.load = Some(now.boot + READ_AGAIN);
        }
        let again = self.refused.as_ref().is_some_and(|before| before.errors == refusal.errors);
        if !again || self.stack.is_some() {
            self.totals.refusals += 1;
            let stays = if self.stack.is_some() { "; the stack stays as it is" } else { "" };
            for error in &refusal.errors {
                say(out, Level::Error, "", format!("the file is not taken{stays}: {error}"));
            }
        }
        self.refused = Some(refusal);
    }
}
