//! The loop's decisions: an event and the time go in, effects come out.
//!
//! Converge first, then watch. Deliberately absent: clocks, sockets, files, and waiting of any kind; the shell brings
//! events and carries out effects, so that a test can do both on simulated time.

mod engine;
mod lending;
mod rejecting;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::compare::{compare, differs, holds_other_configs, is_ours, probed};
use super::due::{Due, Heard, UnderWay};
use super::event::{Effect, Event, Fault, FaultKind, Images, Level, Look, Now, Say, Signal, Up, Word};
use super::guarded::Guarded;
use super::journal::{Memory, Rejected};
use super::keep::Keep;
use super::lend::Lend;
use super::touch::{changed_in_place, container_of, describe, touched, with_followers};
use crate::decide::backoff;
use crate::decide::hash;
use crate::decide::heal::{self, Phase as HealPhase};
use crate::decide::plan::{
    Choice, Dependencies, FULL_LOOK, Orphans, Plan, Recreate, Standing, guard_alone, plan_with,
    promised_before, runs_to_its_end,
};
use crate::decide::seen::Seen;
use crate::decide::spare;
use crate::decide::spec::{Bounds, Restart, Wanted};
use crate::decide::wanted::Restarts;
use crate::engine::{EngineEvent, EventKind, Scope};
use crate::pipeline::Stack;
use crate::serve::snapshot::{Attestation, EngineStatus, PlanStatus, Refusal, Totals};

