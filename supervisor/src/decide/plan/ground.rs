//! What containers stand on: images, networks and volumes, made before anything is stopped.
//!
//! Deliberately absent: removing a volume; no way leads there from a change of the file.

use std::collections::{BTreeMap, BTreeSet};

use profiles::confinement::MountSource;

use super::super::hash;
use super::super::heal::Hold;
use compose::rules::{network_elsewhere, volume_elsewhere};

use super::super::seen::{Seen, SeenNetwork};
use super::super::spec::{ContainerSpec, VolumeSpec, Wanted};
use super::Step;
use super::choice::{Choice, Orphans, Recreate, in_scope};
use super::draft::Draft;
use super::judge::{Deed, Verdict, is_orphan, is_ours};

/// Steps that made something that containers need, by name.
#[derive(Default)]
pub(super) struct Made {
    pub(super) pulls: BTreeMap<String, usize>,
    pub(super) networks: BTreeMap<String, usize>,
    pub(super) volumes: BTreeMap<String, usize>,
    /// The guard's: before any start.
    pub(super) guard: Option<usize>,
}

impl Made {
    pub(super) fn all(&self) -> BTreeSet<usize> {
        let named = self.pulls.values().chain(self.networks.values()).chain(self.volumes.values());
        named.chain(&self.guard).copied().collect()
    }

    pub(super) fn needed_by(&self, spec: &ContainerSpec) -> BTreeSet<usize> {
        let networks = spec.networks.keys().filter_map(|name| self.networks.get(name));
        let volumes = volumes_of(spec).filter_map(|name| self.volumes.get(name));
        self.pulls.get(&spec.image).into_iter().chain(networks).chain(volumes).copied().collect()
    }
}

pub(super) fn volumes_of(spec: &ContainerSpec) -> impl Iterator<Item = &String> {
    spec.confinement.mounts().iter().filter_map(|mount| match &mount.source {
        MountSource::Volume { name, .. } => name.as_ref(),
        _ => None,
    })
}

/// Why a network is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anew {
    /// Its settings are others: it is removed first.
    Changed,
    /// It is not there.
    Missing,
}

impl Anew {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "was not there",
        }
    }
}

#[derive(Default)]
pub(super) struct Networks<'a> {
    /// Have to be made.
    pub(super) missing: BTreeSet<&'a str>,
    /// Ours, and have to be made anew.
    pub(super) changed: Vec<&'a SeenNetwork>,
    /// Names of both: whoever is on one has to be made anew too.
    pub(super) anew: BTreeMap<&'a str, Anew>,
}

pub(super) fn networks<'a>(
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
                Some(network) => match network_elsewhere(&network.driver, &network.options) {
                    None => draft.keep("network", name, "made outside, used as it is"),
                    Some(why) => draft.block(format!("network `{name}` is made outside and is not used: {why}")),
                },
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
                networks.anew.insert(name, Anew::Changed);
            }
        } else if found.is_empty() {
            networks.missing.insert(name);
            networks.anew.insert(name, Anew::Missing);
        } else if let Some(theirs) = found.iter().find(|network| network.composed) {
            let is_alike = theirs.internal == spec.internal && theirs.options == spec.options;
            if is_alike && network_elsewhere(&theirs.driver, &theirs.options).is_none() {
                draft.keep("network", name, "Docker Compose made it as the file has it, used as it is");
            } else {
                let how = match (theirs.internal, spec.internal) {
                    (false, true) => "with a way out, which it is not to have",
                    (true, false) => "without a way out, which it is to have",
                    _ => "with other options than the file's",
                };
                draft.block(format!(
                    "network `{name}` was made by Docker Compose {how}; a network cannot be changed: `docker compose \
                     down` takes it away and keeps the volumes, then `up` makes it anew"
                ));
            }
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
                || matches!(choice.recreate, Recreate::None | Recreate::Back)
                || matches!(choice.held.get(&container.name), Some(Hold::Alone(_)))
        })
        .map(|container| container.name.as_str())
}

pub(super) fn volumes(wanted: &Wanted, seen: &Seen, scope: &BTreeSet<&str>, draft: &mut Draft) {
    for (name, spec) in used_volumes(wanted, scope) {
        let Some(found) = seen.volumes.iter().find(|volume| volume.name == *name) else {
            if spec.external {
                draft.block(format!(
                    "volume `{name}` is external in the file and is not there; create it, or let the file make it"
                ));
            }
            continue;
        };
        // What the file says of its own volume has been judged; what another made is judged here.
        let odd = volume_elsewhere(&found.driver, &found.options).filter(|_| found.options != spec.options);
        if let Some(why) = odd {
            draft.block(format!("volume `{name}` is there already and is not used: {why}"));
        } else if spec.external {
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

pub(super) fn used_volumes<'a>(
    wanted: &'a Wanted,
    scope: &BTreeSet<&str>,
) -> impl Iterator<Item = (&'a String, &'a VolumeSpec)> {
    let used: BTreeSet<&String> =
        in_scope(wanted, scope).flat_map(|s| &s.containers).flat_map(volumes_of).collect();
    wanted.volumes.iter().filter(move |(name, _)| used.contains(name))
}

pub(super) fn pulls(verdicts: &[Verdict<'_>], draft: &mut Draft, made: &mut Made) {
    let makes = |v: &&Verdict<'_>| matches!(v.deed, Deed::Create | Deed::Replace | Deed::Rebuild);
    for verdict in verdicts.iter().filter(makes) {
        let image = &verdict.spec.image;
        if verdict.spec.image_id.is_empty() && verdict.service.never_pull {
            draft.block(format!(
                "image `{image}` is not on the engine, and `pull_policy` of service `{}` is `never`",
                verdict.service.service
            ));
            continue;
        }
        if verdict.spec.image_id.is_empty() && !made.pulls.contains_key(image) {
            let index = draft.step(Step::Pull { image: image.clone() }, "it is not on the engine", []);
            made.pulls.insert(image.clone(), index);
        }
    }
}

pub(super) fn create_networks(
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

pub(super) fn create_volumes(
    wanted: &Wanted,
    seen: &Seen,
    scope: &BTreeSet<&str>,
    draft: &mut Draft,
    made: &mut Made,
) {
    for (name, spec) in used_volumes(wanted, scope) {
        if !spec.external && !seen.volumes.iter().any(|volume| volume.name == *name) {
            let index = draft.step(Step::CreateVolume(spec.clone()), "it is not there", []);
            made.volumes.insert(name.clone(), index);
        }
    }
}
