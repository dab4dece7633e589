//! Files of running containers whose content is changed under them: written in place, since a file that is mounted by
//! itself stays the one that was mounted.
//!
//! What a file held before is laid beside it first, and stays until somebody has seen that the new content is good: after a
//! kill at any instant the old content is there whole. Deliberately absent: telling the container (`apply::reload`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::contents::{self, FOLDER};
use super::state::{private_folder, remove};
use crate::decide::live::{LiveFile, named};
use crate::decide::seen::Seen;
use crate::digest::sha256;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Made, for a container that is about to be.
    Make,
    /// Made where it is not there: its container is about to be started.
    Ensure,
    /// Given other content, and what it held is kept beside it.
    Rewrite,
    /// Given what was kept beside it, if there is that.
    Restore,
    /// What was kept beside it is removed.
    Settle,
}

impl LiveFile {
    /// Does it, under a project's state folder; whether that changed anything.
    ///
    /// # Errors
    /// The file is not there, or cannot be read or written.
    pub(crate) fn change(&self, folder: &Path, deed: Deed, bytes: &[u8]) -> io::Result<bool> {
        let folder = folder.join(FOLDER);
        private_folder(&folder).map_err(io::Error::other)?;
        let (path, before) = (folder.join(self.name()), folder.join(self.before()));
        match deed {
            Deed::Make => {
                remove(&before)?;
                self.write_anew(&path, bytes)?;
                Ok(true)
            }
            Deed::Ensure if path.exists() => Ok(false),
            Deed::Ensure => self.write_anew(&path, bytes).map(|()| true),
            Deed::Rewrite => {
                let held = read(&path)?;
                if held == bytes {
                    return Ok(false);
                }
                if !before.exists() {
                    contents::write_bytes(&before, &held, (0, 0, 0o600))?;
                }
                write_in_place(&path, bytes)?;
                Ok(true)
            }
            Deed::Restore => match read(&before) {
                Ok(held) => write_in_place(&path, &held).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            },
            Deed::Settle => remove(&before),
        }
    }

    fn write_anew(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        contents::write_bytes(path, bytes, (self.uid, self.gid, self.mode))
    }
}

/// Opens what is a file of that one name and no link: whoever has taken `run` over writes in the folder, and may have made
/// it lead elsewhere.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = options.custom_flags(no_link).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(io::Error::other("it is not a file of its own"));
    }
    Ok(file)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, OpenOptions::new().read(true))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One write, and then the length: whoever reads meanwhile finds no empty file.
fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = open(path, OpenOptions::new().write(true))?;
    file.write_all_at(bytes, 0)?;
    file.set_len(u64::try_from(bytes.len()).unwrap_or_default())?;
    file.sync_all()
}

/// What all of a project's files hold: SHA-256 by name.
///
/// # Errors
/// They are there, and not to be read.
pub fn list(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let entries = match std::fs::read_dir(folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| named(name).is_some()) {
            files.insert(name.to_owned(), sha256(open(&entry.path(), OpenOptions::new().read(true))?)?);
        }
    }
    Ok(files)
}

/// Removes the files of containers that are not there any more.
pub fn sweep(folder: &Path, seen: &Seen) {
    let Ok(entries) = std::fs::read_dir(folder.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(named) = name.to_str().and_then(named) else { continue };
        let is_used = seen.containers.iter().any(|container| {
            container.service.as_deref() == Some(named.service)
                && container.number == Some(named.number)
                && container.generation == Some(named.generation)
        });
        if !is_used {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bed: &Path) -> LiveFile {
        let me = std::fs::metadata(bed).unwrap();
        LiveFile {
            service: "web".to_owned(),
            number: 1,
            generation: 1,
            key: "site".to_owned(),
            uid: me.uid(),
            gid: me.gid(),
            mode: 0o440,
        }
    }

    fn held(bed: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(bed.join(FOLDER).join(name)).ok()
    }

    #[test]
    fn a_file_is_rewritten_in_place_and_what_it_held_is_kept_until_it_is_settled() {
        let bed = tempfile::tempdir().unwrap();
        let (file, bed) = (file(bed.path()), bed.path());
        let path = bed.join(FOLDER).join(file.name());
        file.change(bed, Deed::Make, b"a long first one").unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        assert!(file.change(bed, Deed::Rewrite, b"second").unwrap());
        assert!(file.change(bed, Deed::Rewrite, b"third").unwrap());
        assert!(!file.change(bed, Deed::Rewrite, b"third").unwrap());
        assert_eq!(held(bed, &file.name()).as_deref(), Some("third"));
        assert_eq!(held(bed, &file.before()).as_deref(), Some("a long first one"));
        assert!(file.change(bed, Deed::Restore, b"").unwrap());
        assert_eq!(held(bed, &file.name()).as_deref(), Some("a long first one"));
        assert!(file.change(bed, Deed::Settle, b"").unwrap());
        assert_eq!(held(bed, &file.before()), None);
        assert!(!file.change(bed, Deed::Restore, b"").unwrap());
        let found = std::fs::metadata(&path).unwrap();
        assert_eq!((found.ino(), found.mode() & 0o777), (inode, 0o440));
    }

    #[test]
    fn what_leads_elsewhere_is_neither_read_nor_written() {
        let bed = tempfile::tempdir().unwrap();
        let (file, bed) = (file(bed.path()), bed.path());
        file.change(bed, Deed::Make, b"first").unwrap();
        let (path, outside) = (bed.join(FOLDER).join(file.name()), bed.join("outside"));
        std::fs::write(&outside, "of others").unwrap();
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] =
            [|to, at| std::os::unix::fs::symlink(to, at), |to, at| std::fs::hard_link(to, at)];
        for link in links {
            std::fs::remove_file(&path).unwrap();
            link(&outside, &path).unwrap();
            assert!(file.change(bed, Deed::Rewrite, b"second").is_err());
            assert!(list(bed).is_err());
            std::fs::remove_file(&path).unwrap();
            file.change(bed, Deed::Make, b"first").unwrap();
            link(&outside, &bed.join(FOLDER).join(file.before())).unwrap();
            assert!(file.change(bed, Deed::Restore, b"").is_err());
            file.change(bed, Deed::Settle, b"").unwrap();
            assert_eq!(std::fs::read_to_string(&outside).unwrap(), "of others");
            assert_eq!(held(bed, &file.name()).as_deref(), Some("first"));
        }
    }

    #[test]
    fn a_start_makes_a_file_that_is_gone_and_leaves_one_that_is_there() {
        let bed = tempfile::tempdir().unwrap();
        let (file, bed) = (file(bed.path()), bed.path());
        assert!(file.change(bed, Deed::Ensure, b"first").unwrap());
        assert!(!file.change(bed, Deed::Ensure, b"second").unwrap());
        assert_eq!(held(bed, &file.name()).as_deref(), Some("first"));
        assert_eq!(list(bed).unwrap().into_keys().collect::<Vec<_>>(), [file.name()]);
        sweep(bed, &Seen::default());
        assert_eq!(list(bed).unwrap(), BTreeMap::new());
    }
}
