//! What the engine says, also while it is dead: attempts need their way then, too.
//!
//! Deliberately absent: when it is killed (`faults`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::World;

/// What the engine said last, by path.
#[derive(Default)]
pub(super) struct Known {
    is_dead: bool,
    said: BTreeMap<String, Value>,
}

impl World {
    /// Asks anew for all that was asked for: by this, attempts know their way once the engine is dead.
    #[track_caller]
    pub(super) fn remember(&self) {
        for (path, said) in &mut self.known.lock().expect("what is known").said {
            *said = self.bed.engine.get(path);
        }
    }

    /// Kills the engine.
    #[track_caller]
    pub(super) fn kill_the_engine(&self) {
        let mut known = self.known.lock().expect("what is known");
        self.own.lock().expect("the engine").kill();
        known.is_dead = true;
    }

    /// Starts it again, from a thread that lives as long as it should.
    #[track_caller]
    pub(super) fn revive_the_engine(&self) {
        self.own.lock().expect("the engine").revive();
        self.known.lock().expect("what is known").is_dead = false;
    }

    /// What the engine says; while it is dead, what it said before.
    #[track_caller]
    pub(super) fn asked(&self, path: &str) -> Value {
        let known = |known: &Known| known.said.get(path).cloned();
        let dead = {
            let now = self.known.lock().expect("what is known");
            now.is_dead.then(|| known(&now).unwrap_or_else(|| panic!("nobody asked for {path} before")))
        };
        dead.unwrap_or_else(|| {
            let said = self.bed.engine.get(path);
            self.known.lock().expect("what is known").said.insert(path.to_owned(), said.clone());
            said
        })
    }

    /// A service's container.
    #[track_caller]
    pub(super) fn container(&self, service: &str) -> Value {
        self.asked(&format!("/containers/{}/json", self.bed.container(service)))
    }

    /// The process id of its process 1.
    #[track_caller]
    pub(super) fn pid(&self, service: &str) -> u64 {
        let pid = self.container(service)["State"]["Pid"].as_u64().unwrap_or(0);
        assert_ne!(pid, 0, "`{service}` does not run");
        pid
    }
}
