//! The loop's decisions: an event and the time go in, effects come out.
//!
//! Converge first, then watch. Deliberately absent: clocks, sockets, files, and waiting of any kind; the shell brings
//! events and carries out effects, so that a test can do both on simulated time.

mod answering;
mod converging;
mod engine;
mod hearing;
mod lending;
mod loading;
mod looking;
mod rejecting;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::compare::probed;
use super::due::{Due, Heard, UnderWay};
use super::event::{Effect, Event, Images, Level, Now, Say, Signal};
use super::guarded::Guarded;
use super::journal::{Memory, Rejected};
use super::keep::Keep;
use super::lend::Lend;
use crate::decide::heal::{self, Phase as HealPhase};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::pipeline::Stack;
use crate::serve::snapshot::{EngineStatus, PlanStatus, Refusal, Totals};

/// A failed look is repeated after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The loop turns at least so often, so that everyone can see that it does.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Everything that the loop knows.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) stack: Option<Rc<Stack>>,
    /// The last one that was seen to be as wanted and well: what an update that fails goes back to.
    good: Option<(Rc<Stack>, Rc<Wanted>)>,
    /// The hash of what was well last, by this process or one before it.
    good_hash: Option<String>,
    /// An update that did not work.
    pub(super) rejected: Option<Rejected>,
    pub(super) wanted: Option<Rc<Wanted>>,
    pub(super) loaded_at: Option<Timestamp>,
    pub(super) refused: Option<Refusal>,
    pub(super) engine: EngineStatus,
    /// Which run of the engine answered last, where it tells.
    life: Option<String>,
    /// Since when it has not answered, the last time that it did not.
    away_since: Duration,
    pub(super) keeps: BTreeMap<String, Keep>,
    /// A service that somebody else has in hand.
    pub(super) lend: Lend,
    pub(super) converged: bool,
    pub(super) applying: bool,
    pub(super) stopping: bool,
    /// Why the last attempt to converge failed.
    pub(super) failure: Option<String>,
    /// What the last plan said besides its steps.
    pub(super) notes: Vec<String>,
    /// Services that the last plan left as they are until somebody does something, and what.
    pub(super) waiting: BTreeMap<String, String>,
    pub(super) last_plan: Option<PlanStatus>,
    pub(super) totals: Totals,
    pub(super) guard: Guarded,
    was_ready: bool,
    /// A file was taken, and no look has followed yet.
    try_again: bool,
    failures: u32,
    /// Containers that the update under way watches itself.
    updating: BTreeSet<String>,
    /// What the plan under way leads to.
    leads_to: Option<LeadsTo>,
    /// Containers that the plan under way changes in place.
    changed_in_place: Vec<String>,
    images: Images,
    /// What was wanted at the last look, with what it was made of: most looks find the same.
    made: Option<Made>,
    remembered: BTreeMap<String, heal::State>,
    heard: Heard,
    under_way: UnderWay,
    due: Due,
}

/// What a plan leads to.
#[derive(Debug)]
struct LeadsTo {
    wanted: Rc<Wanted>,
    /// Of which it is.
    stack: Rc<Stack>,
    /// It is another one than what is there.
    is_news: bool,
    /// The plan proves it: what was there before is gone once it has ended well.
    is_update: bool,
    /// What was there before.
    before: Rc<Seen>,
}

/// What is wanted, by a stack and the images that are there.
#[derive(Debug)]
struct Made {
    of: Rc<Stack>,
    with: Images,
    wanted: Rc<Wanted>,
}

impl Made {
    fn is_of(&self, stack: &Rc<Stack>, images: &Images) -> bool {
        Rc::ptr_eq(&self.of, stack) && self.with == *images
    }
}

impl Watch {
    /// Knows nothing yet.
    pub(super) fn new(now: Now) -> Self {
        Self {
            stack: None,
            good: None,
            good_hash: None,
            rejected: None,
            wanted: None,
            loaded_at: None,
            refused: None,
            engine: EngineStatus::default(),
            life: None,
            away_since: Duration::ZERO,
            keeps: BTreeMap::new(),
            lend: Lend::default(),
            converged: false,
            applying: false,
            stopping: false,
            failure: None,
            notes: Vec::new(),
            waiting: BTreeMap::new(),
            last_plan: None,
            totals: Totals::default(),
            guard: Guarded::default(),
            was_ready: false,
            try_again: false,
            failures: 0,
            updating: BTreeSet::new(),
            leads_to: None,
            changed_in_place: Vec::new(),
            images: Images::new(),
            made: None,
            remembered: BTreeMap::new(),
            heard: Heard::default(),
            under_way: UnderWay::default(),
            due: Due { load: Some(now.boot), ..Due::default() },
        }
    }

    /// What an earlier process knew of its containers.
    pub(super) fn remember(&mut self, memory: Memory) {
        self.remembered = memory.containers;
        self.rejected = memory.rejected;
        self.good_hash = memory.good;
    }

