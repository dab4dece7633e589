//! The plan that makes the seen the wanted: create, replace, start, and nothing that is right already.
//!
//! Only what carries our project's label is stopped or removed; no volume is ever removed. Deliberately absent:
//! updates that can go back (`update`), and what heals a running container (`heal`).

use std::collections::{BTreeMap, BTreeSet};

use compose::model::Condition;

use super::super::hash;
use super::super::heal::Hold;
use super::super::seen::{Health, Seen, SeenContainer, SeenNetwork, State};
use super::super::spec::{Await, ContainerSpec, ServiceSpec, Wanted};
use super::draft::{Draft, grace, timeout};
use super::{Plan, Step, order};

/// What a caller may choose besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// These services alone; `None` is all of them.
    pub services: Option<BTreeSet<String>>,
    /// Whether the services that these depend on take part.
    pub dependencies: Dependencies,
    /// What is replaced.
    pub recreate: Recreate,
    /// What becomes of containers of ours whose service the file no longer has.
    pub orphans: Orphans,
    /// Containers by name that healing or an administrator has in hand.
    pub held: BTreeMap<String, Hold>,
}

/// Whether the dependencies of chosen services take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dependencies {
    /// They do.
    #[default]
    Included,
    /// They are neither looked at nor waited for.
    Left,
}

/// Which containers are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recreate {
    /// Those that differ from what is wanted.
    #[default]
    Changed,
    /// All that take part.
    All,
    /// None: what differs is only said.
    None,
}

/// What becomes of orphans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They stay, and are named.
    #[default]
    Keep,
    /// They are stopped and removed.
    Remove,
}

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

/// The services that take part.
fn scope<'a>(wanted: &'a Wanted, choice: &'a Choice, draft: &mut Draft) -> BTreeSet<&'a str> {
    let Some(services) = &choice.services else {
        return wanted.services.keys().map(String::as_str).collect();
    };
    for name in services.iter().filter(|name| !wanted.services.contains_key(*name)) {
        draft.block(format!("no service `{name}` is active in the file"));
    }
    let names =
        services.iter().filter(|name| wanted.services.contains_key(*name)).map(String::as_str).collect();
    match choice.dependencies {
        Dependencies::Included => order::with_dependencies(wanted, &names),
        Dependencies::Left => names,
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

fn in_scope<'a>(wanted: &'a Wanted, scope: &BTreeSet<&str>) -> impl Iterator<Item = &'a ServiceSpec> {
    wanted.services.values().filter(move |service| scope.contains(service.service.as_str()))
}

/// Steps that made something that containers need, by name.
#[derive(Default)]
struct Made {
    pulls: BTreeMap<String, usize>,
    networks: BTreeMap<String, usize>,
    volumes: BTreeMap<String, usize>,
}

impl Made {
    fn all(&self) -> BTreeSet<usize> {
        self.pulls.values().chain(self.networks.values()).chain(self.volumes.values()).copied().collect()
    }

    fn needed_by(&self, spec: &ContainerSpec) -> BTreeSet<usize> {
        let networks = spec.networks.keys().filter_map(|name| self.networks.get(name));
        let volumes = volumes_of(spec).filter_map(|name| self.volumes.get(name));
        self.pulls.get(&spec.image).into_iter().chain(networks).chain(volumes).copied().collect()
    }
}

fn volumes_of(spec: &ContainerSpec) -> impl Iterator<Item = &String> {
    spec.confinement.mounts().iter().filter_map(|mount| match &mount.source {
        profiles::confinement::MountSource::Volume { name, .. } => name.as_ref(),
        _ => None,
    })
}

#[derive(Default)]
struct Networks<'a> {
    /// Have to be made.
    missing: BTreeSet<&'a str>,
    /// Ours, and have to be made anew.
    changed: Vec<&'a SeenNetwork>,
    /// Names of both: whoever is on one has to be made anew too.
    anew: BTreeMap<&'a str, &'static str>,
}

