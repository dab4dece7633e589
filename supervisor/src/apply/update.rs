//! An update: a plan, and where it fails the way back, from whatever it had come to.
//!
//! Deliberately absent: what is changed and what goes back; both are `decide`'s.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Applied, ApplyError, Back, Machine, apply};
use crate::decide::plan::{Plan, back, goes_back, promised_before};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::engine::{Engine, Scope};
use crate::progress::Progress;

/// Before the way back is tried again: the engine may have been restarting.
const AGAIN: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Executes a plan that was made of `before`; a failure takes back what it changed, if the plan is an update and the file
/// wants it so.
///
/// # Errors
/// Every step that failed, with what became of the changes.
pub async fn update<E: Engine, M: Machine>(
    engine: &E,
    machine: &M,
    wanted: &Wanted,
    before: &Seen,
    plan: &Plan,
    report: &mut dyn FnMut(Progress),
) -> Result<Applied, ApplyError> {
    let error = match apply(engine, machine, wanted, plan, report).await {
        Ok(applied) => return Ok(applied),
        Err(error) => error,
    };
    let failed: Vec<usize> = error.failures.iter().map(|failed| failed.step).collect();
    if !goes_back(plan, wanted, &failed) {
        return Err(error);
    }
    let back = take_back(engine, machine, wanted, before, plan, report).await;
    Err(ApplyError { back, ..error })
}

async fn take_back<E: Engine, M: Machine>(
    engine: &E,
    machine: &M,
    wanted: &Wanted,
    before: &Seen,
    plan: &Plan,
    report: &mut dyn FnMut(Progress),
) -> Back {
    let mut outcome = Back::No;
    let mut lines = plan.steps.len();
    let promised = promised_before(wanted, plan, before);
    for pause in AGAIN {
        tokio::time::sleep(pause).await;
        let now = match engine.observe(&Scope::wanted(wanted)).await {
            Ok(now) => told_of(now, &machine.refused()),
            Err(error) => {
                outcome = Back::Away(error);
                continue;
            }
        };
        let way = back(wanted, plan, before, &now);
        let mut shown = |progress: Progress| report(Progress { step: progress.step + lines, ..progress });
        match apply(engine, machine, &promised, &way, &mut shown).await {
            Ok(_) => return Back::Done,
            Err(error) => outcome = Back::Failed(Box::new(error)),
        }
        lines += way.steps.len();
    }
    outcome
}

/// What is seen, with the word on those that were refused since the plan was made.
fn told_of(mut seen: Seen, refused: &BTreeSet<String>) -> Seen {
    for container in &mut seen.containers {
        container.refused |= refused.contains(&container.id);
    }
    seen
}
