//! The way back from an update that failed: what was there before is there again, under its name, as it was.
//!
//! It follows from what was seen before, what is seen now, and the plan that failed; nothing has to be remembered, so that
//! it can be made again after a failure of its own. Deliberately absent: containers that are gone, which nobody can bring
//! back; the planner removes none before its successor has proved itself.

use std::collections::{BTreeMap, BTreeSet};

use compose::model::{Condition, FailureAction};

use super::super::guard::bridge;
use super::super::hooks;
use super::super::seen::{Seen, SeenContainer, SeenNetwork, SeenTable, State};
use super::super::spare::{self, Role};
use super::super::spec::{AttachSpec, Await, Bounds, ContainerSpec, NetworkShape, Restart, Wanted};
use super::down::dependents_first;
use super::draft::{Draft, grace};
use super::judge::{is_ours, networks_of, runs_to_its_end};
use super::networks::{note_of, notes};
use super::reload::unreload;
use super::slot::is;
use super::{Plan, Standing, Step, order};

/// Why everything happens here.
const REASON: &str = "the update failed, and everything goes back";

/// Whether a failure of these steps takes the whole update back.
pub fn goes_back(plan: &Plan, wanted: &Wanted, failed: &[usize]) -> bool {
    let Some(tidy_from) = plan.tidy_from else { return false };
    let wants_it = |step: &&usize| {
        let service = plan.steps.get(**step).and_then(|planned| service_of(&planned.step));
        let action = service.and_then(|service| Some(wanted.services.get(service)?.update.failure_action));
        action.unwrap_or(FailureAction::Rollback) == FailureAction::Rollback
    };
    failed.iter().filter(|step| **step < tidy_from).any(|step| wants_it(&step))
}

fn service_of(step: &Step) -> Option<&str> {
    match step {
        Step::Create { spec, .. } => Some(&spec.service),
        Step::Reload(reload) => Some(&reload.service),
        Step::Start { service, .. } | Step::PostStart { service, .. } | Step::Delay { service, .. } => {
            Some(service)
        }
        Step::Await(wait) => Some(&wait.service),
        _ => None,
    }
}

/// The promises that the way back from `failed` is compared with: what it starts is bounded as it was before, where that is what
/// it goes back to.
pub fn promised_before(wanted: &Wanted, failed: &Plan, before: &Seen) -> Wanted {
    let mut promised = wanted.clone();
    for spec in promised.services.values_mut().flat_map(|service| &mut service.containers) {
        let was = before.containers.iter().find(|was| {
            let place = (was.service.as_ref(), was.number) == (Some(&spec.service), Some(spec.number));
            is_ours(wanted, was) && place && is(was, spec)
        });
        if let Some(bounds) = was.and_then(|was| bounds_again(wanted, failed, was)) {
            *spec = spec.bounded(bounds);
        }
    }
    promised
}

/// What a container is to be in place again, where what it was before was nobody's wish: it is of a file that has proved itself, and
/// was changed behind our back.
fn put_right<'a>(wanted: &'a Wanted, failed: &Plan, before: &SeenContainer) -> Option<&'a ContainerSpec> {
    let spec = spec_of(wanted, before).filter(|spec| is(before, spec));
    spec.filter(|_| failed.standing == Standing::Proved)
}

/// The bounds that a container is to have again.
fn bounds_again(wanted: &Wanted, failed: &Plan, before: &SeenContainer) -> Option<Bounds> {
    put_right(wanted, failed, before).map_or(before.bounds, |spec| Some(spec.bounds()))
}

/// The engine's restart policy that it is to have again.
fn restart_again(wanted: &Wanted, failed: &Plan, before: &SeenContainer) -> Option<Restart> {
    put_right(wanted, failed, before).map_or(before.restart, |spec| Some(spec.restart))
}

