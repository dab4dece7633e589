//! Attestation of a running container: look, compare, look again where a look can have come too early.
//!
//! Deliberately absent: what is done about a container that is not as promised; `apply` and `run` stop it.

use std::path::Path;
use std::time::Duration;

use super::kernel::Sought;
use crate::attest::{Check, Verdict, attest, holds};
use crate::decide::spec::ContainerSpec;
use crate::engine::Inspected;
use crate::privileged::Rights;

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

/// Compares a running container with its promise. `socket` is the engine's own.
pub async fn attest_running(
    rights: &Rights,
    spec: &ContainerSpec,
    engine: &Inspected,
    socket: Option<&Path>,
) -> Attested {
    let Some(pid) = engine.pid else { return Attested::Gone };
    let sought = Sought::of(pid, spec, engine, socket);
    for looks_left in (0..LOOKS).rev() {
        let checks = match rights.evidence(&sought) {
            Ok(evidence) => attest(spec, &evidence, engine),
            Err(_) => return Attested::Gone,
        };
        let early = |check: &Check| check.verdict == Verdict::Broken && EARLY.contains(&check.item.as_str());
        if holds(&checks) || looks_left == 0 || !checks.iter().all(|check| check.holds() || early(check)) {
            return Attested::Running(checks);
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Attested::Gone
}
