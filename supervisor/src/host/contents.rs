//! Secrets and configs on their way into containers: read once, hashed for the plan, staged as files for binding.
//!
//! The program that confines services from inside is one of them: the supervisor carries it in itself.
//!
//! A staged file's name holds owner, mode and the content's hash, so that it never changes under a running container.
//! Deliberately absent: any printing of content.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use compose::Host;
use compose::host::ReadError;
use compose::model::{ContentSource, FileObject, Project};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use profiles::confinement::MountSource;
use profiles::landlock;
use serde::{Deserialize, Serialize};

use super::live::Deed;
use super::state::{StateError, private_folder};
use crate::decide::live::{self, LiveFile};
use crate::decide::plan::Reload;
use crate::decide::spec::ContainerSpec;
use crate::digest::sha256;
use crate::privileged::Rights;

/// The longest secret or config, as Docker has it.
const LIMIT: u64 = 500 * 1024;
/// The folder of staged files in the project's.
pub(super) const FOLDER: &str = "contents";

/// The contents of a project's secrets and configs by `kind/key`.
#[derive(Clone, Default)]
pub struct Contents(BTreeMap<String, Content>);

#[derive(Clone)]
struct Content {
    bytes: Bytes,
    hash: Cow<'static, str>,
}

#[derive(Clone)]
enum Bytes {
    Read(Vec<u8>),
    /// As DEFLATE has them (RFC 1951).
    Packed(&'static [u8]),
}

/// `confine`, linked statically, and its SHA-256: see `build.rs`.
const PROGRAM: Content = Content {
    bytes: Bytes::Packed(include_bytes!(env!("CONFINE_PROGRAM"))),
    hash: Cow::Borrowed(env!("CONFINE_SHA256")),
};
/// What is unpacked at once; why not all of it, says `digest`.
const PIECE: usize = 16 << 10;

impl Bytes {
    /// Writes them out, piece by piece.
    fn write(&self, to: &mut impl io::Write) -> io::Result<()> {
        let mut packed = match self {
            Self::Read(bytes) => return to.write_all(bytes),
            Self::Packed(packed) => *packed,
        };
        let mut state = InflateState::new_boxed(DataFormat::Raw);
        let mut piece = [0; PIECE];
        loop {
            let done = inflate(&mut state, packed, &mut piece, MZFlush::None);
            to.write_all(piece.get(..done.bytes_written).unwrap_or_default())?;
            packed = packed.get(done.bytes_consumed..).unwrap_or_default();
            match done.status {
                Ok(MZStatus::StreamEnd) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// A secret or config that could not be read or staged.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// Its file cannot be read.
    #[error("the file `{}` of {name} cannot be read: {reason}", .path.display())]
    Read {
        /// Kind and key.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The variable that it comes from is not set.
    #[error("the variable `{variable}` of {name} is not set")]
    Unset {
        /// Kind and key.
        name: String,
        /// The variable.
        variable: String,
    },
    /// Its file is not there any more.
    #[error("the {name} was not read")]
    Unread {
        /// Kind and key.
        name: String,
    },
    /// A staged file cannot be written or given to its owner.
    #[error("cannot stage {name} in `{}`", .path.display())]
    Stage {
        /// Kind and key.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ContentsError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Read { .. } => "write the file, or correct its path and permissions".into(),
            Self::Unset { .. } => "set it in the environment, in `.env` or with `--env-file`".into(),
            Self::Unread { .. } => "run the command again".into(),
            Self::Stage { .. } => {
                "run as root: files are given to the user of the service that reads them".into()
            }
            Self::State(error) => error.help(),
        }
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Contents {
    /// Reads those that the services have been given.
    ///
    /// # Errors
    /// A file is missing, too long, or not to be read.
    pub fn read(project: &Project, host: &dyn Host) -> Result<Self, ContentsError> {
        let (kind, key) = landlock::CONTENT;
        let mut contents = Self(BTreeMap::from([(format!("{kind}/{key}"), PROGRAM)]));
        for service in project.services.values() {
            for grant in &service.secrets {
                contents.add("secret", &project.secrets, &grant.value.source, host)?;
            }
            for grant in &service.configs {
                contents.add("config", &project.configs, &grant.value.source, host)?;
            }
        }
        Ok(contents)
    }

    /// The SHA-256 of each, in hexadecimal, by `kind/key`.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, content)| (name.clone(), content.hash.to_string())).collect()
    }

    fn add(
        &mut self,
        kind: &str,
        declared: &BTreeMap<String, FileObject>,
        key: &str,
        host: &dyn Host,
    ) -> Result<(), ContentsError> {
        let name = format!("{kind}/{key}");
        let (false, Some(object)) = (self.0.contains_key(&name), declared.get(key)) else { return Ok(()) };
        let bytes = match &object.content.value {
            ContentSource::Inline(text) => text.clone().into_bytes(),
            ContentSource::File(path) => host.read(path, LIMIT).map_err(|error| ContentsError::Read {
                name: format!("{kind} `{key}`"),
                path: path.clone(),
                reason: reason(&error),
            })?,
            ContentSource::Unset(variable) => {
                return Err(ContentsError::Unset {
                    name: format!("{kind} `{key}`"),
                    variable: variable.clone(),
                });
            }
            ContentSource::External => return Ok(()),
        };
        let hash = hash(&bytes).into();
        self.0.insert(name, Content { bytes: Bytes::Read(bytes), hash });
        Ok(())
    }

    /// Writes what a container is given under the project's state folder; the files by their path in the container. `deed` is
    /// done to those whose content is changed under it.
    ///
    /// # Errors
    /// A file cannot be written, or not be given to the user who reads it.
    pub fn stage(
        &self,
        rights: &Rights,
        folder: &Path,
        spec: &ContainerSpec,
        deed: Deed,
    ) -> Result<BTreeMap<String, PathBuf>, ContentsError> {
        let mut staged = BTreeMap::new();
        for mount in spec.confinement.mounts() {
            if let Some(file) = spec.live_file(&mount.source) {
                self.change_one(rights, folder, &file, deed)?;
                staged.insert(mount.target.clone(), folder.join(FOLDER).join(file.name()));
                continue;
            }
            let MountSource::Content { kind, key, uid, gid, mode } = &mount.source else { continue };
            let name = || format!("{kind} `{key}`");
            let content = self.0.get(&format!("{kind}/{key}"));
            let content = content.ok_or_else(|| ContentsError::Unread { name: name() })?;
            let file = Staged { kind: kind.clone(), key: key.clone(), uid: *uid, gid: *gid, mode: *mode };
            let path = folder.join(FOLDER).join(file.name(&content.hash));
            let given = match &content.bytes {
                Bytes::Read(bytes) => bytes.as_slice(),
                // Whoever stages it has it as well.
                Bytes::Packed(_) => &[],
            };
            rights.stage(folder, &file, given).map_err(|source| ContentsError::Stage {
                name: name(),
                path: path.clone(),
                source,
            })?;
            staged.insert(mount.target.clone(), path);
        }
        Ok(staged)
    }

    /// Does this to the files of a container that it is given anew; whether that changed any.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn change(
        &self,
        rights: &Rights,
        folder: &Path,
        reload: &Reload,
        deed: Deed,
    ) -> Result<bool, ContentsError> {
        let mut changed = false;
        for file in &reload.files {
            changed |= self.change_one(rights, folder, file, deed)?;
        }
        Ok(changed)
    }

    fn change_one(
        &self,
        rights: &Rights,
        folder: &Path,
        file: &LiveFile,
        deed: Deed,
    ) -> Result<bool, ContentsError> {
        let name = || format!("config `{}`", file.key);
        let bytes = match (deed, self.0.get(&format!("config/{}", file.key)).map(|content| &content.bytes)) {
            (Deed::Restore | Deed::Settle, _) => &[],
            (_, Some(Bytes::Read(bytes))) => bytes.as_slice(),
            (_, Some(Bytes::Packed(_)) | None) => return Err(ContentsError::Unread { name: name() }),
        };
        rights.change(folder, file, deed, bytes).map_err(|source| ContentsError::Stage {
            name: name(),
            path: folder.join(FOLDER).join(file.name()),
            source,
        })
    }
}

/// A secret or config as a container is given it: which, and the owner and mode of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// `secret`, `config`, or what the program that confines is called.
    pub kind: String,
    /// Its key in the file.
    pub key: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions.
    pub mode: u32,
}

impl Staged {
    /// Puts these bytes in its file under a project's state folder, where they are not there already. The program that
    /// confines is this one's own, whatever the bytes.
    ///
    /// # Errors
    /// The file cannot be written, or not be given to the user who reads it.
    pub(crate) fn place(&self, folder: &Path, bytes: &[u8]) -> io::Result<()> {
        let content = if (self.kind.as_str(), self.key.as_str()) == landlock::CONTENT {
            PROGRAM
        } else {
            Content { bytes: Bytes::Read(bytes.to_vec()), hash: hash(bytes).into() }
        };
        let folder = folder.join(FOLDER);
        private_folder(&folder).map_err(io::Error::other)?;
        content.place(&folder.join(self.name(&content.hash)), (self.uid, self.gid, self.mode))
    }

    fn name(&self, hash: &str) -> String {
        file_name(&self.kind, &self.key, (self.uid, self.gid, self.mode), hash)
    }
}

impl Content {
    /// Puts it in a file of this owner and mode, where it is not there already.
    fn place(&self, path: &Path, (uid, gid, mode): (u32, u32, u32)) -> io::Result<()> {
        if let Ok(found) = std::fs::symlink_metadata(path) {
            let same =
                found.is_file() && (found.uid(), found.gid(), found.mode() & 0o7777) == (uid, gid, mode);
            if same && std::fs::File::open(path).and_then(sha256).is_ok_and(|have| have == self.hash) {
                return Ok(());
            }
        }
        write(path, &self.bytes, (uid, gid, mode))
    }
}

/// The SHA-256, in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    // Reading from memory does not fail; another hash than any is no content's.
    sha256(bytes).unwrap_or_default()
}

/// Removes staged files that none of these containers needs any more, but those that are given anew: which of them are of a
/// container that is there, only the engine knows.
pub fn sweep<'a>(folder: &Path, contents: &Contents, specs: impl Iterator<Item = &'a ContainerSpec>) {
    let needed: BTreeSet<String> = specs.flat_map(|spec| names(spec, contents)).collect();
    let Ok(entries) = std::fs::read_dir(folder.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let is_needed = |name: &str| needed.contains(name) || live::named(name).is_some();
        if !entry.file_name().to_str().is_some_and(is_needed) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes every staged file of a project. One that has none is fine.
///
/// # Errors
/// They are there and cannot be removed.
pub fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn names(spec: &ContainerSpec, contents: &Contents) -> Vec<String> {
    let staged = spec.confinement.mounts().iter().filter_map(|mount| {
        let MountSource::Content { kind, key, uid, gid, mode } = &mount.source else { return None };
        let content = contents.0.get(&format!("{kind}/{key}"))?;
        Some(file_name(kind, key, (*uid, *gid, *mode), &content.hash))
    });
    staged.collect()
}

fn file_name(kind: &str, key: &str, (uid, gid, mode): (u32, u32, u32), hash: &str) -> String {
    let short = hash.get(..16).unwrap_or(hash);
    format!("{kind}-{key}-{uid}-{gid}-{mode:o}-{short}")
}

/// Puts a file in place in one step, with its owner and mode from the start.
fn write(path: &Path, bytes: &Bytes, (uid, gid, mode): (u32, u32, u32)) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let placed = (|| {
        bytes.write(&mut file)?;
        fchown(&file, Some(uid), Some(gid))?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if placed.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    placed
}

/// The same with bytes that are at hand.
pub(super) fn write_bytes(path: &Path, bytes: &[u8], owner: (u32, u32, u32)) -> io::Result<()> {
    write(path, &Bytes::Read(bytes.to_vec()), owner)
}

fn reason(error: &ReadError) -> String {
    match error {
        ReadError::Missing => "it is not there".into(),
        ReadError::NotAFile => "it is not a regular file".into(),
        ReadError::TooLarge(limit) => format!("it is longer than {} KiB", limit / 1024),
        ReadError::Failed(why) => why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_mode_and_content_and_is_left_alone_when_it_has() {
        let bed = tempfile::tempdir().unwrap();
        let path = bed.path().join("secret-token-0-0-400-abcd");
        let me = std::fs::metadata(bed.path()).unwrap();
        let content =
            |text: &str| Content { bytes: Bytes::Read(text.into()), hash: hash(text.as_bytes()).into() };
        content("s3cret").place(&path, (me.uid(), me.gid(), 0o400)).unwrap();
        let first = std::fs::metadata(&path).unwrap();
        assert_eq!((first.mode() & 0o777, std::fs::read(&path).unwrap()), (0o400, b"s3cret".to_vec()));
        content("s3cret").place(&path, (me.uid(), me.gid(), 0o400)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), first.ino());
        content("other").place(&path, (me.uid(), me.gid(), 0o440)).unwrap();
        let second = std::fs::metadata(&path).unwrap();
        assert_eq!((second.mode() & 0o777, std::fs::read(&path).unwrap()), (0o440, b"other".to_vec()));
        assert_ne!(second.ino(), first.ino());
        assert_eq!(std::fs::read_dir(bed.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_program_that_confines_is_unpacked_as_it_was_hashed() {
        let mut bytes = Vec::new();
        PROGRAM.bytes.write(&mut bytes).unwrap();
        assert_eq!((hash(&bytes).as_str(), bytes.get(..4)), (PROGRAM.hash.as_ref(), Some(&b"\x7fELF"[..])));
    }

    #[test]
    fn contents_are_never_printed() {
        let content = Content { bytes: Bytes::Read(b"s3cret".into()), hash: "ab".into() };
        let contents = Contents(BTreeMap::from([("secret/token".to_owned(), content)]));
        assert_eq!(format!("{contents:?}"), r#"{"secret/token"}"#);
    }
}
