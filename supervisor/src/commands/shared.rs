//! What the commands that change a stack have in common: carrying out a plan while it is shown.
//!
//! Deliberately absent: which plan.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::apply::{Applied, ApplyError, Machine, StepError, ThisMachine, apply};
use crate::args::{GlobalArgs, Progress};
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::{Docker, Engine as _, LogQuery};
use crate::exit::{Exit, Failure};
use crate::pipeline::{self, Prepared};
use crate::render::plain;
use crate::{input, session};

use super::output::{self, OutputArgs};

/// How many lines of a service that failed are shown.
const LAST: u64 = 10;
/// For them to come; a failure is told without them, too.
const LAST_WITHIN: Duration = Duration::from_secs(5);

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
pub(crate) async fn carry_out<M: Machine>(
    global: &GlobalArgs,
    output: OutputArgs,
    engine: &Docker,
    machine: &M,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Applied, Failure> {
    if output.dry_run {
        output::print(global, output, &wanted.project, plan);
        return Ok(Applied::default());
    }
    let json = output.progress(global) == Progress::Json;
    let mut printer = output::printer(global, output);
    let outcome = apply(engine, machine, wanted, plan, &mut |news| printer.show(&news)).await;
    let last_lines = match &outcome {
        Ok(_) => BTreeMap::new(),
        Err(error) => last_lines(engine, error).await,
    };
    let outcome = outcome.map_err(Failure::from);
    if !json {
        for (container, lines) in &last_lines {
            for line in lines {
                eprintln!("{} | {line}", plain(container));
            }
        }
    }
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
            object.insert("last_lines".into(), serde_json::json!(last_lines));
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

/// The last lines of what did not become healthy, by container; one that died has them with its error.
async fn last_lines(engine: &Docker, error: &ApplyError) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for failed in &error.failures {
        let StepError::NotHealthy { container, .. } = &failed.error else { continue };
        let query = LogQuery { tail: Some(LAST), ..LogQuery::default() };
        let chunks = engine.logs(container, &query).filter_map(async |chunk| chunk.ok());
        let pieces = tokio::time::timeout(LAST_WITHIN, pin!(chunks).collect::<Vec<_>>()).await;
        let bytes: Vec<u8> = pieces.unwrap_or_default().into_iter().flat_map(|chunk| chunk.bytes).collect();
        let lines = String::from_utf8_lossy(&bytes).lines().map(plain).collect();
        all.insert(container.clone(), lines);
    }
    all
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
    let machine = ThisMachine { contents: &contents, folder: &folder, socket: &session.socket };
    let mut plan = plan(&wanted, &seen, &services.iter().cloned().collect());
    announce(&plan)?;
    with_grace(&mut plan, timeout);
    carry_out(global, output, &session.engine, &machine, &wanted, &plan).await?;
    Ok(Exit::Done)
}

/// A machine for plans that create and start nothing.
pub(crate) struct NoMachine;

impl Machine for NoMachine {
    fn prepare(
        &self,
        _: &crate::decide::spec::ContainerSpec,
    ) -> Result<std::collections::BTreeMap<String, std::path::PathBuf>, crate::apply::PrepareError> {
        Ok(std::collections::BTreeMap::new())
    }

    async fn attest(
        &self,
        _: &crate::decide::spec::ContainerSpec,
        _: &crate::engine::Inspected,
    ) -> Result<(), Vec<String>> {
        Err(vec!["nothing is to be started here".to_owned()])
    }

    async fn probe(&self, _: &compose::model::Probe, _: &str, _: std::net::IpAddr) -> Result<(), String> {
        Err("nothing is to be waited for here".to_owned())
    }
}

/// `--timeout` in place of every grace of the plan.
pub(crate) fn with_grace(plan: &mut Plan, seconds: Option<u64>) {
    let Some(seconds) = seconds else { return };
    for Planned { step, .. } in &mut plan.steps {
        if let Step::Stop { grace, .. } = step {
            *grace = Duration::from_secs(seconds);
        }
    }
}
