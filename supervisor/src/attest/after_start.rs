//! Attestation of a running container: look, compare, look again where a look can have come too early.
//!
//! The hook that follows every start is here too: a container that is not as promised is stopped at once and kept
//! as evidence. Deliberately absent: restarting it.

use std::path::Path;
use std::time::Duration;

use super::{Check, Verdict, attest, holds};
use crate::decide::spec::ContainerSpec;
use crate::engine::{Engine, EngineError, Inspected};
use crate::observe::kernel::{EvidenceError, evidence};

/// A runtime's own process is among those of a container for some milliseconds, with rights of its own: before
/// process 1 is executed, and before the program of an `exec` is. Only what lasts is a difference.
const LOOKS: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);

/// Items about processes, which alone can be seen too early.
const EARLY: [&str; 10] = [
    "apparmor",
    "capabilities",
    "groups",
    "namespaces",
    "no new privileges",
    "other processes",
    "process 1",
    "seccomp",
    "user",
    "user ids",
];

/// What came of looking at one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// It runs, and this is what was compared.
    Running(Vec<Check>),
    /// It ended before it could be looked at: no proof, and no broken promise.
    Gone,
}

/// Why a container that was just started may not go on.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// It was not as promised. It is stopped by now, and kept for a look at it.
    #[error("container `{container}` is not confined as promised and was stopped: {}", reasons(.broken))]
    Broken {
        /// Engine name.
        container: String,
        /// The items that do not hold.
        broken: Vec<Check>,
    },
    /// The engine did not say or do what was asked; whether the container runs is not known.
    #[error("container `{container}` could not be attested")]
    Engine {
        /// Engine name.
        container: String,
        /// Why.
        source: EngineError,
    },
}

/// The items that do not hold, in one line.
pub fn reasons(checks: &[Check]) -> String {
    let rows = checks.iter().filter(|check| !check.holds());
    rows.map(|check| format!("{}: promised {}, seen {}", check.item, check.promised, check.seen))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Compares a running container with its promise. `socket` is the engine's own.
pub async fn attest_running(spec: &ContainerSpec, engine: &Inspected, socket: Option<&Path>) -> Attested {
    let Some(pid) = engine.pid else { return Attested::Gone };
    for looks_left in (0..LOOKS).rev() {
        let checks = match evidence(pid, spec, engine, socket) {
            Ok(evidence) => attest(spec, &evidence, engine),
            Err(EvidenceError::Gone { .. }) => return Attested::Gone,
        };
        let early = |check: &Check| check.verdict == Verdict::Broken && EARLY.contains(&check.item.as_str());
        if holds(&checks) || looks_left == 0 || !checks.iter().all(|check| check.holds() || early(check)) {
            return Attested::Running(checks);
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Attested::Gone
}

/// What follows every start: the container is inspected and attested; one that is not as promised is stopped.
///
/// # Errors
/// [`AttestError::Broken`] where it was not as promised, [`AttestError::Engine`] where the engine fails.
pub async fn after_start<E: Engine>(
    engine: &E,
    spec: &ContainerSpec,
    socket: Option<&Path>,
) -> Result<Attested, AttestError> {
    let failed = |source| AttestError::Engine { container: spec.name.clone(), source };
    let inspected = engine.inspect(&spec.name).await.map_err(failed)?;
    let attested = attest_running(spec, &inspected, socket).await;
    match &attested {
        Attested::Running(checks) if !holds(checks) => {
            // A stop, not a kill: an engine that restarts by itself leaves alone what it was told to stop.
            engine.stop(&inspected.id, Duration::ZERO).await.map_err(failed)?;
            let broken = checks.iter().filter(|check| !check.holds()).cloned().collect();
            Err(AttestError::Broken { container: spec.name.clone(), broken })
        }
        _ => Ok(attested),
    }
}
