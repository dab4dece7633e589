//! Waiting until a service is as wanted: by the engine's events, or by our own probe where the service has one.
//!
//! Events are asked for from the plan's beginning on, so that none is missed between a start and the asking.
//! Deliberately absent: any judgement about what a failed wait means for others; that is in the plan.

mod stays;

use std::net::IpAddr;
use std::time::Duration;

use compose::model::{Condition, OnExit, Probe};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Context, Ended, Machine, StepError, progress_of};
use crate::decide::diagnose::{Symptoms, diagnose};
use crate::decide::plan::Step;
use crate::decide::seen::{Health, State};
use crate::decide::spec::{Await, Restart, ServiceSpec};
use crate::engine::{Engine, EngineError, EngineEvent, EventKind, Inspected, LogQuery};
use crate::observe::ending::understand;
use crate::progress::Phase;

/// Between a failed probe and the next one: short at first, since most services start fast.
const PROBE_DELAYS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(150),
    Duration::from_millis(250),
    Duration::from_millis(500),
];
/// Before joining the engine's events again after a break.
const REJOIN: Duration = Duration::from_millis(500);
/// Lines of output shown of a container that failed.
const TAIL: u64 = 10;
/// An engine that does not tell them within this is not waited for.
const LINES: Duration = Duration::from_secs(5);