fn networks<'a>(
    wanted: &'a Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    draft: &mut Draft,
) -> Networks<'a> {
    let used: BTreeSet<&String> =
        in_scope(wanted, scope).flat_map(|s| &s.containers).flat_map(|c| c.networks.keys()).collect();
    let mut networks = Networks::default();
    for (name, spec) in wanted.networks.iter().filter(|(name, _)| used.contains(name)) {
        let found: Vec<_> = seen.networks.iter().filter(|network| network.name == *name).collect();
        let ours = found.iter().find(|network| network.project.as_ref() == Some(&wanted.project));
        if spec.external {
            match found.first() {
                Some(_) => draft.keep("network", name, "made outside, used as it is"),
                None => draft.block(format!(
                    "network `{name}` is external in the file and is not there; create it, or let the file make it"
                )),
            }
        } else if let Some(ours) = ours {
            if ours.hash.as_deref() == Some(hash::network(spec).as_str()) {
                draft.keep("network", name, "as wanted");
            } else if let Some(user) = left_on(wanted, seen, choice, scope, name) {
                draft.warn(format!(
                    "network `{name}` differs from the file and stays as it is: container `{user}` is on it and does \
                     not take part"
                ));
            } else {
                networks.changed.push(ours);
                networks.anew.insert(name, "changed");
            }
        } else if found.is_empty() {
            networks.missing.insert(name);
            networks.anew.insert(name, "was not there");
        } else {
            draft.block(format!(
                "network `{name}` is there and is not ours; say `external: true` if it is meant, or give yours another \
                 `name`"
            ));
        }
    }
    networks
}

/// A container on a network that this plan does not touch, so that the network cannot be made anew.
fn left_on<'a>(
    wanted: &Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    network: &str,
) -> Option<&'a str> {
    seen.containers
        .iter()
        .filter(|container| container.networks.contains_key(network))
        .find(|container| {
            let service = container.service.as_deref().unwrap_or_default();
            let goes = choice.orphans == Orphans::Remove && is_orphan(wanted, service);
            let takes_part = is_ours(wanted, container) && (scope.contains(service) || goes);
            !takes_part
                || choice.recreate == Recreate::None
                || matches!(choice.held.get(&container.name), Some(Hold::Alone(_)))
        })
        .map(|container| container.name.as_str())
}

fn volumes(wanted: &Wanted, seen: &Seen, scope: &BTreeSet<&str>, draft: &mut Draft) {
    for (name, spec) in used_volumes(wanted, scope) {
        let Some(found) = seen.volumes.iter().find(|volume| volume.name == *name) else {
            if spec.external {
                draft.block(format!(
                    "volume `{name}` is external in the file and is not there; create it, or let the file make it"
                ));
            }
            continue;
        };
        if spec.external {
            draft.keep("volume", name, "made outside, used as it is");
        } else if found.project.as_ref() != Some(&wanted.project) {
            draft.keep("volume", name, "was there before this project, used as it is");
        } else if found.hash.as_deref() == Some(hash::volume(spec).as_str()) {
            draft.keep("volume", name, "as wanted");
        } else {
            draft.keep("volume", name, "differs from the file, and is kept for its data");
            draft.warn(format!(
                "volume `{name}` was made with other settings than the file's and is kept for its data; to have it made \
                 anew, save the data and remove it"
            ));
        }
    }
}

fn used_volumes<'a>(
    wanted: &'a Wanted,
    scope: &BTreeSet<&str>,
) -> impl Iterator<Item = (&'a String, &'a super::super::spec::VolumeSpec)> {
    let used: BTreeSet<&String> =
        in_scope(wanted, scope).flat_map(|s| &s.containers).flat_map(volumes_of).collect();
    wanted.volumes.iter().filter(move |(name, _)| used.contains(name))
}

/// What becomes of one wanted container.
struct Verdict<'a> {
    service: &'a ServiceSpec,
    spec: &'a ContainerSpec,
    seen: Option<&'a SeenContainer>,
    deed: Deed,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Made and started.
    Create,
    /// The old one stopped and removed, a new one made and started.
    Replace,
    /// Made anew or not, it was down: started.
    Start,
    /// Stopped and started for a dependency's sake.
    Restart,
    /// Let go on.
    Unpause,
    /// Nothing, or its restart policy alone.
    Keep,
}

