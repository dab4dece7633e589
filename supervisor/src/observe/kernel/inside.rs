//! Files as a container sees them, and as the host does: what is there, told by device and inode number.
//!
//! A path is resolved inside the container's own root, whatever symbolic links it has planted there
//! (openat2(2), `RESOLVE_IN_ROOT`). Deliberately absent: following any link on the host's side.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use serde::{Deserialize, Serialize};

use super::{Read, Unread, unread};
use crate::digest::sha256;

/// The most of a file that is looked into: an engine's own limit for configs is 1 MB, and the program that confines services
/// from inside is about as long.
const LONGEST: u64 = 2 * 1024 * 1024;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    /// Device number of its file system.
    pub device: u64,
    /// Inode number there.
    pub inode: u64,
    /// Its kind.
    pub kind: Kind,
    /// SHA-256 of its content in hexadecimal, of a regular file of up to 2 MiB that could be read.
    pub sha256: Option<String>,
}

/// The kind of what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A unix socket.
    Socket,
    /// Anything else.
    Other,
}

/// The root of a process's mount namespace, held open.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Of a process by its id.
    pub fn of(pid: u32) -> Read<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty())
            .map(Self)
            .map_err(|e| unread(&e.into()))
    }

    /// What is at an absolute path.
    pub fn look(&self, path: &str) -> Read<FileId> {
        let found = self.open(path, OFlags::PATH)?;
        let mut id = identify(&found)?;
        if id.kind == Kind::File {
            id.sha256 = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK).ok().and_then(digest);
        }
        Ok(id)
    }

    /// A file's text, where there is one of up to 2 MiB.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = std::fs::File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK).ok()?);
        let regular = file.metadata().ok()?.is_file();
        let mut text = String::new();
        regular.then(|| file.take(LONGEST).read_to_string(&mut text).ok())??;
        Some(text)
    }

    /// Names of the devices in `/dev`.
    pub fn devices(&self) -> Read<BTreeSet<String>> {
        let folder = self.open("/dev", OFlags::RDONLY | OFlags::DIRECTORY)?;
        let rows = rustix::fs::Dir::read_from(&folder).map_err(|e| unread(&e.into()))?;
        let mut names = BTreeSet::new();
        for row in rows {
            let row = row.map_err(|e| unread(&e.into()))?;
            if matches!(row.file_type(), FileType::CharacterDevice | FileType::BlockDevice) {
                names.insert(row.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn open(&self, path: &str, flags: OFlags) -> Read<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).map_err(|e| unread(&e.into()))
    }
}

/// What is at an absolute path of the host; a symbolic link on the way is an error.
pub fn host(path: &str) -> Read<FileId> {
    let resolve = ResolveFlags::NO_SYMLINKS;
    let found = openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve);
    match found {
        Ok(found) => identify(&found),
        Err(rustix::io::Errno::LOOP) => Err(Unread("a symbolic link is on the way by now".into())),
        Err(error) => Err(unread(&error.into())),
    }
}

fn identify(found: &OwnedFd) -> Read<FileId> {
    let stat = fstat(found).map_err(|e| unread(&e.into()))?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Socket => Kind::Socket,
        _ => Kind::Other,
    };
    Ok(FileId { device: stat.st_dev, inode: stat.st_ino, kind, sha256: None })
}

fn digest(file: OwnedFd) -> Option<String> {
    let file = std::fs::File::from(file);
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    if length > LONGEST { None } else { sha256(file.take(LONGEST)).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_on_the_way_is_not_followed_on_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::write(real.join("file"), "x").unwrap();
        symlink(real.join("file"), real.join("link")).unwrap();
        assert_eq!(host(real.join("file").to_str().unwrap()).unwrap().kind, Kind::File);
        assert!(host(real.join("link").to_str().unwrap()).is_err());
    }

    #[test]
    fn a_file_is_known_by_its_content_too() {
        let root = Root::of(std::process::id()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let seen = root.look(path.to_str().unwrap()).unwrap();
        assert!(seen.sha256.unwrap().starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn a_link_inside_cannot_lead_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        symlink("../secret", inner.join("link")).unwrap();
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let root = Root(rustix::fs::open(&inner, flags, Mode::empty()).unwrap());
        assert!(root.look("/link").is_err());
        assert_eq!(root.look("/").unwrap().kind, Kind::Folder);
    }
}
