//! What becomes of each container, wanted or no longer so, with the reason in words.
//!
//! Deliberately absent: steps and their order.

use std::collections::{BTreeMap, BTreeSet};

use compose::model::Condition;

use super::super::hash;
use super::super::heal::Hold;
use super::super::seen::{Health, SeenContainer, State};
use super::super::spare::{self, Role};
use super::super::spec::{ContainerSpec, ServiceSpec, Wanted};
use super::choice::{Choice, Orphans, Recreate};
use super::draft::Draft;
use super::networks::Anew;
use super::order;
use super::reload::{can_be_told, changed, is_told};
use super::slot::{Places, Slot, is, lacks_images};

/// What becomes of one wanted container.
pub(super) struct Verdict<'a> {
    pub(super) service: &'a ServiceSpec,
    pub(super) spec: &'a ContainerSpec,
    pub(super) slot: Slot<'a>,
    pub(super) deed: Deed,
    pub(super) reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Made and started.
    Create,
    /// A new one made, the old one put aside, the new one started, and the old one removed once the new one is well.
    Replace,
    /// The old one removed before a new one is made: there is no way to keep it, or nothing to keep it for.
    Rebuild,
    /// The one that was put aside takes its place again: an update was not finished, and is not wanted any more.
    Back,
    /// Made anew or not, it was down: started.
    Start,
    /// Stopped and started for a dependency's sake.
    Restart,
    /// Let go on.
    Unpause,
    /// Nothing, or what can be changed in place.
    Keep,
    /// Nothing at all: an administrator has it in hand.
    Leave,
}

impl Deed {
    /// Whether those who depend on it with `restart` are started again for it.
    pub(super) const fn disturbs(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::Rebuild | Self::Back | Self::Restart)
    }
}

impl<'a> Verdict<'a> {
    /// The container that stays, if one does.
    pub(super) const fn found(&self) -> Option<&'a SeenContainer> {
        match self.deed {
            Deed::Back => self.slot.previous,
            _ => self.slot.main,
        }
    }

    /// Whether it is made anew as it was.
    pub(super) fn renews(&self) -> bool {
        let found = self.slot.main.or(self.slot.previous);
        self.deed == Deed::Rebuild
            && found.is_some_and(|found| is(found, self.spec) && lacks_images(self.spec, found))
    }

    /// Whether an update of it is not at its end, but for its proof.
    pub(super) const fn finishes(&self) -> bool {
        self.slot.previous.is_some()
            && matches!(self.deed, Deed::Start | Deed::Restart | Deed::Unpause | Deed::Keep)
    }
}

/// What becomes of each wanted container, dependencies first.
pub(super) fn verdicts<'a>(
    wanted: &'a Wanted,
    places: &Places<'a>,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    anew: &BTreeMap<&str, Anew>,
    draft: &mut Draft,
) -> Vec<Verdict<'a>> {
    let mut verdicts: Vec<Verdict<'a>> = Vec::new();
    let mut disturbed: BTreeSet<&str> = BTreeSet::new();
    let mut out_of_hand = out_of_hand(wanted, choice);
    for name in order::dependencies_first(wanted).into_iter().filter(|name| scope.contains(name)) {
        let Some(service) = wanted.services.get(name) else { continue };
        warn_of_dependencies(wanted, service, draft);
        let cause = service
            .depends_on
            .iter()
            .find(|(other, how)| how.restart && disturbed.contains(other.as_str()))
            .map(|(other, _)| other);
        for spec in &service.containers {
            let slot = places.slot(spec);
            let found = slot.main.or(slot.previous);
            if spare::role(&spec.name) != Role::Main {
                draft.block(format!(
                    "the name `{}` of service `{name}` ends with what updates put behind a name (`{}`, `{}`); choose \
                     another `container_name`",
                    spec.name, spare::NEXT, spare::PREVIOUS
                ));
            }
            if let Some(taken) = places.foreign(spec) {
                draft.block(format!(
                    "the name `{}` of service `{name}` is taken by a container that is not ours (image `{}`); it is \
                     not touched: remove or rename it, or choose another `container_name`",
                    taken.name, taken.image_id
                ));
            }
            let absent = spec.images().filter(|(_, id)| id.is_none()).map(|(image, _)| image);
            for image in absent.filter(|image| image.starts_with("sha256:")) {
                draft.block(format!(
                    "image `{image}` of service `{name}` is not on the engine, and an image id cannot be fetched; build or \
                     load it, or name it by registry and digest"
                ));
            }
            let (deed, reason) = judge(wanted, service, spec, slot, choice, anew, draft);
            let is_told = found.is_some_and(|found| is_told(spec, found, choice.recreate));
            let (deed, reason) = match (deed, cause, found.map(|c| c.state)) {
                (Deed::Keep, Some(cause), Some(State::Running)) if is_told && !held(choice, spec) => {
                    (Deed::Replace, format!("its configs changed, and `{cause}` is made anew or restarted"))
                }
                (Deed::Keep, Some(cause), Some(State::Running)) if !held(choice, spec) => (
                    Deed::Restart,
                    format!("`{cause}` is made anew or restarted, and `depends_on` says `restart`"),
                ),
                _ => (deed, reason),
            };
            let (deed, reason) = match obstacle(wanted, places, service, deed, &out_of_hand) {
                Some(why) => {
                    draft.waits(name, &why);
                    out_of_hand.insert(name, why.clone());
                    (Deed::Leave, why)
                }
                None => (deed, reason),
            };
            if deed.disturbs() {
                disturbed.insert(name);
            }
            verdicts.push(Verdict { service, spec, slot, deed, reason });
        }
    }
    verdicts
}

