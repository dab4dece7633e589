//! The steps of an update in the order that loses nothing: make what is new, stop and put aside what is old, start, prove,
//! and only then remove.
//!
//! Each name that a kill can leave behind says how far it came (`spare`), so that the next plan goes on from there.
//! Deliberately absent: what becomes of which container (`judge`), and the way back (`rollback`).

use std::collections::{BTreeMap, BTreeSet};

use compose::model::{FailureAction, UpdateOrder};

use super::super::live::next_generation;
use super::super::seen::{SeenContainer, State};
use super::super::spare::{self, Role};
use super::super::spec::{Await, ContainerSpec, Restart, ServiceSpec, Wanted};
use super::choice::Choice;
use super::draft::{Draft, grace};
use super::ground::Made;
use super::in_place::{bound_before_start, change_in_place, is_risky, take_name};
use super::judge::{Deed, Verdict, networks_of, so_already};
use super::networks::{Anew, remove_notes};
use super::reload::{is_told, settle};
use super::slot::Places;
use super::up::readiness;
use super::{Step, order};

/// What a kept one is stopped or put aside for.
const ASIDE: &str = "it stays until the new one has proved itself";

/// What hooks are run for after a start that is long over.
const OWED: &str = "its `post_start` has not ended well since it was started";

/// How a container gets out of the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Away {
    Stopped,
    Aside,
    Removed,
}

pub(super) struct Update<'a> {
    wanted: &'a Wanted,
    places: &'a Places<'a>,
    scope: &'a BTreeSet<&'a str>,
    verdicts: &'a [Verdict<'a>],
    leaving: &'a [(&'a SeenContainer, String)],
    /// Networks that are made anew.
    anew: &'a BTreeMap<&'a str, Anew>,
    choice: &'a Choice,
    /// Whether anything old is at stake, so that the plan can go back.
    at_stake: bool,
    /// All that is there before anything is stopped.
    ready: BTreeSet<usize>,
    /// New containers by their own name, to the step that makes them.
    new: BTreeMap<&'a str, usize>,
    /// Engine names to the step after which they are out of the way.
    gone: BTreeMap<&'a str, usize>,
    /// What a service's proof comes after.
    touched: BTreeMap<&'a str, BTreeSet<usize>>,
    proofs: BTreeSet<usize>,
    /// What is removed once all is proved.
    old: Vec<(&'a SeenContainer, String)>,
}