/// Whether it is to be on this network again.
fn is_on_again(wanted: &Wanted, failed: &Plan, before: &SeenContainer, network: &str) -> bool {
    let was = before.networks.contains_key(network);
    put_right(wanted, failed, before).map_or(was, |spec| spec.networks.contains_key(network))
}

/// The plan that undoes `failed`, which was made of `before`. It goes on past a failure of its own.
pub fn back(wanted: &Wanted, failed: &Plan, before: &Seen, now: &Seen) -> Plan {
    let now = &hooks::as_before(before, now);
    let mut draft = Draft::default();
    let kept = kept(wanted, before, now);
    let order = order::dependencies_first(wanted);
    let new: Vec<&SeenContainer> = dependents_first(&wanted.project, Some(wanted), now)
        .into_iter()
        .filter(|container| is_new(wanted, &kept, before, container))
        .collect();
    let disturbed: BTreeSet<&str> = kept
        .values()
        .filter(|kept| kept.moved() || (!kept.runs_now() && is_touched(failed, &kept.now.id)))
        .filter_map(|kept| kept.now.service.as_deref())
        .collect();

    // Whoever fell or was stopped beside the update is healing's, unless the engine is to start it again.
    let in_hand: BTreeSet<&str> = kept
        .values()
        .filter(|kept| kept.moved() || is_touched(failed, &kept.now.id))
        .filter_map(|kept| kept.now.service.as_deref())
        .collect();
    let is_in_hand = |kept: &Kept<'_>| {
        let service = kept.now.service.as_deref().unwrap_or_default();
        in_hand.contains(service)
            || follows(wanted, service, &in_hand)
            || spec_of(wanted, kept.before).is_none_or(|spec| spec.restart != Restart::No)
    };

    let lost = lost(wanted, before, now);
    if lost.is_empty() {
        reguard(failed, before, now, &kept, &BTreeSet::new(), &mut draft);
    }
    let mut gone: BTreeMap<&str, usize> = BTreeMap::new();
    let mut last = BTreeSet::new();
    for container in dependents_first(&wanted.project, Some(wanted), now) {
        let service = container.service.as_deref().unwrap_or_default();
        let after = draft.stops_of_dependents(wanted, service);
        let grace = grace(Some(wanted), container);
        if new.iter().any(|new| new.id == container.id) {
            let stopped = draft.stop(container, grace, REASON, &after);
            let first = stopped.map_or(after, |stopped| BTreeSet::from([stopped]));
            let index = draft.remove(container, REASON, first);
            gone.insert(&container.name, index);
            last.insert(index);
        } else if follows(wanted, service, &disturbed) && kept.get(&container.id).is_some_and(Kept::runs_now)
        {
            let reason = "what it depends on goes back, and `depends_on` says `restart`";
            last.extend(draft.stop(container, grace, reason, &after));
        }
    }
    let mut places: Vec<&Kept<'_>> = kept.values().collect();
    places.sort_by_key(|kept| {
        let place = order.iter().position(|name| kept.now.service.as_deref() == Some(*name));
        (place.unwrap_or(usize::MAX), &kept.now.name)
    });
    let stops = draft.all_stops();
    let mut put: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for kept in &places {
        put.insert(&kept.now.id, put_back(wanted, kept, failed, &gone, &mut draft));
    }
    let first: BTreeSet<usize> =
        stops.iter().chain(gone.values()).chain(put.values().flatten()).copied().collect();
    let made = make_again(&lost, &first, &mut draft);
    if !lost.is_empty() {
        let made = made.values().copied().collect();
        reguard(failed, before, now, &kept, &made, &mut draft);
    }
    let mut well: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut batch = Batch::default();
    for kept in places {
        let mut after = put.remove(kept.now.id.as_str()).unwrap_or_default();
        let on = |network: &&str| is_on_again(wanted, failed, kept.before, network);
        after.extend(put_on_networks(kept, on, now, &made, &mut draft));
        let service = kept.now.service.as_deref().unwrap_or_default();
        if service != batch.service {
            batch.end(wanted, &mut well, &mut draft);
            batch = Batch { service, ..Batch::default() };
        }
        let again = follows(wanted, service, &disturbed) && kept.runs_now();
        if !(again || (is_in_hand(kept) && kept.starts(wanted))) {
            continue;
        }
        after.extend(stops.iter().copied());
        let first = wanted.services.get(service).into_iter().flat_map(|service| service.depends_on.keys());
        after.extend(first.filter_map(|first| well.get(first.as_str())).flatten());
        if batch.is_full(wanted) {
            batch.next(wanted, &mut well, &mut draft);
        }
        after.extend(batch.gate.iter().copied());
        let name = spare::base(&kept.before.name);
        let there = (Some(kept.now.id.as_str()), spare::base(&kept.now.name));
        let index = draft.start(there, service, &kept.now.hooks.post_start, REASON, after);
        batch.starts.push((name.to_owned(), index));
        batch.checked |= kept.before.health.is_some();
        last.insert(index);
    }
    batch.end(wanted, &mut well, &mut draft);
    last.extend(well.values().flatten());
    for (note, _) in notes(wanted, now) {
        let step = Step::RemoveNetwork { id: note.id.clone(), name: note.name.clone() };
        draft.step(step, REASON, last.iter().copied());
    }
    let was_there = |there: &SeenNetwork| {
        before.networks.iter().any(|network| network.id == there.id)
            || made.contains_key(there.name.as_str())
            || there.notes().is_some()
    };
    let made = now.networks.iter().filter(|network| !was_there(network));
    for network in made.filter(|network| network.project.as_ref() == Some(&wanted.project)) {
        let used = kept.values().any(|kept| kept.before.networks.contains_key(&network.name));
        let used = used
            || now.containers.iter().any(|container| {
                container.networks.contains_key(&network.name)
                    && !new.iter().any(|new| new.id == container.id)
            });
        if !used {
            let step = Step::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
            draft.step(step, REASON, last.iter().copied());
        }
    }
    Plan { keeps_going: true, ..draft.finish() }
}