/// What becomes of each wanted container, dependencies first.
fn verdicts<'a>(
    wanted: &'a Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    anew: &BTreeMap<&str, &'static str>,
    draft: &mut Draft,
) -> Vec<Verdict<'a>> {
    let mut verdicts: Vec<Verdict<'a>> = Vec::new();
    let mut disturbed: BTreeSet<&str> = BTreeSet::new();
    for name in order::dependencies_first(wanted).into_iter().filter(|name| scope.contains(name)) {
        let Some(service) = wanted.services.get(name) else { continue };
        warn_of_dependencies(wanted, service, draft);
        let cause = service
            .depends_on
            .iter()
            .find(|(other, how)| how.restart && disturbed.contains(other.as_str()))
            .map(|(other, _)| other);
        for spec in &service.containers {
            let found = find(wanted, seen, spec);
            if let Some(taken) = foreign(wanted, seen, spec) {
                draft.block(format!(
                    "the name `{}` of service `{name}` is taken by a container that is not ours (image `{}`); it is \
                     not touched: remove or rename it, or choose another `container_name`",
                    taken.name, taken.image_id
                ));
            }
            if spec.image_id.is_empty() && spec.image.starts_with("sha256:") {
                draft.block(format!(
                    "image `{}` of service `{name}` is not on the engine, and an image id cannot be fetched; build or \
                     load it, or name it by registry and digest",
                    spec.image
                ));
            }
            let (deed, reason) = judge(wanted, service, spec, found, choice, anew, draft);
            let (deed, reason) = match (deed, cause, found.map(|c| c.state)) {
                (Deed::Keep, Some(cause), Some(State::Running)) if !held(choice, spec) => (
                    Deed::Restart,
                    format!("`{cause}` is made anew or restarted, and `depends_on` says `restart`"),
                ),
                _ => (deed, reason),
            };
            if matches!(deed, Deed::Create | Deed::Replace | Deed::Restart) {
                disturbed.insert(name);
            }
            verdicts.push(Verdict { service, spec, seen: found, deed, reason });
        }
    }
    verdicts
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

fn is_ours(wanted: &Wanted, container: &SeenContainer) -> bool {
    container.project.as_ref() == Some(&wanted.project)
}

/// Whether the file has no service of this name, in an active profile or not.
fn is_orphan(wanted: &Wanted, service: &str) -> bool {
    !wanted.services.contains_key(service) && !wanted.inactive.contains(service)
}

/// The container that stands for a spec: by its labels; of several the one that fits best.
fn find<'a>(wanted: &Wanted, seen: &'a Seen, spec: &ContainerSpec) -> Option<&'a SeenContainer> {
    let stands = |container: &&SeenContainer| {
        is_ours(wanted, container)
            && container.service.as_ref() == Some(&spec.service)
            && container.number == Some(spec.number)
    };
    let mut candidates = seen.containers.iter().filter(stands);
    let first = candidates.next()?;
    if candidates.next().is_none() {
        return Some(first);
    }
    let hash = hash::container(spec);
    seen.containers.iter().filter(stands).max_by_key(|container| {
        (
            container.hash.as_deref() == Some(hash.as_str()),
            container.name == spec.name,
            container.state == State::Running,
            container.created,
            &container.id,
        )
    })
}

/// A container that is not ours under a name that is wanted.
fn foreign<'a>(wanted: &Wanted, seen: &'a Seen, spec: &ContainerSpec) -> Option<&'a SeenContainer> {
    seen.containers.iter().find(|container| container.name == spec.name && !is_ours(wanted, container))
}

fn judge(
    wanted: &Wanted,
    service: &ServiceSpec,
    spec: &ContainerSpec,
    found: Option<&SeenContainer>,
    choice: &Choice,
    anew: &BTreeMap<&str, &'static str>,
    draft: &mut Draft,
) -> (Deed, String) {
    let Some(found) = found else { return (Deed::Create, "it is not there".to_owned()) };
    let hold = choice.held.get(&spec.name);
    let changed = match choice.recreate {
        Recreate::All => Some("everything is to be made anew".to_owned()),
        Recreate::Changed | Recreate::None => difference(spec, found, anew),
    };
    match (changed, hold) {
        (Some(changed), Some(Hold::Alone(why))) => {
            draft.warn(format!("container `{}` is left as it is ({why}), although {changed}", found.name));
            (Deed::Keep, why.clone())
        }
        (Some(changed), _) if choice.recreate == Recreate::None => {
            draft.warn(format!("container `{}` is left as it is, although {changed}", found.name));
            (Deed::Keep, "nothing is to be made anew".to_owned())
        }
        (Some(changed), _) => (Deed::Replace, changed),
        (None, Some(Hold::Alone(why) | Hold::Down(why))) => (Deed::Keep, why.clone()),
        (None, None) => in_place(wanted, service, found),
    }
}

