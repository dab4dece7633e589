//! One turn of the machine: a state and an event in, the next state and what to do out.
//!
//! Deliberately absent: what a state is called on the screen; that is `report`'s.

use std::time::Duration;

use compose::model::OnExit;

use super::super::backoff;
use super::super::seen::Health;
use super::super::spec::Restart;
use super::{Action, Alert, Check, Event, Phase, Policy, Silence, State, Turn, Why};

/// The engine has to answer a start within this.
const LAUNCH: Duration = Duration::from_mins(1);
/// Beyond its grace, a stop may take so long.
const STOP_SLACK: Duration = Duration::from_secs(20);
/// A container that answers nothing is not given longer than this to end, whatever its grace: it hears no signal.
const SILENT_GRACE: Duration = Duration::from_secs(10);
/// A signal from somebody else explains an end that comes within this; OpenClaw drains for up to 330 s.
const SIGNAL_WINDOW: Duration = Duration::from_mins(10);

const SIGINT: i32 = 2;
const SIGQUIT: i32 = 3;
const SIGTERM: i32 = 15;

/// What comes of an event at a time, on any clock that never jumps. `jitter` is any number, a random one at best.
pub fn heal(policy: &Policy, state: State, event: Event, now: Duration, jitter: u64) -> Turn {
    let mut turn = Machine { policy, state, now, jitter, actions: Vec::new() };
    turn.forget_after_health();
    turn.take(event);
    let look_again = turn.look_again();
    Turn { state: turn.state, actions: turn.actions, look_again }
}

struct Machine<'a> {
    policy: &'a Policy,
    state: State,
    now: Duration,
    jitter: u64,
    actions: Vec<Action>,
}

