//! One request a container: what `kill`, `pause` and `unpause` do, shown as a plan's steps are.
//!
//! Deliberately absent: order. Nothing here waits for anything else.

use std::cell::RefCell;

use futures_util::future::join_all;

use crate::args::GlobalArgs;
use crate::decide::seen::{SeenContainer, State};
use crate::engine::{Docker, Engine as _, EngineError, Scope};
use crate::exit::{Exit, Failure};
use crate::progress::{Phase, Progress as News, Subject};
use crate::render::plain;
use crate::{input, session};

use super::chosen;
use super::output::{self, OutputArgs};

/// What is done to each container of some services.
pub(crate) struct Deed {
    /// To containers in which states.
    pub(crate) concerns: fn(State) -> bool,
    /// What one of them does: `runs`.
    pub(crate) does: &'static str,
    /// What it is: `pause`.
    pub(crate) word: &'static str,
    /// What is said while it is done: `Pausing`.
    pub(crate) doing: &'static str,
    /// What is said then: `Paused`.
    pub(crate) done: &'static str,
}

/// Does something to each container of services, all at the same time, and shows it. The first failure is the
/// command's; the others are said.
pub(crate) async fn each(
    global: &GlobalArgs,
    shown: OutputArgs,
    services: &[String],
    deed: &Deed,
    act: impl AsyncFn(&Docker, &SeenContainer) -> Result<(), EngineError>,
) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let seen = session.engine.observe(&Scope::project(&project)).await?;
    let mut containers = chosen::of_services(seen.containers, &project, services)?;
    containers.retain(|container| (deed.concerns)(container.state));
    if containers.is_empty() {
        return Err(Failure::new(Exit::Failed, format!("no container of these {}", deed.does))
            .help("`supervisor ps --all` shows what there is"));
    }
    if shown.dry_run {
        for container in &containers {
            println!("{} container {}", deed.word, plain(&container.name));
        }
        return Ok(Exit::Done);
    }
    let printer = RefCell::new(output::printer(global, shown));
    let show = |step: usize, phase: Phase| {
        let Some(container) = containers.get(step) else { return };
        let subject = Subject { kind: "container", name: container.name.clone() };
        printer.borrow_mut().show(&News { step, subject, phase });
    };
    let outcomes = join_all(containers.iter().enumerate().map(async |(step, container)| {
        show(step, Phase::Working(deed.doing));
        let outcome = act(&session.engine, container).await;
        show(
            step,
            outcome.as_ref().map_or_else(|e| Phase::Failed(e.to_string()), |()| Phase::Done(deed.done)),
        );
        outcome
    }))
    .await;
    let mut failures = outcomes.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(Exit::Done) };
    for other in failures {
        eprintln!("error: {}", plain(&other.to_string()));
    }
    Err(first.into())
}
