//! What a look or a probe says of one container, beside what is known of it.
//!
//! Deliberately absent: what follows for several of them (`watch`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Effect, Now, Up};
use super::keep::Keep;
use crate::decide::hash;
use crate::decide::heal::{self, Phase as HealPhase};
use crate::decide::seen::{Seen, SeenContainer, State};
use crate::decide::spare::{self, Role};
use crate::decide::spec::{ContainerSpec, Wanted};

/// A container as a look saw it, beside what is known of it. Whatever is newer than the look stands, and what a plan
/// is changing is the plan's.
pub(super) fn compare(
    keep: &mut Keep,
    seen: Option<&SeenContainer>,
    met: &BTreeMap<String, Up>,
    (began, applying): (Duration, bool),
    now: Now,
    out: &mut Vec<Effect>,
) {
    // What Docker Compose made is not kept before it is replaced: its engine restarts it.
    let seen = seen.filter(|seen| seen.hash.is_some());
    let planned = applying && keep.heal.phase == HealPhase::Planned;
    let fresh = !keep.is_acting() && !planned && keep.touched <= began;
    // Another one under its name says as well that it is gone.
    let gone = keep.id().filter(|id| seen.is_none_or(|seen| seen.id != **id)).map(str::to_owned);
    if let (true, Some(id)) = (fresh, gone) {
        keep.feed(heal::Event::Gone { id }, now, out);
    }
    let Some(seen) = seen else { return };
    let id = seen.id.clone();
    match seen.state {
        State::Running | State::Restarting => {
            keep.found_at(&seen.networks);
            let up = met.get(&id);
            if let Some(up) = up {
                keep.meet(up);
            }
            if fresh || (up.is_some() && !planned && keep.id() != Some(&id)) {
                let age = up.map_or(Duration::ZERO, |up| since(up.started_at, now.wall));
                keep.feed(heal::Event::SeenRunning { id, age, health: seen.health }, now, out);
            }
        }
        State::Paused if fresh => keep.feed(heal::Event::Paused { id }, now, out),
        State::Exited(code) if fresh && keep.id() == Some(&id) => {
            if keep.runs() {
                keep.exit_code = Some(code);
            }
            let out_of_memory = keep.take_out_of_memory();
            keep.feed(heal::Event::Exited { id, code, out_of_memory }, now, out);
        }
        State::Created | State::Exited(_) if fresh => keep.feed(heal::Event::SeenDown { id }, now, out),
        _ => {}
    }
}

pub(super) fn probed(
    keep: &mut Keep,
    id: String,
    startup: bool,
    failure: Option<(String, heal::Silence)>,
    took: Duration,
    now: Now,
    out: &mut Vec<Effect>,
) {
    if keep.id() != Some(&id) {
        return keep.answered_by_another();
    }
    keep.answered(startup, failure.as_ref().map(|(reason, _)| reason.as_str()), took, now);
    match failure {
        Some((reason, silence)) => keep.feed(heal::Event::ProbeFailed { id, reason, silence }, now, out),
        None if startup => {}
        None => keep.feed(heal::Event::ProbeOk { id }, now, out),
    }
}

/// Whether anything that is there was made of another file than this one.
pub(super) fn differs(wanted: &Wanted, seen: &Seen) -> bool {
    let specs = || wanted.services.values().flat_map(|service| &service.containers);
    let of = |seen: &SeenContainer| {
        specs().find(|spec| Some(&spec.service) == seen.service.as_ref() && Some(spec.number) == seen.number)
    };
    let ours = seen.containers.iter().filter(|container| is_ours(container, &wanted.project));
    ours.into_iter().any(|container| {
        of(container).is_none_or(|spec| {
            container.hash.as_deref() != Some(hash::container(spec)) || holds_other_configs(container, spec)
        })
    })
}

/// What of it served or served last: where an update was not finished, what that had put aside.
pub(super) fn in_use(seen: &Seen) -> Seen {
    let place = |container: &SeenContainer| (container.service.clone(), container.number);
    let is_aside = |container: &&SeenContainer| spare::role(&container.name) == Role::Previous;
    let aside: BTreeSet<_> = seen.containers.iter().filter(is_aside).map(place).collect();
    let serves = |container: &&SeenContainer| match spare::role(&container.name) {
        Role::Previous => true,
        Role::Next => false,
        Role::Main => !aside.contains(&place(container)),
    };
    Seen { containers: seen.containers.iter().filter(serves).cloned().collect(), ..Seen::default() }
}

/// Whether a container's files hold something else than is wanted of them.
pub(super) fn holds_other_configs(seen: &SeenContainer, spec: &ContainerSpec) -> bool {
    spec.reload.is_some() && seen.live.as_ref().is_some_and(|live| live.contents != spec.live_contents())
}

pub(super) fn is_ours(container: &SeenContainer, project: &str) -> bool {
    container.project.as_deref() == Some(project)
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}