/// A network that is to be there again.
struct Lost<'a> {
    shape: NetworkShape,
    /// What has its name now.
    instead: Option<&'a SeenNetwork>,
}

/// The networks that this update, or one before it that was not finished, put others in the place of.
fn lost<'a>(wanted: &Wanted, before: &'a Seen, now: &'a Seen) -> Vec<Lost<'a>> {
    let is_note = |network: &SeenNetwork| network.notes().is_some();
    let ours = |network: &&SeenNetwork| {
        (network.composed || network.project.as_ref() == Some(&wanted.project)) && !is_note(network)
    };
    let noted = notes(wanted, now).map(|(_, shape)| shape);
    let gone = before
        .networks
        .iter()
        .filter(ours)
        .filter(|was| !now.networks.iter().any(|there| there.id == was.id));
    let unnoted = gone.filter(|was| note_of(wanted, now, &was.name).is_none()).map(|was| was.shape(true));
    let shapes: Vec<NetworkShape> = noted.chain(unnoted).collect();
    let mut lost = Vec::new();
    for shape in shapes {
        let instead = now.networks.iter().find(|there| there.name == shape.name);
        // Another's is never removed.
        if instead.is_some_and(|there| there.is(&shape) || !ours(&there) || !there.strangers.is_empty()) {
            continue;
        }
        lost.push(Lost { shape, instead });
    }
    lost
}

/// The steps that make them, by name.
fn make_again(lost: &[Lost<'_>], first: &BTreeSet<usize>, draft: &mut Draft) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for Lost { shape, instead } in lost {
        let mut after = first.clone();
        if let Some(there) = instead {
            let step = Step::RemoveNetwork { id: there.id.clone(), name: there.name.clone() };
            after = BTreeSet::from([draft.step(step, REASON, after)]);
        }
        made.insert(shape.name.clone(), draft.step(Step::CreateNetwork(shape.clone()), REASON, after));
    }
    made
}