/// Services that nobody starts before somebody does something, with the reason.
fn out_of_hand<'a>(wanted: &'a Wanted, choice: &Choice) -> BTreeMap<&'a str, String> {
    let why = |service: &ServiceSpec| {
        service.containers.iter().find_map(|spec| match choice.held.get(&spec.name) {
            Some(Hold::Alone(why) | Hold::Over(why)) => {
                Some(format!("it waits for `{}`: {why}", service.service))
            }
            _ => None,
        })
    };
    wanted.services.iter().filter_map(|(name, service)| Some((name.as_str(), why(service)?))).collect()
}

/// What keeps a service from being started that no plan can bring about: it depends on one that somebody stopped or that
/// gave up, or on one that waits for such a one.
fn obstacle(
    wanted: &Wanted,
    places: &Places<'_>,
    service: &ServiceSpec,
    deed: Deed,
    out_of_hand: &BTreeMap<&str, String>,
) -> Option<String> {
    if matches!(deed, Deed::Keep | Deed::Leave | Deed::Unpause) {
        return None;
    }
    service.depends_on.iter().find_map(|(name, how)| {
        let why = out_of_hand.get(name.as_str())?;
        let other = wanted.services.get(name)?;
        let is_needed = how.required && how.condition != Condition::Started;
        (is_needed && !so_already(places, other, how.condition)).then(|| why.clone())
    })
}

fn warn_of_dependencies(wanted: &Wanted, service: &ServiceSpec, draft: &mut Draft) {
    for (other, how) in &service.depends_on {
        if how.required && !wanted.services.contains_key(other) {
            draft.warn(format!(
                "service `{}` depends on `{other}`, which is not active; it is not waited for",
                service.service
            ));
        }
    }
}

fn held(choice: &Choice, spec: &ContainerSpec) -> bool {
    choice.held.contains_key(&spec.name)
}

pub(super) fn is_ours(wanted: &Wanted, container: &SeenContainer) -> bool {
    container.project.as_ref() == Some(&wanted.project)
}

/// Whether the file has no service of this name, in an active profile or not.
pub(super) fn is_orphan(wanted: &Wanted, service: &str) -> bool {
    !wanted.services.contains_key(service) && !wanted.inactive.contains(service)
}

