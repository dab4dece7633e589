//! In which order services start, and which of them wait for each other.
//!
//! Deliberately absent: waiting itself; a plan does that.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Service;

/// Service names, each after all that it depends on; those of a cycle come last, by name.
pub fn start_order(services: &BTreeMap<String, Service>) -> Vec<&str> {
    let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wanted_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, service) in services {
        let known = service.depends_on.keys().filter(|d| services.contains_key(*d));
        waits.insert(name, known.clone().count());
        for dependency in known {
            wanted_by.entry(dependency).or_default().push(name);
        }
    }
    let mut ready: BTreeSet<&str> = waits.iter().filter(|(_, n)| **n == 0).map(|(name, _)| *name).collect();
    let mut order = Vec::with_capacity(services.len());
    while let Some(name) = ready.pop_first() {
        order.push(name);
        waits.remove(name);
        for next in wanted_by.get(name).into_iter().flatten() {
            if let Some(count) = waits.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    order.extend(waits.keys());
    order
}

/// Each cycle once, as the names along it, the first one repeated at the end. Services that wait for themselves
/// are not among them.
pub(crate) fn cycles(services: &BTreeMap<String, Service>) -> Vec<Vec<String>> {
    let order = start_order(services);
    let place: BTreeMap<&str, usize> = order.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    // What comes before something that it waits for is in a cycle, or waits for one.
    let mut left: BTreeSet<&str> = BTreeSet::new();
    for (name, service) in services {
        let at = place.get(name.as_str());
        if service
            .depends_on
            .keys()
            .any(|d| d != name && services.contains_key(d) && place.get(d.as_str()) > at)
        {
            left.insert(name);
        }
    }
    let mut cycles = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in left {
        if done.contains(start) {
            continue;
        }
        if let Some(path) = walk(services, start, &mut done) {
            cycles.push(path);
        }
    }
    cycles
}

/// Follows dependencies from a service until one comes again. What was walked is marked, so that the whole search
/// stays linear.
fn walk<'a>(
    services: &'a BTreeMap<String, Service>,
    start: &'a str,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    let mut path: Vec<(&str, Vec<&str>)> = Vec::new();
    let next_of = |name: &str| -> Vec<&'a str> {
        let service = services.get(name);
        let depends = service.into_iter().flat_map(|s| s.depends_on.keys()).map(String::as_str);
        depends.filter(|d| *d != name && services.contains_key(*d)).collect()
    };
    let mut on_path: BTreeMap<&str, usize> = BTreeMap::new();
    done.insert(start);
    on_path.insert(start, 0);
    path.push((start, next_of(start)));
    while let Some((name, rest)) = path.last_mut() {
        let name = *name;
        match rest.pop() {
            None => {
                on_path.remove(name);
                path.pop();
            }
            Some(next) => {
                if let Some(at) = on_path.get(next) {
                    let around = path.get(*at..).unwrap_or_default().iter().map(|(n, _)| (*n).to_owned());
                    let cycle: Vec<String> = around.chain([next.to_owned()]).collect();
                    return Some(cycle);
                }
                if done.insert(next) {
                    on_path.insert(next, path.len());
                    path.push((next, next_of(next)));
                }
            }
        }
    }
    None
}