impl Machine<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::Started { id } => self.started(id),
            Event::SeenRunning { id, age, health } => self.seen_running(id, age, health),
            Event::Exited { id, code, out_of_memory } if self.is(&id) => self.exited(code, out_of_memory),
            Event::SeenDown { id } if !self.is(&id) => self.seen_down(id),
            Event::Gone { id } if self.is(&id) => self.state.phase = Phase::Absent,
            Event::ProbeOk { id } if self.is(&id) => self.passed(),
            Event::ProbeFailed { id, reason, silence } if self.is(&id) => self.failed(reason, silence),
            Event::EngineHealth { id, health } if self.is(&id) => self.engine_health(health),
            Event::Signalled { id, signal } if self.is(&id) => self.signalled(signal),
            Event::StopNotice { id } if self.is(&id) => self.stop_notice(),
            Event::Paused { id } if self.is(&id) && self.runs() => self.state.phase = Phase::Paused,
            Event::Unpaused { id } if self.is(&id) && self.state.phase == Phase::Paused => self.unproven(),
            Event::PlannedStop => self.planned(),
            Event::StartFailed { reason } if matches!(self.state.phase, Phase::Launching { .. }) => {
                self.restart_or_end(None, format!("it could not be started: {reason}"));
            }
            Event::AttestationFailed { id, reason } if self.is(&id) => self.refuse(reason),
            Event::Tick => self.tick(),
            _ => {}
        }
    }

    fn planned(&mut self) {
        self.expect_notices(self.policy.grace);
        // No plan starts what was refused; one that is taken back must not make anybody forget that it was.
        if !matches!(self.state.phase, Phase::Refused { .. }) {
            self.state.phase = Phase::Planned;
        }
    }

    /// An event is about this state's container, or about the first one that is heard of.
    fn is(&self, id: &str) -> bool {
        self.state.container.as_deref() == Some(id)
    }

    fn runs(&self) -> bool {
        matches!(
            self.state.phase,
            Phase::Starting { .. } | Phase::Unproven { .. } | Phase::Up { .. } | Phase::Unhealthy { .. }
        )
    }

    /// Another container than before: what was known of the old one says nothing about it.
    fn meet(&mut self, id: String) {
        if self.state.container.as_ref() != Some(&id) {
            let refused = self.state.refused.take();
            self.state = State { container: Some(id), refused, ..State::default() };
        }
    }

    fn seen_down(&mut self, id: String) {
        let Some((_, reason)) = self.state.refused.clone().filter(|(refused, _)| *refused == id) else {
            return;
        };
        self.meet(id);
        self.state.phase = Phase::Refused { reason, ended: true };
    }

    fn started(&mut self, id: String) {
        self.meet(id);
        match self.state.phase {
            // Known already; and the notice of a start may come after the attestation's word on it, and once more when the engine
            // is back: that somebody started what was refused has to be seen.
            Phase::Starting { .. } | Phase::Stopping { .. } | Phase::Refused { .. } => return,
            Phase::Stopped | Phase::Ended { .. } => self.started_by_somebody(),
            _ => {}
        }
        self.starting(Duration::ZERO);
    }

    fn seen_running(&mut self, id: String, age: Duration, health: Option<Health>) {
        let known = self.is(&id) && self.runs();
        self.meet(id);
        match self.state.phase {
            // It was asked to stop and has not yet.
            Phase::Stopping { .. } => return,
            // Somebody let it go on, and nobody heard of it.
            Phase::Paused => return self.unproven(),
            // It runs although it was refused: the stop did not take.
            Phase::Refused { ended: false, .. } => return self.stop(Duration::ZERO),
            Phase::Stopped | Phase::Ended { .. } | Phase::Refused { .. } => self.started_by_somebody(),
            _ => {}
        }
        if !known {
            self.starting(age);
        }
        if let Some(health) = health {
            self.engine_health(health);
        }
    }

    /// What held it back is over.
    fn started_by_somebody(&mut self) {
        self.state.restarts = 0;
        self.state.alerted = false;
        self.state.refused = None;
    }

    /// It runs since `age` ago.
    fn starting(&mut self, age: Duration) {
        if self.state.phase == Phase::Planned {
            // Whoever carried the plan out may have been killed with its stop under way.
            self.expect_notices(self.policy.grace);
        }
        self.state.failures = 0;
        self.state.failure = None;
        self.state.signalled = None;
        if self.policy.check == Check::None {
            self.state.phase = Phase::Up { since: self.now };
            return;
        }
        match self.policy.start_period.checked_sub(age) {
            Some(left) if !left.is_zero() || age.is_zero() => {
                self.state.phase = Phase::Starting { since: self.now, until: self.now + left };
            }
            _ => self.unproven(),
        }
    }

    fn unproven(&mut self) {
        self.state.failures = 0;
        self.state.phase = match self.policy.check {
            Check::None => Phase::Up { since: self.now },
            Check::Probe { .. } | Check::Engine => Phase::Unproven { since: self.now },
        };
    }

    fn passed(&mut self) {
        self.state.failures = 0;
        self.state.failure = None;
        match self.state.phase {
            Phase::Starting { .. } | Phase::Unproven { .. } | Phase::Unhealthy { .. } => {
                self.state.phase = Phase::Up { since: self.now };
            }
            _ => {}
        }
    }

    fn failed(&mut self, reason: String, silence: Silence) {
        let Check::Probe { retries, .. } = self.policy.check else { return };
        match self.state.phase {
            Phase::Starting { until, .. } => {
                self.state.failure = Some(reason);
                if self.now >= until {
                    self.start_overdue();
                }
            }
            Phase::Unproven { .. } | Phase::Up { .. } => {
                self.state.failures = self.state.failures.saturating_add(1);
                self.state.failure = Some(reason.clone());
                if self.state.failures >= retries {
                    let reason = format!("unhealthy, {} probes in a row: {reason}", self.state.failures);
                    self.unhealthy(reason, self.grace(silence));
                }
            }
            _ => {}
        }
    }

    fn engine_health(&mut self, health: Health) {
        match health {
            // Where the probe is ours, ours is the word on health.
            Health::Healthy if !matches!(self.policy.check, Check::Probe { .. }) => self.passed(),
            Health::Unhealthy if self.runs() && !matches!(self.state.phase, Phase::Unhealthy { .. }) => {
                self.unhealthy("unhealthy by its health check".to_owned(), self.policy.grace);
            }
            _ => {}
        }
    }

    fn grace(&self, silence: Silence) -> Duration {
        match silence {
            Silence::Answered => self.policy.grace,
            Silence::Silent => self.policy.grace.min(SILENT_GRACE),
            Silence::Frozen => Duration::ZERO,
        }
    }

    fn start_overdue(&mut self) {
        let budget = format!("not healthy within {} s of its start", self.policy.start_period.as_secs());
        // Where it came to this before, that is no further reason.
        let last = self.state.last.as_ref().filter(|last| !last.starts_with(&budget));
        let reason = last.map_or_else(|| budget.clone(), |last| format!("{budget}: {last}"));
        self.unhealthy(reason, self.policy.grace.min(SILENT_GRACE));
    }

    /// Restarts it, or says why not.
    fn unhealthy(&mut self, reason: String, grace: Duration) {
        match self.may_restart(None) {
            Ok(()) => {
                self.state.last = Some(reason.clone());
                self.stop(grace);
                self.state.phase = Phase::Stopping { until: self.now + grace + STOP_SLACK, reason };
            }
            Err((_, why_not)) => {
                let reason = format!("{reason}; not restarted: {why_not}");
                self.alert(Alert::GivenUp { reason: reason.clone() });
                self.state.phase = Phase::Unhealthy { since: self.now, reason };
            }
        }
    }

    fn expect_notices(&mut self, grace: Duration) {
        self.state.own_stops_until = self.state.own_stops_until.max(self.now + grace + STOP_SLACK);
    }

    fn stop(&mut self, grace: Duration) {
        self.expect_notices(grace);
        self.state.own_signals = self.state.own_signals.saturating_add(1);
        self.actions.push(Action::Stop { grace });
    }

    fn signalled(&mut self, signal: i32) {
        // A kill is how a crash looks; only a request to end is an administrator's word.
        if !matches!(signal, SIGINT | SIGQUIT | SIGTERM) {
            return;
        }
        let ours = std::mem::take(&mut self.state.own_signals);
        if ours > 0 && self.now <= self.state.own_stops_until {
            self.state.own_signals = ours - 1;
        } else if self.runs() || self.state.phase == Phase::Paused {
            self.state.signalled = Some(self.now);
        }
    }

    fn stop_notice(&mut self) {
        // Somebody's own within that time is known by its signal.
        if self.now <= self.state.own_stops_until {
            return;
        }
        match self.state.phase {
            // It ended, was taken for a crash, and is on its way up again: the administrator's word counts.
            Phase::Launching { .. } | Phase::Starting { .. } => {
                self.stop(self.policy.grace);
                self.state.phase = Phase::Stopped;
            }
            Phase::BackingOff { .. }
            | Phase::Ended { .. }
            | Phase::Up { .. }
            | Phase::Unproven { .. }
            | Phase::Unhealthy { .. }
            | Phase::Paused => {
                self.state.phase = Phase::Stopped;
            }
            _ => {}
        }
    }

    fn exited(&mut self, code: i64, out_of_memory: bool) {
        let signalled = self.state.signalled.take().is_some_and(|at| self.now <= at + SIGNAL_WINDOW);
        match std::mem::take(&mut self.state.phase) {
            Phase::Stopping { reason, .. } => self.restart_or_end(None, reason),
            Phase::Starting { .. }
            | Phase::Unproven { .. }
            | Phase::Up { .. }
            | Phase::Unhealthy { .. }
            | Phase::Paused
                if signalled =>
            {
                self.state.phase = Phase::Stopped;
            }
            Phase::Launching { .. }
            | Phase::Starting { .. }
            | Phase::Unproven { .. }
            | Phase::Up { .. }
            | Phase::Unhealthy { .. }
            | Phase::Paused => self.restart_or_end(Some(code), end(code, out_of_memory)),
            Phase::Refused { reason, .. } => self.state.phase = Phase::Refused { reason, ended: true },
            other => self.state.phase = self.refused_before().unwrap_or(other),
        }
    }

    /// What a container is that was refused, was out of sight while another had its name, and is back.
    fn refused_before(&self) -> Option<Phase> {
        let (_, reason) = self.state.refused.as_ref().filter(|(id, _)| self.is(id))?;
        Some(Phase::Refused { reason: reason.clone(), ended: true })
    }

    /// It is down. `code` is that of an end by itself; without one we ended it, or never got it to start.
    fn restart_or_end(&mut self, code: Option<i64>, reason: String) {
        self.state.failures = 0;
        self.state.last = Some(reason.clone());
        if let Err((why, why_not)) = self.may_restart(code) {
            let reason = format!("{reason}; not started again: {why_not}");
            if code != Some(0) || why == Why::Contract {
                self.alert(Alert::GivenUp { reason: reason.clone() });
            }
            self.state.phase = Phase::Ended { code, why, reason };
            return;
        }
        let delay = backoff::delay(self.state.restarts, self.jitter);
        self.state.restarts = self.state.restarts.saturating_add(1);
        if self.state.crash_looping() && !self.state.alerted {
            self.state.alerted = true;
            self.alert(Alert::CrashLoop { restarts: self.state.restarts, reason: reason.clone() });
        } else {
            self.alert(Alert::Restarting { reason: reason.clone(), delay });
        }
        if delay.is_zero() {
            self.launch();
        } else {
            self.state.phase = Phase::BackingOff { until: self.now + delay, reason };
        }
    }

    /// Whether the file lets it be started again after an end with this code, or after we ended it.
    fn may_restart(&self, code: Option<i64>) -> Result<(), (Why, String)> {
        let contract =
            code.and_then(|code| u8::try_from(code).ok()).and_then(|code| self.policy.on_exit.get(&code));
        match (contract, self.policy.restart) {
            (Some(OnExit::Stop), _) => {
                Err((Why::Contract, "`on_exit` says that starting it again cannot help".to_owned()))
            }
            (None, Restart::No) => Err((Why::Policy, "its `restart` is `no`".to_owned())),
            (None, Restart::OnFailure(_)) if code == Some(0) => {
                Err((Why::Policy, "its `restart` is `on-failure`".to_owned()))
            }
            (None, Restart::OnFailure(Some(n))) if self.state.restarts >= n => {
                Err((Why::GaveUp, format!("its `restart` is `on-failure:{n}`, and all are used")))
            }
            (Some(OnExit::Restart), _)
            | (None, Restart::Always | Restart::UnlessStopped | Restart::OnFailure(_)) => Ok(()),
        }
    }

    fn launch(&mut self) {
        self.actions.push(Action::Start);
        self.state.phase = Phase::Launching { until: self.now + LAUNCH };
    }

    fn refuse(&mut self, reason: String) {
        self.stop(Duration::ZERO);
        self.alert(Alert::Refused { reason: reason.clone() });
        self.state.refused = self.state.container.clone().map(|id| (id, reason.clone()));
        self.state.phase = Phase::Refused { reason, ended: false };
    }

    fn tick(&mut self) {
        match &self.state.phase {
            Phase::BackingOff { until, .. } if self.now >= *until => self.launch(),
            Phase::Starting { until, .. } if self.now >= *until => self.start_overdue(),
            Phase::Launching { until } if self.now >= *until => {
                self.restart_or_end(None, "the engine did not start it in time".to_owned());
            }
            Phase::Stopping { until, reason } if self.now >= *until => {
                let reason = reason.clone();
                self.alert(Alert::Stuck { reason: reason.clone() });
                self.stop(Duration::ZERO);
                self.state.phase = Phase::Stopping { until: self.now + backoff::LONGEST, reason };
            }
            _ => {}
        }
    }

    fn forget_after_health(&mut self) {
        let Phase::Up { since } = self.state.phase else { return };
        if self.state.restarts == 0 || self.now < since + backoff::RESET {
            return;
        }
        self.state.restarts = 0;
        if std::mem::take(&mut self.state.alerted) {
            self.alert(Alert::Recovered);
        }
    }

    fn look_again(&self) -> Option<Duration> {
        match &self.state.phase {
            Phase::Launching { until }
            | Phase::Starting { until, .. }
            | Phase::Stopping { until, .. }
            | Phase::BackingOff { until, .. } => Some(*until),
            Phase::Up { since } if self.state.restarts > 0 => Some(*since + backoff::RESET),
            _ => None,
        }
    }

    fn alert(&mut self, alert: Alert) {
        self.actions.push(Action::Alert(alert));
    }
}

/// An end by itself, in words.
fn end(code: i64, out_of_memory: bool) -> String {
    match code {
        _ if out_of_memory => format!("the kernel killed it for its memory (code {code})"),
        129..=192 => format!("ended by signal {} (code {code})", code - 128),
        _ => format!("ended with code {code}"),
    }
}