fn judge(
    wanted: &Wanted,
    service: &ServiceSpec,
    spec: &ContainerSpec,
    slot: Slot<'_>,
    choice: &Choice,
    anew: &BTreeMap<&str, Anew>,
    draft: &mut Draft,
) -> (Deed, String) {
    let Some(found) = slot.main.or(slot.previous) else {
        return (Deed::Create, "it is not there".to_owned());
    };
    let hold = choice.held.get(&spec.name);
    // What is down is put on the network that is made anew, and needs no other reason to be kept.
    let none = BTreeMap::new();
    let concerned = |container: &SeenContainer| match container.state {
        State::Running | State::Restarting | State::Paused => anew,
        _ => &none,
    };
    if let Some(previous) = slot.previous.filter(|previous| is(previous, spec))
        && slot.main.is_none_or(|main| !is(main, spec))
    {
        let reason = "an update was not finished, and what it put aside is as wanted";
        if difference(spec, previous, concerned(previous)).is_none() && !lacks_images(spec, previous) {
            return (Deed::Back, reason.to_owned());
        }
    }
    if let (Recreate::Back, Some(_)) = (choice.recreate, slot.previous) {
        return (Deed::Back, "the update that put it aside is not wanted".to_owned());
    }
    let changed = match choice.recreate {
        Recreate::All => Some("everything is to be made anew".to_owned()),
        Recreate::Changed | Recreate::None | Recreate::Back => difference(spec, found, concerned(found)),
    };
    let content =
        || (!self::changed(spec, found).is_empty()).then(|| "the content of its configs changed".to_owned());
    match (changed, hold) {
        (changed, Some(Hold::Alone(why))) => {
            if let Some(changed) = changed.or_else(content) {
                draft
                    .warn(format!("container `{}` is left as it is ({why}), although {changed}", found.name));
            }
            (Deed::Leave, why.clone())
        }
        (Some(changed), hold)
            if choice.recreate == Recreate::None
                || (choice.recreate == Recreate::Back && !is_cut(spec, found)) =>
        {
            if found.hash.is_some() {
                draft.warn(format!("container `{}` is left as it is, although {changed}", found.name));
            } else {
                let theirs = format!(
                    "container `{}` is Docker Compose's and stays so: it is neither confined, compared with a promise nor \
                     healed, and the engine alone restarts it, as Docker Compose said",
                    found.name
                );
                draft.waits(&service.service, &theirs);
                draft.warn(theirs);
            }
            match (in_place(wanted, service, found), hold) {
                ((Deed::Start, reason), None) => (Deed::Start, reason),
                _ => (Deed::Keep, "nothing is to be made anew".to_owned()),
            }
        }
        (Some(changed), _) if needs_room(found) => (Deed::Rebuild, changed),
        (Some(changed), _) => (Deed::Replace, changed),
        (None, Some(Hold::Down(why) | Hold::Over(why))) => (Deed::Keep, why.clone()),
        (None, None) => {
            let is_left = matches!(choice.recreate, Recreate::None | Recreate::Back);
            if let Some(changed) = content().filter(|_| is_left) {
                draft.warn(format!("container `{}` is left as it is, although {changed}", found.name));
            }
            match in_place(wanted, service, found) {
                (Deed::Start, reason) if !is_left && lacks_images(spec, found) => {
                    let why = "an engine that was restarted meanwhile mounts no image again";
                    (Deed::Rebuild, format!("{reason}; made anew, since {why}"))
                }
                other => other,
            }
        }
    }
}

/// Whether nothing but its networks is missing, all of them: another one of it is the same, whatever file is in force.
fn is_cut(spec: &ContainerSpec, found: &SeenContainer) -> bool {
    is(found, spec) && self::changed(spec, found).is_empty() && networks_of(found).next().is_none()
}

/// Whether a container has to be removed before another can be made in its place: what the engine gave up on cannot be
/// renamed.
const fn needs_room(found: &SeenContainer) -> bool {
    matches!(found.state, State::Dead | State::Removing)
}

/// Why a container is not what is wanted, if it is not.
fn difference(spec: &ContainerSpec, found: &SeenContainer, anew: &BTreeMap<&str, Anew>) -> Option<String> {
    if matches!(found.state, State::Dead | State::Removing) {
        return Some("the engine gave up on it".to_owned());
    }
    if found.hash.is_none() {
        return Some("Docker Compose made it".to_owned());
    }
    if found.hash.as_deref() != Some(hash::container(spec)) {
        let parts = hash::parts(spec);
        let parts = hash::changed_parts(found.parts.as_deref().unwrap_or_default(), &parts);
        return Some(match parts.as_slice() {
            [] => "its settings changed".to_owned(),
            [part] => format!("its {part} changed"),
            [first @ .., last] => format!("its {} and {last} changed", first.join(", ")),
        });
    }
    // What can be told is not different.
    if !changed(spec, found).is_empty() && !can_be_told(spec, found) {
        return Some(
            "the content of its configs changed, and it does not run well enough to be told".to_owned(),
        );
    }
    if let Some((network, what)) = anew.iter().find(|(network, _)| found.networks.contains_key(**network)) {
        return Some(format!("its network `{network}` {}", what.words()));
    }
    // The engine joins no network to one that was made without any, and puts one that was taken off all of them back
    // on its first at the next start.
    match (networks_of(found).next(), spec.networks.is_empty()) {
        (None, false) => Some("it is on no network".to_owned()),
        (Some(_), true) => Some("it is to be on no network".to_owned()),
        _ => None,
    }
}

