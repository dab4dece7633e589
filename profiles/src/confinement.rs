//! The promise made for one container. No container is created without one, and only [`crate::confine`] makes them.
//!
//! Deliberately absent: how it is made.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::seccomp::{Flag, Profile};

/// What the host's kernel offers, as read by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The machine's architecture.
    pub arch: Arch,
    /// Major and minor version.
    pub version: (u16, u16),
    /// AppArmor is on and its profiles can be loaded.
    pub apparmor: bool,
    /// The version of Landlock that it offers, of those that are made use of; 0 is none.
    pub landlock: u8,
}

/// Architectures that profiles are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Arch {
    /// `x86_64`.
    X86_64,
    /// `aarch64`.
    Aarch64,
}

impl Arch {
    /// Its name, as `uname -m` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

/// How one container is confined. Serialized, it is part of what the wanted state's hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confinement {
    pub(crate) service: String,
    pub(crate) user: Option<String>,
    pub(crate) group_add: Vec<String>,
    pub(crate) capabilities: BTreeSet<String>,
    pub(crate) read_only_root: bool,
    pub(crate) init: bool,
    pub(crate) seccomp: crate::seccomp::Text,
    pub(crate) apparmor: AppArmor,
    pub(crate) landlock: Landlock,
    pub(crate) mounts: Vec<MountPromise>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exec_from: Vec<String>,
    pub(crate) sysctls: BTreeMap<String, String>,
    pub(crate) limits: Limits,
}

/// The AppArmor side of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum AppArmor {
    /// Load this text, then run under this name. The name carries a hash of the text.
    Profile {
        /// `supervisor-PROJECT.SERVICE-HASH`.
        name: String,
        /// What `apparmor_parser` is given.
        text: String,
    },
    /// The kernel has no AppArmor; said to the user, and nothing is sent to the engine.
    Absent,
}

/// The Landlock side of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Landlock {
    /// The program at [`crate::landlock::PROGRAM`] comes before the service's command, with these arguments.
    Rules {
        /// The Landlock version that they are made for.
        abi: u8,
        /// One a rule; `--` and the service's command follow.
        arguments: Vec<String>,
    },
    /// It cannot be had here; said to the user, and the service starts without it unless it requires it.
    Absent {
        /// What is missing.
        why: String,
        /// The service is not to be started without it.
        required: bool,
    },
    /// The file switches it off for this service.
    Off,
}

/// Bounds on what a container may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Processes and threads.
    pub pids: u32,
    /// Bytes of memory; swap is bounded to the same, so that there is none.
    pub memory: u64,
    /// Bytes that are reclaimed first under pressure, if said.
    pub memory_reservation: Option<u64>,
    /// Billionths of a core.
    pub nano_cpus: u64,
    /// Weight of its CPU time among containers, if said.
    pub cpu_shares: Option<u64>,
    /// The cores that it stays on, in the kernel's list format, if said.
    pub cpuset: Option<String>,
    /// Weight for block devices, if said.
    pub blkio_weight: Option<u16>,
    /// `nofile`, `nproc` and the like: soft and hard.
    pub ulimits: BTreeMap<String, (u64, u64)>,
    /// Bytes of `/dev/shm`.
    pub shm_size: u64,
    /// 0 to 1000.
    pub oom_score_adj: u16,
}

/// One thing that will be mounted, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountPromise {
    /// Absolute path in the container.
    pub target: String,
    /// What it is.
    pub source: MountSource,
    /// Read-only.
    pub read_only: bool,
    /// Somebody in the stack can write what is mounted: here, or through another mount of the same files. Nothing of it
    /// is run but what `exec_from` opens. It is part of the profiles' text, and so of the hash.
    #[serde(skip)]
    pub written: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum MountSource {
    /// A resolved host path, private propagation, never created.
    Bind(String),
    /// An engine volume by its engine name; `None` is anonymous.
    Volume {
        /// Engine name.
        name: Option<String>,
        /// Do not copy the image's content.
        nocopy: bool,
        /// Folder in the volume.
        subpath: Option<String>,
    },
    /// The files of an image, read-only.
    Image {
        /// The image as the file says it: like a service's own, it is told by its id, and no part of the hash.
        #[serde(skip)]
        image: String,
        /// Folder in the image.
        subpath: Option<String>,
    },
    /// Memory; always `nosuid,nodev,noexec`.
    Tmpfs {
        /// Bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A secret's or config's content, staged by the shell as a root-owned file and bound read-only.
    Content {
        /// `secret` or `config`.
        kind: String,
        /// Top-level key.
        key: String,
        /// Owner in the container.
        uid: u32,
        /// Group in the container.
        gid: u32,
        /// Permission bits.
        mode: u32,
    },
}

impl Confinement {
    /// The service it was made for.
    pub fn service(&self) -> &str {
        &self.service
    }
    /// `user[:group]` to run as; `None` leaves the image's.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
    /// Supplementary groups.
    pub fn group_add(&self) -> &[String] {
        &self.group_add
    }
    /// The bounding set: names without `CAP_`. Everything else is dropped.
    pub fn capabilities(&self) -> &BTreeSet<String> {
        &self.capabilities
    }
    /// Root mounted read-only.
    pub fn read_only_root(&self) -> bool {
        self.read_only_root
    }
    /// The engine's init is process 1.
    pub fn init(&self) -> bool {
        self.init
    }
    /// The seccomp profile as the engine's JSON.
    pub fn seccomp(&self) -> &str {
        self.seccomp.as_str()
    }
    /// The same filter as an OCI runtime takes it that knows no filter flags (runc before 1.2): what it denies is not
    /// written down.
    pub fn seccomp_without_flags(&self) -> String {
        match serde_json::from_str::<Profile>(self.seccomp()) {
            Ok(profile) => profile.without_flags().to_json(),
            Err(_) => self.seccomp().to_owned(),
        }
    }
    /// The kernel writes down what the filter denies: so it does for a recorded profile.
    pub fn logs_denials(&self) -> bool {
        serde_json::from_str::<Profile>(self.seccomp())
            .is_ok_and(|profile| profile.flags.contains(&Flag::Log))
    }
    /// The AppArmor profile.
    pub fn apparmor(&self) -> &AppArmor {
        &self.apparmor
    }
    /// What the service gives up before it is executed.
    pub fn landlock(&self) -> &Landlock {
        &self.landlock
    }
    /// Every mount, in order.
    pub fn mounts(&self) -> &[MountPromise] {
        &self.mounts
    }
    /// Images that are mounted, as the file says them, each with its target.
    pub fn mounted_images(&self) -> impl Iterator<Item = (&String, &String)> {
        self.mounts.iter().filter_map(|mount| match &mount.source {
            MountSource::Image { image, .. } => Some((&mount.target, image)),
            _ => None,
        })
    }
    /// Paths from which files may be run although they can be written: absolute, lexically normal, of letters,
    /// digits and `/._+-` alone. Each lies in a writable mount that is no tmpfs.
    pub fn exec_from(&self) -> &[String] {
        &self.exec_from
    }
    /// Kernel parameters of its namespaces.
    pub fn sysctls(&self) -> &BTreeMap<String, String> {
        &self.sysctls
    }
    /// Bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
    /// Promises other bounds of those that an engine changes on a living container (bytes of memory, billionths of a core,
    /// processes and threads), as a promise that was replaced had them. Nothing else of a promise can be changed.
    pub fn change_bounds(&mut self, memory: u64, nano_cpus: u64, pids: u32) {
        (self.limits.memory, self.limits.nano_cpus, self.limits.pids) = (memory, nano_cpus, pids);
    }
}
