//! What is changed on a container that stays: its name, its restart policy, its bounds, the networks that it is on, and
//! what it is told of its configs.
//!
//! Deliberately absent: whether it stays (`judge`), and details of a network that it is on already, which need a new
//! container.

use std::collections::BTreeSet;

use super::super::labels::print_restart;
use super::super::seen::{Seen, SeenContainer, State};
use super::super::spare::{self, Role};
use super::super::spec::{Bounds, ContainerSpec};
use super::Step;
use super::choice::{Choice, Recreate, Standing};
use super::draft::Draft;
use super::ground::Made;
use super::judge::networks_of;
use super::reload::{is_told, reload, unreload};

/// The steps that make a container what is wanted; `first` comes before all of them. Where the file is not in force, its
/// container gets its name and its restarter, and nothing else of that file.
pub(super) fn change_in_place(
    spec: &ContainerSpec,
    found: &SeenContainer,
    seen: &Seen,
    recreate: Recreate,
    made: &Made,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Vec<usize> {
    let (id, name) = (found.id.clone(), found.name.clone());
    let mut steps: Vec<usize> = take_name(spec, found, first, draft).into_iter().collect();
    if !matches!(found.state, State::Running | State::Restarting | State::Paused) {
        steps.extend(rejoin(found, seen, made, first, draft));
    }
    // One of Docker Compose that stays its own keeps its restarter.
    let stays_theirs = recreate == Recreate::Back && found.hash.is_none();
    if let Some(was) = found.restart.filter(|was| *was != spec.restart && !stays_theirs) {
        let step = Step::SetRestart { id: id.clone(), name: name.clone(), restart: spec.restart };
        let reason = format!(
            "its restart policy is `{}`, and `{}` is wanted; changed in place",
            print_restart(was),
            print_restart(spec.restart)
        );
        steps.push(draft.step(step, &reason, first.iter().copied()));
    }
    if recreate == Recreate::Back {
        if found.live.as_ref().is_some_and(|live| live.unfinished) {
            let reason = "the update that gave it its configs anew is not wanted";
            steps.extend(unreload(spec, found, reason, draft));
        }
        return steps;
    }
    if is_told(spec, found, recreate) {
        steps.extend(reload(spec, found, first, draft));
    }
    if let Some(was) = found.bounds.filter(|was| *was != spec.bounds()) {
        let reason = format!("its {} not as wanted; changed in place", differing(was, spec.bounds()));
        steps.push(set_bounds(spec, found, &reason, first, draft));
    }
    for (network, at) in spec.networks.iter().filter(|(network, _)| !found.networks.contains_key(*network)) {
        let step =
            Step::Connect { id: id.clone(), name: name.clone(), network: network.clone(), at: at.clone() };
        let after = first.iter().copied().chain(made.networks.get(network).copied());
        steps.push(draft.step(step, &format!("it is not on network `{network}`"), after));
    }
    // After the others: a container that is on no network at all loses its place.
    let connected: Vec<usize> = first.iter().copied().chain(steps.last().copied()).collect();
    for network in networks_of(found).filter(|network| !spec.networks.contains_key(*network)) {
        let step = Step::Disconnect { id: id.clone(), name: name.clone(), network: network.to_owned() };
        let reason = format!("it is on network `{network}`, where it is not wanted");
        steps.push(draft.step(step, &reason, connected.iter().copied()));
    }
    steps
}

/// Bounds one whose bounds nobody knows: it is compared with its promise as soon as it runs.
pub(super) fn bound_before_start(
    spec: &ContainerSpec,
    found: &SeenContainer,
    choice: &Choice,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Option<usize> {
    let unknown = found.bounds.is_none() && choice.recreate != Recreate::Back;
    unknown.then(|| set_bounds(spec, found, "nobody knows its limits, and it is started", first, draft))
}

fn set_bounds(
    spec: &ContainerSpec,
    found: &SeenContainer,
    reason: &str,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> usize {
    let step = Step::SetBounds { id: found.id.clone(), name: found.name.clone(), bounds: spec.bounds() };
    draft.step(step, reason, first.iter().copied())
}

/// Puts a container that is down on the networks that took the place of those that it knows.
fn rejoin(
    found: &SeenContainer,
    seen: &Seen,
    made: &Made,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Vec<usize> {
    let mut steps = Vec::new();
    for network in networks_of(found) {
        let makes = made.networks.get(network).copied();
        let is_there = seen.networks.iter().any(|there| there.name == network);
        if makes.is_none() && !(is_there && found.has_lost(seen, network)) {
            continue;
        }
        let (id, name, network) = (found.id.clone(), found.name.clone(), network.to_owned());
        let after = first.iter().copied().chain(makes);
        steps.push(draft.step(Step::Rejoin { id, name, network }, "its network was made anew", after));
    }
    steps
}

/// The step that gives a container its name, if it has another.
pub(super) fn take_name(
    spec: &ContainerSpec,
    found: &SeenContainer,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Option<usize> {
    if found.name == spec.name {
        return None;
    }
    let (id, name, to) = (found.id.clone(), found.name.clone(), spec.name.clone());
    let reason = match spare::role(&found.name) {
        Role::Previous => "it takes its place again",
        Role::Main | Role::Next => "somebody renamed it",
    };
    Some(draft.step(Step::Rename { id, name, to }, reason, first.iter().copied()))
}

/// Whether such a change can make the container fail. One that only puts right what was well before has nothing to prove: it
/// is taken up again until it is done.
pub(super) fn is_risky(spec: &ContainerSpec, found: &SeenContainer, choice: &Choice) -> bool {
    if choice.recreate == Recreate::Back {
        return false;
    }
    let networks = || networks_of(found).eq(spec.networks.keys().map(String::as_str));
    let differs = || found.bounds.is_some_and(|was| was != spec.bounds()) || !networks();
    is_told(spec, found, choice.recreate) || (choice.standing == Standing::Unproved && differs())
}

fn differing(was: Bounds, wanted: Bounds) -> String {
    let rows = [
        ("memory", was.memory != wanted.memory),
        ("processor", was.nano_cpus != wanted.nano_cpus),
        ("process", was.pids != wanted.pids),
    ];
    let names: Vec<&str> = rows.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last} limits are", first.join(", ")),
        names => format!("{} limit is", names.concat()),
    }
}
