//! The plan that makes the seen the wanted: create, replace, start, and nothing that is right already.
//!
//! Only what carries our project's label is stopped or removed; no volume is ever removed. Deliberately absent:
//! what heals a running container (`heal`).

use std::collections::{BTreeMap, BTreeSet};

use compose::model::Condition;

use super::super::seen::{Seen, SeenContainer};
use super::super::spec::{Await, ServiceSpec, Wanted};
use super::choice::{Choice, in_scope, scope};
use super::draft::{Draft, grace, timeout};
use super::ground::{Made, create_networks, create_volumes, networks, pulls, volumes};
use super::in_place::change_in_place;
use super::judge::{Deed, Verdict, leaving, runs_to_its_end, so_already, verdicts};
use super::{Plan, Step, order};

/// The steps from what is seen to what is wanted. The same input gives the same plan, byte for byte, and a plan
/// against its own result is empty.
pub fn plan(wanted: &Wanted, seen: &Seen) -> Plan {
    plan_with(wanted, seen, &Choice::default())
}

/// [`plan`], with a say in what takes part.
pub fn plan_with(wanted: &Wanted, seen: &Seen, choice: &Choice) -> Plan {
    let mut draft = Draft::default();
    let scope = scope(wanted, choice, &mut draft);
    let networks = networks(wanted, seen, choice, &scope, &mut draft);
    volumes(wanted, seen, &scope, &mut draft);
    let verdicts = verdicts(wanted, seen, choice, &scope, &networks.anew, &mut draft);
    let leaving = leaving(wanted, seen, choice, &scope, &mut draft);
    warn_of_ports(wanted, &scope, &mut draft);

    let mut made = Made::default();
    pulls(&verdicts, &mut draft, &mut made);
    create_networks(wanted, &networks.missing, &BTreeSet::new(), "it is not there", &mut draft, &mut made);
    create_volumes(wanted, seen, &scope, &mut draft, &mut made);
    let ground: BTreeSet<usize> = made.all();
    let removed = take_down(wanted, &verdicts, &leaving, &ground, &mut draft);
    for network in &networks.changed {
        let after = removed.values().copied().chain(ground.iter().copied());
        let step = Step::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
        let index = draft.step(step, "its settings changed", after);
        let names = BTreeSet::from([network.name.as_str()]);
        create_networks(
            wanted,
            &names,
            &BTreeSet::from([index]),
            "its settings changed",
            &mut draft,
            &mut made,
        );
    }
    bring_up(wanted, seen, &scope, &verdicts, &removed, &made, &mut draft);
    draft.finish()
}

/// What has to be true of a service for it to be as wanted: ended well where others wait for that, healthy where
/// somebody checks, else started.
pub fn readiness(wanted: &Wanted, service: &ServiceSpec) -> Await {
    let condition = if runs_to_its_end(wanted, service) {
        Condition::Completed
    } else if service.probe.is_some() || service.engine_health {
        Condition::Healthy
    } else {
        Condition::Started
    };
    Await {
        service: service.service.clone(),
        condition,
        timeout: timeout(service, condition),
        required: true,
    }
}

fn warn_of_ports(wanted: &Wanted, scope: &BTreeSet<&str>, draft: &mut Draft) {
    for service in in_scope(wanted, scope) {
        for port in &service.unpublished {
            draft.warn(format!(
                "port `{}` of service `{}` is not published: the service is only on internal networks, and the \
                 engine publishes nothing of those; reach it through the edge service, or give it a network that is \
                 not internal",
                std::net::SocketAddr::new(port.host_ip, port.host_port),
                service.service
            ));
        }
    }
}

/// Stops and removes what goes, dependents before what they depend on, once all that can fail harmlessly
/// (`ground`: images, networks, volumes) is there. Gives the step after which each container is out of the way.
fn take_down<'a>(
    wanted: &Wanted,
    verdicts: &[Verdict<'a>],
    leaving: &[(&'a SeenContainer, String)],
    ground: &BTreeSet<usize>,
    draft: &mut Draft,
) -> BTreeMap<&'a str, usize> {
    let order = order::dependencies_first(wanted);
    let replaced = verdicts.iter().filter_map(|verdict| {
        let seen = verdict.seen?;
        matches!(verdict.deed, Deed::Replace | Deed::Restart).then_some((seen, &verdict.reason, verdict.deed))
    });
    let mut going: Vec<_> =
        leaving.iter().map(|(seen, reason)| (*seen, reason, Deed::Replace)).chain(replaced).collect();
    going.sort_by_key(|(container, ..)| {
        let place = order.iter().position(|name| container.service.as_deref() == Some(*name));
        std::cmp::Reverse(place.unwrap_or(usize::MAX))
    });
    let mut gone = BTreeMap::new();
    for (container, reason, deed) in going {
        let mut after = ground.clone();
        if let Some(service) = &container.service {
            after.extend(draft.stops_of_dependents(wanted, service));
        }
        let stopped = draft.stop(container, grace(Some(wanted), container), reason, &after);
        let last = match (deed, stopped) {
            (Deed::Restart, stopped) => stopped,
            (_, Some(stopped)) => Some(draft.remove(container, reason, [stopped])),
            (_, None) => Some(draft.remove(container, reason, after)),
        };
        if let Some(last) = last {
            gone.insert(container.name.as_str(), last);
        }
    }
    gone
}

/// Creates and starts, dependencies first.
fn bring_up(
    wanted: &Wanted,
    seen: &Seen,
    scope: &BTreeSet<&str>,
    verdicts: &[Verdict<'_>],
    gone: &BTreeMap<&str, usize>,
    made: &Made,
    draft: &mut Draft,
) {
    let stops = draft.all_stops();
    for verdict in verdicts {
        let Verdict { service, spec, reason, .. } = verdict;
        let mut after = BTreeSet::new();
        // Its own stop, and the end of whoever has its name.
        let way_is_free = |found: &SeenContainer| -> BTreeSet<usize> {
            [&found.name, &spec.name]
                .into_iter()
                .filter_map(|name| gone.get(name.as_str()))
                .copied()
                .collect()
        };
        match (verdict.deed, verdict.seen) {
            (Deed::Create | Deed::Replace, old) => {
                let mut first = made.needed_by(spec);
                first.extend(gone.get(spec.name.as_str()));
                first.extend(old.and_then(|old| gone.get(old.name.as_str())));
                after.insert(draft.step(Step::Create(Box::new((*spec).clone())), reason, first));
            }
            (Deed::Start | Deed::Restart, Some(found)) => {
                let first = way_is_free(found);
                after.extend(change_in_place(spec, found, made, &first, draft));
                after.extend(first);
            }
            (Deed::Unpause, Some(found)) => {
                change_in_place(spec, found, made, &way_is_free(found), draft);
                draft.unpause(found, reason);
                continue;
            }
            (Deed::Leave, Some(found)) => {
                draft.keep("container", &found.name, reason.clone());
                continue;
            }
            (_, Some(found)) => {
                if change_in_place(spec, found, made, &way_is_free(found), draft).is_empty() {
                    draft.keep("container", &found.name, reason.clone());
                }
                continue;
            }
            (_, None) => continue,
        }
        // A host port or an address may be another's until that one has stopped.
        if !spec.ports.is_empty() || spec.networks.values().any(|at| at.ipv4.is_some() || at.ipv6.is_some()) {
            after.extend(&stops);
        }
        after.extend(draft.dependencies(wanted, service, scope, |other, condition| {
            so_already(wanted, seen, other, condition)
        }));
        draft.start(&spec.name, &service.service, reason, after);
    }
}
