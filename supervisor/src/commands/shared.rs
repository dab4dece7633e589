//! What the commands that change a stack have in common: carrying out a plan while it is shown.
//!
//! Deliberately absent: which plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::apply::{Applied, ApplyError, Back, ThisMachine, update};
use crate::args::{GlobalArgs, Progress};
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::Docker;
use crate::exit::{Exit, Failure};
use crate::pipeline::{self, Prepared};
use crate::privileged::Rights;
use crate::render::plain;
use crate::{input, session};

use super::output::{self, OutputArgs};

/// Says what a plan is worth saying before it begins; a plan that is blocked does not begin.
pub(crate) fn announce(plan: &Plan) -> Result<(), Failure> {
    for warning in &plan.warnings {
        eprintln!("warning: {}", plain(warning));
    }
    let Some((last, others)) = plan.blocked.split_last() else { return Ok(()) };
    for other in others {
        eprintln!("error: {}", plain(other));
    }
    Err(Failure::new(Exit::Failed, last.clone()).help("nothing was changed"))
}

/// Carries out a plan and shows how far it is. With JSON the last line sums up, whether it failed or not.
pub(crate) async fn carry_out(
    global: &GlobalArgs,
    output: OutputArgs,
    engine: &Docker,
    machine: &ThisMachine<'_>,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Applied, Failure> {
    carry_out_update(global, output, engine, machine, wanted, &Seen::default(), plan).await
}

/// The same for a plan that was made of `before`, and goes back to it if it is an update that fails.
pub(crate) async fn carry_out_update(
    global: &GlobalArgs,
    output: OutputArgs,
    engine: &Docker,
    machine: &ThisMachine<'_>,
    wanted: &Wanted,
    before: &Seen,
    plan: &Plan,
) -> Result<Applied, Failure> {
    if output.dry_run {
        output::print(global, output, &wanted.project, plan);
        return Ok(Applied::default());
    }
    let json = output.progress(global) == Progress::Json;
    let mut printer = output::printer(global, output);
    let outcome = update(engine, machine, wanted, before, plan, &mut |news| printer.show(&news)).await;
    let taken_back = outcome.as_ref().is_err_and(|error| matches!(error.back, Back::Done));
    let last_lines = serde_json::json!(outcome.as_ref().err().map(last_lines).unwrap_or_default());
    let outcome = outcome.map_err(Failure::from);
    if json {
        let traffic = engine.traffic();
        let mut summary = serde_json::json!({
            "result": if outcome.is_ok() { "done" } else { "failed" },
            "steps": plan.steps.len(),
            "requests": traffic.requests,
            "mutations": traffic.mutations,
            "sent_bytes": traffic.sent,
        });
        if let (Err(failure), Some(object)) = (&outcome, summary.as_object_mut()) {
            object.insert("exit".into(), failure.exit().code().into());
            object.insert("message".into(), failure.to_string().into());
            object.insert("last_lines".into(), last_lines);
            object.insert("taken_back".into(), taken_back.into());
        }
        println!("{summary}");
    }
    if let Ok(applied) = &outcome {
        for warning in &applied.warnings {
            eprintln!("warning: {}", plain(warning));
        }
    }
    outcome
}

/// The last lines of what failed, by container.
fn last_lines(error: &ApplyError) -> BTreeMap<&str, &[String]> {
    error.failures.iter().filter_map(|failed| failed.error.output()).collect()
}

/// Plans over the containers that are there, and carries it out; each start is attested.
pub(crate) async fn existing(
    global: &GlobalArgs,
    output: OutputArgs,
    command: &str,
    services: &[String],
    timeout: Option<u64>,
    plan: fn(&Wanted, &Seen, &BTreeSet<String>) -> Plan,
) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let session = session::open(global).await?;
    let (folder, mut lock) = session::write_beside_run(global, &stack.project().name, command)?;
    // What was settled stays so: no restart policy is changed here.
    if let Some(lock) = &mut lock {
        let settled = lock.settled().to_owned();
        lock.settle(&settled).map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    let wish = session::wish(global, Restarts::Engine);
    let Prepared { wanted, seen, contents, .. } = pipeline::prepare(&session.engine, stack, &wish).await?;
    let machine = ThisMachine::new(&Rights::Own, &contents, &folder, &session.socket);
    let mut plan = plan(&wanted, &seen, &services.iter().cloned().collect());
    announce(&plan)?;
    with_grace(&mut plan, timeout);
    carry_out(global, output, &session.engine, &machine, &wanted, &plan).await?;
    Ok(Exit::Done)
}

/// `--timeout` in place of every grace of the plan.
pub(crate) fn with_grace(plan: &mut Plan, seconds: Option<u64>) {
    let Some(seconds) = seconds else { return };
    for Planned { step, .. } in &mut plan.steps {
        match step {
            Step::Stop { grace: time, .. } | Step::PreStop { within: time, .. } => {
                *time = Duration::from_secs(seconds);
            }
            _ => {}
        }
    }
}
