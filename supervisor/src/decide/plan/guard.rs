//! The guard in a plan: set after the networks that it goes by, and before anything is started on them.
//!
//! Deliberately absent: what is in it (`decide::guard`).

use std::collections::BTreeSet;

use super::super::guard::{GuardSpec, Verdict, judge};
use super::super::seen::{Seen, SeenTable};
use super::super::spec::Wanted;
use super::draft::Draft;
use super::{Plan, Step};

/// Sets the guard where it is not as wanted; the step that does. `first` makes networks that it is to go by.
pub(super) fn guard(
    wanted: &Wanted,
    seen: &Seen,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Option<usize> {
    // Guarded or not, the engine would fail in the middle.
    if seen.guard.as_ref().is_some_and(|host| host.without_ipv6) {
        for what in needs_ipv6(wanted) {
            draft.block(what);
        }
    }
    let Some(spec) = &wanted.guard else {
        leave(wanted, seen, draft);
        return None;
    };
    for network in wanted.networks.values().filter(|network| network.external) {
        draft.warn(format!(
            "network `{}` is made outside, and the guard leaves it alone, since others may be on it: whoever made it has to \
             guard it",
            network.name
        ));
    }
    let spec = spec.on(seen.guard.as_ref());
    match judge(&spec, seen) {
        Verdict::Blocked(why) => {
            for why in why {
                draft.block(why);
            }
            None
        }
        Verdict::Keep if first.is_empty() => {
            draft.keep("guard", &wanted.project, "as wanted");
            None
        }
        Verdict::Keep => Some(set(spec, "it has to know the new networks", first, draft)),
        Verdict::Set(why) => Some(set(spec, why.words(), first, draft)),
    }
}

/// What a wanted state cannot have where the kernel has no IPv6, and what to write instead.
fn needs_ipv6(wanted: &Wanted) -> Vec<String> {
    let networks = wanted.networks.values().filter(|network| network.ipv6 && !network.external).map(|network| {
        format!(
            "network `{}` asks for IPv6, which this host's kernel does not have: take `enable_ipv6` out, or boot without \
             `ipv6.disable=1`",
            network.key
        )
    });
    let ports = wanted.services.values().flat_map(|service| {
        let published = service.containers.iter().flat_map(|spec| &spec.ports);
        published.chain(&service.relayed).filter(|port| port.host_ip.is_ipv6()).map(|port| {
            format!(
                "service `{}` is to be reached at `[{}]:{}`, and this host's kernel has no IPv6: publish on an IPv4 address, \
                 or boot without `ipv6.disable=1`",
                service.service, port.host_ip, port.host_port
            )
        })
    });
    networks.chain(ports).collect()
}

fn set(spec: GuardSpec, reason: &str, first: &BTreeSet<usize>, draft: &mut Draft) -> usize {
    let index = draft.step(Step::Guard(spec), reason, first.iter().copied());
    draft.starts_come_after(index);
    index
}

/// A guard that the file does not want any more.
fn leave(wanted: &Wanted, seen: &Seen, draft: &mut Draft) {
    if is_there(seen) {
        let step = Step::Unguard { project: wanted.project.clone() };
        draft.step(step, "the file goes without it", []);
    }
}

/// Whether there is a guard to take away.
pub(super) fn is_there(seen: &Seen) -> bool {
    seen.guard.as_ref().is_some_and(|guard| matches!(guard.table, SeenTable::There { .. }))
}

/// The plan that puts the guard right over the networks that are there, and does nothing else: for when the rest of a plan
/// cannot be done, or not yet. `None` where there is nothing to put right, or no way to.
pub fn guard_alone(wanted: &Wanted, seen: &Seen) -> Option<Plan> {
    let mut draft = Draft::default();
    guard(wanted, seen, &BTreeSet::new(), &mut draft);
    let plan = draft.finish();
    (!plan.steps.is_empty()).then_some(plan)
}
