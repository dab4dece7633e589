//! Whether what became true stays so: the time for which an update watches what it started.
//!
//! Deliberately absent: how it became true (`wait`).

use std::time::Duration;

use compose::model::{Condition, Probe};
use tokio::time::Instant;

use super::{Events, address, died, last_lines, may_end, one_line, runs};
use crate::apply::{Context, Machine, StepError};
use crate::decide::seen::{Health, State};
use crate::decide::spec::{Await, ServiceSpec};
use crate::engine::{Engine, EventKind, Inspected};

/// Watches a container for as long as the wait wants: an end, a restart, or a health that is lost fails it.
pub(super) async fn so<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    wait: &Await,
) -> Result<(), StepError> {
    if wait.condition == Condition::Completed {
        return Ok(());
    }
    let until = Instant::now() + wait.stays;
    let seen = context.engine.inspect(name).await?;
    if seen.state == State::Exited(0) && may_end(service) {
        return Ok(());
    }
    if !runs(&seen) {
        return Err(died(context, service, &seen).await);
    }
    let mut events = Events::of(context, name);
    let mut failures = 0;
    let mut last = None;
    while Instant::now() < until {
        let probe = service.probe.as_ref().filter(|_| wait.condition == Condition::Healthy);
        let pause = probe.map_or(wait.stays, |probe| probe.interval);
        let pause = (Instant::now() + pause).min(until);
        match tokio::time::timeout_at(pause, events.next(context)).await.map(|event| event.kind) {
            Ok(EventKind::Health(Health::Unhealthy)) => {
                let seen = context.engine.inspect(name).await?;
                let said = seen.health_output.map(|text| one_line(&text));
                return Err(not_stayed(context, service, name, wait, said).await);
            }
            Ok(EventKind::Die(0)) if may_end(service) => return Ok(()),
            // One from before its last start is history.
            Ok(EventKind::Die(code)) => {
                let now = context.engine.inspect(name).await?;
                if !runs(&now) || now.started_at != seen.started_at {
                    // One that the engine has restarted meanwhile has no code any more.
                    return Err(died(context, service, &Inspected { exit_code: code, ..now }).await);
                }
            }
            Ok(_) => {}
            Err(_) => {
                let Some(probe) = probe else { continue };
                match ask(context, probe, name).await {
                    Ok(()) => failures = 0,
                    Err(why) => {
                        // Its end may be seen by the probe before it is heard of.
                        let now = context.engine.inspect(name).await?;
                        if !runs(&now) || now.started_at != seen.started_at {
                            return Err(died(context, service, &now).await);
                        }
                        failures += 1;
                        last = Some(format!("GET {}: {why}", probe.http));
                        if failures >= probe.retries {
                            return Err(not_stayed(context, service, name, wait, last).await);
                        }
                    }
                }
            }
        }
    }
    // What an event did not tell, a look does.
    let now = context.engine.inspect(name).await?;
    match (runs(&now) && now.started_at == seen.started_at, failures, now.health) {
        (false, ..) => Err(died(context, service, &now).await),
        (true, 0, None | Some(Health::Healthy | Health::Starting)) => Ok(()),
        (true, ..) => Err(not_stayed(context, service, name, wait, last).await),
    }
}

async fn ask<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    probe: &Probe,
    name: &str,
) -> Result<(), String> {
    let seen = context.engine.inspect(name).await.map_err(|error| error.to_string())?;
    match address(&seen) {
        Some(address) => context.machine.probe(probe, &probe.http, address).await,
        None => Err("it has no address that this machine reaches".into()),
    }
}

async fn not_stayed<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    service: &ServiceSpec,
    name: &str,
    wait: &Await,
    last: Option<String>,
) -> StepError {
    StepError::NotStayed {
        service: service.service.clone(),
        container: name.to_owned(),
        after: Duration::from_millis(u64::try_from(wait.stays.as_millis()).unwrap_or(u64::MAX)),
        last,
        output: last_lines(context, name).await,
    }
}
