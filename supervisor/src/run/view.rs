//! What the loop knows, as the endpoint and systemd show it.
//!
//! Deliberately absent: decisions; a snapshot changes nothing.

use std::time::Duration;

use jiff::Timestamp;

use super::event::Now;
use super::keep::Keep;
use super::watch::Watch;
use crate::decide::heal::{Check, Phase as HealPhase, Why};
use crate::serve::snapshot::{
    Attestation, ContainerStatus, Phase, ServiceState, ServiceStatus, Snapshot, StackStatus,
};

/// Digits of an engine id that people are shown.
const SHORT_ID: usize = 12;

/// Everything for the endpoint.
pub(super) fn snapshot(watch: &Watch, started_at: Timestamp, now: Now) -> Snapshot {
    let services = watch.wanted.iter().flat_map(|wanted| &wanted.services);
    let services = services.map(|(name, service)| {
        let keeps = service
            .containers
            .iter()
            .filter_map(|spec| Some((spec.name.as_str(), watch.keeps.get(&spec.name)?)));
        if let Some(lent) = watch.lend.lent.as_ref().filter(|lent| lent.service == *name) {
            return (name.clone(), in_other_hands(service.containers.len(), &lent.holder));
        }
        let waits = watch.waiting.get(name);
        (name.clone(), self::service(service.containers.len(), waits, keeps, now))
    });
    let mut snapshot = Snapshot {
        project: watch.stack.as_ref().map(|stack| stack.project().to_owned()).unwrap_or_default(),
        started_at,
        at: now.wall,
        phase: phase(watch),
        stack: StackStatus { loaded_at: watch.loaded_at, refused: watch.refused.clone() },
        engine: watch.engine.clone(),
        services: services.collect(),
        last_plan: watch.last_plan.clone(),
        totals: watch.totals,
        guard: watch.guard.status(),
        warnings: watch.notes.clone(),
        ..Snapshot::starting(now.wall)
    };
    snapshot.reasons = reasons(watch, &snapshot);
    if let (Some(refused), Some(_)) = (&watch.refused, &watch.stack) {
        let errors = refused.errors.join("; ");
        snapshot
            .warnings
            .push(format!("the file as it is now is not taken, the one before it stays in force: {errors}"));
    }
    snapshot
}

/// One line for `systemctl status`.
pub(super) fn status_line(snapshot: &Snapshot) -> String {
    let good = snapshot.services.values().filter(|service| service.state.is_good()).count();
    let all = snapshot.services.len();
    match (snapshot.reasons.first(), snapshot.phase) {
        (None, _) => format!("{all} services as wanted"),
        (Some(reason), Phase::NoStack | Phase::EngineAway) => reason.clone(),
        (Some(reason), _) => format!("{good} of {all} services as wanted; {reason}"),
    }
}

fn phase(watch: &Watch) -> Phase {
    if watch.stopping {
        Phase::Stopping
    } else if watch.stack.is_none() {
        Phase::NoStack
    } else if !watch.engine.reachable {
        Phase::EngineAway
    } else if watch.applying || !watch.converged {
        Phase::Converging
    } else {
        Phase::Watching
    }
}

fn reasons(watch: &Watch, snapshot: &Snapshot) -> Vec<String> {
    let mut reasons = Vec::new();
    match snapshot.phase {
        Phase::NoStack => match &watch.refused {
            Some(refused) => {
                reasons.extend(refused.errors.iter().map(|e| format!("the file is not taken: {e}")));
            }
            None => reasons.push("the file was not read yet".to_owned()),
        },
        Phase::EngineAway => {
            let why = watch.engine.error.as_deref().unwrap_or("it was not called yet");
            reasons.push(format!("the engine is away: {why}"));
        }
        Phase::Converging => reasons.push(match &watch.failure {
            Some(failure) => failure.clone(),
            None => "the stack is being brought to its wanted state".to_owned(),
        }),
        Phase::Stopping => reasons.push("the supervisor is ending; the containers stay".to_owned()),
        Phase::Watching => {}
    }
    for (name, service) in &snapshot.services {
        if !service.state.is_good() {
            reasons.push(format!("service `{name}` is {}: {}", service.state.name(), service.reason));
        } else if let Some(container) = service.containers.iter().find(|c| !is_attested(c)) {
            reasons.push(format!("container `{}` was not compared with its promise yet", container.name));
        }
    }
    reasons
}

