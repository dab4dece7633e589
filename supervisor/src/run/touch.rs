//! Which containers a plan is about, and what it says of its steps.
//!
//! Deliberately absent: when it is carried out (`watch`).

use std::collections::BTreeSet;

use crate::apply::{subject, words};
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::spare;
use crate::decide::spec::{ServiceSpec, Wanted};

/// The name outside an update of the container that a step is about.
pub(super) fn touched(planned: &Planned) -> Option<&str> {
    let name = match &planned.step {
        Step::Create { spec, .. } => &spec.name,
        Step::Start { name, .. }
        | Step::PostStart { name, .. }
        | Step::PreStop { name, .. }
        | Step::Stop { name, .. }
        | Step::Remove { name, .. }
        | Step::Unpause { name, .. }
        | Step::SetRestart { name, .. }
        | Step::SetBounds { name, .. }
        | Step::Connect { name, .. }
        | Step::Rejoin { name, .. }
        | Step::Disconnect { name, .. } => name,
        Step::Reload(reload) | Step::Unreload { reload, .. } => &reload.name,
        Step::Rename { to, .. } => to,
        _ => return None,
    };
    Some(spare::base(name))
}

/// The containers that an update touches, and those that its way back would start again for their sake.
pub(super) fn with_followers(wanted: &Wanted, plan: &Plan) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = plan.steps.iter().filter_map(touched).map(str::to_owned).collect();
    let is_touched = |service: &ServiceSpec| service.containers.iter().any(|spec| names.contains(&spec.name));
    let services: BTreeSet<&str> = wanted
        .services
        .values()
        .filter(|service| is_touched(service))
        .map(|service| service.service.as_str())
        .collect();
    let follows = |service: &&ServiceSpec| {
        service.depends_on.iter().any(|(other, how)| how.restart && services.contains(other.as_str()))
    };
    let followers = wanted.services.values().filter(follows).flat_map(|service| &service.containers);
    let followers: Vec<String> = followers.map(|spec| spec.name.clone()).collect();
    names.extend(followers);
    names
}

/// The container that a step begins, changes or ends.
pub(super) fn container_of(planned: &Planned) -> Option<&str> {
    match &planned.step {
        Step::Create { spec, .. } => Some(&spec.name),
        Step::Start { name, .. } | Step::Stop { name, .. } | Step::Remove { name, .. } => Some(name),
        _ => None,
    }
}

/// The container that a step changes in place.
pub(super) fn changed_in_place(planned: &Planned) -> Option<&str> {
    match &planned.step {
        Step::SetRestart { name, .. } | Step::SetBounds { name, .. } => Some(name),
        _ => None,
    }
}

pub(super) fn describe(planned: &Planned) -> String {
    let (step, subject) = (words(&planned.step).0, subject(&planned.step));
    format!("{step} {} `{}`: {}", subject.kind, subject.name, planned.reason)
}
