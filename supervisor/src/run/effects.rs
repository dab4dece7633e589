//! Effects on the engine and on containers, each ending in one event.
//!
//! Deliberately absent: decisions, and repeating what failed; the next turn decides about that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{OptionFuture, join_all};
use jiff::Timestamp;

use super::clock;
use super::event::{Event, Fault, FaultKind, Images, Look, ProbeEffect, Up, Word};
use crate::apply::{self, Applied, ApplyError, Machine as _, Noted, Occasion, PrepareError, ThisMachine};
use crate::attest::Check;
use crate::decide;
use crate::decide::diagnose::Symptoms;
use crate::decide::heal::Silence;
use crate::decide::plan::Plan;
use crate::decide::seen::{Seen, SeenGuard, State};
use crate::decide::spec::{ContainerSpec, Wanted};
use crate::decide::{hooks, live};
use crate::engine::{Engine, EngineError, Inspected, Scope};
use crate::host;
use crate::host::contents::Contents;
use crate::observe::attested::{Attested, attest_running};
use crate::observe::ending::last_lines;
use crate::observe::probe::{Ask, Failure, probe};
use crate::privileged::Rights;
use crate::progress::{Phase, Progress};
use crate::serve::snapshot::Attestation;

/// What effects use besides the engine.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Who carries out what needs the machine's rights.
    pub(super) rights: Rights,
    /// The engine's socket, which no container may see.
    pub(super) socket: Rc<PathBuf>,
    /// The project's state folder.
    pub(super) folder: Rc<PathBuf>,
    /// What secrets and configs hold.
    pub(super) contents: Rc<Contents>,
    /// The containers that the loop has refused by now, by engine id.
    pub(super) refused: Rc<RefCell<BTreeSet<String>>>,
}

impl Place {
    fn machine(&self) -> ThisMachine<'_> {
        let machine = ThisMachine::new(&self.rights, &self.contents, &self.folder, &self.socket);
        ThisMachine { refused: Some(&self.refused), ..machine }
    }
}

/// One full look: two requests at the same time, and one for each running container that is not known yet.
pub(super) async fn look<E: Engine>(
    engine: &E,
    place: &Place,
    scope: &Scope,
    images: &BTreeSet<String>,
    known: &BTreeSet<String>,
) -> Event {
    let began = clock::boot();
    let from = Instant::now();
    let (folder, project) = (place.folder.as_path().to_owned(), scope.project.clone());
    // Another program is run and waited for: not on the thread that turns the loop.
    let rights = place.rights.clone();
    let around = tokio::task::spawn_blocking(move || Around {
        guard: Some(rights.see_guard(&folder, &project)),
        live: rights.see_live(&folder).ok(),
        hooks: host::hooks::read(&folder),
    });
    let outcome = look_at(engine, async { around.await.unwrap_or_default() }, scope, images, known).await;
    let outcome = outcome.map(|look| Box::new(Look { took: from.elapsed(), ..look })).map_err(|e| fault(&e));
    Event::Looked { began, outcome }
}

/// What a look sees of the machine.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The guard.
    pub(super) guard: Option<SeenGuard>,
    /// What the files hold that containers are given anew: hashes by name. `None`: nobody can tell.
    pub(super) live: Option<BTreeMap<String, String>>,
    /// The containers' hooks.
    pub(super) hooks: hooks::Kept,
}

/// What a look sees, beside the machine.
pub(super) async fn look_at<E: Engine>(
    engine: &E,
    around: impl Future<Output = Around>,
    scope: &Scope,
    images: &BTreeSet<String>,
    known: &BTreeSet<String>,
) -> Result<Look, EngineError> {
    let asked = OptionFuture::from((!images.is_empty()).then(|| engine.images(images)));
    let (seen, images, around) = tokio::join!(engine.observe(scope), asked, around);
    let (mut seen, images) = (seen?, images.unwrap_or_else(|| Ok(Images::new()))?);
    seen.images = images;
    seen.guard = around.guard;
    hooks::attribute(&mut seen, &around.hooks);
    if let Some(files) = &around.live {
        live::attribute(&mut seen, files);
    }
    // Our label's word on it is of the creation: what is not asked for below was asked for, and set, before.
    for container in &mut seen.containers {
        container.restart = None;
        container.bounds = None;
    }
    let mut met = BTreeMap::new();
    let new = seen.containers.iter().filter(|container| {
        let ours = container.project.as_ref() == Some(&scope.project);
        ours && container.state == State::Running && !known.contains(&container.id)
    });
    let new = join_all(new.map(async |container| (engine.inspect(&container.id).await, container))).await;
    for (inspected, container) in new {
        // One that is gone by now is met by the next look, if at all.
        if let Ok(inspected) = inspected {
            met.insert(container.id.clone(), up(&inspected, Attestation::Unknown));
        }
    }
    Ok(Look { seen, met, took: Duration::ZERO })
}

