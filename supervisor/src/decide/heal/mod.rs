//! Healing as a state machine: one [`State`] a container, one [`Event`] at a time, [`Action`]s out.
//!
//! Time is a `Duration` since any epoch that never jumps; one that outlives the process (the time since boot) lets a
//! journalled state be taken up again. Deliberately absent: clocks, timers, requests, and the order between
//! services. After the engine itself was away, make a plan first: it starts what fell in the order of `depends_on`.

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::BTreeMap;
use std::time::Duration;

use compose::model::OnExit;
use serde::{Deserialize, Serialize};

use super::seen::Health;
use super::spec::{Restart, ServiceSpec};

pub use turn::heal;

/// While it starts, a container is probed at least so often: its first health is waited for.
const STARTING_INTERVAL: Duration = Duration::from_millis(500);

/// The rules of one service, as far as healing goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who says whether it is healthy.
    pub check: Check,
    /// Budget from a start to the first health.
    pub start_period: Duration,
    /// From the stop signal to the kill.
    pub grace: Duration,
    /// Exit code contract; goes before `restart`.
    pub on_exit: BTreeMap<u8, OnExit>,
    /// What the file says about restarts.
    pub restart: Restart,
}

/// Who says whether a container is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nobody: running is healthy.
    None,
    /// Our own probe, so often, and so many failures in a row are one too many.
    Probe {
        /// From one answer to the next request.
        interval: Duration,
        /// Consecutive failures.
        retries: u32,
    },
    /// The engine, which counts its failures itself.
    Engine,
}

/// What is known of one container. Can be journalled, and taken up by the next process.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The engine id that all of this is about: another id starts afresh.
    pub container: Option<String>,
    /// Where it is.
    pub phase: Phase,
    /// Restarts by us in a row; ten minutes of health forget them.
    pub restarts: u32,
    /// Probe failures in a row.
    pub failures: u32,
    /// What the last failed probe since its start said.
    pub failure: Option<String>,
    /// Why it ended or was restarted last.
    pub last: Option<String>,
    /// The crash loop was told.
    alerted: bool,
    /// When somebody other than us sent it a signal that ends it.
    signalled: Option<Duration>,
    /// Until then the notice of a stop may be of one of ours, by this process or one before it: each takes its grace and some.
    #[serde(default)]
    own_stops_until: Duration,
    /// So many signals of stops of ours may be heard of until then.
    #[serde(default)]
    own_signals: u32,
    /// The last container that was refused, and why: an update that is taken back brings it back, and it is refused still.
    #[serde(default)]
    refused: Option<(String, String)>,
}

/// Where a container is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Not there, or not seen yet. The planner's business.
    #[default]
    Absent,
    /// We asked the engine to start it.
    Launching {
        /// When the engine has to have answered.
        until: Duration,
    },
    /// Runs, never healthy since its start, within its budget.
    Starting {
        /// Since then.
        since: Duration,
        /// When the budget ends.
        until: Duration,
    },
    /// Was found running with its budget spent; no check has spoken yet.
    Unproven {
        /// Since then.
        since: Duration,
    },
    /// Healthy, or runs without a check.
    Up {
        /// Since then.
        since: Duration,
    },
    /// Unhealthy, and the file says not to restart it (any more).
    Unhealthy {
        /// Since then.
        since: Duration,
        /// What the check said.
        reason: String,
    },
    /// We stop it in order to start it again.
    Stopping {
        /// When it has to have ended.
        until: Duration,
        /// Why.
        reason: String,
    },
    /// Ended, and waits for its next start.
    BackingOff {
        /// When.
        until: Duration,
        /// Why it ended.
        reason: String,
    },
    /// A plan stops it: what it does now is no crash.
    Planned,
    /// Somebody stopped it. Left alone until somebody starts it.
    Stopped,
    /// Somebody froze it. Left alone until somebody lets it go on.
    Paused,
    /// Ended, and is not started again.
    Ended {
        /// Its exit code, if it ended by itself.
        code: Option<i64>,
        /// Why it is not started again.
        why: Why,
        /// The same for people.
        reason: String,
    },
    /// The kernel's word was not the promise's: stopped until another container comes, or somebody starts it.
    Refused {
        /// What differed.
        reason: String,
        /// It has ended since.
        ended: bool,
    },
}