/// The guard as it was, if this update set another one: what was published before is to be reached again. Where all goes
/// back to Docker Compose, there was none.
fn reguard(
    failed: &Plan,
    before: &Seen,
    now: &Seen,
    kept: &BTreeMap<String, Kept<'_>>,
    made: &BTreeSet<usize>,
    draft: &mut Draft,
) {
    let set = failed.steps.iter().find_map(|planned| match &planned.step {
        Step::Guard(spec) => Some(spec),
        _ => None,
    });
    let was = before.guard.as_ref().and_then(|guard| match &guard.table {
        SeenTable::There { ruleset, .. } => Some((ruleset.clone(), guard.script.clone()?)),
        _ => None,
    });
    let gone = before.networks.iter().filter(|was| !now.networks.iter().any(|there| there.id == was.id));
    let moved = gone.filter(|was| was.notes().is_none()).map(|was| (bridge(was), was.name.clone())).collect();
    match (set, was) {
        (Some(spec), Some((ruleset, script))) => {
            let step = Step::Reguard { project: spec.project.clone(), ruleset, script, moved };
            let index = draft.step(step, REASON, made.iter().copied());
            draft.starts_come_after(index);
        }
        (Some(spec), None) if !kept.is_empty() && kept.values().all(|kept| kept.before.hash.is_none()) => {
            draft.step(Step::Unguard { project: spec.project.clone() }, REASON, made.iter().copied());
        }
        _ => {}
    }
}

/// A container that was there before, and is to be there again.
struct Kept<'a> {
    before: &'a SeenContainer,
    now: &'a SeenContainer,
}

impl Kept<'_> {
    /// It was put aside, by this update or by one before it that was not finished.
    fn moved(&self) -> bool {
        self.now.name != spare::base(&self.before.name)
    }

    fn runs_now(&self) -> bool {
        matches!(self.now.state, State::Running | State::Restarting | State::Paused)
    }

    /// Whether it has to be started: it ran, or was in use when an update before this one put it aside.
    fn starts(&self, wanted: &Wanted) -> bool {
        if self.runs_now() || self.before.refused || self.now.refused {
            return false;
        }
        let did_its_work = self.before.state == State::Exited(0)
            && self.before.service.as_ref().is_some_and(|service| {
                wanted.services.get(service).is_some_and(|service| runs_to_its_end(wanted, service))
            });
        let ran = matches!(self.before.state, State::Running | State::Restarting | State::Paused);
        let was_aside = spare::role(&self.before.name) == Role::Previous;
        let was_in_use = matches!(self.before.state, State::Exited(_)) && was_aside;
        ran || (was_in_use && !did_its_work)
    }
}

/// Everything of before that is still there and was in use, by engine id: of an update that was not finished, what it had
/// put aside.
fn kept<'a>(wanted: &Wanted, before: &'a Seen, now: &'a Seen) -> BTreeMap<String, Kept<'a>> {
    let place = |container: &SeenContainer| (container.service.clone(), container.number);
    let put_aside: BTreeSet<_> = before
        .containers
        .iter()
        .filter(|container| is_ours(wanted, container) && spare::role(&container.name) == Role::Previous)
        .map(place)
        .collect();
    before
        .containers
        .iter()
        .filter(|container| is_ours(wanted, container))
        .filter(|container| match spare::role(&container.name) {
            Role::Previous => true,
            Role::Next => false,
            Role::Main => !put_aside.contains(&place(container)),
        })
        .filter_map(|before| {
            let now = now.containers.iter().find(|now| now.id == before.id)?;
            Some((before.id.clone(), Kept { before, now }))
        })
        .collect()
}

