//! One container as the loop keeps it: its rules, its state, its probe, and what is under way with it.
//!
//! A thin owner of `decide::heal`'s state machine. Deliberately absent: everything that concerns several containers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use compose::model::Probe;
use jiff::{SignedDuration, Timestamp};

use super::event::{Effect, Level, Now, ProbeEffect, Say, Up, Word};
use crate::decide::diagnose::Diagnosis;
use crate::decide::heal::{self, Action, Alert, Phase, Policy, State, Why};
use crate::decide::spec::{Bounds, ContainerSpec, Restart, ServiceSpec};
use crate::serve::snapshot::{Attestation, ProbeStatus};

/// A container without an address is asked about again after this long.
const NO_ADDRESS: Duration = Duration::from_secs(1);

/// The kernel's word is asked for again at the first look after this long. Looks are half a minute apart at most, so
/// that no word that counts is older than a minute.
const ATTEST_AGAIN: Duration = Duration::from_secs(30);

/// Limits that were set as promised and are others again so often in a row are not put right any more: it is refused.
const SURPRISES: u32 = 3;

/// One container.
#[derive(Debug)]
pub(super) struct Keep {
    pub(super) spec: Rc<ContainerSpec>,
    pub(super) policy: Policy,
    pub(super) heal: State,
    pub(super) attestation: Attestation,
    /// When the kernel's last word came.
    judged: Duration,
    pub(super) exit_code: Option<i64>,
    /// Why it ended last, and what mends it, if that is understood.
    pub(super) diagnosis: Option<String>,
    pub(super) restarts: u64,
    pub(super) probe: ProbeStatus,
    /// When an event or an action last said something newer than any look that began before.
    pub(super) touched: Duration,
    /// It is being compared with its promise.
    pub(super) attesting: bool,
    /// Something is run in it after each start.
    pub(super) has_hooks: bool,
    /// It is of another file than its spec: an update was taken back, and nobody remembers its promise.
    pub(super) is_of_another_file: bool,
    check: Option<Asked>,
    /// When the process that was met began; `None` where the running one was not met yet.
    met: Option<Timestamp>,
    address: Option<IpAddr>,
    way_out: Option<IpAddr>,
    pid: Option<u32>,
    /// The engine's restart policy, where it is known.
    pub(super) restart: Option<Restart>,
    /// Its bounds, where they are known.
    pub(super) bounds: Option<Bounds>,
    /// Those that it was compared with last.
    compared: Option<Bounds>,
    /// How often in a row it was found with other limits than those that it was compared with.
    surprises: u32,
    look_again: Option<Duration>,
    out_of_memory: bool,
    acting: bool,
    /// It ended while an action of ours was under way: the action's own word on it is older.
    ended: bool,
    /// Its rules have changed since it was last decided whether it may run again.
    eased: bool,
    /// Where it was when the plan began that is carried out: whose stop it is that is heard of, is known only afterwards.
    before_plan: Option<Phase>,
    /// When it became [`Phase::Stopped`], by the clock that never jumps.
    stopped: Option<Duration>,
    waiting: VecDeque<Action>,
}

/// Our own probe of it.
#[derive(Debug)]
struct Asked {
    probe: Probe,
    path: Rc<str>,
    startup: Option<Rc<str>>,
    body: Option<Rc<str>>,
    started: bool,
    under_way: bool,
    last_answer: Option<Duration>,
}

impl Keep {
    /// A container that nothing is known of but what an earlier process remembered.
    pub(super) fn new(service: &ServiceSpec, spec: &ContainerSpec, remembered: Option<State>) -> Self {
        let mut keep = Self {
            spec: Rc::new(spec.clone()),
            policy: Policy::of(service),
            heal: remembered.unwrap_or_default(),
            attestation: Attestation::Unknown,
            judged: Duration::ZERO,
            exit_code: None,
            diagnosis: None,
            restarts: 0,
            probe: ProbeStatus::default(),
            touched: Duration::ZERO,
            attesting: false,
            has_hooks: false,
            is_of_another_file: false,
            check: None,
            met: None,
            address: None,
            way_out: None,
            pid: None,
            restart: None,
            bounds: None,
            compared: None,
            surprises: 0,
            look_again: None,
            out_of_memory: false,
            acting: false,
            ended: false,
            eased: false,
            before_plan: None,
            stopped: None,
            waiting: VecDeque::new(),
        };
        keep.adopt(service, spec);
        if keep.waits_for_images() {
            // Nobody knows whether the engine was started anew meanwhile.
            keep.heal.phase = Phase::Planned;
        }
        keep
    }

