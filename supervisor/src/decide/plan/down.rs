//! The plan that takes a project down: its containers and networks, and its volumes only when asked for by name.
//!
//! Deliberately absent: anything without our project's label, and external networks and volumes.

use std::collections::BTreeSet;

use super::super::seen::{Seen, SeenContainer};
use super::super::spec::Wanted;
use super::draft::{Draft, grace};
use super::guard::is_there;
use super::{Plan, Step, order};

/// What becomes of the project's volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Volumes {
    /// They stay, with their data.
    #[default]
    Keep,
    /// They are removed, with their data.
    Remove,
}

/// Stops and removes every container of a project, dependents first, then its networks. Orphans go too. `wanted`
/// gives the order and the graces; without a file the newest container goes first.
pub fn down(project: &str, wanted: Option<&Wanted>, seen: &Seen, volumes: Volumes) -> Plan {
    let mut draft = Draft::default();
    let mut last = BTreeSet::new();
    for container in dependents_first(project, wanted, seen) {
        let first = match (wanted, &container.service) {
            (Some(wanted), Some(service)) => draft.stops_of_dependents(wanted, service),
            _ => BTreeSet::new(),
        };
        let stopped = draft.stop(container, grace(wanted, container), "the project goes down", &first);
        last.insert(draft.remove(container, "the project goes down", stopped));
    }
    let mut gone = BTreeSet::new();
    for network in seen.networks.iter().filter(|network| network.project.as_deref() == Some(project)) {
        let step = Step::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
        gone.insert(draft.step(step, "the project goes down", last.iter().copied()));
    }
    if is_there(seen) {
        let step = Step::Unguard { project: project.to_owned() };
        draft.step(step, "the project goes down", last.iter().chain(&gone).copied());
    }
    for volume in seen.volumes.iter().filter(|volume| volume.project.as_deref() == Some(project)) {
        match volumes {
            Volumes::Keep => draft.keep("volume", &volume.name, "holds data; `--volumes` removes it"),
            Volumes::Remove => {
                let step = Step::RemoveVolume { name: volume.name.clone() };
                draft.step(step, "`--volumes` was asked for", last.iter().copied());
            }
        }
    }
    draft.finish()
}

/// The project's containers in an order that is safe to stop them in.
pub(super) fn dependents_first<'a>(
    project: &str,
    wanted: Option<&Wanted>,
    seen: &'a Seen,
) -> Vec<&'a SeenContainer> {
    let order = wanted.map(order::dependencies_first).unwrap_or_default();
    let place = |container: &SeenContainer| {
        container.service.as_ref().and_then(|service| order.iter().position(|name| name == service))
    };
    let mut containers: Vec<_> =
        seen.containers.iter().filter(|container| container.project.as_deref() == Some(project)).collect();
    containers.sort_by_key(|container| {
        let place = place(container).unwrap_or(usize::MAX);
        (std::cmp::Reverse((place, container.created)), &container.name, &container.id)
    });
    containers
}
