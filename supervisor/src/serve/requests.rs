//! How requests to the endpoint ended, counted by the status of the answer.
//!
//! Deliberately absent: who asked, and for what; the log has that, where it is wanted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The counts, shared by all connections.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<Counted>);

/// The counts at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Connections that had to make room before they had asked.
    pub crowded_out: u64,
}

impl Requests {
    pub(super) fn answered(&self, status: u16) {
        self.change(|counted| *counted.answers.entry(status).or_default() += 1);
    }

    pub(super) fn crowded_out(&self) {
        self.change(|counted| counted.crowded_out += 1);
    }

    pub(super) fn counted(&self) -> Counted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Counted)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
