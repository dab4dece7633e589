//! When a stack is looked at again after a plan, and how long its steps may take by the file's own budgets.
//!
//! Deliberately absent: looking, and any clock.

use std::time::Duration;

use serde::Serialize;

use super::super::hooks;
use super::super::wanted::Restarts;
use super::{Plan, Step};

/// `run` looks at the engine in full at least so often, whatever its events say.
pub const FULL_LOOK: Duration = Duration::from_secs(30);

/// What comes after a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// In whole seconds, at the latest; `None`: nobody looks again by itself.
    pub look_again_within_seconds: Option<u64>,
    /// How long the steps that wait, rest or stop may take one after the other, in whole seconds.
    pub steps_take_at_most_seconds: u64,
}

/// What comes after a plan where this one restarts the containers.
pub fn again(plan: &Plan, restarts: Restarts) -> Again {
    Again {
        look_again_within_seconds: match restarts {
            Restarts::Ours => Some(FULL_LOOK.as_secs()),
            Restarts::Engine => None,
        },
        steps_take_at_most_seconds: whole_seconds(longest(plan)),
    }
}

/// Rounded up.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

/// The longest way through the steps. Steps come after smaller ones alone.
fn longest(plan: &Plan) -> Duration {
    let mut ends: Vec<Duration> = Vec::with_capacity(plan.steps.len());
    for planned in &plan.steps {
        let begins = planned.after.iter().filter_map(|first| ends.get(*first)).max().copied();
        ends.push(begins.unwrap_or_default().saturating_add(most(&planned.step)));
    }
    ends.into_iter().max().unwrap_or_default()
}

/// How long a step may take; what the engine does at once is not counted.
fn most(step: &Step) -> Duration {
    match step {
        Step::Await(wait) => wait.timeout.saturating_add(wait.stays),
        Step::Delay { delay, .. } => *delay,
        Step::Stop { grace, .. } | Step::PreStop { within: grace, .. } => *grace,
        Step::PostStart { commands, .. } => {
            hooks::LONGEST.saturating_mul(u32::try_from(commands.len()).unwrap_or(u32::MAX))
        }
        Step::Reload(reload) => reload.most(),
        _ => Duration::ZERO,
    }
}

impl Again {
    /// For people, in a sentence.
    pub fn sentence(&self, has_steps: bool) -> String {
        let takes = match self.steps_take_at_most_seconds {
            seconds if has_steps && seconds > 0 => {
                format!("By the budgets of the file the steps take at most {seconds} s. ")
            }
            _ => String::new(),
        };
        match self.look_again_within_seconds {
            Some(seconds) => format!(
                "{takes}`run` looks again whenever the engine tells of something, and after {seconds} s at the latest."
            ),
            None => format!("{takes}Nobody looks again by itself: `run` would."),
        }
    }
}