fn is_attested(container: &ContainerStatus) -> bool {
    container.state == ServiceState::Completed || matches!(container.attestation, Attestation::Passed { .. })
}

/// Nothing is known of it meanwhile.
fn in_other_hands(wanted: usize, holder: &str) -> ServiceStatus {
    let reason = format!("it is left to {holder}, and not compared with its promise meanwhile");
    ServiceStatus { state: ServiceState::Starting, reason, wanted, containers: Vec::new() }
}

fn service<'a>(
    wanted: usize,
    waits: Option<&String>,
    keeps: impl Iterator<Item = (&'a str, &'a Keep)>,
    now: Now,
) -> ServiceStatus {
    let containers: Vec<ContainerStatus> =
        keeps.map(|(name, keep)| container(name, keep, waits, now)).collect();
    let worst = containers.iter().max_by_key(|container| container.state);
    ServiceStatus {
        state: worst.map_or(ServiceState::Completed, |container| container.state),
        reason: worst.map_or_else(|| "no containers are wanted".to_owned(), |worst| worst.reason.clone()),
        wanted,
        containers,
    }
}

fn container(name: &str, keep: &Keep, waits: Option<&String>, now: Now) -> ContainerStatus {
    let (state, mut reason) = state(keep);
    if let (Some(why), HealPhase::Absent | HealPhase::Planned) = (waits, &keep.heal.phase) {
        reason.clone_from(why);
    }
    ContainerStatus {
        name: name.to_owned(),
        id: keep.id().map(|id| id.chars().take(SHORT_ID).collect()).unwrap_or_default(),
        state,
        reason,
        restarts: keep.restarts,
        exit_code: keep.exit_code,
        last_lines: Vec::new(),
        diagnosis: keep.diagnosis.clone().filter(|_| !matches!(keep.heal.phase, HealPhase::Up { .. })),
        next_start: keep.next_start().map(|at| on_the_wall(at, now)),
        probe: keep.is_probed().then(|| keep.probe.clone()),
        attestation: keep.attestation.clone(),
    }
}

fn state(keep: &Keep) -> (ServiceState, String) {
    let checked = keep.policy.check != Check::None;
    let last = || keep.heal.last.as_ref().map(|last| format!("; last: {last}")).unwrap_or_default();
    match &keep.heal.phase {
        HealPhase::Absent => (ServiceState::Absent, "it is not there".to_owned()),
        HealPhase::Planned => (ServiceState::Starting, "a plan is changing it".to_owned()),
        HealPhase::Launching { .. } => (ServiceState::Starting, format!("it is being started{}", last())),
        HealPhase::Starting { .. } | HealPhase::Unproven { .. } => {
            (ServiceState::Starting, format!("its first health is awaited{}", last()))
        }
        HealPhase::Up { .. } if keep.heal.failures > 0 => {
            (ServiceState::Healthy, format!("{} probes in a row failed{}", keep.heal.failures, last()))
        }
        HealPhase::Up { .. } if checked => (ServiceState::Healthy, "its check passes".to_owned()),
        HealPhase::Up { .. } => (ServiceState::Running, "it runs, and has no check".to_owned()),
        HealPhase::Unhealthy { reason, .. } | HealPhase::Stopping { reason, .. } => {
            (ServiceState::Unhealthy, reason.clone())
        }
        HealPhase::BackingOff { reason, .. } if keep.heal.crash_looping() => {
            (ServiceState::CrashLoop, format!("{} restarts in a row; {reason}", keep.heal.restarts))
        }
        HealPhase::BackingOff { reason, .. } => (ServiceState::BackingOff, reason.clone()),
        HealPhase::Stopped => (ServiceState::Stopped, "somebody stopped it".to_owned()),
        HealPhase::Paused => (ServiceState::Stopped, "somebody paused it".to_owned()),
        HealPhase::Ended { code: Some(0), why: Why::Policy, reason } => {
            (ServiceState::Completed, reason.clone())
        }
        HealPhase::Ended { reason, .. } => (ServiceState::Failed, reason.clone()),
        HealPhase::Refused { reason, .. } => {
            (ServiceState::Failed, format!("stopped, not confined as promised: {reason}"))
        }
    }
}

fn on_the_wall(at: Duration, now: Now) -> Timestamp {
    now.wall.saturating_add(at.saturating_sub(now.boot)).unwrap_or(now.wall)
}