/// Carries out a plan.
pub(super) async fn apply<E: Engine>(
    engine: &E,
    place: Place,
    plan: &Plan,
    wanted: &Wanted,
    before: &Seen,
) -> Event {
    let attested = RefCell::default();
    let machine = ThisMachine { attested: Some(&attested), ..place.machine() };
    let outcome = apply::update(engine, &machine, wanted, before, plan, &mut tell).await;
    applied(outcome, attested.take().into_iter().map(heard).collect())
}

/// The kernel's word as the loop takes it, by container.
fn heard(noted: Noted) -> (String, Word) {
    let Noted { name, id, at, checks, differences, promised, seen } = noted;
    let attestation = said(at, checks, differences);
    (name, Word { id, attestation, promised, seen: Some(seen) })
}

/// What the loop is told of a plan that ended.
pub(super) fn applied(outcome: Result<Applied, ApplyError>, attested: BTreeMap<String, Word>) -> Event {
    let rejected = outcome.as_ref().is_err_and(rejects);
    let outcome = match outcome {
        Ok(applied) => {
            for warning in applied.warnings {
                tracing::warn!("{warning}");
            }
            Ok(())
        }
        Err(error) => Err(fault_of_plan(&error)),
    };
    Event::Applied { attested, outcome, rejected }
}

/// Whether an update failed for what it leads to, and not for an engine that did not do what it was asked: that one is
/// tried again.
fn rejects(error: &ApplyError) -> bool {
    let of_the_engine = |failed: &apply::Failed| match &failed.error {
        apply::StepError::Engine(EngineError::Refused { status, .. }) => *status >= 500,
        apply::StepError::Engine(error) => error.is_transient(),
        _ => false,
    };
    !matches!(error.back, apply::Back::No) && !error.failures.iter().all(of_the_engine)
}

/// Starts a container and attests it.
pub(super) async fn start<E: Engine>(
    engine: &E,
    place: Place,
    (name, id): (String, &str),
    spec: Option<&ContainerSpec>,
    owes: bool,
) -> Event {
    let outcome = start_and_attest(engine, &place, id, spec, owes).await;
    Event::Started { name, outcome: outcome.map(Box::new) }
}

async fn start_and_attest<E: Engine>(
    engine: &E,
    place: &Place,
    id: &str,
    spec: Option<&ContainerSpec>,
    owes: bool,
) -> Result<Up, Fault> {
    let unprepared = |error: PrepareError| Fault { message: chain(&error), kind: FaultKind::Other };
    if owes {
        place.machine().owe(id, true).map_err(unprepared)?;
    }
    // After a boot the kernel has no profile of ours, and the files that it was given are gone.
    if let Some(spec) = spec {
        let labels = match &spec.reload {
            Some(_) => engine.inspect(id).await.map_err(|error| fault(&error))?.labels,
            None => BTreeMap::new(),
        };
        let prepared = place.machine().prepare(&spec.of_generation(&labels), Occasion::Start);
        prepared.map_err(unprepared)?;
    }
    engine.start(id).await.map_err(|error| fault(&error))?;
    let inspected = engine.inspect(id).await.map_err(|error| fault(&error))?;
    let Some(spec) = spec else { return Ok(up(&inspected, Attestation::Unknown)) };
    match attest_running(&place.rights, spec, &inspected, Some(&place.socket)).await {
        Attested::Running(checks) => Ok(up(&inspected, word(place, &inspected, &checks))),
        Attested::Gone => Err(Fault { message: "it ended at once".to_owned(), kind: FaultKind::Ended }),
    }
}

/// Stops a container.
pub(super) async fn stop<E: Engine>(engine: &E, name: String, id: &str, grace: Duration) -> Event {
    let outcome = engine.stop(id, grace).await.map_err(|error| fault(&error));
    Event::Stopped { name, outcome }
}

/// Compares a running container with its promise.
pub(super) async fn attest<E: Engine>(
    engine: &E,
    place: Place,
    name: String,
    id: String,
    spec: &ContainerSpec,
) -> Event {
    let inspected = engine.inspect(&id).await;
    let settings = inspected.as_ref().ok().map(|seen| (seen.restart, seen.bounds()));
    let attestation = match inspected {
        Ok(inspected) => match attest_running(&place.rights, spec, &inspected, Some(&place.socket)).await {
            Attested::Running(checks) => word(&place, &inspected, &checks),
            Attested::Gone => Attestation::Unknown,
        },
        Err(_) => Attestation::Unknown,
    };
    Event::Attested { name, id, attestation, settings }
}