/// Whether a container is of this update and has something to make room for; where nothing is left to go back to, the
/// new one stays.
fn is_new(
    wanted: &Wanted,
    kept: &BTreeMap<String, Kept<'_>>,
    before: &Seen,
    container: &SeenContainer,
) -> bool {
    let same = |other: &SeenContainer| {
        is_ours(wanted, other) && other.service == container.service && other.number == container.number
    };
    let is_added = !before.containers.iter().any(same);
    let has_rival = kept.values().any(|kept| same(kept.now));
    !kept.contains_key(&container.id) && (is_added || has_rival)
}

/// Whether an update did something to a container. What ended beside it is healing's, and nobody is started again for it.
fn is_touched(failed: &Plan, container: &str) -> bool {
    failed.steps.iter().any(|planned| match &planned.step {
        Step::Stop { id, .. }
        | Step::Rename { id, .. }
        | Step::Remove { id, .. }
        | Step::SetBounds { id, .. }
        | Step::Connect { id, .. }
        | Step::Disconnect { id, .. } => id == container,
        Step::Start { id, .. } => id.as_deref() == Some(container),
        Step::Reload(reload) => reload.id == container,
        _ => false,
    })
}

/// Whether a service asks to be started again with one of these.
fn follows(wanted: &Wanted, service: &str, disturbed: &BTreeSet<&str>) -> bool {
    let service = wanted.services.get(service);
    let mut on = service.into_iter().flat_map(|service| &service.depends_on);
    on.any(|(other, how)| how.restart && disturbed.contains(other.as_str()))
}

/// Its name, and what was changed in place, as it was.
fn put_back(
    wanted: &Wanted,
    kept: &Kept<'_>,
    failed: &Plan,
    gone: &BTreeMap<&str, usize>,
    draft: &mut Draft,
) -> BTreeSet<usize> {
    let Kept { before, now } = kept;
    let (id, name) = (now.id.clone(), now.name.clone());
    let to = spare::base(&before.name).to_owned();
    let mut steps = BTreeSet::new();
    if now.name != to {
        let first = gone.get(to.as_str()).copied();
        let step = Step::Rename { id: id.clone(), name: name.clone(), to };
        steps.insert(draft.step(step, REASON, first));
    }
    let changed = |is: fn(&Step, &str) -> bool| failed.steps.iter().any(|step| is(&step.step, &before.id));
    let policy = |step: &Step, of: &str| matches!(step, Step::SetRestart { id, .. } if id.as_str() == of);
    let bound = |step: &Step, of: &str| matches!(step, Step::SetBounds { id, .. } if id.as_str() == of);
    if let Some(restart) =
        restart_again(wanted, failed, before).filter(|_| changed(policy) || is_silenced(before))
    {
        let step = Step::SetRestart { id: id.clone(), name: name.clone(), restart };
        steps.insert(draft.step(step, REASON, []));
    }
    if let Some(bounds) = bounds_again(wanted, failed, before).filter(|_| changed(bound)) {
        let step = Step::SetBounds { id: id.clone(), name: name.clone(), bounds };
        steps.insert(draft.step(step, REASON, []));
    }
    let told = |step: &Step, of: &str| matches!(step, Step::Reload(reload) if reload.id == of);
    let was_told = before.live.as_ref().is_some_and(|live| live.unfinished);
    if let Some(spec) = spec_of(wanted, before).filter(|_| changed(told) || was_told) {
        steps.extend(unreload(spec, now, REASON, draft));
    }
    for network in networks_of(now).filter(|network| !is_on_again(wanted, failed, before, network)) {
        let (id, name, network) = (id.clone(), name.clone(), network.to_owned());
        steps.insert(draft.step(Step::Disconnect { id, name, network }, REASON, []));
    }
    steps
}

fn spec_of<'a>(wanted: &'a Wanted, container: &SeenContainer) -> Option<&'a ContainerSpec> {
    let service = wanted.services.get(container.service.as_ref()?)?;
    service.containers.iter().find(|spec| Some(spec.number) == container.number)
}

