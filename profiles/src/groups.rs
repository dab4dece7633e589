//! What system calls are granted or denied together, why, and what a denied one answers.
//!
//! Deliberately absent: which base grants which group; that is [`crate::bases`].

/// A set of system calls with one purpose. Every call is in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Heap and mappings.
    Memory,
    /// Threads, processes and their ends.
    Process,
    /// Signals.
    Signals,
    /// Clocks that are only read.
    Time,
    /// Own ids, process group and session.
    Identity,
    /// What kind of machine this is.
    System,
    /// Reading and writing what is open.
    Descriptors,
    /// Event loops.
    Waiting,
    /// Files, read.
    Look,
    /// Files, changed.
    Change,
    /// Bytes moved inside the kernel.
    Copy,
    /// Sockets.
    Net,
    /// Changes of files, heard.
    Watch,
    /// Children by descriptor.
    Pidfd,
    /// Old spellings that a small shell uses.
    Shell,
    /// Every other old spelling.
    OldSpelling,
    /// What a C library and the usual tools use besides.
    Libc,
    /// Timers.
    Timers,
    /// Extended attributes.
    Attributes,
    /// FIFOs.
    Nodes,
    /// Dropping from root to a user.
    Ids,
    /// Files in memory, and running what has no path.
    Anonymous,
    /// What databases use besides.
    Database,
    /// What older programs use.
    Older,
    /// Calls whose arguments no filter can read.
    Unfilterable,
    /// Confining oneself further.
    Landlock,
    /// System V and POSIX queues.
    Queues,
    /// Old asynchronous reading.
    Aio,
    /// New asynchronous everything.
    IoUring,
    /// What hardly any service calls.
    Rare,
    /// The host's clock, set.
    Clock,
    /// Execution domains.
    Personality,
    /// Key rings.
    Keys,
    /// Other processes' insides.
    Debug,
    /// The kernel's insides.
    Probe,
    /// File systems from below.
    Files,
    /// Mounts.
    Mounts,
    /// Namespaces and their names.
    Namespaces,
    /// Memory of several sockets.
    Numa,
    /// Security modules.
    Lsm,
    /// The machine as such.
    Machine,
    /// Kernel code, hardware, swap.
    Kernel,
    /// Removed or never implemented.
    Gone,
}

/// What a denied call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// ENOSYS: as an older kernel would, so that programs take the way that they have for one.
    Absent,
    /// EPERM: known, dangerous, and not for this service.
    Refused,
    /// The process ends with SIGSYS: no service calls it, an intruder does.
    Killed,
}

/// A row of the table of groups.
#[derive(Clone, Copy, Debug)]
pub struct GroupRow {
    /// The group.
    pub group: Group,
    /// Its name in the docs.
    pub name: &'static str,
    /// What a denied call of it answers.
    pub denied: Denied,
    /// Why it is granted, or why not.
    pub why: &'static str,
}

impl Group {
    /// What a call of this group answers where it is not granted.
    pub fn denied(self) -> Denied {
        GROUPS.iter().find(|row| row.group == self).map_or(Denied::Refused, |row| row.denied)
    }
}

/// A row whose calls answer as an older kernel would.
const fn absent(group: Group, name: &'static str, why: &'static str) -> GroupRow {
    GroupRow { group, name, denied: Denied::Absent, why }
}

/// A row whose calls are refused.
const fn refused(group: Group, name: &'static str, why: &'static str) -> GroupRow {
    GroupRow { group, name, denied: Denied::Refused, why }
}

/// A row whose calls end the process.
const fn killed(group: Group, name: &'static str, why: &'static str) -> GroupRow {
    GroupRow { group, name, denied: Denied::Killed, why }
}

/// The table.
#[rustfmt::skip]
pub const GROUPS: &[GroupRow] = &[
    absent(Group::Memory, "memory", "no program runs without it"),
    absent(Group::Process, "process", "no program runs without it; what runc does last is here"),
    absent(Group::Signals, "signals", "no program runs without it; the engine's init waits with it"),
    absent(Group::Time, "time", "no program runs without it"),
    absent(Group::Identity, "identity", "asked by every C library; the engine's init sets its process group"),
    absent(Group::System, "system", "asked by every runtime at start"),
    absent(Group::Descriptors, "descriptors", "no program runs without it"),
    absent(Group::Waiting, "waiting", "event loops of every runtime, runc's own among them"),
    absent(Group::Look, "look", "no program runs without it"),
    absent(Group::Change, "change", "certificates, databases, logs; where is up to the mounts"),
    absent(Group::Copy, "copy", "what servers send files with"),
    absent(Group::Net, "net", "a service serves; the kinds of sockets are an allow-list"),
    absent(Group::Watch, "watch", "reloading of changed files"),
    absent(Group::Pidfd, "pidfd", "how Go and Node wait for children"),
    absent(Group::Shell, "shell", "a health check by the image's small shell"),
    absent(Group::OldSpelling, "old spelling", "C libraries still use them on x86_64; aarch64 never had them"),
    absent(Group::Libc, "libc", "tools such as git, tar, find, and runtimes in C"),
    absent(Group::Timers, "timers", "timeouts of runtimes and tools"),
    absent(Group::Attributes, "attributes", "`cp -a`, `ls -l`, `tar`, `sed -i`"),
    absent(Group::Nodes, "nodes", "`mkfifo`; devices are filtered out"),
    absent(Group::Ids, "ids", "images that start as root and drop to a user; without the capability it does nothing"),
    absent(Group::Anonymous, "anonymous", "runs code from memory, past read-only and noexec mounts"),
    absent(Group::Database, "database", "PostgreSQL and its kind; shared memory and semaphores of the container's own namespace"),
    absent(Group::Older, "older", "spellings and ways that newer programs have left"),
    absent(Group::Unfilterable, "unfilterable", "would open what the filter on `clone` closes"),
    absent(Group::Landlock, "landlock", "can only take rights away"),
    refused(Group::Queues, "queues", "few services use them, many exploits do"),
    absent(Group::Aio, "aio", "programs use threads where it is missing; a line of bugs"),
    absent(Group::IoUring, "io_uring", "does opens, connects and writes that no filter sees; a line of escapes"),
    absent(Group::Rare, "rare", "hardly any service calls them, and those that ask do without"),
    refused(Group::Clock, "clock", "the host's clock is not namespaced"),
    refused(Group::Personality, "personality", "switches address randomisation off"),
    refused(Group::Keys, "keys", "key rings are not namespaced"),
    refused(Group::Debug, "debug", "a service has no business in another process"),
    refused(Group::Probe, "probe", "the largest doors into the kernel"),
    refused(Group::Files, "files", "reaches past what is mounted"),
    refused(Group::Mounts, "mounts", "the mounts are the promise"),
    refused(Group::Namespaces, "namespaces", "root in a new namespace reaches code that no service needs"),
    refused(Group::Numa, "numa", "placement is the host's"),
    refused(Group::Lsm, "lsm", "labels are the host's"),
    refused(Group::Machine, "machine", "not a service's to ask or do"),
    killed(Group::Kernel, "kernel", "only who wants the host calls these"),
    absent(Group::Gone, "gone", "not there in any kernel"),
];
