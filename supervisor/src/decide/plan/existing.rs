//! Plans over the containers that are there: stop, start and restart them, in order, creating and removing nothing.
//!
//! Deliberately absent: bringing them to what the file says now; that is `up`'s.

use std::collections::BTreeSet;

use compose::model::Condition;

use super::super::seen::{Health, Seen, SeenContainer, State};
use super::super::spare::{self, Role};
use super::super::spec::{ServiceSpec, Wanted};
use super::down::dependents_first;
use super::draft::{Draft, grace};
use super::guard::guard;
use super::{Plan, order};

/// Stops the containers of these services (of all if there are none), dependents first.
pub fn stop(wanted: &Wanted, seen: &Seen, services: &BTreeSet<String>) -> Plan {
    let mut draft = Draft::default();
    let chosen = choose(wanted, services, &mut draft);
    stop_all(wanted, seen, &chosen, "a stop was asked for", &mut draft);
    draft.finish()
}

/// Starts the containers of these services (of all if there are none), dependencies first.
pub fn start(wanted: &Wanted, seen: &Seen, services: &BTreeSet<String>) -> Plan {
    let mut draft = Draft::default();
    let chosen = choose(wanted, services, &mut draft);
    guard(wanted, seen, &BTreeSet::new(), &mut draft);
    start_all(wanted, seen, &chosen, "a start was asked for", is_down, &mut draft);
    draft.finish()
}

/// Stops and starts the containers of these services (of all if there are none), and of those whose `depends_on`
/// says `restart` of one of them.
pub fn restart(wanted: &Wanted, seen: &Seen, services: &BTreeSet<String>) -> Plan {
    let mut draft = Draft::default();
    let mut chosen = choose(wanted, services, &mut draft);
    for name in order::dependencies_first(wanted) {
        let Some(service) = wanted.services.get(name) else { continue };
        if service.depends_on.iter().any(|(other, how)| how.restart && chosen.contains(other.as_str())) {
            chosen.insert(name);
        }
    }
    restart_all(wanted, seen, &chosen, draft)
}

/// [`restart`], and none of those that would follow.
pub fn restart_alone(wanted: &Wanted, seen: &Seen, services: &BTreeSet<String>) -> Plan {
    let mut draft = Draft::default();
    let chosen = choose(wanted, services, &mut draft);
    restart_all(wanted, seen, &chosen, draft)
}

fn restart_all(wanted: &Wanted, seen: &Seen, chosen: &BTreeSet<&str>, mut draft: Draft) -> Plan {
    let reason = "a restart was asked for";
    guard(wanted, seen, &BTreeSet::new(), &mut draft);
    stop_all(wanted, seen, chosen, reason, &mut draft);
    start_all(wanted, seen, chosen, reason, |_| true, &mut draft);
    draft.finish()
}

fn choose<'a>(wanted: &'a Wanted, services: &BTreeSet<String>, draft: &mut Draft) -> BTreeSet<&'a str> {
    for name in services.iter().filter(|name| !wanted.services.contains_key(*name)) {
        draft.block(format!("no service `{name}` is active in the file"));
    }
    wanted
        .services
        .keys()
        .filter(|name| services.is_empty() || services.contains(*name))
        .map(String::as_str)
        .collect()
}

fn takes_part(container: &SeenContainer, chosen: &BTreeSet<&str>) -> bool {
    container.service.as_deref().is_some_and(|service| chosen.contains(service))
}

fn is_down(container: &SeenContainer) -> bool {
    matches!(container.state, State::Created | State::Exited(_) | State::Paused)
}

fn stop_all(wanted: &Wanted, seen: &Seen, chosen: &BTreeSet<&str>, reason: &str, draft: &mut Draft) {
    for container in dependents_first(&wanted.project, Some(wanted), seen) {
        let Some(service) = container.service.as_ref().filter(|_| takes_part(container, chosen)) else {
            continue;
        };
        let first = draft.stops_of_dependents(wanted, service);
        if draft.stop(container, grace(Some(wanted), container), reason, &first).is_none() {
            draft.keep("container", &container.name, "it does not run");
        }
    }
}

fn start_all(
    wanted: &Wanted,
    seen: &Seen,
    chosen: &BTreeSet<&str>,
    reason: &str,
    starts: fn(&SeenContainer) -> bool,
    draft: &mut Draft,
) {
    let stops = draft.all_stops();
    for name in order::dependencies_first(wanted).into_iter().filter(|name| chosen.contains(name)) {
        let Some(service) = wanted.services.get(name) else { continue };
        let containers = containers(wanted, seen, name);
        if containers.is_empty() {
            draft.warn(format!("service `{name}` has no container; `up` makes one"));
        }
        for container in containers {
            if !starts(container) {
                draft.keep("container", &container.name, "it runs already");
            } else if container.state == State::Paused && stops.is_empty() {
                draft.unpause(container, reason);
            } else {
                let mut after = stops.clone();
                after.extend(draft.dependencies(wanted, service, chosen, |other, condition| {
                    so_already(wanted, seen, other, condition)
                }));
                let hooks = &container.hooks.post_start;
                draft.start((Some(&container.id), &container.name), name, hooks, reason, after);
            }
        }
    }
}

/// A service's containers, lowest number first.
fn containers<'a>(wanted: &Wanted, seen: &'a Seen, service: &str) -> Vec<&'a SeenContainer> {
    let mut containers: Vec<_> = seen
        .containers
        .iter()
        .filter(|c| c.project.as_ref() == Some(&wanted.project) && c.service.as_deref() == Some(service))
        .filter(|c| spare::role(&c.name) == Role::Main)
        .collect();
    containers.sort_by_key(|c| (c.number, &c.name, &c.id));
    containers
}

fn so_already(wanted: &Wanted, seen: &Seen, service: &ServiceSpec, condition: Condition) -> bool {
    containers(wanted, seen, &service.service).iter().all(|container| match condition {
        Condition::Started => container.state == State::Running,
        Condition::Healthy => container.state == State::Running && container.health == Some(Health::Healthy),
        Condition::Completed => container.state == State::Exited(0),
    })
}
