//! Several checks on one bed that is dear to make: each is told apart, and one that fails does not hide the others.
//!
//! Deliberately absent: order that matters beyond what is written; a step finds the bed as the one before left it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The steps so far.
#[derive(Debug, Default)]
pub struct Steps {
    failed: Vec<String>,
}

impl Steps {
    /// Makes one check; a panic in it is remembered.
    pub fn step(&mut self, name: &str, check: impl FnOnce()) {
        eprintln!("--- {name}");
        match catch_unwind(AssertUnwindSafe(check)) {
            Ok(()) => eprintln!("    holds: {name}"),
            Err(_) => self.failed.push(name.to_owned()),
        }
    }

    /// Fails if any step did, and names them all.
    #[track_caller]
    pub fn finish(self) {
        assert!(
            self.failed.is_empty(),
            "{} step(s) failed:\n  {}",
            self.failed.len(),
            self.failed.join("\n  ")
        );
    }
}