/// How far a plan has to leave a container alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Do not start it, healing does; replace it if it changed.
    Down(String),
    /// Do not start it, and nobody does before it changed or somebody says so; replace it if it changed.
    Over(String),
    /// Do nothing to it: an administrator has it in hand.
    Alone(String),
}

/// Why an ended container is not started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// `on_exit` says so of this code.
    Contract,
    /// `restart: no`, or `on-failure` and code 0.
    Policy,
    /// `on-failure:n` and all of them used.
    GaveUp,
}

/// Something that happened to a container. `id` is the engine's; an event of another id than the state's is stale
/// and changes nothing, but for those that say that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The engine's `start` event, whoever asked for it.
    Started {
        /// Engine id.
        id: String,
    },
    /// A look or an answer shows it running: after our own start, at adoption, and whenever all is looked at.
    /// Only from a look that began after the last action was done.
    SeenRunning {
        /// Engine id.
        id: String,
        /// How long it has run, by the engine.
        age: Duration,
        /// The engine's word, where it checks.
        health: Option<Health>,
    },
    /// It ended: the engine's `die` event, or a look under the rule of [`Event::SeenRunning`].
    Exited {
        /// Engine id.
        id: String,
        /// Exit code; 128 and the signal's number for a signal.
        code: i64,
        /// The kernel killed it for its memory.
        out_of_memory: bool,
    },
    /// A look shows another container than before, which does not run.
    SeenDown {
        /// Engine id.
        id: String,
    },
    /// It was removed.
    Gone {
        /// Engine id.
        id: String,
    },
    /// Our own probe was answered as it should be.
    ProbeOk {
        /// Engine id.
        id: String,
    },
    /// Our own probe was not.
    ProbeFailed {
        /// Engine id.
        id: String,
        /// What came instead, for people.
        reason: String,
        /// How dead it looked.
        silence: Silence,
    },
    /// The engine's health check changed its mind.
    EngineHealth {
        /// Engine id.
        id: String,
        /// To this.
        health: Health,
    },
    /// Somebody sent it a signal through the engine (`kill` event). Ours are known by the phase.
    Signalled {
        /// Engine id.
        id: String,
        /// The signal's number.
        signal: i32,
    },
    /// Somebody stopped it through the engine (`stop` event, which comes after the end).
    StopNotice {
        /// Engine id.
        id: String,
    },
    /// Somebody froze it.
    Paused {
        /// Engine id.
        id: String,
    },
    /// Somebody let it go on.
    Unpaused {
        /// Engine id.
        id: String,
    },
    /// A plan is about to stop it, to remove it or to start it again.
    PlannedStop,
    /// [`Action::Start`] did not work.
    StartFailed {
        /// The engine's words.
        reason: String,
    },
    /// It runs with other rights than promised.
    AttestationFailed {
        /// Engine id.
        id: String,
        /// What differed.
        reason: String,
    },
    /// Time has passed.
    Tick,
}

/// How dead a container looked when a probe failed. It decides how long its stop may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Silence {
    /// It answered wrongly, or refused the connection: it can still hear a signal.
    Answered,
    /// No answer in time.
    Silent,
    /// No answer in time, and the kernel says that its processes are stopped (state `T`): no signal but the kill
    /// reaches it.
    Frozen,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the container, attest it, then tell of it by [`Event::SeenRunning`]; else by [`Event::StartFailed`].
    Start,
    /// Signal, wait `grace`, kill. Its end comes as [`Event::Exited`], from a look where no event told of it.
    Stop {
        /// From the signal to the kill.
        grace: Duration,
    },
    /// Tell people.
    Alert(Alert),
}