/// From an event that only a look can explain to that look: what comes together is looked at together.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// A failed look is repeated after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Without a stack in force, the file is read again after this long: whatever was wrong may be put right.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// A plan about a container that an action of ours is under way on is made again after this long.
const ACTION_PAUSE: Duration = Duration::from_secs(1);
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

    fn look(&self, stack: &Rc<Stack>) -> Effect {
        let scope = match self.made.as_ref().filter(|made| Rc::ptr_eq(&made.of, stack)) {
            // An image's id says nothing of names.
            Some(made) => Scope::wanted(&made.wanted),
            None => stack
                .wanted(&self.images, Restarts::Ours)
                .map_or_else(|_| Scope::project(stack.project()), |wanted| Scope::wanted(&wanted)),
        };
        let missing = |image: &String| !self.images.contains_key(image);
        let known = self.keeps.values().filter(|keep| keep.is_met() && keep.runs());
        Effect::Look {
            scope,
            images: stack.images().into_iter().filter(missing).collect(),
            known: known.filter_map(|keep| keep.id().map(str::to_owned)).collect(),
        }
    }

    fn look_soon(&mut self, now: Now) {
        let soon = now.boot + LOOK_SOON;
        self.due.look = Some(self.due.look.map_or(soon, |at| at.min(soon)));
    }

    fn loaded(&mut self, stack: Box<Stack>, now: Now, out: &mut Vec<Effect>) {
        self.under_way.loading = false;
        if let Some(old) = &self.stack
            && old.project() != stack.project()
        {
            let (old, new) = (old.project(), stack.project());
            let error = format!(
                "the project's name changed from `{old}` to `{new}`: end this supervisor, run `down`, and start anew"
            );
            return self.refuse(Refusal { at: now.wall, unreadable: false, errors: vec![error] }, now, out);
        }
        say(out, Level::Info, "", format!("read the stack `{}`", stack.project()));
        let first = self.stack.replace(Rc::from(stack)).is_none();
        if !first {
            // Somebody had it read anew: that is a new chance.
            self.rejected = None;
        }
        self.refused = None;
        self.loaded_at = Some(now.wall);
        self.images.clear();
        self.under_way.stale = self.under_way.looking;
        self.failures = 0;
        self.due.converge = now.boot;
        self.converged = false;
        self.try_again = true;
        if first {
            self.due.load = None;
            self.due.connect = Some(now.boot);
            return;
        }
        self.due.look = Some(now.boot);
    }

    fn refuse(&mut self, refusal: Refusal, now: Now, out: &mut Vec<Effect>) {
        self.under_way.loading = false;
        if self.stack.is_none() {
            self.due.load = Some(now.boot + READ_AGAIN);
        }
        let again = self.refused.as_ref().is_some_and(|before| before.errors == refusal.errors);
        if !again || self.stack.is_some() {
            self.totals.refusals += 1;
            let stays = if self.stack.is_some() { "; the stack stays as it is" } else { "" };
            for error in &refusal.errors {
                say(out, Level::Error, "", format!("the file is not taken{stays}: {error}"));
            }
        }
        self.refused = Some(refusal);
    }

    fn hear(&mut self, event: EngineEvent, now: Now, out: &mut Vec<Effect>) {
        if !self.heard.is_news(&event) || self.heard.is_over(&event) {
            return;
        }
        match event.kind {
            EventKind::Create
            | EventKind::Destroy
            | EventKind::Rename
            | EventKind::Update
            | EventKind::Start => {
                self.look_soon(now);
            }
            _ => {}
        }
        let Some(keep) = self.keeps.get_mut(&event.name) else { return };
        keep.touched = now.boot;
        if self.updating.contains(&event.name) {
            // The update watches it, and goes back if it does not do well: two healers would fight.
            return;
        }
        let id = event.id;
        let event = match event.kind {
            EventKind::Start => {
                if !keep.is_acting() && !keep.has_met(&id, event.at) {
                    keep.begin(now);
                }
                heal::Event::Started { id }
            }
            EventKind::Kill(signal) => heal::Event::Signalled { id, signal },
            EventKind::Die(code) => {
                let out_of_memory = keep.take_out_of_memory();
                keep.end(&event.name, &id, (code, out_of_memory), out);
                heal::Event::Exited { id, code, out_of_memory }
            }
            EventKind::Stop => heal::Event::StopNotice { id },
            EventKind::OutOfMemory => return keep.ran_out_of_memory(),
            EventKind::Health(health) => heal::Event::EngineHealth { id, health },
            EventKind::Pause => heal::Event::Paused { id },
            EventKind::Unpause => heal::Event::Unpaused { id },
            EventKind::Destroy => heal::Event::Gone { id },
            EventKind::Update => return keep.forget(),
            EventKind::Create | EventKind::Rename => return,
        };
        keep.feed(event, now, out);
    }

    fn looked(&mut self, began: Duration, mut look: Look, now: Now, out: &mut Vec<Effect>) {
        self.under_way.looking = false;
        if std::mem::take(&mut self.under_way.stale) {
            self.due.look = Some(now.boot);
            return;
        }
        self.due.look = Some(self.due.look.map_or(now.boot + FULL_LOOK, |at| at.min(now.boot + FULL_LOOK)));
        self.engine.looked_at = Some(now.wall);
        self.engine.look_seconds = look.took.as_secs_f64();
        self.engine.error = None;
        self.totals.looks += 1;
        self.heard.looked(began, now);
        self.images.extend(look.seen.images.clone());
        let Some(stack) = &self.stack else { return };
        let wanted = match self.made.take().filter(|made| made.is_of(stack, &self.images)) {
            Some(made) => made,
            None => match stack.wanted(&self.images, Restarts::Ours) {
                Ok(wanted) => {
                    Made { of: Rc::clone(stack), with: self.images.clone(), wanted: Rc::new(wanted) }
                }
                Err(error) => return self.failure = Some(error.to_string()),
            },
        };
        let wanted = Rc::clone(&self.made.insert(wanted).wanted);
        self.keep(&wanted);
        self.wanted = Some(Rc::clone(&wanted));
        self.lend.see(&look.seen.containers);
        if std::mem::take(&mut self.try_again) {
            for keep in self.keeps.values_mut() {
                keep.try_again(now, out);
            }
        }
        for (name, keep) in &mut self.keeps {
            let mut ours = look.seen.containers.iter().filter(|c| is_ours(c, &wanted.project));
            // One that somebody renamed is the same still.
            let seen =
                ours.clone().find(|c| c.name == *name).or_else(|| ours.find(|c| keep.id() == Some(&c.id)));
            compare(keep, seen, &look.met, (began, self.applying), now, out);
        }
        for seen in &mut look.seen.containers {
            // The engine's list has labels that say what its policy and bounds were once.
            let keep = self.keeps.get(&seen.name).filter(|keep| keep.id() == Some(&seen.id));
            seen.restart = keep.and_then(|keep| keep.restart);
            seen.bounds = keep.and_then(|keep| keep.bounds);
            let keep = self.keeps.get(spare::base(&seen.name));
            seen.refused = keep.is_some_and(|keep| keep.heal.has_refused(&seen.id));
        }
        if self.applying {
            return;
        }
        if self.keeps.values().any(|keep| keep.touched > began) {
            // Something happened after this look began: a plan would be about the past.
            return self.look_soon(now);
        }
        self.converge(&wanted, &look, now, out);
        if !self.applying {
            self.attest_again(now, out);
        }
    }

    /// What is in force can be taken away behind our back: the kernel is asked again and again.
    fn attest_again(&mut self, now: Now, out: &mut Vec<Effect>) {
        for (name, keep) in &mut self.keeps {
            if keep.is_to_be_attested_again(now) {
                keep.attest(name, out);
            }
        }
    }

    /// Every wanted container is kept, and no other.
    fn keep(&mut self, wanted: &Wanted) {
        let mut keeps = std::mem::take(&mut self.keeps);
        for service in wanted.services.values().filter(|service| !self.lend.has(&service.service)) {
            for spec in &service.containers {
                let keep = match keeps.remove(&spec.name) {
                    Some(mut keep) => {
                        keep.adopt(service, spec);
                        keep
                    }
                    None => Keep::new(service, spec, self.remembered.remove(&spec.name)),
                };
                self.keeps.insert(spec.name.clone(), keep);
            }
        }
    }

    fn converge(&mut self, wanted: &Rc<Wanted>, look: &Look, now: Now, out: &mut Vec<Effect>) {
        let rejected = self.is_rejected(wanted, now);
        let held = self.keeps.iter().filter_map(|(name, keep)| Some((name.clone(), keep.heal.held()?)));
        let recreate = if rejected { Recreate::Back } else { Recreate::Changed };
        let others = || wanted.services.keys().filter(|service| !self.lend.has(service)).cloned().collect();
        let choice = Choice {
            services: self.lend.lent.is_some().then(others),
            dependencies: Dependencies::Left,
            held: held.collect(),
            orphans: Orphans::Remove,
            recreate,
            standing: self.standing(wanted),
        };
        for keep in self.keeps.values_mut() {
            let made_of = look.seen.containers.iter().find(|seen| keep.id() == Some(&seen.id));
            let hash = made_of.and_then(|seen| seen.hash.as_deref());
            let bounds = keep.bounds.is_some_and(|bounds| bounds != keep.spec.bounds());
            keep.is_of_another_file = rejected && (bounds || hash != Some(hash::container(&keep.spec)))
                || made_of.is_some_and(|seen| holds_other_configs(seen, &keep.spec));
            keep.has_hooks = made_of.is_some_and(|seen| !seen.hooks.post_start.is_empty());
        }
        let plan = plan_with(wanted, &look.seen, &choice);
        self.guard.looked(wanted, &look.seen);
        self.notes.clone_from(&plan.warnings);
        self.waiting.clone_from(&plan.waiting);
        if !plan.blocked.is_empty() {
            let failure = plan.blocked.join("; ");
            if self.failure.as_ref() != Some(&failure) {
                say(out, Level::Error, "", failure.clone());
            }
            self.failure = Some(failure);
            self.converged = false;
            return self.guard_alone(wanted, look, out);
        }
        if plan.steps.is_empty() {
            return self.is_converged(out);
        }
        self.converged = false;
        if now.boot < self.due.converge {
            self.due.look = Some(self.due.look.map_or(self.due.converge, |at| at.min(self.due.converge)));
            return self.guard_alone(wanted, look, out);
        }
        if plan.steps.iter().filter_map(touched).any(|name| self.is_acting(name)) {
            // Healing has asked the engine for something about it, and a plan that is made now would not know what.
            let then = now.boot + ACTION_PAUSE;
            self.due.look = Some(self.due.look.map_or(then, |at| at.min(then)));
            return self.guard_alone(wanted, look, out);
        }
        // An update watches all that it touches itself, and goes back if one does not do well.
        let is_update = plan.tidy_from.is_some();
        for name in plan.steps.iter().filter_map(if is_update { touched } else { container_of }) {
            if let Some(keep) = self.keeps.get_mut(name) {
                keep.feed(heal::Event::PlannedStop, now, out);
            }
        }
        self.updating = if is_update { with_followers(wanted, &plan) } else { BTreeSet::new() };
        self.changed_in_place = plan.steps.iter().filter_map(changed_in_place).map(str::to_owned).collect();
        let promised = match recreate {
            Recreate::Back => Rc::new(promised_before(wanted, &plan, &look.seen)),
            _ => Rc::clone(wanted),
        };
        self.begin(plan, (Rc::clone(wanted), promised), Rc::new(look.seen.clone()), out);
    }

    fn standing(&self, wanted: &Wanted) -> Standing {
        match &self.good_hash {
            Some(good) if *good == hash::wanted(wanted) => Standing::Proved,
            _ => Standing::Unproved,
        }
    }

    fn is_acting(&self, name: &str) -> bool {
        self.keeps.get(name).is_some_and(Keep::is_acting)
    }

    /// Whatever else cannot be done, or not yet: the guard is put back.
    fn guard_alone(&mut self, wanted: &Rc<Wanted>, look: &Look, out: &mut Vec<Effect>) {
        if let Some(plan) = guard_alone(wanted, &look.seen) {
            self.begin(plan, (Rc::clone(wanted), Rc::clone(wanted)), Rc::new(look.seen.clone()), out);
        }
    }

    /// Has a plan carried out that leads to what is wanted, with the promises that what it starts is compared with.
    fn begin(
        &mut self,
        plan: Plan,
        (wanted, promised): (Rc<Wanted>, Rc<Wanted>),
        before: Rc<Seen>,
        out: &mut Vec<Effect>,
    ) {
        self.applying = true;
        self.keeps.values_mut().for_each(Keep::plan_begins);
        let is_news = differs(&wanted, &before);
        let is_update = plan.tidy_from.is_some();
        let (to, before_it) = (Rc::clone(&wanted), Rc::clone(&before));
        let leads_to = |stack| LeadsTo { wanted: to, stack, is_news, is_update, before: before_it };
        self.leads_to = self.stack.clone().map(leads_to);
        self.totals.plans += 1;
        self.totals.guard_restorations += u64::from(self.was_ready && self.guard.is_lost());
        for planned in &plan.steps {
            say(out, Level::Info, "", describe(planned));
        }
        self.last_plan =
            Some(PlanStatus { at: None, steps: plan.steps.iter().map(describe).collect(), failure: None });
        out.push(Effect::Apply { plan: Rc::new(plan), wanted: promised, before });
    }

    fn is_converged(&mut self, out: &mut Vec<Effect>) {
        self.failure = None;
        self.failures = 0;
        self.converged = true;
        // What is remembered of containers that nobody wants any more is of no use from now on.
        self.remembered.clear();
        if !std::mem::replace(&mut self.was_ready, true) {
            let left = self.keeps.iter().filter(|(_, keep)| keep.is_left());
            let left: Vec<_> = left.map(|(name, _)| format!("`{name}`")).collect();
            match left.as_slice() {
                [] => say(out, Level::Info, "", "the stack is as wanted, and is watched".to_owned()),
                some => {
                    let message = format!("the stack is watched; stopped and left so: {}", some.join(", "));
                    say(out, Level::Warn, "", message);
                }
            }
            out.push(Effect::Ready);
        }
        for (name, keep) in &mut self.keeps {
            if keep.is_to_be_attested() {
                keep.attest(name, out);
            }
        }
    }

    /// What is in force as wanted, and well, is what is gone back to.
    fn note_good(&mut self) {
        let (Some(stack), Some(wanted)) = (&self.stack, &self.wanted) else { return };
        let is_noted = |(good, as_wanted): &(Rc<Stack>, Rc<Wanted>)| {
            Rc::ptr_eq(good, stack) && Rc::ptr_eq(as_wanted, wanted)
        };
        if !self.converged || self.refused.is_some() || self.good.as_ref().is_some_and(is_noted) {
            return;
        }
        if self.is_well() {
            self.good_hash = Some(hash::wanted(wanted));
            self.good = Some((Rc::clone(stack), Rc::clone(wanted)));
        }
    }

    fn is_well(&self) -> bool {
        let is_done = |keep: &Keep| {
            let wanted = self.wanted.as_ref();
            let service = wanted.and_then(|wanted| Some((wanted, wanted.services.get(&keep.spec.service)?)));
            service.is_some_and(|(wanted, service)| runs_to_its_end(wanted, service)) && !keep.runs()
        };
        self.keeps.values().all(|keep| keep.is_well() || is_done(keep))
    }

    fn applied(
        &mut self,
        attested: BTreeMap<String, Word>,
        outcome: Result<(), Fault>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.applying = false;
        self.updating.clear();
        self.due.look = Some(now.boot);
        for (name, word) in attested {
            if let Some(keep) = self.keeps.get_mut(&name) {
                if keep.id() != Some(&word.id) {
                    keep.begin(now);
                    keep.feed(heal::Event::Started { id: word.id.clone() }, now, out);
                }
                let has_failed = matches!(word.attestation, Attestation::Failed { .. });
                if !keep.hear_word(word, now, out) && has_failed {
                    // The plan stopped it; the next one starts it as it is to be.
                    keep.feed(heal::Event::PlannedStop, now, out);
                }
            }
        }
        for keep in self.keeps.values_mut() {
            keep.plan_ended(out);
        }
        if let Some(plan) = &mut self.last_plan {
            plan.at = Some(now.wall);
        }
        if outcome.is_ok() {
            if let Some(proved) = self.leads_to.take().filter(|to| to.is_update && self.refused.is_none()) {
                self.good_hash = Some(hash::wanted(&proved.wanted));
                self.good = Some((proved.stack, proved.wanted));
            }
            for name in std::mem::take(&mut self.changed_in_place) {
                if let Some(keep) = self.keeps.get_mut(&name) {
                    keep.restart = Some(keep.spec.restart);
                    keep.bounds = Some(keep.spec.bounds());
                }
            }
        }
        let Err(fault) = outcome else { return };
        self.totals.plan_failures += 1;
        self.failures = self.failures.saturating_add(1);
        self.due.converge = now.boot + backoff::delay(self.failures, now.jitter);
        if let Some(plan) = &mut self.last_plan {
            plan.failure = Some(fault.message.clone());
        }
        say(out, Level::Error, "", fault.message.clone());
        if fault.kind == FaultKind::EngineAway {
            self.fault(&fault, now, out);
        }
        self.failure = Some(fault.message);
    }

    fn started(&mut self, name: &str, outcome: Result<Box<Up>, Fault>, now: Now, out: &mut Vec<Effect>) {
        let Some(keep) = self.keeps.get_mut(name) else { return };
        match outcome {
            Ok(_) if keep.has_ended() => keep.acted(now, out),
            Ok(up) => {
                keep.begin(now);
                keep.meet(&up);
                let Up { id, attestation, bounds, .. } = *up;
                if keep.heal.phase != HealPhase::Paused {
                    let running =
                        heal::Event::SeenRunning { id: id.clone(), age: Duration::ZERO, health: None };
                    keep.feed(running, now, out);
                }
                keep.answer(id, attestation, Some(bounds), now, out);
                keep.acted(now, out);
                if keep.has_drifted() {
                    self.look_soon(now);
                }
            }
            Err(fault) => {
                match fault.kind {
                    FaultKind::EngineAway => keep.feed(heal::Event::PlannedStop, now, out),
                    FaultKind::Gone => {
                        let id = keep.id().unwrap_or_default().to_owned();
                        keep.feed(heal::Event::Gone { id }, now, out);
                    }
                    FaultKind::Ended => {}
                    FaultKind::Other => {
                        keep.feed(heal::Event::StartFailed { reason: fault.message.clone() }, now, out);
                    }
                }
                keep.acted(now, out);
                self.fault_of_action(&fault, now, out);
            }
        }
    }

    fn stopped(&mut self, name: &str, outcome: Result<(), Fault>, now: Now, out: &mut Vec<Effect>) {
        let Some(keep) = self.keeps.get_mut(name) else { return };
        keep.acted(now, out);
        if let Err(fault) = outcome {
            if fault.kind == FaultKind::Other {
                let service = keep.spec.service.clone();
                say(out, Level::Error, &service, format!("it could not be stopped: {}", fault.message));
            }
            self.fault_of_action(&fault, now, out);
        }
    }

    fn fault_of_action(&mut self, fault: &Fault, now: Now, out: &mut Vec<Effect>) {
        match fault.kind {
            FaultKind::EngineAway => self.fault(fault, now, out),
            FaultKind::Gone | FaultKind::Ended => self.look_soon(now),
            FaultKind::Other => {}
        }
    }

    /// Somebody may have changed in place what the engine's list does not tell, and its events may have been missed.
    fn changed(&mut self, name: &str, id: &str, (restart, bounds): (Restart, Bounds), now: Now) {
        let Some(keep) = self.keeps.get_mut(name).filter(|keep| keep.id() == Some(id)) else { return };
        (keep.restart, keep.bounds) = (Some(restart), Some(bounds));
        if (restart, bounds) != (keep.spec.restart, keep.spec.bounds()) {
            self.look_soon(now);
        }
    }

    fn attested(
        &mut self,
        name: &str,
        id: &str,
        (attestation, seen): (Attestation, Option<Bounds>),
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(keep) = self.keeps.get_mut(name) else { return };
        keep.attesting = false;
        // A plan may have changed it meanwhile: it is asked again.
        if keep.id() == Some(id) && !self.applying {
            keep.answer(id.to_owned(), attestation, seen, now, out);
        }
    }
}

fn launching(keep: &Keep) -> bool {
    matches!(keep.heal.phase, HealPhase::Launching { .. })
}

fn say(out: &mut Vec<Effect>, level: Level, service: &str, message: String) {
    out.push(Effect::Say(Say { level, service: service.to_owned(), message }));
}
