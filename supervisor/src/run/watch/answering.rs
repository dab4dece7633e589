//! What came of what was asked for: a plan, a start, a stop, a comparison with the promise.
//!
//! Deliberately absent: asking for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::event::{Effect, Fault, FaultKind, Level, Now, Up, Word};
use super::{Watch, say};
use crate::decide::backoff;
use crate::decide::hash;
use crate::decide::heal::{self, Phase as HealPhase};
use crate::decide::spec::{Bounds, Restart};
use crate::serve::snapshot::Attestation;

impl Watch {
    pub(super) fn applied(
        &mut self,
        attested: BTreeMap<String, Word>,
        outcome: Result<(), Fault>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.applying = false;
        self.heard.updated(std::mem::take(&mut self.updating), now);
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

    pub(super) fn started(
        &mut self,
        name: &str,
        outcome: Result<Box<Up>, Fault>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
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

    pub(super) fn stopped(
        &mut self,
        name: &str,
        outcome: Result<(), Fault>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
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

    pub(super) fn fault_of_action(&mut self, fault: &Fault, now: Now, out: &mut Vec<Effect>) {
        match fault.kind {
            FaultKind::EngineAway => self.fault(fault, now, out),
            FaultKind::Gone | FaultKind::Ended => self.look_soon(now),
            FaultKind::Other => {}
        }
    }

    /// Somebody may have changed in place what the engine's list does not tell, and its events may have been missed.
    pub(super) fn changed(&mut self, name: &str, id: &str, (restart, bounds): (Restart, Bounds), now: Now) {
        let Some(keep) = self.keeps.get_mut(name).filter(|keep| keep.id() == Some(id)) else { return };
        (keep.restart, keep.bounds) = (Some(restart), Some(bounds));
        if (restart, bounds) != (keep.spec.restart, keep.spec.bounds()) {
            self.look_soon(now);
        }
    }

    pub(super) fn attested(
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