    /// Takes on the rules of the file that is in force now.
    pub(super) fn adopt(&mut self, service: &ServiceSpec, spec: &ContainerSpec) {
        if *self.spec != *spec {
            self.spec = Rc::new(spec.clone());
        }
        let policy = Policy::of(service);
        self.eased |= policy != self.policy;
        self.policy = policy;
        if self.check.as_ref().map(|asked| &asked.probe) != service.probe.as_ref() {
            self.check = service.probe.as_ref().map(Asked::new);
        }
    }

    /// A file was taken: what gave up under the one before has a new chance. What somebody stopped stays stopped, and
    /// what ended well is not repeated, unless its rules are others now.
    pub(super) fn try_again(&mut self, now: Now, out: &mut Vec<Effect>) {
        let eased = std::mem::take(&mut self.eased);
        let again = match &self.heal.phase {
            Phase::Unhealthy { .. } | Phase::Ended { why: Why::Contract | Why::GaveUp, .. } => true,
            Phase::Ended { why: Why::Policy, .. } => eased,
            _ => false,
        };
        if again {
            self.feed(heal::Event::PlannedStop, now, out);
        }
    }

    /// The engine id that its state is about.
    pub(super) fn id(&self) -> Option<&str> {
        self.heal.container.as_deref()
    }

    /// Whether it runs, as far as is known.
    pub(super) fn runs(&self) -> bool {
        matches!(
            self.heal.phase,
            Phase::Starting { .. } | Phase::Unproven { .. } | Phase::Up { .. } | Phase::Unhealthy { .. }
        )
    }

    /// Whether nothing speaks against it: it is healthy, did its work, or is as somebody left it.
    pub(super) const fn is_well(&self) -> bool {
        matches!(
            self.heal.phase,
            Phase::Up { .. }
                | Phase::Stopped
                | Phase::Paused
                | Phase::Refused { ended: true, .. }
                | Phase::Ended { code: Some(0), why: Why::Policy, .. }
        )
    }

    /// Whether it was stopped, by somebody or as one that is not as promised, and is left so.
    pub(super) const fn is_left(&self) -> bool {
        matches!(self.heal.phase, Phase::Stopped | Phase::Refused { .. })
    }

    /// Whether it waits for its next start with images mounted, which an engine that was started anew does not mount again: a
    /// plan makes it anew.
    pub(super) fn waits_for_images(&self) -> bool {
        matches!(self.heal.phase, Phase::BackingOff { .. }) && self.spec.mounted_images().next().is_some()
    }

    /// Whether it is stopped by somebody's word, of then or later.
    pub(super) fn stopped_since(&self, then: Duration) -> bool {
        self.stopped.is_some_and(|at| at >= then)
    }

    /// Whether our own probe checks it.
    pub(super) const fn is_probed(&self) -> bool {
        self.check.is_some()
    }

    /// Whether one of our own actions on it is under way.
    pub(super) const fn is_acting(&self) -> bool {
        self.acting
    }

    /// Lets an event through the state machine.
    pub(super) fn feed(&mut self, event: heal::Event, now: Now, out: &mut Vec<Effect>) {
        if event == heal::Event::PlannedStop {
            self.waiting.clear();
        }
        let before = self.heal.phase.clone();
        let turn = heal::heal(&self.policy, std::mem::take(&mut self.heal), event, now.boot, now.jitter);
        self.heal = turn.state;
        self.look_again = turn.look_again;
        self.stopped = match self.heal.phase {
            Phase::Stopped => self.stopped.filter(|_| before == Phase::Stopped).or(Some(now.boot)),
            _ => None,
        };
        for action in turn.actions {
            match action {
                Action::Alert(alert) => out.push(self.say(alert)),
                action => self.waiting.push_back(action),
            }
        }
        self.act(out);
        self.tell(&before, out);
    }

    /// A plan begins, which may stop it.
    pub(super) fn plan_begins(&mut self) {
        self.before_plan = Some(self.heal.phase.clone());
    }

    /// The plan has ended, and what it stopped itself was [judged](Self::judge).
    pub(super) fn plan_ended(&mut self, out: &mut Vec<Effect>) {
        let Some(before) = self.before_plan.take() else { return };
        if self.heal.phase == Phase::Stopped {
            self.tell(&before, out);
        }
    }

    /// It runs: closer facts than a look or an event has.
    pub(super) fn meet(&mut self, up: &Up) {
        if self.met.is_some_and(|met| met != up.started_at) {
            // Another process than the one that was judged.
            self.unmeet();
        }
        self.met = Some(up.started_at);
        self.address = up.address.or(self.address);
        self.pid = up.pid;
        self.restart = Some(up.restart);
        self.bounds = Some(up.bounds);
    }

