//! The order of services by `depends_on`.
//!
//! Deliberately absent: judging a cycle; loading refuses those. Here one is only kept from hanging the planner.

use std::collections::{BTreeMap, BTreeSet};

use super::super::spec::Wanted;

/// Every service, each after those that it depends on; by name where there is a choice.
pub(super) fn dependencies_first(wanted: &Wanted) -> Vec<&str> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = wanted
        .services
        .iter()
        .map(|(name, service)| {
            let known = service.depends_on.keys().filter(|d| wanted.services.contains_key(*d) && *d != name);
            (name.as_str(), known.map(String::as_str).collect())
        })
        .collect();
    let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, first) in &waiting {
        for other in first {
            dependents.entry(other).or_default().push(name);
        }
    }
    let mut free: BTreeSet<&str> =
        waiting.iter().filter(|(_, first)| first.is_empty()).map(|(name, _)| *name).collect();
    let mut order = Vec::with_capacity(waiting.len());
    // In a cycle simply the first.
    while let Some(next) = free.pop_first().or_else(|| waiting.keys().next().copied()) {
        waiting.remove(next);
        for dependent in dependents.get(next).into_iter().flatten() {
            if let Some(first) = waiting.get_mut(dependent)
                && first.remove(next)
                && first.is_empty()
            {
                free.insert(dependent);
            }
        }
        order.push(next);
    }
    order
}

/// The services in `names` and all that they depend on, near or far.
pub(super) fn with_dependencies<'a>(wanted: &'a Wanted, names: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut all = names.clone();
    let mut look: Vec<&str> = names.iter().copied().collect();
    while let Some(name) = look.pop() {
        let Some(service) = wanted.services.get(name) else { continue };
        for dependency in service.depends_on.keys() {
            if wanted.services.contains_key(dependency) && all.insert(dependency) {
                look.push(dependency);
            }
        }
    }
    all
}