/// The networks that it was on, if it is off them, or knows others of those names.
fn put_on_networks(
    kept: &Kept<'_>,
    is_on: impl FnMut(&&str) -> bool,
    seen: &Seen,
    made: &BTreeMap<String, usize>,
    draft: &mut Draft,
) -> BTreeSet<usize> {
    let Kept { before, now } = kept;
    let mut steps = BTreeSet::new();
    for network in networks_of(before).filter(is_on) {
        let makes = made.get(network).copied();
        let (id, name, network) = (now.id.clone(), now.name.clone(), network.to_owned());
        if !now.networks.contains_key(&network) {
            let at =
                AttachSpec { aliases: before.service.iter().cloned().collect(), ..AttachSpec::default() };
            steps.insert(draft.step(Step::Connect { id, name, network, at }, REASON, makes));
        } else if !kept.runs_now() && (makes.is_some() || now.has_lost(seen, &network)) {
            steps.insert(draft.step(Step::Rejoin { id, name, network }, REASON, makes));
        }
    }
    steps
}

/// An update that was not finished may have told the engine not to start it again.
fn is_silenced(before: &SeenContainer) -> bool {
    spare::role(&before.name) == Role::Previous
        && matches!(before.restart, Some(Restart::Always | Restart::OnFailure(_)))
}

/// Containers of one service that are put back at a time, as `rollback_config` has it.
#[derive(Default)]
struct Batch<'a> {
    service: &'a str,
    /// Names and the steps that start them.
    starts: Vec<(String, usize)>,
    /// The engine checks their health.
    checked: bool,
    /// What comes before this one's starts.
    gate: BTreeSet<usize>,
}

impl<'a> Batch<'a> {
    fn is_full(&self, wanted: &Wanted) -> bool {
        let at_a_time = wanted.services.get(self.service).map_or(0, |service| service.rollback.parallelism);
        at_a_time > 0 && self.starts.len() >= usize::try_from(at_a_time).unwrap_or(usize::MAX)
    }

    /// Those are proved, and after a pause come the next ones.
    fn next(&mut self, wanted: &Wanted, well: &mut BTreeMap<&'a str, BTreeSet<usize>>, draft: &mut Draft) {
        let proved = self.end(wanted, well, draft);
        let delay =
            wanted.services.get(self.service).map(|service| service.rollback.delay).unwrap_or_default();
        self.gate = if delay.is_zero() {
            proved
        } else {
            let step = Step::Delay { service: self.service.to_owned(), delay };
            BTreeSet::from([draft.step(step, "the file wants a pause between two batches", proved)])
        };
    }

    /// Waits for their health where the engine checks it: the file's own probe is that of the new ones.
    fn end(
        &mut self,
        wanted: &Wanted,
        well: &mut BTreeMap<&'a str, BTreeSet<usize>>,
        draft: &mut Draft,
    ) -> BTreeSet<usize> {
        let (containers, starts): (Vec<String>, BTreeSet<usize>) =
            std::mem::take(&mut self.starts).into_iter().unzip();
        let checked = std::mem::take(&mut self.checked);
        let Some(service) = wanted.services.get(self.service).filter(|_| !starts.is_empty()) else {
            well.entry(self.service).or_default().extend(&starts);
            return starts;
        };
        let checked = checked && service.engine_health && service.probe.is_none();
        let condition = if checked { Condition::Healthy } else { Condition::Started };
        let wait = Await {
            timeout: service.start_period,
            stays: service.rollback.monitor,
            tolerated: service.rollback.tolerated,
            required: service.rollback.failure_action != FailureAction::Continue,
            containers,
            ..Await::of(service, condition)
        };
        let proved = if checked || !wait.stays.is_zero() {
            BTreeSet::from([draft.step(Step::Await(wait), REASON, starts)])
        } else {
            starts
        };
        well.entry(self.service).or_default().extend(&proved);
        proved
    }
}