    /// Takes the kernel's word on it; a difference stops it.
    pub(super) fn judge(&mut self, id: String, word: Attestation, now: Now, out: &mut Vec<Effect>) {
        if let Attestation::Failed { differences, .. } = &word {
            let reason = differences.join("; ");
            self.feed(heal::Event::AttestationFailed { id, reason }, now, out);
        }
        if word != Attestation::Unknown {
            self.attestation = word;
            self.judged = now.boot;
        }
    }

    /// Takes the kernel's word on it, but for what the planner answers for: of another file nobody remembers the promise, and
    /// limits that are not as promised are put right. Whether it was judged by it.
    pub(super) fn hear_word(&mut self, word: Word, now: Now, out: &mut Vec<Effect>) -> bool {
        let Word { id, attestation, promised, seen } = word;
        if self.is_of_another_file {
            return false;
        }
        let is_a_surprise = seen.is_some_and(|seen| seen != promised);
        if let Some(seen) = seen.filter(|_| is_a_surprise) {
            // Somebody changed them meanwhile; or the engine drops what it was asked for, again and again.
            self.bounds = Some(seen);
            self.surprises += 1;
            if self.surprises < SURPRISES {
                return false;
            }
        } else if promised != self.spec.bounds() && !matches!(attestation, Attestation::Failed { .. }) {
            // All else is as promised, and that alone is no good word.
            return false;
        }
        if matches!(attestation, Attestation::Passed { .. }) {
            self.surprises = 0;
        }
        self.judge(id, attestation, now, out);
        true
    }

    /// The same of one that was asked for by [`attest`](Self::attest) or by a start.
    pub(super) fn answer(
        &mut self,
        id: String,
        attestation: Attestation,
        seen: Option<Bounds>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let promised = self.compared.unwrap_or_else(|| self.spec.bounds());
        self.hear_word(Word { id, attestation, promised, seen }, now, out);
    }

    /// Whether its limits are known to be others than promised.
    pub(super) fn has_drifted(&self) -> bool {
        !self.is_of_another_file && self.bounds.is_some_and(|bounds| bounds != self.spec.bounds())
    }

    /// What it is compared with: its spec, with the limits that it is known to have.
    fn promise(&mut self) -> Rc<ContainerSpec> {
        let bounds = self.bounds.filter(|_| self.has_drifted()).unwrap_or_else(|| self.spec.bounds());
        self.compared = Some(bounds);
        if bounds == self.spec.bounds() { Rc::clone(&self.spec) } else { Rc::new(self.spec.bounded(bounds)) }
    }

    /// Whether it runs as promised by the kernel's last word, and that word is old.
    pub(super) fn is_to_be_attested_again(&self, now: Now) -> bool {
        let passed = matches!(self.attestation, Attestation::Passed { .. });
        self.is_attestable() && passed && now.boot >= self.judged + ATTEST_AGAIN
    }

    /// Whether it runs, and the kernel was not asked about it yet, or said no of it before somebody started it again.
    pub(super) fn is_to_be_attested(&self) -> bool {
        self.is_attestable() && !matches!(self.attestation, Attestation::Passed { .. })
    }

    fn is_attestable(&self) -> bool {
        let free = !self.acting && !self.attesting && !self.is_of_another_file;
        free && self.runs() && self.is_met()
    }

    /// Compares it with its promise.
    pub(super) fn attest(&mut self, name: &str, out: &mut Vec<Effect>) {
        let Some(id) = self.id().map(str::to_owned) else { return };
        self.attesting = true;
        let spec = self.promise();
        out.push(Effect::Attest { name: name.to_owned(), id, spec });
    }

    /// The engine changed something about it: it is met anew.
    pub(super) fn forget(&mut self) {
        self.met = None;
    }

    /// Whether the process that runs was met.
    pub(super) const fn is_met(&self) -> bool {
        self.met.is_some()
    }

    /// Whether the engine's word of a start then is about the process that was met already.
    pub(super) fn has_met(&self, id: &str, at: Timestamp) -> bool {
        let slack = SignedDuration::from_secs(2);
        self.id() == Some(id) && self.met.is_some_and(|met| at.duration_since(met).abs() < slack)
    }

    /// Its process 1 began anew, or another container took its place: nothing that was known of the old one holds.
    pub(super) fn begin(&mut self, now: Now) {
        self.touched = now.boot;
        self.unmeet();
    }

