//! What the rows judge: texts as they were read, and values of the engine, the containers and the stack.
//!
//! What could not be read is kept as such, with its reason, so that a look without rights fails and never passes. Pure.
//! Deliberately absent: reading.

use std::collections::BTreeMap;
use std::fmt;

use super::{Not, not_applicable, not_so};

/// Where something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A file's text.
    File(&'static str),
    /// The texts of a folder's files, one after the other, each under a line `# PATH`.
    Folder(&'static str),
    /// What a program prints, whatever code it ends with; its errors where it prints nothing else.
    Output(&'static [&'static str]),
    /// Mode and owner of a path, `0640 0 42`: permission bits, user and group.
    Mode(&'static str),
    /// The parameters of `hardened::sysctl` in `/proc/sys`, `KEY = VALUE` a line.
    Sysctls,
    /// The engine's version, `/info` and its default bridge.
    Engine,
    /// Every running container: the engine's word, and the kernel's on its first process.
    Containers,
    /// A connection to the provider's metadata service, from the host and from within every container's network.
    Metadata,
    /// The stack that the command line names: its verdict, its files and their modes.
    Stack,
    /// `supervisor attest` of that stack.
    Attestation,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{path}`"),
            Self::Folder(path) => write!(f, "the files in `{path}`"),
            Self::Output(words) => write!(f, "`{}`", words.join(" ")),
            Self::Mode(path) => write!(f, "mode and owner of `{path}`"),
            Self::Sysctls => f.write_str("`/proc/sys`"),
            Self::Engine => f.write_str("the engine's version, settings and default bridge"),
            Self::Containers => f.write_str(
                "the engine's list of running containers, and `/proc` of each one's first process",
            ),
            Self::Metadata => f.write_str(
                "a connection to 169.254.169.254 from the host and from every container's network",
            ),
            Self::Stack => f.write_str("the stack's files"),
            Self::Attestation => f.write_str("`supervisor attest`"),
        }
    }
}

/// What came of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Its text.
    Text(String),
    /// There is no such file or program.
    Missing,
    /// It is there, and could not be read, in the operating system's words.
    Unreadable(String),
}

/// The engine as it is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Such as `28.5.2`.
    pub version: String,
    /// Its OCI runtime's version, if it says.
    pub runc: Option<String>,
    /// What `docker version` would advise about these two, one sentence each.
    pub advice: Vec<String>,
    /// `name=seccomp,profile=builtin`, `name=apparmor`, `name=userns`, `name=no-new-privileges`, …
    pub security: Vec<String>,
    /// Containers outlive the daemon.
    pub live_restore: bool,
    /// Default log driver.
    pub log_driver: String,
    /// Authorization plugins.
    pub authorization: Vec<String>,
    /// Registries that are spoken to without TLS, loopback left out.
    pub insecure_registries: Vec<String>,
    /// It is a member of a swarm.
    pub swarm: bool,
    /// Containers on the default bridge reach each other; `None` if there is no such bridge.
    pub default_bridge_icc: Option<bool>,
}

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Engine name.
    pub name: String,
    /// Every right there is.
    pub privileged: bool,
    /// Bytes; 0 is unbounded.
    pub memory: i64,
    /// Billionths of a core; 0 is unbounded.
    pub nano_cpus: i64,
    /// 0 and below are unbounded.
    pub pids: i64,
    /// Namespaces of the host that it shares: `pid`, `network`, `ipc`, `uts`, `user`.
    pub host_namespaces: Vec<&'static str>,
    /// Root mounted read-only.
    pub read_only_root: bool,
    /// Paths of the host that are mounted.
    pub binds: Vec<String>,
    /// Ports that are published beyond loopback: `0.0.0.0:80/tcp`.
    pub published: Vec<(u16, String)>,
    /// The AppArmor label of its first process, in the kernel's word.
    pub label: Read,
    /// User ids and `Seccomp`, `NoNewPrivs` of its first process: `/proc/PID/status`.
    pub status: Read,
}

/// A file of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Path.
    pub path: String,
    /// It holds a secret.
    pub secret: bool,
    /// Permission bits and owner; `None` if it is not there.
    pub mode: Option<Mode>,
}

/// Permission bits and owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Permission bits.
    pub bits: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The stack that the command line names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stack {
    /// Errors and warnings of `check`.
    pub findings: (usize, usize),
    /// It may run.
    pub admitted: bool,
    /// Compose files, env files, and the files of secrets and configs.
    pub files: Vec<Placed>,
    /// The text of the edge's Caddyfile, if the stack has one.
    pub caddyfile: Option<String>,
}

/// What `attest` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// As promised; how many containers.
    Held(usize),
    /// Not so; which items, in words.
    Broken(Vec<String>),
    /// No container of the stack runs.
    Idle,
}

/// Whether the metadata service answered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Metadata {
    /// The host.
    pub host: bool,
    /// Names of containers from whose network it answered.
    pub containers: Vec<String>,
    /// Names of containers whose network could not be looked into, with the reason.
    pub unread: Vec<String>,
    /// Containers that were looked from.
    pub tried: usize,
}

/// Everything that was gathered.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Texts.
    pub read: BTreeMap<Source, Read>,
    /// The engine, or why not.
    pub engine: Result<Engine, String>,
    /// Running containers, or why not.
    pub containers: Result<Vec<Container>, String>,
    /// The metadata service.
    pub metadata: Metadata,
    /// The stack; `None` where the command line names none, and none is found.
    pub stack: Option<Stack>,
    /// Its attestation, or why not.
    pub attestation: Result<Attested, String>,
}

impl Evidence {
    /// A text, `None` where there is no such file or program.
    pub(crate) fn optional(&self, source: Source) -> Result<Option<&str>, Not> {
        match self.read.get(&source) {
            Some(Read::Text(text)) => Ok(Some(text)),
            Some(Read::Missing) => Ok(None),
            Some(Read::Unreadable(why)) => Err(not_so(format!("{source} cannot be read: {why}"))),
            None => Err(not_so(format!("{source} was not read"))),
        }
    }

    /// A text that has to be there.
    pub(crate) fn text(&self, source: Source) -> Result<&str, Not> {
        self.optional(source)?.ok_or_else(|| not_so(format!("there is no {source}")))
    }

    /// Permission bits and owner of a path, `None` where there is none.
    pub(crate) fn mode(&self, path: &'static str) -> Result<Option<Mode>, Not> {
        let source = Source::Mode(path);
        let Some(text) = self.optional(source)? else { return Ok(None) };
        let mut words = text.split_whitespace();
        let bits = words.next().and_then(|word| u32::from_str_radix(word, 8).ok());
        let mut id = || words.next().and_then(|word| word.parse().ok());
        match (bits, id(), id()) {
            (Some(bits), Some(uid), Some(gid)) => Ok(Some(Mode { bits, uid, gid })),
            _ => Err(not_so(format!("{source} is not understood: {text}"))),
        }
    }

    /// The engine. Without one, nothing about it can be judged.
    pub(crate) fn engine(&self) -> Result<&Engine, Not> {
        self.engine.as_ref().map_err(|why| not_so(format!("the engine cannot be asked: {why}")))
    }

    /// The containers that run; a row on containers has no object without one.
    pub(crate) fn containers(&self) -> Result<&[Container], Not> {
        match &self.containers {
            Ok(containers) if containers.is_empty() => Err(not_applicable("no container runs")),
            Ok(containers) => Ok(containers),
            Err(why) => Err(not_so(format!("the engine cannot be asked: {why}"))),
        }
    }

    /// The stack; a row on it has no object without one.
    pub(crate) fn stack(&self) -> Result<&Stack, Not> {
        self.stack.as_ref().ok_or_else(|| not_applicable("no stack is named, and none is here"))
    }
}

impl Mode {
    /// Others than owner and group may do this.
    pub(crate) const fn others(self, bits: u32) -> bool {
        self.bits & bits != 0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {:04o}, owner {}:{}", self.bits, self.uid, self.gid)
    }
}