/// Why a container is not what is wanted, if it is not.
fn difference(
    spec: &ContainerSpec,
    found: &SeenContainer,
    anew: &BTreeMap<&str, &'static str>,
) -> Option<String> {
    if matches!(found.state, State::Dead | State::Removing) {
        return Some("the engine gave up on it".to_owned());
    }
    if found.hash.as_deref() != Some(hash::container(spec).as_str()) {
        let parts = hash::parts(spec);
        let parts = hash::changed_parts(found.parts.as_deref().unwrap_or_default(), &parts);
        return Some(match parts.as_slice() {
            [] => "its settings changed".to_owned(),
            [part] => format!("its {part} changed"),
            [first @ .., last] => format!("its {} and {last} changed", first.join(", ")),
        });
    }
    if found.name != spec.name {
        return Some(format!("it was renamed to `{}`", found.name));
    }
    if let Some((network, what)) = anew.iter().find(|(network, _)| spec.networks.contains_key(**network)) {
        return Some(format!("its network `{network}` {what}"));
    }
    let on: BTreeSet<&str> =
        found.networks.keys().map(String::as_str).filter(|name| *name != "none").collect();
    let wanted: BTreeSet<&str> = spec.networks.keys().map(String::as_str).collect();
    if let Some(cut) = wanted.difference(&on).next() {
        return Some(format!("it was taken off network `{cut}`"));
    }
    if let Some(more) = on.difference(&wanted).next() {
        return Some(format!("it was put on network `{more}`"));
    }
    None
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
fn leaving<'a>(
    wanted: &Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    draft: &mut Draft,
) -> Vec<(&'a SeenContainer, String)> {
    let names: BTreeSet<&str> =
        wanted.services.values().flat_map(|s| &s.containers).map(|c| c.name.as_str()).collect();
    let mut leaving = Vec::new();
    for container in seen.containers.iter().filter(|container| is_ours(wanted, container)) {
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
        match spec.and_then(|spec| find(wanted, seen, spec)) {
            None => leaving.push((
                container,
                format!("service `{name}` has {} container(s) in the file", service.containers.len()),
            )),
            Some(best) if best.id != container.id => {
                leaving.push((container, format!("`{}` stands for the same", best.name)));
            }
            Some(_) => {}
        }
    }
    leaving
}

fn pulls(verdicts: &[Verdict<'_>], draft: &mut Draft, made: &mut Made) {
    for verdict in verdicts.iter().filter(|v| matches!(v.deed, Deed::Create | Deed::Replace)) {
        let image = &verdict.spec.image;
        if verdict.spec.image_id.is_empty() && !made.pulls.contains_key(image) {
            let index = draft.step(Step::Pull { image: image.clone() }, "it is not on the engine", []);
            made.pulls.insert(image.clone(), index);
        }
    }
}

fn create_networks(
    wanted: &Wanted,
    names: &BTreeSet<&str>,
    after: &BTreeSet<usize>,
    reason: &str,
    draft: &mut Draft,
    made: &mut Made,
) {
    for (name, spec) in wanted.networks.iter().filter(|(name, _)| names.contains(name.as_str())) {
        let index = draft.step(Step::CreateNetwork(spec.clone()), reason, after.iter().copied());
        made.networks.insert(name.clone(), index);
    }
}

fn create_volumes(wanted: &Wanted, seen: &Seen, scope: &BTreeSet<&str>, draft: &mut Draft, made: &mut Made) {
    for (name, spec) in used_volumes(wanted, scope) {
        if !spec.external && !seen.volumes.iter().any(|volume| volume.name == *name) {
            let index = draft.step(Step::CreateVolume(spec.clone()), "it is not there", []);
            made.volumes.insert(name.clone(), index);
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
        match (verdict.deed, verdict.seen) {
            (Deed::Create | Deed::Replace, old) => {
                let mut first = made.needed_by(spec);
                first.extend(gone.get(spec.name.as_str()));
                first.extend(old.and_then(|old| gone.get(old.name.as_str())));
                after.insert(draft.step(Step::Create(Box::new((*spec).clone())), reason, first));
            }
            (Deed::Start | Deed::Restart, Some(found)) => {
                set_restart(spec, found, draft);
                after.extend(gone.get(found.name.as_str()));
            }
            (Deed::Unpause, Some(found)) => {
                set_restart(spec, found, draft);
                draft.unpause(found, reason);
                continue;
            }
            (_, Some(found)) => {
                set_restart(spec, found, draft);
                draft.keep("container", &found.name, reason.clone());
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

fn set_restart(spec: &ContainerSpec, found: &SeenContainer, draft: &mut Draft) {
    if found.restart.is_some_and(|restart| restart != spec.restart) {
        let step = Step::SetRestart { id: found.id.clone(), name: found.name.clone(), restart: spec.restart };
        draft.step(step, "its restart policy differs, and can be changed in place", []);
    }
}

/// Whether a condition holds of every container of a service already.
fn so_already(wanted: &Wanted, seen: &Seen, service: &ServiceSpec, condition: Condition) -> bool {
    service.containers.iter().all(|spec| {
        find(wanted, seen, spec).is_some_and(|found| match condition {
            Condition::Started => found.state == State::Running,
            Condition::Healthy => found.state == State::Running && found.health == Some(Health::Healthy),
            Condition::Completed => found.state == State::Exited(0),
        })
    })
}