/// The networks that a container is on, by engine name.
pub(super) fn networks_of(container: &SeenContainer) -> impl Iterator<Item = &str> {
    container.networks.keys().map(String::as_str).filter(|name| *name != "none")
}

/// What a container needs that is as wanted but for its running.
fn in_place(wanted: &Wanted, service: &ServiceSpec, found: &SeenContainer) -> (Deed, String) {
    match (found.state, found.health) {
        (State::Running, Some(Health::Healthy)) => (Deed::Keep, "as wanted, healthy".to_owned()),
        (State::Running, Some(Health::Unhealthy)) => (Deed::Keep, "as wanted, but unhealthy".to_owned()),
        (State::Running, _) => (Deed::Keep, "as wanted, running".to_owned()),
        (State::Restarting, _) => (Deed::Keep, "as wanted, and the engine is restarting it".to_owned()),
        (State::Paused, _) => (Deed::Unpause, "somebody paused it".to_owned()),
        (State::Exited(0), _) if runs_to_its_end(wanted, service) => {
            (Deed::Keep, "as wanted, ran to its end with code 0".to_owned())
        }
        (State::Exited(_), _) if found.refused => (Deed::Keep, "its rights were not as promised".to_owned()),
        (State::Exited(code), _) => (Deed::Start, format!("it ended with code {code}")),
        _ => (Deed::Start, "it was never started".to_owned()),
    }
}

/// A service that others wait for until it has ended well: started again only when it changed.
pub fn runs_to_its_end(wanted: &Wanted, service: &ServiceSpec) -> bool {
    wanted
        .services
        .values()
        .filter_map(|other| other.depends_on.get(&service.service))
        .any(|how| how.condition == Condition::Completed)
}

/// Containers of ours that stand for nothing in the file any more, with the reason.
pub(super) fn leaving<'a>(
    wanted: &Wanted,
    places: &Places<'a>,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    draft: &mut Draft,
) -> Vec<(&'a SeenContainer, String)> {
    let names: BTreeSet<&str> =
        wanted.services.values().flat_map(|s| &s.containers).map(|c| c.name.as_str()).collect();
    let mut leaving = Vec::new();
    for container in places.seen.containers.iter().filter(|container| is_ours(wanted, container)) {
        let name = container.service.as_deref().unwrap_or_default();
        let needed_name = names.contains(container.name.as_str());
        let Some(service) = wanted.services.get(name) else {
            if wanted.inactive.contains(name) && !needed_name {
                draft.keep("container", &container.name, "its service's profile is not active");
            } else if choice.orphans == Orphans::Remove || needed_name {
                leaving.push((container, format!("the file has no service `{name}`")));
            } else {
                draft.keep("container", &container.name, format!("the file has no service `{name}`"));
                draft.warn(format!(
                    "container `{}` is an orphan: the file has no service `{name}`; `--remove-orphans` removes it",
                    container.name
                ));
            }
            continue;
        };
        if !scope.contains(name) {
            continue;
        }
        let spec = service.containers.iter().find(|spec| Some(spec.number) == container.number);
        match spec.map(|spec| places.slot(spec)) {
            None => leaving.push((
                container,
                format!("service `{name}` has {} container(s) in the file", service.containers.len()),
            )),
            Some(slot) if !slot.has(&container.id) => {
                let best = slot.main.or(slot.previous).map_or("another", |best| best.name.as_str());
                leaving.push((container, format!("`{best}` stands for the same")));
            }
            Some(_) => {}
        }
    }
    leaving
}

/// Whether a condition holds of every container of a service already.
pub(super) fn so_already(places: &Places<'_>, service: &ServiceSpec, condition: Condition) -> bool {
    service.containers.iter().all(|spec| {
        places.slot(spec).main.is_some_and(|found| match condition {
            Condition::Started => found.state == State::Running,
            Condition::Healthy => found.state == State::Running && found.health == Some(Health::Healthy),
            Condition::Completed => found.state == State::Exited(0),
        })
    })
}