    fn unmeet(&mut self) {
        self.met = None;
        self.address = None;
        self.way_out = None;
        self.attestation = Attestation::Unknown;
        if let Some(asked) = &mut self.check {
            asked.started = false;
            asked.last_answer = None;
        }
    }

    /// Where it is on its networks: probes reach it at any of them.
    pub(super) fn found_at(&mut self, networks: &BTreeMap<String, Option<IpAddr>>) {
        self.address = networks.values().copied().flatten().next().or(self.address);
        let way_out = self.spec.way_out().and_then(|name| *networks.get(name)?);
        self.way_out = way_out.or(self.way_out);
    }

    /// Where the host reaches it, while it runs.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address.filter(|_| self.runs())
    }

    /// The same on the network by which it reaches the outside.
    pub(super) fn way_out(&self) -> Option<IpAddr> {
        self.way_out.filter(|_| self.runs())
    }

    /// Its process 1, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid.filter(|_| self.runs())
    }

    /// The kernel killed one of its processes for its memory; its end comes next.
    pub(super) fn ran_out_of_memory(&mut self) {
        self.out_of_memory = true;
    }

    /// Whether its end is the kernel's doing.
    pub(super) fn take_out_of_memory(&mut self) -> bool {
        std::mem::take(&mut self.out_of_memory)
    }

    /// It ended, by the engine's events.
    pub(super) fn end(
        &mut self,
        name: &str,
        id: &str,
        (code, out_of_memory): (i64, bool),
        at: Timestamp,
        out: &mut Vec<Effect>,
    ) {
        self.exit_code = Some(code);
        self.ended = true;
        if self.id() != Some(id) {
            return;
        }
        // Whoever starts it next starts another process than the one that was met, however soon.
        self.met = self.met.filter(|met| *met >= at);
        if code != 0 {
            let (name, id) = (name.to_owned(), id.to_owned());
            out.push(Effect::Diagnose { name, id, spec: Rc::clone(&self.spec), code, out_of_memory });
        }
    }

    /// Why it ended, if that is understood. One that ends in the same way again and again is explained once.
    pub(super) fn explain(&mut self, id: &str, diagnosis: Option<Diagnosis>, out: &mut Vec<Effect>) {
        if self.id() != Some(id) {
            return;
        }
        let diagnosis = diagnosis.map(|diagnosis| diagnosis.to_string());
        if let Some(message) = diagnosis.clone().filter(|_| diagnosis != self.diagnosis) {
            out.push(Effect::Say(Say { level: Level::Error, service: self.spec.service.clone(), message }));
        }
        self.diagnosis = diagnosis;
    }

    /// Whether it ended since the last action of ours began.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// An action of ours on it has ended; the next one may begin.
    pub(super) fn acted(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.acting = false;
        self.touched = now.boot;
        self.act(out);
    }

    /// A probe has ended.
    pub(super) fn answered(&mut self, startup: bool, failure: Option<&str>, took: Duration, now: Now) {
        let Some(asked) = &mut self.check else { return };
        asked.under_way = false;
        asked.last_answer = Some(now.boot);
        if startup && failure.is_none() {
            asked.started = true;
            // Its health is asked at once: the start is over, and only the answer is missing.
            asked.last_answer = None;
        }
        self.probe.at = Some(now.wall);
        self.probe.failure = failure.map(str::to_owned);
        self.probe.seconds = took.as_secs_f64();
        self.probe.total += 1;
        self.probe.failed += u64::from(failure.is_some());
    }

    /// A probe of an earlier container has ended.
    pub(super) fn answered_by_another(&mut self) {
        if let Some(asked) = &mut self.check {
            asked.under_way = false;
        }
    }

    /// What is due now: the state machine's tick, and the next probe.
    pub(super) fn due(&mut self, name: &str, now: Now, out: &mut Vec<Effect>) {
        if self.look_again.is_some_and(|at| now.boot >= at) {
            self.feed(heal::Event::Tick, now, out);
        }
        if self.next_probe().is_some_and(|at| now.boot >= at) {
            self.ask(name, now, out);
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        [self.look_again, self.next_probe()].into_iter().flatten().min()
    }

    /// When the next start is due, if one waits for its back-off.
    pub(super) const fn next_start(&self) -> Option<Duration> {
        match self.heal.phase {
            Phase::BackingOff { until, .. } => Some(until),
            _ => None,
        }
    }

    fn next_probe(&self) -> Option<Duration> {
        // Until it was met, nobody knows where it is to be asked.
        let asked = self.check.as_ref().filter(|asked| !asked.under_way && self.is_met())?;
        let probing = self.heal.probing(&self.policy)?;
        let pause = if self.address.is_some() { probing.interval } else { probing.interval.max(NO_ADDRESS) };
        Some(asked.last_answer.map_or(Duration::ZERO, |at| at + pause))
    }

    fn ask(&mut self, name: &str, now: Now, out: &mut Vec<Effect>) {
        let (Some(probing), Some(id)) = (self.heal.probing(&self.policy), self.heal.container.clone()) else {
            return;
        };
        let Some(address) = self.address else {
            self.answered(false, Some("it has no address that the host can reach"), Duration::ZERO, now);
            let reason = "it has no address that the host can reach".to_owned();
            let silence = heal::Silence::Answered;
            return self.feed(heal::Event::ProbeFailed { id, reason, silence }, now, out);
        };
        let Some(asked) = &mut self.check else { return };
        let startup = asked.startup.clone().filter(|_| probing.starting && !asked.started);
        asked.under_way = true;
        out.push(Effect::Probe(Box::new(ProbeEffect {
            name: name.to_owned(),
            id,
            pid: self.pid,
            address: SocketAddr::new(address, asked.probe.port.get()),
            startup: startup.is_some(),
            body: asked.body.clone().filter(|_| startup.is_none()),
            path: startup.unwrap_or_else(|| Rc::clone(&asked.path)),
            timeout: asked.probe.timeout,
        })));
    }

    /// One action at a time: a stop that overtakes a start would be lost.
    fn act(&mut self, out: &mut Vec<Effect>) {
        if self.acting {
            return;
        }
        let Some(id) = self.heal.container.clone() else { return self.waiting.clear() };
        let name = self.spec.name.clone();
        match self.waiting.pop_front() {
            Some(Action::Start) => {
                self.restarts += 1;
                // Whatever was known of the process before says nothing about the one that comes.
                self.unmeet();
                let spec = (!self.is_of_another_file).then(|| self.promise());
                out.push(Effect::Start { name, id, spec, owes: self.has_hooks });
            }
            Some(Action::Stop { grace }) => {
                let service = self.spec.service.clone();
                out.push(Effect::Stop { name, service, id, grace });
            }
            Some(Action::Alert(_)) | None => return,
        }
        self.acting = true;
        self.ended = false;
    }

    fn say(&self, alert: Alert) -> Effect {
        let (level, message) = match alert {
            Alert::Restarting { reason, delay } if delay.is_zero() => {
                (Level::Warn, format!("restarting now: {reason}"))
            }
            Alert::Restarting { reason, delay } => {
                (Level::Warn, format!("restarting in {:.1} s: {reason}", delay.as_secs_f64()))
            }
            Alert::CrashLoop { restarts, reason } => {
                (Level::Error, format!("crash loop, {restarts} restarts in a row: {reason}"))
            }
            Alert::GivenUp { reason } => (Level::Error, reason),
            Alert::Stuck { reason } => {
                (Level::Error, format!("does not end, although it was killed: {reason}"))
            }
            Alert::Refused { reason } => {
                (Level::Error, format!("stopped, not confined as promised: {reason}"))
            }
            Alert::Recovered => (Level::Info, "ten minutes of health: the crash loop is over".to_owned()),
        };
        Effect::Say(Say { level, service: self.spec.service.clone(), message })
    }

    /// A change of phase that no alert tells of, but people want to know.
    fn tell(&self, before: &Phase, out: &mut Vec<Effect>) {
        let message = match (before, &self.heal.phase) {
            (Phase::Up { .. }, Phase::Up { .. })
            | (Phase::Stopped, Phase::Stopped)
            | (Phase::Paused, Phase::Paused) => return,
            (_, Phase::Stopped) if self.before_plan.is_some() => return,
            (_, Phase::Up { .. }) if self.policy.check == heal::Check::None => "running",
            (_, Phase::Up { .. }) => "healthy",
            (_, Phase::Stopped) => "somebody stopped it: it stays so until somebody starts it",
            (_, Phase::Paused) => "somebody paused it: it stays so until somebody lets it go on",
            _ => return,
        };
        let say = Say { level: Level::Info, service: self.spec.service.clone(), message: message.to_owned() };
        out.push(Effect::Say(say));
    }
}

impl Asked {
    fn new(probe: &Probe) -> Self {
        Self {
            path: probe.http.as_str().into(),
            startup: probe.startup.as_deref().map(Into::into),
            body: probe.body.as_deref().map(Into::into),
            probe: probe.clone(),
            started: false,
            under_way: false,
            last_answer: None,
        }
    }
}
