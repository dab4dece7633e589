//! What is mounted in a container, and from where.

use std::path::PathBuf;

use crate::source::At;
use crate::units::Bytes;

/// Something mounted in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Absolute path in the container.
    pub target: String,
    /// Mounted read-only.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A path of the host.
    Bind(Bind),
    /// A declared volume by key of [`Project::volumes`](super::Project::volumes), or an anonymous one.
    Volume {
        /// `None` is anonymous.
        name: Option<String>,
        /// Do not copy what the image has there.
        nocopy: bool,
        /// Folder inside the volume.
        subpath: Option<String>,
    },
    /// A file system in memory.
    Tmpfs(Tmpfs),
    /// The files of an image; always read-only, whatever is written.
    Image {
        /// The image, as written after interpolation.
        image: At<String>,
        /// Folder inside the image.
        subpath: Option<String>,
        /// `read_only`, where it is written.
        read_only: Option<bool>,
    },
    /// `npipe`, `cluster`: parsed, and refused by the policy.
    Other {
        /// The `type`, as written.
        kind: String,
    },
}

/// A bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The path as written, after interpolation.
    pub written: String,
    /// Absolute, lexically normal.
    pub path: PathBuf,
    /// `bind.propagation`, as written.
    pub propagation: Option<String>,
    /// `bind.create_host_path`, where it is written.
    pub create_host_path: Option<bool>,
    /// `bind.selinux` or the short `z`, `Z`.
    pub selinux: Option<String>,
    /// `bind.recursive`, as written.
    pub recursive: Option<String>,
}

/// Options of a tmpfs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tmpfs {
    /// Upper bound of its content.
    pub size: Option<Bytes>,
    /// Permission bits of its root.
    pub mode: Option<u32>,
    /// Owner of its root.
    pub uid: Option<u32>,
    /// Group of its root.
    pub gid: Option<u32>,
    /// Every other option as written: `noexec`, `exec`, `nosuid`, `suid`, `nodev`, `dev`.
    pub options: Vec<String>,
}
