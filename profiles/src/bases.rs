//! What each kind of program is granted: a list of groups.
//!
//! A service without `x-supervisor.runtime` gets [`Base::Generic`]. The image's name is never asked: a name is no
//! promise about what is inside, and a guess that tightens wrongly breaks a service that worked.

use compose::model::Runtime;

use crate::groups::Group;
use crate::syscalls::Syscall;

/// Where a profile starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// An ordinary libc program: databases, caches, web servers, scripts.
    Generic,
    /// Node.js with the tools that an agent runs.
    Node,
    /// A Go program, with a small shell for its health check.
    Go,
}

impl Base {
    /// Every base.
    pub const ALL: [Self; 3] = [Self::Go, Self::Node, Self::Generic];

    /// The base that a service asks for.
    pub const fn of(runtime: Option<Runtime>) -> Self {
        match runtime {
            None | Some(Runtime::Generic) => Self::Generic,
            Some(Runtime::Node) => Self::Node,
            Some(Runtime::Go) => Self::Go,
        }
    }

    /// Its name in a Compose file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => Runtime::Generic.name(),
            Self::Node => Runtime::Node.name(),
            Self::Go => Runtime::Go.name(),
        }
    }

    /// Whether it grants a call, for some arguments at least.
    pub fn grants(self, row: &Syscall) -> bool {
        self.groups().contains(&row.group)
    }

    /// The groups that it grants.
    pub const fn groups(self) -> &'static [Group] {
        match self {
            Self::Generic => GENERIC,
            Self::Node => NODE,
            Self::Go => GO,
        }
    }
}

/// What Go's runtime, a static server and `busybox sh` use.
const GO: &[Group] = &[
    Group::Memory,
    Group::Process,
    Group::Signals,
    Group::Time,
    Group::Identity,
    Group::System,
    Group::Descriptors,
    Group::Waiting,
    Group::Look,
    Group::Change,
    Group::Copy,
    Group::Net,
    Group::Watch,
    Group::Pidfd,
    Group::Shell,
    Group::Landlock,
];

/// What V8, libuv, and git, tar, find, cp and their kind use.
const NODE: &[Group] = &[
    Group::Memory,
    Group::Process,
    Group::Signals,
    Group::Time,
    Group::Identity,
    Group::System,
    Group::Descriptors,
    Group::Waiting,
    Group::Look,
    Group::Change,
    Group::Copy,
    Group::Net,
    Group::Watch,
    Group::Pidfd,
    Group::Shell,
    Group::Landlock,
    Group::OldSpelling,
    Group::Libc,
    Group::Timers,
    Group::Attributes,
    Group::Nodes,
    Group::Ids,
];

/// Node's, and what databases and older programs use.
const GENERIC: &[Group] = &[
    Group::Memory,
    Group::Process,
    Group::Signals,
    Group::Time,
    Group::Identity,
    Group::System,
    Group::Descriptors,
    Group::Waiting,
    Group::Look,
    Group::Change,
    Group::Copy,
    Group::Net,
    Group::Watch,
    Group::Pidfd,
    Group::Shell,
    Group::Landlock,
    Group::OldSpelling,
    Group::Libc,
    Group::Timers,
    Group::Attributes,
    Group::Nodes,
    Group::Ids,
    Group::Database,
    Group::Older,
];
