//! What containers stand on: images, networks and volumes, made before anything is stopped.
//!
//! Deliberately absent: removing a volume; no way leads there from a change of the file.

use std::collections::{BTreeMap, BTreeSet};

use profiles::confinement::MountSource;

use super::super::hash;
use compose::rules::volume_elsewhere;

use super::super::seen::Seen;
use super::super::spec::{ContainerSpec, VolumeSpec, Wanted};
use super::Step;
use super::choice::in_scope;
use super::draft::Draft;
use super::judge::{Deed, Verdict};

/// The first API with mounts of images, that of Docker Engine 28 (API version history, v1.48).
const IMAGE_MOUNTS: (u16, u16) = (1, 48);
/// The first that mounts one image twice in a container, that of Docker Engine 29: earlier ones give both layers one name
/// (moby#50122).
const IMAGE_TWICE: (u16, u16) = (1, 52);

/// Steps that made something that containers need, by name.
#[derive(Default)]
pub(super) struct Made {
    pub(super) pulls: BTreeMap<String, usize>,
    pub(super) networks: BTreeMap<String, usize>,
    pub(super) volumes: BTreeMap<String, usize>,
    /// Of networks that are replaced, by their own name.
    pub(super) notes: Vec<(String, usize)>,
    /// The guard's: before any start.
    pub(super) guard: Option<usize>,
}

impl Made {
    pub(super) fn all(&self) -> BTreeSet<usize> {
        let named = self.pulls.values().chain(self.networks.values()).chain(self.volumes.values());
        named.chain(self.notes.iter().map(|(_, index)| index)).chain(&self.guard).copied().collect()
    }

    pub(super) fn needed_by(&self, spec: &ContainerSpec) -> BTreeSet<usize> {
        let networks = spec.networks.keys().filter_map(|name| self.networks.get(name));
        let volumes = volumes_of(spec).filter_map(|name| self.volumes.get(name));
        let pulls = spec.images().filter_map(|(image, _)| self.pulls.get(image));
        pulls.chain(networks).chain(volumes).copied().collect()
    }
}

pub(super) fn volumes_of(spec: &ContainerSpec) -> impl Iterator<Item = &String> {
    spec.confinement.mounts().iter().filter_map(|mount| match &mount.source {
        MountSource::Volume { name, .. } => name.as_ref(),
        _ => None,
    })
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
        let missing = verdict.spec.images().filter(|(_, id)| id.is_none()).map(|(image, _)| image);
        for image in missing {
            if verdict.service.never_pull {
                draft.block(format!(
                    "image `{image}` is not on the engine, and `pull_policy` of service `{}` is `never`",
                    verdict.service.service
                ));
            } else if !made.pulls.contains_key(image) {
                let pull = Step::Pull { image: image.to_owned() };
                made.pulls.insert(image.to_owned(), draft.step(pull, "it is not on the engine", []));
            }
        }
    }
}

/// What this engine cannot mount of images.
pub(super) fn mounted_images(wanted: &Wanted, seen: &Seen, scope: &BTreeSet<&str>, draft: &mut Draft) {
    let Some(api) = seen.api else { return };
    for service in in_scope(wanted, scope) {
        let Some(spec) = service.containers.iter().find(|spec| spec.mounted_images().next().is_some()) else {
            continue;
        };
        let (name, (major, minor)) = (&service.service, api);
        if api < IMAGE_MOUNTS {
            draft.block(format!(
                "service `{name}` mounts an image, which takes Docker Engine 28 or later (API 1.48), and this engine's API is \
                 {major}.{minor}; upgrade the engine, or have a volume instead"
            ));
            continue;
        }
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        let twice = spec.mounted_images().find(|(_, id)| id.is_some_and(|id| !ids.insert(id)));
        if let (true, Some((image, _))) = (api < IMAGE_TWICE, twice) {
            draft.block(format!(
                "service `{name}` mounts the image `{image}` twice, which takes Docker Engine 29 or later (API 1.52), and this \
                 engine's API is {major}.{minor}; mount it once, with the folders of both places in it"
            ));
        }
    }
}

pub(super) fn create_networks(wanted: &Wanted, missing: &BTreeSet<&str>, draft: &mut Draft, made: &mut Made) {
    for (name, spec) in wanted.networks.iter().filter(|(name, _)| missing.contains(name.as_str())) {
        let index = draft.step(Step::CreateNetwork(spec.shape()), "it is not there", []);
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
