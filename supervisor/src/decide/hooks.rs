//! Commands of a service's own that are run in its container: `post_start` after each start, `pre_stop` before each stop.
//!
//! A container has those of the file that it was made of: they are part of its hash, and are kept beside the stack's state
//! under it, so that a container that an update put aside gets its own when it is started again. Those of `post_start` that
//! have not ended well since a start are owed: a kill between a start and its hooks loses none, and may repeat some.
//! Deliberately absent: keeping them (`host::hooks`), running them (`apply::hooks`), and starts that nobody here made: the
//! engine's own restarts have no hooks, as with Docker Compose.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compose::model;
use profiles::Confinement;
use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::start;

/// How long one command of `post_start` may take. Those of `pre_stop` have the time to stop, all of them together.
pub const LONGEST: Duration = Duration::from_mins(5);

/// A container's commands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hooks {
    /// After each start, in order.
    pub post_start: Vec<Hook>,
    /// Before each stop, in order.
    pub pre_stop: Vec<Hook>,
}

/// One command.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hook {
    /// The program that keeps the container's Landlock rules, with its arguments; empty without rules.
    pub under: Vec<String>,
    /// Arguments.
    pub command: Vec<String>,
    /// `user[:group]`; `None` is the container's.
    pub user: Option<String>,
    /// Absolute path; `None` is the container's.
    pub working_dir: Option<String>,
    /// `NAME=value`; may hold secrets.
    pub environment: Vec<String>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("command", &self.command).finish_non_exhaustive()
    }
}

impl Hook {
    /// What is executed.
    pub fn words(&self) -> Vec<String> {
        self.under.iter().chain(&self.command).cloned().collect()
    }
}

impl Hooks {
    /// What the file says, under a container's promise. `None`: nothing.
    pub fn of(service: &model::Service, promise: &Confinement) -> Option<Self> {
        let under = start::prefix(promise).unwrap_or_default();
        let all = |hooks: &[compose::source::At<model::Hook>]| {
            hooks.iter().map(|at| hook(&at.value, &under)).collect::<Vec<_>>()
        };
        let hooks = Self { post_start: all(&service.post_start), pre_stop: all(&service.pre_stop) };
        (hooks != Self::default()).then_some(hooks)
    }
}

fn hook(hook: &model::Hook, under: &[String]) -> Hook {
    let set = hook.environment.iter().filter_map(|(name, at)| Some((name, at.value.as_ref()?)));
    Hook {
        under: under.to_vec(),
        command: hook.command.clone(),
        user: hook.user.as_ref().map(|user| user.value.clone()),
        working_dir: hook.working_dir.as_ref().map(|folder| folder.value.clone()),
        environment: set.map(|(name, value)| format!("{name}={}", value.0)).collect(),
    }
}

/// What is kept of a project's hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// By the hash of the containers that have them.
    pub hooks: BTreeMap<String, Hooks>,
    /// Containers by engine id whose `post_start` has not ended well since their last start.
    pub owed: BTreeSet<String>,
}

/// Says of every container which hooks it has, and whether any are owed.
pub fn attribute(seen: &mut Seen, kept: &Kept) {
    for container in &mut seen.containers {
        let hooks = container.hash.as_ref().and_then(|hash| kept.hooks.get(hash));
        container.hooks = hooks.cloned().unwrap_or_default();
        container.owes = kept.owed.contains(&container.id);
    }
}

/// What is there, with the hooks that its containers had before.
pub fn as_before(before: &Seen, now: &Seen) -> Seen {
    let mut now = now.clone();
    for container in &mut now.containers {
        if let Some(known) = before.containers.iter().find(|known| known.id == container.id) {
            container.hooks = known.hooks.clone();
        }
    }
    now
}
