//! From what was seen to what is wanted: the plan that is made of a look, and what it means that there is nothing to do.
//!
//! Deliberately absent: the plan itself, which is `decide`'s, and what came of it (`answering`).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::super::compare::{differs, holds_other_configs};
use super::super::event::{Effect, Level, Look, Now};
use super::super::keep::Keep;
use super::super::touch::{changed_in_place, container_of, describe, touched, with_followers};
use super::{LeadsTo, Watch, say};
use crate::decide::hash;
use crate::decide::heal;
use crate::decide::plan::{
    Choice, Dependencies, Orphans, Plan, Recreate, Standing, guard_alone, plan_with, promised_before,
    runs_to_its_end,
};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::pipeline::Stack;
use crate::serve::snapshot::PlanStatus;

/// A plan about a container that an action of ours is under way on is made again after this long.
const ACTION_PAUSE: Duration = Duration::from_secs(1);

impl Watch {
    pub(super) fn converge(&mut self, wanted: &Rc<Wanted>, look: &Look, now: Now, out: &mut Vec<Effect>) {
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

    pub(super) fn standing(&self, wanted: &Wanted) -> Standing {
        match &self.good_hash {
            Some(good) if *good == hash::wanted(wanted) => Standing::Proved,
            _ => Standing::Unproved,
        }
    }

    pub(super) fn is_acting(&self, name: &str) -> bool {
        self.keeps.get(name).is_some_and(Keep::is_acting)
    }

    /// Whatever else cannot be done, or not yet: the guard is put back.
    pub(super) fn guard_alone(&mut self, wanted: &Rc<Wanted>, look: &Look, out: &mut Vec<Effect>) {
        if let Some(plan) = guard_alone(wanted, &look.seen) {
            self.begin(plan, (Rc::clone(wanted), Rc::clone(wanted)), Rc::new(look.seen.clone()), out);
        }
    }

    /// Has a plan carried out that leads to what is wanted, with the promises that what it starts is compared with.
    pub(super) fn begin(
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

    pub(super) fn is_converged(&mut self, out: &mut Vec<Effect>) {
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
    pub(super) fn note_good(&mut self) {
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

    pub(super) fn is_well(&self) -> bool {
        let is_done = |keep: &Keep| {
            let wanted = self.wanted.as_ref();
            let service = wanted.and_then(|wanted| Some((wanted, wanted.services.get(&keep.spec.service)?)));
            service.is_some_and(|(wanted, service)| runs_to_its_end(wanted, service)) && !keep.runs()
        };
        self.keeps.values().all(|keep| keep.is_well() || is_done(keep))
    }
}