/// What people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// Restarted now, or after a wait, for this reason.
    Restarting {
        /// Why.
        reason: String,
        /// The wait.
        delay: Duration,
    },
    /// So many restarts in a row.
    CrashLoop {
        /// How many.
        restarts: u32,
        /// Why, the last time.
        reason: String,
    },
    /// It stays down, or unhealthy.
    GivenUp {
        /// Why.
        reason: String,
    },
    /// It does not end, although it was killed.
    Stuck {
        /// What was wanted.
        reason: String,
    },
    /// Its rights are not the promised ones.
    Refused {
        /// What differed.
        reason: String,
    },
    /// Ten minutes of health after a crash loop.
    Recovered,
}

/// What comes of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The state from now on.
    pub state: State,
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// When to send a [`Event::Tick`] at the latest, on the same clock.
    pub look_again: Option<Duration>,
}

/// How to probe a container now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// It has not been healthy since its start: ask the probe's `startup` path first, where there is one.
    pub starting: bool,
    /// From one answer to the next request.
    pub interval: Duration,
}

impl Policy {
    /// The rules that a service is kept by.
    pub fn of(service: &ServiceSpec) -> Self {
        let check = match &service.probe {
            Some(probe) => Check::Probe { interval: probe.interval, retries: probe.retries },
            None if service.engine_health => Check::Engine,
            None => Check::None,
        };
        Self {
            check,
            start_period: service.start_period,
            grace: service.containers.first().map_or(Duration::from_secs(10), |c| c.stop_grace),
            on_exit: service.on_exit.clone(),
            restart: service.restart,
        }
    }
}

impl State {
    /// Whether and how to probe it now. `None`: drop a probe that is under way.
    pub fn probing(&self, policy: &Policy) -> Option<Probing> {
        let Check::Probe { interval, .. } = policy.check else { return None };
        match self.phase {
            Phase::Starting { .. } => {
                Some(Probing { starting: true, interval: interval.min(STARTING_INTERVAL) })
            }
            Phase::Unproven { .. } | Phase::Up { .. } | Phase::Unhealthy { .. } => {
                Some(Probing { starting: false, interval })
            }
            _ => None,
        }
    }

    /// Whether a plan has to leave this container's running alone, and why: healing, or an administrator, decides.
    pub fn held(&self) -> Option<Hold> {
        match &self.phase {
            Phase::Absent
            | Phase::Starting { .. }
            | Phase::Unproven { .. }
            | Phase::Up { .. }
            | Phase::Unhealthy { .. }
            | Phase::Planned => None,
            Phase::Launching { .. } => Some(Hold::Down("it is being started".to_owned())),
            Phase::Stopping { reason, .. } => Some(Hold::Down(format!("it is being restarted: {reason}"))),
            Phase::BackingOff { reason, .. } => {
                Some(Hold::Down(format!("it waits for its next start: {reason}")))
            }
            Phase::Ended { reason, .. } => Some(Hold::Over(reason.clone())),
            Phase::Refused { reason, .. } => {
                Some(Hold::Over(format!("its rights were not as promised: {reason}")))
            }
            Phase::Stopped => {
                Some(Hold::Alone("somebody stopped it, and nobody has started it again".to_owned()))
            }
            Phase::Paused => Some(Hold::Alone("somebody paused it".to_owned())),
        }
    }

    /// The container that was refused and that nobody has started since, by engine id.
    pub fn refused_container(&self) -> Option<&str> {
        self.refused.as_ref().map(|(refused, _)| refused.as_str())
    }

    /// Whether this is that container.
    pub fn has_refused(&self, id: &str) -> bool {
        self.refused_container() == Some(id)
    }

    /// Whether it has been restarted so often in a row that it is in a crash loop.
    pub const fn crash_looping(&self) -> bool {
        self.restarts >= super::backoff::CRASH_LOOP
    }
}
