//! What can be asked of the process that has the machine's rights, and what it answers: all of it.
//!
//! Bytes of files go beside a message and not in it, so that none is printed with it. Deliberately absent: judging
//! (`permit`), and doing (`carry_out`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use compose::host::{Kind, Look, ReadError};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::decide::live::LiveFile;
use crate::decide::seen::SeenGuard;
use crate::host::apparmor::LoadError;
use crate::host::contents::Staged;
use crate::host::guard::GuardError;
use crate::host::live::Deed;
use crate::observe::denials::{Running, Whose};
use crate::observe::kernel::{Evidence, EvidenceError, Sought};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A file that a stack is made of; its bytes come beside the answer.
    Read {
        /// Absolute.
        path: PathBuf,
        /// At most so many bytes.
        limit: u64,
    },
    /// What is at a path of the host.
    Look {
        /// Absolute.
        path: PathBuf,
    },
    /// Where a path of the host leads.
    Resolve {
        /// Absolute.
        path: PathBuf,
    },
    /// Loads an AppArmor profile of ours.
    LoadProfile {
        /// Its name.
        name: String,
        /// The one profile of that name.
        text: String,
    },
    /// Takes out the profiles of a project that nothing runs under.
    UnloadProfiles {
        /// Whose.
        project: String,
        /// But these.
        kept: BTreeSet<String>,
    },
    /// How the guard of a project is.
    SeeGuard {
        /// The project's state folder.
        folder: PathBuf,
        /// Whose.
        project: String,
    },
    /// Sets the guard of a project.
    SetGuard {
        /// The project's state folder.
        folder: PathBuf,
        /// Whose.
        project: String,
        /// What the table says that it was made of.
        ruleset: String,
        /// For nft: about the project's table alone.
        script: String,
    },
    /// Takes the guard of a project away.
    RemoveGuard {
        /// The project's state folder.
        folder: PathBuf,
        /// Whose.
        project: String,
    },
    /// The kernel's word on a container.
    Evidence(Box<Sought>),
    /// Whether a container is stopped by a signal.
    IsFrozen {
        /// Its process 1.
        pid: u32,
    },
    /// How often a container was refused a process.
    PidsRefused {
        /// Its process 1.
        pid: u32,
    },
    /// Puts a secret or config, whose bytes are beside, into a file of its owner.
    Stage {
        /// The project's state folder.
        folder: PathBuf,
        /// Which.
        staged: Staged,
    },
    /// Does something to a file of a container whose content is changed under it; its bytes are beside.
    Change {
        /// The project's state folder.
        folder: PathBuf,
        /// Which.
        file: LiveFile,
        /// What.
        deed: Deed,
    },
    /// What all such files of a project hold.
    SeeLive {
        /// The project's state folder.
        folder: PathBuf,
    },
    /// Whose process it is.
    Whose {
        /// Any process.
        pid: u32,
    },
    /// Whose process it was.
    ByWhatIsLeft {
        /// Its user.
        uid: u32,
        /// Its program.
        program: String,
        /// Those that it may have been.
        running: Vec<Running>,
    },
    /// A socket that listens on a low port of loopback, for a service of the stack; it comes after the answer.
    Listen {
        /// Where.
        at: SocketAddr,
    },
}

/// One answer.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is not done for anybody, and this is why.
    Refused(String),
    /// To [`Request::Read`].
    Read(Result<(), Unreadable>),
    /// To [`Request::Look`].
    Looked(Box<Looked>),
    /// To [`Request::Resolve`].
    Resolved(PathBuf, Vec<PathBuf>),
    /// To [`Request::LoadProfile`].
    Loaded(Result<(), LoadError>),
    /// To [`Request::UnloadProfiles`].
    Unloaded(Result<Vec<String>, Failure>),
    /// To [`Request::SeeGuard`].
    Guard(SeenGuard),
    /// To [`Request::SetGuard`] and [`Request::RemoveGuard`].
    GuardSet(Result<(), GuardError>),
    /// To [`Request::Evidence`].
    Evidence(Result<Box<Evidence>, EvidenceError>),
    /// To [`Request::IsFrozen`].
    Frozen(bool),
    /// To [`Request::PidsRefused`].
    Count(u64),
    /// To [`Request::Stage`].
    Staged(Result<(), Failure>),
    /// To [`Request::Change`]: whether anything changed.
    Changed(Result<bool, Failure>),
    /// To [`Request::SeeLive`]: hashes by name.
    Live(Result<BTreeMap<String, String>, Failure>),
    /// To [`Request::Whose`].
    Whose(Option<Whose>),
    /// To [`Request::ByWhatIsLeft`].
    Name(Option<String>),
    /// To [`Request::Listen`].
    Listening(Result<(), Failure>),
}

/// [`ReadError`], on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreadable {
    /// Nothing is there.
    Missing,
    /// It is no regular file.
    NotAFile,
    /// It is longer than the limit.
    TooLarge(u64),
    /// The operating system's word.
    Failed(String),
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing => Self::Missing,
            ReadError::NotAFile => Self::NotAFile,
            ReadError::TooLarge(length) => Self::TooLarge(length),
            ReadError::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<Unreadable> for ReadError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Missing => Self::Missing,
            Unreadable::NotAFile => Self::NotAFile,
            Unreadable::TooLarge(length) => Self::TooLarge(length),
            Unreadable::Failed(why) => Self::Failed(why),
        }
    }
}

/// [`Look`], on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    resolved: PathBuf,
    links: Vec<PathBuf>,
    kind: Option<What>,
    sockets: Vec<PathBuf>,
    identity: Option<(u64, u64)>,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
}

/// [`Kind`], on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    File,
    Directory,
    Socket,
    Device,
    Other,
}

impl From<Look> for Looked {
    fn from(look: Look) -> Self {
        let Look { resolved, links, kind, sockets, identity, mode, owner } = look;
        let kind = kind.map(|kind| match kind {
            Kind::File => What::File,
            Kind::Directory => What::Directory,
            Kind::Socket => What::Socket,
            Kind::Device => What::Device,
            Kind::Other => What::Other,
        });
        Self { resolved, links, kind, sockets, identity, mode, owner }
    }
}

impl From<Looked> for Look {
    fn from(look: Looked) -> Self {
        let Looked { resolved, links, kind, sockets, identity, mode, owner } = look;
        let kind = kind.map(|kind| match kind {
            What::File => Kind::File,
            What::Directory => Kind::Directory,
            What::Socket => Kind::Socket,
            What::Device => Kind::Device,
            What::Other => Kind::Other,
        });
        Self { resolved, links, kind, sockets, identity, mode, owner }
    }
}