    /// One turn.
    pub(super) fn take(&mut self, event: Event, now: Now) -> Vec<Effect> {
        let mut out = Vec::new();
        self.heard.turn(now);
        match event {
            Event::Loaded(Ok(stack)) => self.loaded(stack, now, &mut out),
            Event::Loaded(Err(refusal)) => self.refuse(refusal, now, &mut out),
            Event::Connected(outcome) => self.connected(outcome, now, &mut out),
            Event::Looked { began, outcome: Ok(look) } => self.looked(began, *look, now, &mut out),
            Event::Looked { outcome: Err(fault), .. } => {
                self.under_way.looking = false;
                self.due.look = Some(now.boot + LOOK_AGAIN);
                self.fault(&fault, now, &mut out);
            }
            Event::Heard(event) => self.hear(event, now, &mut out),
            Event::Deaf(fault) => self.deaf(&fault, now, &mut out),
            Event::Applied { attested, outcome, rejected } => {
                let failed = outcome.as_ref().err().map(|fault| fault.message.clone());
                self.applied(attested, outcome, now, &mut out);
                if let Some(reason) = failed.filter(|_| rejected) {
                    self.reject(&reason, now, &mut out);
                }
            }
            Event::Started { name, outcome } => self.started(&name, outcome, now, &mut out),
            Event::Stopped { name, outcome } => self.stopped(&name, outcome, now, &mut out),
            Event::Diagnosed { name, id, diagnosis } => {
                if let Some(keep) = self.keeps.get_mut(&name) {
                    keep.explain(&id, diagnosis, &mut out);
                }
            }
            Event::Attested { name, id, attestation, settings } => {
                let seen = settings.map(|(_, bounds)| bounds);
                if let Some(settings) = settings.filter(|_| !self.applying) {
                    self.changed(&name, &id, settings, now);
                }
                self.attested(&name, &id, (attestation, seen), now, &mut out);
            }
            Event::Probed { name, id, startup, failure, took } => {
                if let Some(keep) = self.keeps.get_mut(&name) {
                    probed(keep, id, startup, failure, took, now, &mut out);
                }
            }
            Event::Asked(asked) => self.lend.asked = asked,
            Event::Signal(Signal::Reload) => self.due.load = Some(now.boot),
            Event::Signal(Signal::End) => {
                self.stopping = true;
                out.push(Effect::End);
            }
            Event::Tick => {}
        }
        self.note_good();
        self.lend(now, &mut out);
        self.due(now, &mut out);
        out
    }

    /// When the next turn has to be, if nothing happens before.
    pub(super) fn deadline(&self, now: Now) -> Duration {
        let due = [
            self.due.load.filter(|_| !self.under_way.loading),
            self.due.connect.filter(|_| !self.under_way.connecting),
            self.due.listen.filter(|_| self.engine.reachable),
            self.due.look.filter(|_| self.may_look()),
        ];
        let keeps = self.keeps.values().filter_map(|keep| keep.deadline().filter(|_| self.engine.reachable));
        due.into_iter()
            .flatten()
            .chain(keeps)
            .min()
            .map_or(now.boot + HEARTBEAT, |at| at.min(now.boot + HEARTBEAT))
    }

    /// What the next process has to know.
    pub(super) fn to_remember(&self) -> Memory {
        let mut containers = self.remembered.clone();
        containers.extend(self.keeps.iter().map(|(name, keep)| (name.clone(), keep.heal.clone())));
        Memory { containers, rejected: self.rejected.clone(), good: self.good_hash.clone() }
    }

    fn may_look(&self) -> bool {
        self.stack.is_some() && self.engine.reachable && !self.under_way.looking
    }

    fn due(&mut self, now: Now, out: &mut Vec<Effect>) {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| now.boot >= at);
        if is_due(self.due.load) && !self.under_way.loading {
            self.due.load = None;
            self.under_way.loading = true;
            out.push(Effect::Load);
        }
        if is_due(self.due.connect) && !self.under_way.connecting {
            self.due.connect = None;
            self.under_way.connecting = true;
            out.push(Effect::Connect);
        }
        if let Some(stack) = &self.stack {
            if is_due(self.due.listen) && self.engine.reachable {
                self.due.listen = None;
                self.engine.listening = true;
                self.totals.reconnects += u64::from(self.heard.times > 0);
                self.heard.times += 1;
                out.push(Effect::Listen { project: stack.project().to_owned(), since: self.heard.since() });
            }
            if is_due(self.due.look) && self.may_look() {
                self.due.look = None;
                self.under_way.looking = true;
                out.push(self.look(stack));
            }
        }
        if self.engine.reachable {
            for (name, keep) in &mut self.keeps {
                keep.due(name, now, out);
            }
        }
    }
}

fn launching(keep: &Keep) -> bool {
    matches!(keep.heal.phase, HealPhase::Launching { .. })
}

fn say(out: &mut Vec<Effect>, level: Level, service: &str, message: String) {
    out.push(Effect::Say(Say { level, service: service.to_owned(), message }));
}
