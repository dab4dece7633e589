//! A full look at the engine: what it is to see, and what it says of each container.
//!
//! Deliberately absent: what is planned for it (`converging`).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::super::compare::{compare, is_ours};
use super::super::event::{Effect, Look, Now};
use super::super::keep::Keep;
use super::{Made, Watch};
use crate::decide::plan::FULL_LOOK;
use crate::decide::spare;
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::Scope;
use crate::pipeline::Stack;

/// From an event that only a look can explain to that look: what comes together is looked at together.
const LOOK_SOON: Duration = Duration::from_millis(100);

impl Watch {
    pub(super) fn look(&self, stack: &Rc<Stack>) -> Effect {
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

    pub(super) fn look_soon(&mut self, now: Now) {
        let soon = now.boot + LOOK_SOON;
        self.due.look = Some(self.due.look.map_or(soon, |at| at.min(soon)));
    }

    pub(super) fn looked(&mut self, began: Duration, mut look: Look, now: Now, out: &mut Vec<Effect>) {
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

    /// The containers that were refused, by engine id: nobody may start them.
    pub(in super::super) fn refused_containers(&self) -> BTreeSet<String> {
        self.keeps.values().filter_map(|keep| keep.heal.refused_container()).map(str::to_owned).collect()
    }

    /// What is in force can be taken away behind our back: the kernel is asked again and again.
    pub(super) fn attest_again(&mut self, now: Now, out: &mut Vec<Effect>) {
        for (name, keep) in &mut self.keeps {
            if keep.is_to_be_attested_again(now) {
                keep.attest(name, out);
            }
        }
    }

    /// Every wanted container is kept, and no other.
    pub(super) fn keep(&mut self, wanted: &Wanted) {
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
}
