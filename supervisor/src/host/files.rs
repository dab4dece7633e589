//! The real [`compose::Host`]: bounded reads of regular files, and what a host path really is.
//!
//! Reading never hangs on a FIFO, never opens a device, never takes more than it was allowed to.
//! Deliberately absent: any writing, and any cache; a host path is looked at each time it is asked about.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use compose::Host;
use compose::host::{Kind, Look, ReadError};
use rustix::fs::{Mode, OFlags};

/// As many symbolic links as the kernel follows in one path.
const MAX_LINKS: usize = 40;
/// Folders are searched for sockets this deep, nearest first.
const MAX_DEPTH: usize = 3;
/// And at most so many entries, so that a folder of any size costs milliseconds.
const MAX_ENTRIES: usize = 4096;

/// The machine's own file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Host for Files {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        read(path, limit, |_| Ok::<_, Infallible>(())).map(|Ok(bytes)| bytes)
    }

    fn look(&self, path: &Path) -> Look {
        let (resolved, links) = self.resolve(path);
        let metadata = fs::symlink_metadata(&resolved).ok();
        let sockets = match &metadata {
            Some(m) if m.is_dir() => sockets_in(&resolved),
            _ => Vec::new(),
        };
        Look {
            kind: metadata.as_ref().map(kind),
            identity: metadata.as_ref().map(|m| (m.dev(), m.ino())),
            mode: metadata.as_ref().map(|m| m.mode() & 0o7777),
            owner: metadata.as_ref().map(|m| (m.uid(), m.gid())),
            resolved,
            links,
            sockets,
        }
    }

    fn resolve(&self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        resolve(path)
    }
}

/// The bytes of a regular file, at most `limit` of them, if its real place, behind all links, is one that may be read.
///
/// # Errors
/// As of [`Host::read`].
pub(crate) fn read<E>(
    path: &Path,
    limit: u64,
    readable: impl Fn(&Path) -> Result<(), E>,
) -> Result<Result<Vec<u8>, E>, ReadError> {
    // Opening a FIFO for reading waits for a writer; with NONBLOCK it does not, and then it is seen for what it is.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => ReadError::Missing,
        rustix::io::Errno::NXIO => ReadError::NotAFile,
        errno => failed(&errno.into()),
    })?);
    let place = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|e| failed(&e))?;
    if let Err(why) = readable(&place) {
        return Ok(Err(why));
    }
    let metadata = file.metadata().map_err(|e| failed(&e))?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| failed(&e))?;
    let read = bytes.len() as u64;
    if read > limit { Err(ReadError::TooLarge(read)) } else { Ok(Ok(bytes)) }
}

fn failed(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::IsADirectory => ReadError::NotAFile,
        _ => ReadError::Failed(error.to_string()),
    }
}

fn kind(metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_socket() {
        Kind::Socket
    } else if kind.is_block_device() || kind.is_char_device() {
        Kind::Device
    } else {
        Kind::Other
    }
}

/// Follows every symbolic link and remembers each; what does not exist is kept as it is written.
fn resolve(path: &Path) -> (PathBuf, Vec<PathBuf>) {
    let mut todo: VecDeque<OsString> = VecDeque::new();
    push_front(&mut todo, path);
    let (mut resolved, mut links) = (PathBuf::from("/"), Vec::new());
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&name);
        match fs::read_link(&next) {
            Ok(target) if links.len() < MAX_LINKS => {
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                links.push(next);
                push_front(&mut todo, &target);
            }
            _ => resolved = next,
        }
    }
    (resolved, links)
}

fn push_front(todo: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => todo.push_front(name.to_owned()),
            Component::ParentDir => todo.push_front("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

/// The sockets in a folder and in those below it, nearest first. Links are not followed: in a container they point elsewhere.
fn sockets_in(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut todo = VecDeque::from([(folder.to_path_buf(), 1)]);
    while let Some((folder, depth)) = todo.pop_front() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                found.sort();
                return found;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_socket() => found.push(entry.path()),
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => todo.push_back((entry.path(), depth + 1)),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn reads_a_file_and_no_more_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "12345").unwrap();
        assert_eq!(Files.read(&file, 5), Ok(b"12345".to_vec()));
        assert_eq!(Files.read(&file, 4), Err(ReadError::TooLarge(5)));
        assert_eq!(Files.read(&folder.path().join("b"), 5), Err(ReadError::Missing));
        assert_eq!(Files.read(folder.path(), 5), Err(ReadError::NotAFile));
    }

    #[test]
    fn does_not_wait_for_a_fifo_nor_read_a_device_or_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        assert_eq!(Files.read(&fifo, 5), Err(ReadError::NotAFile));
        assert_eq!(Files.read(Path::new("/dev/zero"), 5), Err(ReadError::NotAFile));
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(Files.read(&socket, 5), Err(ReadError::NotAFile));
    }

    #[test]
    fn follows_links_in_the_middle_and_remembers_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("../link/deep", root.join("real/up")).unwrap();
        let look = Files.look(&root.join("link/up/missing/file"));
        assert_eq!(look.resolved, root.join("real/deep/missing/file"));
        assert_eq!(look.links, [root.join("link"), root.join("real/up"), root.join("link")]);
        assert_eq!(look.kind, None);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let folder = tempfile::tempdir().unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        assert_eq!(Files.look(&folder.path().join("loop")).links.len(), MAX_LINKS);
    }

    #[test]
    fn finds_sockets_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        let _near = UnixListener::bind(root.join("a/b/near.sock")).unwrap();
        let _far = UnixListener::bind(root.join("a/b/c/far.sock")).unwrap();
        assert_eq!(Files.look(&root).sockets, [root.join("a/b/near.sock")]);
        assert_eq!(Files.look(&root.join("a/b/near.sock")).kind, Some(Kind::Socket));
    }
}
