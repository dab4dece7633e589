//! Hooks as they are kept in a project's state folder, for root alone: they may hold secrets.
//!
//! One file for each hash of a container that has hooks, written before the container is made, and an empty one for each
//! container whose `post_start` is owed, written before its start. Deliberately absent: running them (`apply::hooks`).

use std::io;
use std::path::Path;

use super::contents::write_bytes;
use super::state::{private_folder, remove};
use crate::decide::hooks::{Hooks, Kept};
use crate::decide::seen::Seen;

/// The folder of kept hooks in the project's.
const FOLDER: &str = "hooks";
/// What the name of a debt's file ends with.
const OWED: &str = ".owed";

/// Of this user, for this user.
fn owner() -> (u32, u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw(), 0o600)
}

/// Keeps the hooks of containers of this hash.
///
/// # Errors
/// The folder cannot be had, or the file cannot be written.
pub fn keep(folder: &Path, hash: &str, hooks: &Hooks) -> io::Result<()> {
    let folder = folder.join(FOLDER);
    private_folder(&folder).map_err(io::Error::other)?;
    write_bytes(&folder.join(hash), &serde_json::to_vec(hooks).map_err(io::Error::other)?, owner())
}

/// Notes whether a container's `post_start` is owed.
///
/// # Errors
/// The folder cannot be had, or the file can be neither written nor removed.
pub fn owe(folder: &Path, container: &str, owes: bool) -> io::Result<()> {
    let folder = folder.join(FOLDER);
    let path = folder.join(format!("{container}{OWED}"));
    if owes {
        private_folder(&folder).map_err(io::Error::other)?;
        return write_bytes(&path, &[], owner());
    }
    remove(&path).map(drop)
}

/// All that is kept. What cannot be read is not there: a look goes on without.
pub fn read(folder: &Path) -> Kept {
    let mut kept = Kept::default();
    for entry in std::fs::read_dir(folder.join(FOLDER)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if let Some(container) = name.strip_suffix(OWED) {
            kept.owed.insert(container.to_owned());
        } else if let Ok(bytes) = std::fs::read(entry.path())
            && let Ok(hooks) = serde_json::from_slice(&bytes)
        {
            kept.hooks.insert(name, hooks);
        }
    }
    kept
}

/// Removes what none of these containers has.
pub fn sweep(folder: &Path, seen: &Seen) {
    let folder = folder.join(FOLDER);
    let is_of = |name: &str| match name.strip_suffix(OWED) {
        Some(id) => seen.containers.iter().any(|container| container.id == id),
        None => seen.containers.iter().any(|container| container.hash.as_deref() == Some(name)),
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_none_or(|name| !is_of(name)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::decide::hooks::Hook;
    use crate::decide::testing::{created, want};

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_goes_with_its_containers() {
        let bed = tempfile::tempdir().unwrap();
        let bed = bed.path();
        assert_eq!(read(bed), Kept::default());
        let wanted = want("services: {web: {image: 'i:1', user: '7', post_start: [{command: id}]}}");
        let spec = &wanted.services["web"].containers[0];
        let there = created(spec, 1);
        let hooks = there.hooks.clone();
        assert_eq!(hooks.post_start.iter().map(Hook::words).collect::<Vec<_>>(), [["id"]]);
        keep(bed, there.hash.as_deref().unwrap(), &hooks).unwrap();
        keep(bed, "of-another", &hooks).unwrap();
        owe(bed, &there.id, true).unwrap();
        owe(bed, &there.id, true).unwrap();
        owe(bed, "gone", true).unwrap();
        for entry in std::fs::read_dir(bed.join(FOLDER)).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
        let mut seen = Seen { containers: vec![there], ..Seen::default() };
        sweep(bed, &seen);
        let kept = read(bed);
        assert_eq!((kept.hooks.len(), kept.owed.len()), (1, 1));
        seen.containers[0].hooks = Hooks::default();
        crate::decide::hooks::attribute(&mut seen, &kept);
        assert_eq!((seen.containers[0].hooks.clone(), seen.containers[0].owes), (hooks, true));
        owe(bed, &seen.containers[0].id, false).unwrap();
        owe(bed, &seen.containers[0].id, false).unwrap();
        sweep(bed, &Seen::default());
        assert_eq!(read(bed), Kept::default());
    }
}