impl<'a> Update<'a> {
    pub(super) fn new(
        wanted: &'a Wanted,
        places: &'a Places<'a>,
        scope: &'a BTreeSet<&'a str>,
        verdicts: &'a [Verdict<'a>],
        leaving: &'a [(&'a SeenContainer, String)],
        anew: &'a BTreeMap<&'a str, Anew>,
        choice: &'a Choice,
    ) -> Self {
        let moves = anew.values().any(|anew| *anew == Anew::Changed);
        let at_stake = moves
            || verdicts.iter().any(|verdict| {
                verdict.deed == Deed::Replace
                    || (verdict.deed == Deed::Rebuild && !verdict.renews())
                    || verdict.finishes()
                    || (verdict.deed == Deed::Keep
                        && verdict.found().is_some_and(|found| is_risky(verdict.spec, found, choice)))
            });
        Self {
            wanted,
            places,
            scope,
            verdicts,
            leaving,
            anew,
            choice,
            at_stake,
            ready: BTreeSet::new(),
            new: BTreeMap::new(),
            gone: BTreeMap::new(),
            touched: BTreeMap::new(),
            proofs: BTreeSet::new(),
            old: Vec::new(),
        }
    }

    /// After these steps everything that was to be removed or put aside is.
    pub(super) fn out_of_the_way(&self) -> impl Iterator<Item = usize> + '_ {
        self.gone.values().copied()
    }

    /// Makes every new container that can be made beside its old one: nothing is stopped before.
    pub(super) fn make_ready(&mut self, draft: &mut Draft, made: &Made) {
        self.ready = made.all();
        for verdict in self.verdicts {
            let Verdict { spec, slot, deed, reason, .. } = verdict;
            let takes_next = matches!(deed, Deed::Replace | Deed::Create);
            let ready_next = slot.ready_next(spec).filter(|_| takes_next);
            if let Some(stale) = slot.next.filter(|_| ready_next.is_none()) {
                self.remove(stale, "an update that made it did not come to its end", &BTreeSet::new(), draft);
            }
            if *deed == Deed::Replace && ready_next.is_none() {
                let name = spare::next(&spec.name);
                let mut first = made.needed_by(spec);
                first.extend(self.gone.get(name.as_str()));
                let step = Step::Create { spec: self.fresh(spec), name };
                let index = draft.step(step, reason, first);
                self.new.insert(&spec.name, index);
                self.ready.insert(index);
            }
        }
    }

    /// What a container is made of: its files are nobody else's.
    fn fresh(&self, spec: &ContainerSpec) -> Box<ContainerSpec> {
        let generation = if spec.reload.is_some() { next_generation(self.places.seen, spec) } else { 0 };
        Box::new(ContainerSpec { generation, ..spec.clone() })
    }

    /// Stops and puts aside what goes, dependents before what they depend on.
    pub(super) fn take_down(&mut self, draft: &mut Draft) {
        let order = order::dependencies_first(self.wanted);
        let mut going: Vec<(&'a SeenContainer, &'a str, Away)> = Vec::new();
        for (container, reason) in self.leaving {
            going.push((container, reason, self.way_of_leaving(container)));
        }
        for verdict in self.verdicts {
            going.extend(self.ways(verdict));
        }
        going.sort_by_key(|(container, ..)| {
            let place = order.iter().position(|name| container.service.as_deref() == Some(*name));
            std::cmp::Reverse(place.unwrap_or(usize::MAX))
        });
        for (container, reason, away) in going {
            let mut after = self.ready.clone();
            if let Some(service) = &container.service {
                after.extend(draft.stops_of_dependents(self.wanted, service));
            }
            match away {
                Away::Removed => self.remove(container, reason, &after, draft),
                Away::Aside => self.put_aside(container, reason, &after, draft),
                Away::Stopped => {
                    let stopped = draft.stop(container, grace(Some(self.wanted), container), reason, &after);
                    self.gone.extend(stopped.map(|index| (container.name.as_str(), index)));
                }
            }
        }
    }

    /// What has the name of something new cannot wait; all else is only stopped until that is proved.
    fn way_of_leaving(&mut self, container: &'a SeenContainer) -> Away {
        let is_in_the_way = self.verdicts.iter().any(|verdict| verdict.spec.name == container.name);
        if is_in_the_way || !self.at_stake {
            return Away::Removed;
        }
        self.old.push((container, "the update is proved".to_owned()));
        Away::Stopped
    }

    fn ways(&self, verdict: &'a Verdict<'a>) -> Vec<(&'a SeenContainer, &'a str, Away)> {
        let Verdict { slot, deed, reason, .. } = verdict;
        let main = slot.main.map(|main| (main, reason.as_str()));
        let mut ways = Vec::new();
        match deed {
            Deed::Restart => ways.extend(main.map(|(main, reason)| (main, reason, Away::Stopped))),
            Deed::Back => ways.extend(main.map(|(main, reason)| (main, reason, Away::Removed))),
            Deed::Rebuild => {
                ways.extend(main.map(|(main, reason)| (main, reason, Away::Removed)));
                ways.extend(slot.previous.map(|previous| (previous, reason.as_str(), Away::Removed)));
                return ways;
            }
            Deed::Replace if self.batch(verdict) == 0 && !self.starts_first(verdict) => {
                // One that has not proved itself is nothing to go back to.
                let away = if slot.previous.is_some() { Away::Removed } else { Away::Aside };
                ways.extend(main.map(|(main, reason)| (main, reason, away)));
            }
            _ => {}
        }
        let runs = |previous: &&SeenContainer| matches!(previous.state, State::Running | State::Restarting);
        if let Some(previous) = slot.previous.filter(runs).filter(|_| *deed != Deed::Back) {
            ways.push((previous, ASIDE, Away::Stopped));
        }
        ways
    }

    /// Which of its service's batches a replacement belongs to.
    fn batch(&self, verdict: &Verdict<'_>) -> usize {
        if self.is_moved(verdict) {
            return 0;
        }
        let at_a_time = usize::try_from(verdict.service.update.parallelism).unwrap_or(usize::MAX);
        let replaced = self
            .verdicts
            .iter()
            .filter(|other| other.deed == Deed::Replace && other.spec.service == verdict.spec.service);
        let place = replaced.take_while(|other| other.spec.number != verdict.spec.number).count();
        place.checked_div(at_a_time).unwrap_or_default()
    }

    /// Whether it is on a network that another takes the place of: all have to be off it at once.
    fn is_moved(&self, verdict: &Verdict<'_>) -> bool {
        let networks = verdict.slot.main.into_iter().flat_map(networks_of);
        let mut networks = networks.chain(verdict.spec.networks.keys().map(String::as_str));
        networks.any(|network| self.anew.get(network) == Some(&Anew::Changed))
    }

    /// Whether the file wants it so, and it can be: two cannot have one port or address, nor be on two networks of one name.
    fn starts_first(&self, verdict: &Verdict<'_>) -> bool {
        let Verdict { service, spec, slot, .. } = verdict;
        service.update.order == UpdateOrder::StartFirst
            && spec.ports.is_empty()
            && spec.networks.values().all(|at| at.ipv4.is_none() && at.ipv6.is_none())
            && slot.main.is_some_and(|main| main.state == State::Running && main.name == spec.name)
            && slot.previous.is_none()
            && !self.is_moved(verdict)
    }

    fn remove(
        &mut self,
        container: &'a SeenContainer,
        reason: &str,
        after: &BTreeSet<usize>,
        draft: &mut Draft,
    ) {
        let stopped = draft.stop(container, grace(Some(self.wanted), container), reason, after);
        let index = match stopped {
            Some(stopped) => draft.remove(container, reason, [stopped]),
            None => draft.remove(container, reason, after.iter().copied()),
        };
        self.gone.insert(&container.name, index);
    }

    fn put_aside(
        &mut self,
        container: &'a SeenContainer,
        reason: &str,
        after: &BTreeSet<usize>,
        draft: &mut Draft,
    ) {
        let (id, name) = (container.id.clone(), container.name.clone());
        let mut after = after.clone();
        if let Some(service) = &container.service {
            after.extend(draft.stops_of_dependents(self.wanted, service));
        }
        // The engine would start these again when it starts itself, stopped or not.
        if matches!(container.restart, Some(Restart::Always | Restart::OnFailure(_))) {
            let step = Step::SetRestart { id: id.clone(), name: name.clone(), restart: Restart::No };
            after = BTreeSet::from([draft.step(step, ASIDE, after)]);
        }
        let stopped = draft.stop(container, grace(Some(self.wanted), container), reason, &after);
        let to = spare::previous(spare::base(&name));
        let first = stopped.map_or(after, |stopped| BTreeSet::from([stopped]));
        let index = draft.step(Step::Rename { id, name, to }, ASIDE, first);
        self.gone.insert(&container.name, index);
        self.old.push((container, "the new one has proved itself".to_owned()));
    }

    /// Starts what is new or down, dependencies first.
    pub(super) fn bring_up(&mut self, draft: &mut Draft, made: &Made) {
        let stops = draft.all_stops();
        let mut batch: (&str, usize, BTreeSet<usize>) = ("", 0, BTreeSet::new());
        for verdict in self.verdicts {
            let Verdict { service, spec, reason, .. } = verdict;
            let mut gate = BTreeSet::new();
            if verdict.deed == Deed::Replace {
                let number = self.batch(verdict);
                if batch.0 != service.service {
                    batch = (&service.service, 0, BTreeSet::new());
                }
                if number > batch.1 {
                    batch = (&service.service, number, self.end_of_batch(service, number, draft));
                }
                gate.clone_from(&batch.2);
            }
            let place = self.place(verdict, &gate, draft, made);
            let Some(mut after) = place else { continue };
            // A host port or an address may be another's until that one has stopped.
            if !spec.ports.is_empty()
                || spec.networks.values().any(|at| at.ipv4.is_some() || at.ipv6.is_some())
            {
                after.extend(&stops);
            }
            after.extend(self.dependencies(service, draft));
            let made = matches!(verdict.deed, Deed::Create | Deed::Rebuild | Deed::Replace);
            let there = if made { verdict.slot.ready_next(spec) } else { verdict.found() };
            let there = there.filter(|_| verdict.deed != Deed::Rebuild);
            let hooks = there.map_or(spec.post_start(), |there| &there.hooks.post_start);
            let there = (there.map(|there| there.id.as_str()), spec.name.as_str());
            let index = draft.start(there, &service.service, hooks, reason, after);
            self.touch(service, index);
        }
    }

    fn touch(&mut self, service: &'a ServiceSpec, step: usize) {
        self.touched.entry(&service.service).or_default().insert(step);
    }

    fn dependencies(&self, service: &ServiceSpec, draft: &mut Draft) -> BTreeSet<usize> {
        draft.dependencies(self.wanted, service, self.scope, |other, condition| {
            so_already(self.places, other, condition)
        })
    }

    /// Brings a container under its name, ready to be started; what its start comes after. `None`: there is nothing
    /// to start.
    fn place(
        &mut self,
        verdict: &'a Verdict<'a>,
        gate: &BTreeSet<usize>,
        draft: &mut Draft,
        made: &Made,
    ) -> Option<BTreeSet<usize>> {
        let Verdict { service, spec, slot, reason, .. } = verdict;
        match (verdict.deed, verdict.found()) {
            (Deed::Create | Deed::Rebuild, _) => {
                let mut first = made.needed_by(spec);
                first.extend(self.way_is_free(verdict));
                let step = if verdict.deed == Deed::Create && slot.ready_next(spec).is_some() {
                    take_over(verdict)
                } else {
                    Step::Create { spec: self.fresh(spec), name: spec.name.clone() }
                };
                let index = draft.step(step, reason, first);
                Some(BTreeSet::from([index]))
            }
            (Deed::Replace, found) => {
                if let Some(main) = found {
                    if self.starts_first(verdict) {
                        self.start_first(verdict, main, gate, draft);
                        return None;
                    }
                    match slot.previous {
                        _ if self.gone.contains_key(main.name.as_str()) => {}
                        Some(_) => self.remove(main, reason, gate, draft),
                        None => self.put_aside(main, reason, gate, draft),
                    }
                }
                let mut first = self.way_is_free(verdict);
                first.extend(self.new.get(spec.name.as_str()));
                Some(BTreeSet::from([draft.step(take_over(verdict), reason, first)]))
            }
            (Deed::Back | Deed::Start | Deed::Restart, Some(found)) => {
                let first = self.way_is_free(verdict);
                let mut after: BTreeSet<usize> =
                    change_in_place(spec, found, self.places.seen, self.choice.recreate, made, &first, draft)
                        .into_iter()
                        .collect();
                after.extend(&first);
                if verdict.deed == Deed::Back && (found.state == State::Running || found.refused) {
                    return None;
                }
                after.extend(bound_before_start(spec, found, self.choice, &first, draft));
                Some(after)
            }
            (Deed::Unpause, Some(found)) => {
                let first = self.way_is_free(verdict);
                change_in_place(spec, found, self.places.seen, self.choice.recreate, made, &first, draft);
                let index = draft.unpause(found, reason);
                self.touch(service, index);
                None
            }
            (Deed::Leave, Some(found)) => {
                draft.keep("container", &found.name, reason.clone());
                if spare::role(&found.name) == Role::Main {
                    // Whoever keeps it knows it by its name.
                    let first = self.way_is_free(verdict);
                    take_name(spec, found, &first, draft);
                }
                None
            }
            (Deed::Keep, Some(found)) => {
                let mut first = self.way_is_free(verdict);
                if is_told(spec, found, self.choice.recreate) {
                    // What its new configs lead to may be new as well.
                    first.extend(draft.dependencies(self.wanted, service, self.scope, |_, _| true));
                }
                let changed =
                    change_in_place(spec, found, self.places.seen, self.choice.recreate, made, &first, draft);
                let owes = found.owes && found.state == State::Running;
                if owes {
                    let first = first.iter().chain(&changed).copied();
                    let there = (Some(found.id.as_str()), spec.name.as_str());
                    let hooks = &found.hooks.post_start;
                    let index = draft.post_start(there, &service.service, hooks, OWED, first);
                    self.touch(service, index);
                } else if changed.is_empty() {
                    draft.keep("container", &found.name, reason.clone());
                }
                if is_risky(spec, found, self.choice) {
                    self.touched.entry(&service.service).or_default().extend(changed);
                } else if verdict.finishes() {
                    self.touched.entry(&service.service).or_default();
                }
                None
            }
            (_, None) => None,
        }
    }

    /// Its own end, and that of whoever has its name.
    fn way_is_free(&self, verdict: &Verdict<'_>) -> BTreeSet<usize> {
        let Verdict { spec, slot, .. } = verdict;
        let names = [Some(spec.name.as_str()), slot.main.map(|main| main.name.as_str())];
        names.into_iter().flatten().filter_map(|name| self.gone.get(name)).copied().collect()
    }

    /// The new one runs and is well before the old one stops.
    fn start_first(
        &mut self,
        verdict: &'a Verdict<'a>,
        main: &'a SeenContainer,
        gate: &BTreeSet<usize>,
        draft: &mut Draft,
    ) {
        let Verdict { service, spec, reason, .. } = verdict;
        let next = spare::next(&spec.name);
        let mut after = gate.clone();
        after.extend(self.ready.iter().copied());
        after.extend(self.dependencies(service, draft));
        let there = verdict.slot.ready_next(spec);
        let hooks = there.map_or(spec.post_start(), |there| &there.hooks.post_start);
        let there = (there.map(|there| there.id.as_str()), next.as_str());
        let started = draft.start(there, &service.service, hooks, reason, after);
        let wait = Await { containers: vec![next], ..readiness(self.wanted, service) };
        let well = draft.step(Step::Await(wait), "the old one stops when it is well", [started]);
        self.put_aside(main, reason, &BTreeSet::from([well]), draft);
        let first = self.way_is_free(verdict);
        let index = draft.step(take_over(verdict), reason, first);
        // Until then its name is the old one's.
        draft.serves_after(&service.service, index);
        self.touch(service, index);
    }

    /// The proof of a service's batch before this one, and the pause that the file wants after it.
    fn end_of_batch(
        &mut self,
        service: &'a ServiceSpec,
        number: usize,
        draft: &mut Draft,
    ) -> BTreeSet<usize> {
        let before = self.verdicts.iter().filter(|verdict| {
            verdict.deed == Deed::Replace
                && verdict.spec.service == service.service
                && self.batch(verdict) + 1 == number
        });
        let containers = before.map(|verdict| verdict.spec.name.clone()).collect();
        let after = self.touched.get(service.service.as_str()).cloned().unwrap_or_default();
        let wait = Await { containers, ..self.proof(service) };
        let proved = draft.step(Step::Await(wait), "the next ones follow when these are well", after);
        self.proofs.insert(proved);
        if service.update.delay.is_zero() {
            return BTreeSet::from([proved]);
        }
        let step = Step::Delay { service: service.service.clone(), delay: service.update.delay };
        BTreeSet::from([draft.step(step, "the file wants a pause between two batches", [proved])])
    }

    /// Those of a service's containers that the plan answers for: what it leaves as it is may have been ill before, and is
    /// healing's or an administrator's.
    fn in_hand(&self, service: &ServiceSpec) -> Vec<String> {
        let of_it = self.verdicts.iter().filter(|verdict| verdict.spec.service == service.service);
        let answers = |verdict: &&Verdict<'_>| match (verdict.deed, verdict.found()) {
            (Deed::Leave, _) => false,
            (Deed::Back, Some(found)) if found.refused => false,
            (Deed::Keep, Some(found)) => {
                let changes = is_risky(verdict.spec, found, self.choice);
                verdict.finishes() || (changes && found.state == State::Running)
            }
            _ => true,
        };
        of_it.filter(answers).map(|verdict| verdict.spec.name.clone()).collect()
    }

    fn proof(&self, service: &ServiceSpec) -> Await {
        Await {
            stays: service.update.monitor,
            tolerated: service.update.tolerated,
            required: service.update.failure_action != FailureAction::Continue,
            ..readiness(self.wanted, service)
        }
    }

    /// Waits until all that was touched is well, and stays so for as long as the file wants to see.
    pub(super) fn prove(&mut self, draft: &mut Draft) {
        if !self.at_stake {
            return;
        }
        for (name, touched) in std::mem::take(&mut self.touched) {
            let Some(service) = self.wanted.services.get(name) else { continue };
            let wait = Await { containers: self.in_hand(service), ..self.proof(service) };
            let index = draft.wait(wait, "an update is good when it is well", touched);
            self.proofs.insert(index);
        }
    }

    /// Removes what was kept for the way back.
    pub(super) fn tidy(&mut self, made: &Made, draft: &mut Draft) {
        if !self.at_stake {
            let after = draft.all_starts();
            remove_notes(self.wanted, self.places.seen, self.verdicts, made, &after, draft);
            return;
        }
        draft.tidy_from_here();
        let after: BTreeSet<usize> = self.proofs.iter().copied().chain(self.out_of_the_way()).collect();
        let mut last = after.clone();
        for verdict in
            self.verdicts.iter().filter(|verdict| verdict.finishes() || verdict.deed == Deed::Replace)
        {
            if let Some(previous) = verdict.slot.previous {
                last.insert(draft.remove(previous, "the new one has proved itself", after.iter().copied()));
            }
        }
        for Verdict { spec, slot, .. } in self.verdicts.iter().filter(|verdict| verdict.deed == Deed::Keep) {
            if let Some(found) = slot.main.filter(|found| is_told(spec, found, self.choice.recreate)) {
                last.extend(settle(spec, found, after.iter().copied(), draft));
            }
        }
        for (container, reason) in std::mem::take(&mut self.old) {
            last.insert(draft.remove(container, &reason, after.iter().copied()));
        }
        remove_notes(self.wanted, self.places.seen, self.verdicts, made, &last, draft);
    }
}

/// The successor takes over the name; one that this plan makes is known by its name alone.
fn take_over(verdict: &Verdict<'_>) -> Step {
    let name = spare::next(&verdict.spec.name);
    let ready = verdict.slot.ready_next(verdict.spec).map(|next| (next.id.clone(), next.name.clone()));
    let (id, name) = ready.unwrap_or_else(|| (name.clone(), name));
    Step::Rename { id, name, to: verdict.spec.name.clone() }
}