/// Asks a container how it is.
pub(super) async fn ask(rights: &Rights, effect: ProbeEffect) -> Event {
    let from = Instant::now();
    let ask = Ask {
        address: effect.address,
        path: &effect.path,
        body: effect.body.as_deref(),
        timeout: effect.timeout,
    };
    let failure = probe(&ask).await.err().map(|failure| {
        let silence = match &failure {
            Failure::TimedOut(_) if effect.pid.is_some_and(|pid| rights.is_frozen(pid)) => Silence::Frozen,
            Failure::TimedOut(_) => Silence::Silent,
            _ => Silence::Answered,
        };
        (failure.to_string(), silence)
    });
    let ProbeEffect { name, id, startup, .. } = effect;
    Event::Probed { name, id, startup, failure, took: from.elapsed() }
}

/// What the engine did not do, for the loop.
pub(super) fn fault(error: &EngineError) -> Fault {
    let kind = match error {
        EngineError::Unreachable { .. }
        | EngineError::Slow { .. }
        | EngineError::Broken { .. }
        | EngineError::TooOld { .. } => FaultKind::EngineAway,
        EngineError::NotFound { .. } => FaultKind::Gone,
        _ => FaultKind::Other,
    };
    Fault { message: chain(error), kind }
}

fn fault_of_plan(error: &ApplyError) -> Fault {
    let away = error.failures.iter().any(|failed| match &failed.error {
        apply::StepError::Engine(error) => fault(error).kind == FaultKind::EngineAway,
        _ => false,
    });
    let kind = match &error.back {
        apply::Back::Away(_) => FaultKind::EngineAway,
        _ if away => FaultKind::EngineAway,
        _ => FaultKind::Other,
    };
    let failures: Vec<String> = error.failures.iter().map(|failed| sentence(&failed.error)).collect();
    Fault { message: failures.join("; "), kind }
}

/// A failed step with the last lines of what failed, in one line.
fn sentence(error: &apply::StepError) -> String {
    match error.output() {
        Some((_, output)) if !output.is_empty() => {
            format!("{}; its last lines: {}", chain(error), output.join(" | "))
        }
        _ => chain(error),
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

/// A running container, from all that the engine says of it.
pub(super) fn up(inspected: &Inspected, attestation: Attestation) -> Up {
    Up {
        id: inspected.id.clone(),
        started_at: inspected.started_at.unwrap_or_else(Timestamp::now),
        pid: inspected.pid,
        restart: inspected.restart,
        bounds: inspected.bounds(),
        address: inspected.networks.values().find_map(|joined| joined.ipv4.or(joined.ipv6)),
        attestation,
    }
}

/// The kernel's word in short; a broken promise is kept in full.
fn word(place: &Place, container: &Inspected, checks: &[Check]) -> Attestation {
    said(Timestamp::now(), checks.len(), place.machine().differences(container, checks))
}

fn said(at: Timestamp, checks: usize, differences: Vec<String>) -> Attestation {
    if differences.is_empty() {
        Attestation::Passed { at, checks }
    } else {
        Attestation::Failed { at, differences }
    }
}

/// Says why a container ended, as far as its end tells. It may run again already: its last lines are still there.
pub(super) async fn diagnose<E: Engine>(
    engine: &E,
    name: String,
    id: String,
    spec: &ContainerSpec,
    (code, out_of_memory): (i64, bool),
) -> Event {
    let output = last_lines(engine, &id).await;
    let symptoms = Symptoms { code: Some(code), out_of_memory, output: &output, ..Symptoms::default() };
    Event::Diagnosed { name, id, diagnosis: decide::diagnose::diagnose(spec, &symptoms) }
}

fn tell(progress: Progress) {
    let Progress { subject, phase, .. } = progress;
    match phase {
        Phase::Working(word) => tracing::debug!("{word} {} `{}`", subject.kind, subject.name),
        Phase::Note(note) => tracing::debug!("{} `{}`: {note}", subject.kind, subject.name),
        Phase::Done(word) => tracing::info!("{word} {} `{}`", subject.kind, subject.name),
        Phase::Passed(why) => tracing::warn!("{} `{}`: {why}", subject.kind, subject.name),
        Phase::Failed(why) => tracing::error!("{} `{}`: {why}", subject.kind, subject.name),
        Phase::Left => tracing::info!("{} `{}` is left as it is", subject.kind, subject.name),
    }
}
