//! Configs whose content a running container is given anew: their files, and what is in them.
//!
//! A file that is mounted by itself stays the one that was mounted: other content reaches it only when it is written into
//! that very file. So each container has files of its own for these, named by the generation that its label says, and
//! beside one whose new content has not been made good yet lies what it held before. Deliberately absent: reading and
//! writing them (`host::live`), and when that is done (`plan::reload`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use profiles::confinement::MountSource;
use serde::{Deserialize, Serialize};

use super::labels;
use super::seen::Seen;
use super::spec::ContainerSpec;

/// What separates the parts of a file's name: no name of a service or config holds it.
const BETWEEN: char = '@';
/// The first part.
const KIND: &str = "live";
/// The last part of what a file held before.
const BEFORE: &str = "before";

/// One file of one container, made new with each generation of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LiveFile {
    /// Service.
    pub service: String,
    /// Replica, from 1.
    pub number: u32,
    /// By the container's label, from 1.
    pub generation: u64,
    /// Key of the config.
    pub key: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions.
    pub mode: u32,
}

impl LiveFile {
    /// Its name.
    pub fn name(&self) -> String {
        let Self { service, number, generation, key, uid, gid, mode } = self;
        format!("{KIND}@{service}@{number}@{generation}@{key}@{uid}-{gid}-{mode:o}")
    }

    /// The name of what it held before.
    pub fn before(&self) -> String {
        format!("{}{BETWEEN}{BEFORE}", self.name())
    }
}

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Service.
    pub service: &'a str,
    /// Replica.
    pub number: u32,
    /// Generation.
    pub generation: u64,
    /// Key of the config.
    pub key: &'a str,
    /// It is what another held before.
    pub is_before: bool,
}

/// Reads a name; `None` where it is none of these.
pub fn named(name: &str) -> Option<Named<'_>> {
    let mut parts = name.split(BETWEEN);
    (parts.next()? == KIND).then_some(())?;
    let (service, number) = (parts.next()?, parts.next()?.parse().ok()?);
    let (generation, key) = (parts.next()?.parse().ok()?, parts.next()?);
    parts.next()?;
    let is_before = match parts.next() {
        None => false,
        Some(BEFORE) => true,
        Some(_) => return None,
    };
    Some(Named { service, number, generation, key, is_before })
}

/// What a container's files hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Live {
    /// SHA-256 by `config/KEY`.
    pub contents: BTreeMap<String, String>,
    /// What they held before is still kept: nobody has seen yet that the new content is good.
    pub unfinished: bool,
}

impl ContainerSpec {
    /// Whether a config reaches it without a new container.
    pub fn takes(&self, content: &str) -> bool {
        self.reload.as_ref().is_some_and(|reload| reload.contents.contains(content))
    }

    /// The contents that do, by `config/KEY`.
    pub fn live_contents(&self) -> BTreeMap<String, String> {
        let live = self.content.iter().filter(|(name, _)| self.takes(name));
        live.map(|(name, hash)| (name.clone(), hash.clone())).collect()
    }

    /// The file of a mount, if it is one of these in this generation of the container.
    pub fn live_file(&self, source: &MountSource) -> Option<LiveFile> {
        let MountSource::Content { kind, key, uid, gid, mode } = source else { return None };
        (self.generation > 0 && self.takes(&format!("{kind}/{key}"))).then(|| LiveFile {
            service: self.service.clone(),
            number: self.number,
            generation: self.generation,
            key: key.clone(),
            uid: *uid,
            gid: *gid,
            mode: *mode,
        })
    }

    /// All of its files.
    pub fn live_files(&self) -> Vec<LiveFile> {
        self.confinement.mounts().iter().filter_map(|mount| self.live_file(&mount.source)).collect()
    }

    /// The spec in the generation that a container's labels say.
    pub fn of_generation(&self, labels: &BTreeMap<String, String>) -> Cow<'_, Self> {
        let generation = labels.get(labels::GENERATION).and_then(|text| text.parse().ok());
        match generation.filter(|_| self.reload.is_some()) {
            Some(generation) => Cow::Owned(Self { generation, ..self.clone() }),
            None => Cow::Borrowed(self),
        }
    }
}

/// Says of every container what its files hold; `files` are the hashes of all of the project by name.
pub fn attribute(seen: &mut Seen, files: &BTreeMap<String, String>) {
    let files: Vec<(Named<'_>, &String)> =
        files.iter().filter_map(|(name, hash)| Some((named(name)?, hash))).collect();
    for container in &mut seen.containers {
        let (Some(generation), Some(number)) = (container.generation, container.number) else { continue };
        let mut live = Live::default();
        let is_its = |named: &Named<'_>| {
            Some(named.service) == container.service.as_deref()
                && (named.number, named.generation) == (number, generation)
        };
        for (named, hash) in files.iter().filter(|(named, _)| is_its(named)) {
            if named.is_before {
                live.unfinished = true;
                continue;
            }
            let name = format!("config/{}", named.key);
            let known = live.contents.entry(name).or_insert_with(|| (*hash).clone());
            if known != *hash {
                // One config in two files that differ is as neither of them.
                known.clear();
            }
        }
        container.live = Some(live);
    }
}

/// The generation of a container that is to be made: none there has it.
pub fn next_generation(seen: &Seen, spec: &ContainerSpec) -> u64 {
    let same = seen.containers.iter().filter(|container| {
        container.service.as_ref() == Some(&spec.service) && container.number == Some(spec.number)
    });
    same.filter_map(|container| container.generation).max().unwrap_or_default().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str) -> LiveFile {
        LiveFile {
            service: "web".to_owned(),
            number: 1,
            generation: 3,
            key: key.to_owned(),
            uid: 1,
            gid: 2,
            mode: 0o440,
        }
    }

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let file = file("site.conf-2");
        assert_eq!(file.name(), "live@web@1@3@site.conf-2@1-2-440");
        let (name, before) = (file.name(), file.before());
        let (named, before) = (named(&name).unwrap(), named(&before).unwrap());
        assert_eq!((named.service, named.number, named.generation, named.key), ("web", 1, 3, "site.conf-2"));
        assert_eq!((named.is_before, before.is_before), (false, true));
        assert_eq!(Named { is_before: false, ..before }, named);
    }

    #[test]
    fn other_names_are_none_of_these() {
        for name in
            ["config-site-0-0-444-abcd", "live@web@1@3", "live@web@one@3@site@1-2-440", "live@a@1@3@k@o@new"]
        {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
