//! What a load may ask of the outside, as a port that the caller fills.
//!
//! Deliberately absent: any implementation that touches a file system. The shell has one; tests use a map.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The outside world that a load and the policy ask about: file contents and what a host path really is.
///
/// Implementations answer the same question the same way for the length of a load.
pub trait Host {
    /// The bytes of a regular file, at most `limit` of them. Paths are absolute, or relative to the caller's folder.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError>;

    /// What is at a host path, symbolic links followed and remembered.
    fn look(&self, path: &Path) -> Look;

    /// Where a path leads, and the links on the way, for callers that need to know nothing of what is there.
    fn resolve(&self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        let look = self.look(path);
        (look.resolved, look.links)
    }
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing is there.
    Missing,
    /// It is a folder, a FIFO, a device or a socket.
    NotAFile,
    /// It is longer than the limit, in bytes.
    TooLarge(u64),
    /// The operating system's word: permission, input and output.
    Failed(String),
}

/// What is at a path on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The path with every symbolic link resolved; of a missing path, its longest existing part resolved and the rest.
    pub resolved: PathBuf,
    /// The components that are symbolic links, as met, each an absolute path.
    pub links: Vec<PathBuf>,
    /// The kind of what is at the end, or `None` if nothing is.
    pub kind: Option<Kind>,
    /// Sockets found in a folder, walked to a bounded depth: resolved paths.
    pub sockets: Vec<PathBuf>,
    /// Device and inode number, to compare with an engine socket by another name.
    pub identity: Option<(u64, u64)>,
    /// Permission bits of what is at the end.
    pub mode: Option<u32>,
    /// User and group that own it.
    pub owner: Option<(u32, u32)>,
}

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A unix socket.
    Socket,
    /// A block or character device.
    Device,
    /// A FIFO or anything else.
    Other,
}

/// A host made of texts in memory, for tests and for callers without a file system. Every other path is missing.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost {
    /// Path to content.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Path to what `look` says of it.
    pub looks: BTreeMap<PathBuf, Look>,
}

impl Host for MemoryHost {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let bytes = self.files.get(path).ok_or(ReadError::Missing)?;
        let len = bytes.len() as u64;
        if len > limit { Err(ReadError::TooLarge(len)) } else { Ok(bytes.clone()) }
    }

    fn look(&self, path: &Path) -> Look {
        self.looks.get(path).cloned().unwrap_or_else(|| Look {
            resolved: path.to_path_buf(),
            links: Vec::new(),
            kind: self.files.contains_key(path).then_some(Kind::File),
            sockets: Vec::new(),
            identity: None,
            mode: None,
            owner: None,
        })
    }
}