/// Waits for a condition of a service; another step's failure ends it.
pub(super) async fn until<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    index: usize,
    step: &Step,
    wait: &Await,
) -> Result<Ended, StepError> {
    let Some(service) = context.wanted.services.get(&wait.service) else { return Ok(Ended::Well) };
    let say = |text: String| {
        let _ = context.progress.send(progress_of(index, step, Phase::Note(text)));
    };
    let all = async {
        let each = wait.containers.iter().map(|name| one(context, service, name, wait, &say));
        let outcomes = futures_util::future::join_all(each).await;
        let mut errors = outcomes.into_iter().filter_map(Result::err);
        let tolerated = usize::try_from(wait.tolerated).unwrap_or(usize::MAX);
        errors.nth(tolerated).map_or(Ok(()), Err)
    };
    let mut failed = context.failed.clone();
    let outcome: Result<(), StepError> = tokio::select! {
        biased;
        outcome = all => outcome,
        Ok(_) = failed.wait_for(|failed| *failed) => return Ok(Ended::GivenUp),
    };
    match outcome {
        Ok(()) => Ok(Ended::Well),
        Err(error) if !wait.required => Ok(Ended::Passed(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn one<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    wait: &Await,
    say: &dyn Fn(String),
) -> Result<(), StepError> {
    comes_true(context, service, name, wait, say).await?;
    if wait.stays.is_zero() { Ok(()) } else { stays::so(context, service, name, wait).await }
}

async fn comes_true<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    wait: &Await,
    say: &dyn Fn(String),
) -> Result<(), StepError> {
    let deadline = Instant::now() + wait.timeout;
    match (wait.condition, &service.probe) {
        (Condition::Started, _) => {
            let seen = context.engine.inspect(name).await?;
            let done = seen.state == State::Exited(0) && may_end(service);
            if runs(&seen) || done { Ok(()) } else { Err(died(context, service, &seen).await) }
        }
        (Condition::Completed, _) => {
            let timed_out =
                || StepError::NotCompleted { service: service.service.clone(), after: wait.timeout };
            let ended = tokio::time::timeout_at(deadline, completed(context, service, name)).await;
            ended.unwrap_or_else(|_| Err(timed_out()))
        }
        (Condition::Healthy, Some(probe)) => {
            let mut last = None;
            let answered = {
                let mut note = |why: String| {
                    say(why.clone());
                    last = Some(why);
                };
                let healthy = answers(context, service, name, probe, &mut note);
                tokio::time::timeout_at(deadline, healthy).await
            };
            match answered {
                Ok(outcome) => outcome,
                Err(_) => Err(not_healthy(context, service, name, wait, last).await),
            }
        }
        (Condition::Healthy, None) => {
            let healthy = tokio::time::timeout_at(deadline, engine_says(context, service, name));
            if let Ok(outcome) = healthy.await {
                return outcome;
            }
            let seen = context.engine.inspect(name).await?;
            let said = seen.health_output.map(|text| one_line(&text));
            Err(not_healthy(context, service, name, wait, said).await)
        }
    }
}

/// A service that nobody starts again after an end with code 0 may have done its work already.
const fn may_end(service: &ServiceSpec) -> bool {
    matches!(service.restart, Restart::No | Restart::OnFailure(_))
}

/// Probes until the service answers as it should; an end of the container ends it.
async fn answers<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    probe: &Probe,
    note: &mut dyn FnMut(String),
) -> Result<(), StepError> {
    let seen = context.engine.inspect(name).await?;
    if !runs(&seen) {
        return Err(died(context, service, &seen).await);
    }
    let mut address = address(&seen);
    let mut paths = probe.startup.as_deref().into_iter().chain([probe.http.as_str()]).peekable();
    let mut delays = PROBE_DELAYS.into_iter();
    let mut events = Events::of(context, name);
    while let Some(path) = paths.peek() {
        let asked = match address {
            Some(address) => context.machine.probe(probe, path, address).await,
            None => Err("it has no address that this machine reaches".into()),
        };
        match asked {
            Ok(()) => drop(paths.next()),
            Err(why) => {
                note(format!("GET {path}: {why}"));
                let delay = delays.next().unwrap_or(probe.interval.min(Duration::from_millis(500)));
                let happened = tokio::time::timeout(delay, events.next(context)).await;
                match happened.map(|event| event.kind) {
                    Ok(EventKind::Die(code)) => endured(context, service, name, code).await?,
                    // It may have another address now.
                    Ok(EventKind::Start) => {
                        address = self::address(&context.engine.inspect(name).await?);
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// Waits for the engine's own health check to say that the container is healthy.
async fn engine_says<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
) -> Result<(), StepError> {
    let mut events = Events::of(context, name);
    let seen = context.engine.inspect(name).await?;
    match (seen.health, runs(&seen)) {
        (_, false) => return Err(died(context, service, &seen).await),
        (Some(Health::Healthy), true) => return Ok(()),
        (None, true) => return Err(StepError::NoCheck { service: service.service.clone() }),
        (Some(Health::Starting | Health::Unhealthy), true) => {}
    }
    loop {
        match events.next(context).await.kind {
            EventKind::Health(Health::Healthy) => {
                // It may be from before a restart: the engine's word now is what counts.
                let seen = context.engine.inspect(name).await?;
                if seen.health == Some(Health::Healthy) {
                    return Ok(());
                }
            }
            EventKind::Die(code) => endured(context, service, name, code).await?,
            _ => {}
        }
    }
}

async fn completed<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
) -> Result<(), StepError> {
    let mut events = Events::of(context, name);
    loop {
        let seen = context.engine.inspect(name).await?;
        match seen.state {
            State::Exited(0) => return Ok(()),
            State::Exited(_) | State::Dead | State::Removing => {
                return Err(died(context, service, &seen).await);
            }
            State::Created | State::Running | State::Paused | State::Restarting => {}
        }
        while !matches!(events.next(context).await.kind, EventKind::Die(_)) {}
    }
}

/// A death while its health is waited for is a failure, unless the exit code's contract says to start again.
async fn endured<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    code: i64,
) -> Result<(), StepError> {
    let contract = u8::try_from(code).ok().and_then(|code| service.on_exit.get(&code));
    if contract == Some(&OnExit::Restart) {
        return Ok(());
    }
    let seen = context.engine.inspect(name).await?;
    // An end from before the last start is history.
    let history = runs(&seen) && seen.restart_count == 0;
    if history { Ok(()) } else { Err(died(context, service, &seen).await) }
}

async fn died<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    seen: &Inspected,
) -> StepError {
    let output = last_lines(context, &seen.id).await;
    let spec = service.containers.iter().find(|spec| spec.name == seen.name);
    let diagnosis = spec.and_then(|spec| understand(spec, seen, &output)).map(Box::new);
    StepError::Died {
        service: service.service.clone(),
        container: seen.name.clone(),
        code: seen.exit_code,
        oom_killed: seen.oom_killed,
        output,
        diagnosis,
    }
}

async fn not_healthy<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    wait: &Await,
    last: Option<String>,
) -> StepError {
    // What it printed may be of every day while it runs; what the kernel counted is not.
    let pid = context.engine.inspect(name).await.ok().and_then(|seen| seen.pid);
    let pids_refused = pid.map_or(0, |pid| context.machine.pids_refused(pid));
    let symptoms = Symptoms { pids_refused, ..Symptoms::default() };
    let spec = service.containers.iter().find(|spec| spec.name == name);
    StepError::NotHealthy {
        diagnosis: spec.and_then(|spec| diagnose(spec, &symptoms)).map(Box::new),
        service: service.service.clone(),
        container: name.to_owned(),
        after: wait.timeout,
        last,
        output: last_lines(context, name).await,
    }
}

/// The last lines of a container's output, neutralised.
async fn last_lines<E: Engine, M: Machine>(context: &Context<'_, E, M>, container: &str) -> Vec<String> {
    let query = LogQuery { tail: Some(TAIL), ..LogQuery::default() };
    let chunks = context.engine.logs(container, &query).take(100).filter_map(async |chunk| chunk.ok());
    let chunks = tokio::time::timeout(LINES, chunks.collect::<Vec<_>>()).await.unwrap_or_default();
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
    String::from_utf8_lossy(&bytes).lines().map(crate::render::plain).collect()
}

fn runs(seen: &Inspected) -> bool {
    matches!(seen.state, State::Running | State::Restarting | State::Paused)
}

/// Where this machine reaches it: over any bridge that it is on.
fn address(seen: &Inspected) -> Option<IpAddr> {
    seen.networks.values().find_map(|joined| joined.ipv4.or(joined.ipv6))
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    crate::render::plain(&line).chars().take(200).collect()
}

/// One container's events, joined again where the stream breaks.
struct Events {
    container: String,
    since: Timestamp,
    stream: Option<crate::engine::EngineStream<EngineEvent>>,
}

impl Events {
    fn of<E, M>(context: &Context<'_, E, M>, name: &str) -> Self {
        Self { container: name.to_owned(), since: context.began, stream: None }
    }

    /// The next one; never ends.
    async fn next<E: Engine, M>(&mut self, context: &Context<'_, E, M>) -> EngineEvent {
        loop {
            let stream = self
                .stream
                .get_or_insert_with(|| context.engine.events(&context.wanted.project, Some(self.since)));
            let event: Option<Result<EngineEvent, EngineError>> = stream.next().await;
            let Some(Ok(event)) = event else {
                self.stream = None;
                tokio::time::sleep(REJOIN).await;
                continue;
            };
            let nanosecond = jiff::SignedDuration::from_nanos(1);
            self.since = event.at.checked_add(nanosecond).unwrap_or(event.at);
            if event.name == self.container {
                return event;
            }
        }
    }
}
