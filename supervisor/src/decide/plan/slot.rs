//! The containers that stand for one wanted container: one as a rule, up to three while an update is not at its end.
//!
//! Deliberately absent: what becomes of them (`judge`).

use std::collections::BTreeMap;

use super::super::hash;
use super::super::seen::{Seen, SeenContainer, State};
use super::super::spare::{self, Role};
use super::super::spec::{ContainerSpec, Wanted};
use super::judge::is_ours;
use super::reload::changed;

/// The containers of one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot<'a> {
    /// The one that serves, or served last.
    pub(super) main: Option<&'a SeenContainer>,
    /// Its successor, which has not taken over.
    pub(super) next: Option<&'a SeenContainer>,
    /// Its predecessor, as long as it has not been made good.
    pub(super) previous: Option<&'a SeenContainer>,
}

impl<'a> Slot<'a> {
    /// Whether a container is one of them.
    pub(super) fn has(&self, id: &str) -> bool {
        [self.main, self.next, self.previous].into_iter().flatten().any(|container| container.id == id)
    }

    /// A successor that is as wanted and was not used yet.
    pub(super) fn ready_next(&self, spec: &ContainerSpec) -> Option<&'a SeenContainer> {
        let is_ready = |next: &&SeenContainer| {
            is(next, spec)
                && next.state == State::Created
                && changed(spec, next).is_empty()
                && !lacks_images(spec, next)
        };
        self.next.filter(is_ready)
    }
}

/// Whether a container was made as is wanted now.
pub(super) fn is(container: &SeenContainer, spec: &ContainerSpec) -> bool {
    container.hash.as_deref() == Some(hash::container(spec))
}

/// Whether a container that is down may not have the images that it mounts: an engine mounts them when it makes the container
/// and never again. Once it was restarted, the container sees an empty folder of the host there, or does not start (seen of
/// Engine 28.5.2, with overlay2 and with containerd's image store; moby#50999).
pub(super) fn lacks_images(spec: &ContainerSpec, container: &SeenContainer) -> bool {
    let is_up = matches!(container.state, State::Running | State::Restarting | State::Paused);
    !is_up && spec.mounted_images().next().is_some()
}

/// What is seen, by the places that it stands for: made once a plan.
pub(super) struct Places<'a> {
    /// All of it.
    pub(super) seen: &'a Seen,
    /// By service and number.
    ours: BTreeMap<(&'a str, u32), Vec<&'a SeenContainer>>,
    /// What is not ours.
    foreign: Vec<&'a SeenContainer>,
}

impl<'a> Places<'a> {
    pub(super) fn of(wanted: &Wanted, seen: &'a Seen) -> Self {
        let mut places = Self { seen, ours: BTreeMap::new(), foreign: Vec::new() };
        for container in &seen.containers {
            match (container.service.as_deref(), container.number) {
                _ if !is_ours(wanted, container) => places.foreign.push(container),
                (Some(service), Some(number)) => {
                    places.ours.entry((service, number)).or_default().push(container);
                }
                _ => {}
            }
        }
        places
    }

    /// The containers that stand for a spec, by their labels; of several in one role the one that fits best.
    pub(super) fn slot(&self, spec: &ContainerSpec) -> Slot<'a> {
        let all = self.ours.get(&(spec.service.as_str(), spec.number)).map_or(&[][..], Vec::as_slice);
        let best = |wanted: Role| {
            let mut fit = all.iter().copied().filter(|container| spare::role(&container.name) == wanted);
            let first = fit.next()?;
            // Hashing is dear, and several are rare.
            let Some(second) = fit.next() else { return Some(first) };
            let hash = hash::container(spec);
            [first, second].into_iter().chain(fit).max_by_key(|container| {
                (
                    container.hash.as_deref() == Some(hash),
                    spare::base(&container.name) == spec.name,
                    container.state == State::Running,
                    container.created,
                    &container.id,
                )
            })
        };
        Slot { main: best(Role::Main), next: best(Role::Next), previous: best(Role::Previous) }
    }

    /// A container that is not ours under a name that a spec is given, or passes through.
    pub(super) fn foreign(&self, spec: &ContainerSpec) -> Option<&'a SeenContainer> {
        let taken = |name: &str| name == spec.name || spare::base(name) == spec.name;
        self.foreign.iter().copied().find(|container| taken(&container.name))
    }
}
