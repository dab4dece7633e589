//! What a process of ours gives up itself before it meets anything from outside.
//!
//! Each step is one that cannot be taken back: capabilities, then Landlock, then a filter of system calls. Deliberately
//! absent: how containers are confined; that is `profiles` and `confine`.

mod caller;
pub mod calls;
mod filter;
pub mod in_force;

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

pub use caller::caller;

/// The newest version of Landlock whose rights are all handled; an older kernel keeps those that it knows.
const LANDLOCK: ABI = ABI::V6;

/// How much of what was asked for Landlock keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landlock {
    /// Files, ports, and signals to others.
    Full,
    /// What this kernel knows of it.
    Partial,
    /// This kernel has no Landlock, or it is off.
    None,
}

impl Landlock {
    /// For a message of one byte.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Full => b'f',
            Self::Partial => b'p',
            Self::None => b'n',
        }
    }

    /// And back.
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'f' => Some(Self::Full),
            b'p' => Some(Self::Partial),
            b'n' => Some(Self::None),
            _ => None,
        }
    }
}

/// Why a process did not give up what it was to.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Capabilities, or what the kernel keeps of a process.
    #[error("cannot give up {what}")]
    Process {
        /// What.
        what: &'static str,
        /// The kernel's word.
        source: Errno,
    },
    /// Rights are a thread's, and there is more than one.
    #[error("cannot give up capabilities: {0} threads have them")]
    Threads(usize),
    /// Landlock, of a kernel that has it.
    #[error("cannot give up files and ports by Landlock")]
    Landlock(#[from] RulesetError),
    /// The filter of system calls.
    #[error("cannot filter system calls")]
    Filter(#[source] seccompiler::Error),
}

/// A step that the kernel refuses.
fn failed(what: &'static str) -> impl FnOnce(Errno) -> SandboxError {
    move |source| SandboxError::Process { what, source }
}

/// The endpoint's: no capability, no file, no port, no socket but those it has, and it ends with its parent.
///
/// Everything that it works with has to be open before.
///
/// # Errors
/// The kernel refuses a step; what was given up before it stays so.
pub fn endpoint() -> Result<Landlock, SandboxError> {
    nothing_outlives_or_shows(CapabilitySet::empty())?;
    let landlock = nothing_by_landlock()?;
    filter::endpoint()?;
    Ok(landlock)
}

/// The supervisor's: no capability, no file written but beneath the folder of its state, no other made but sockets in
/// their folders, no program executed but itself and what calls a control plane, none of the calls that nobody here needs;
/// and nothing that it executes has or gains more. Everything
/// for which it needs a capability has to be open or begun before. Without the second, root's own files would be a way
/// back to all that root can do.
///
/// Folders that are not there are passed over.
///
/// # Errors
/// The kernel refuses a step, or there is another thread already, which would keep what it has.
pub fn supervisor(state: &Path, sockets: &[&Path]) -> Result<Landlock, SandboxError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    nothing_shows()?;
    rustix::thread::set_no_new_privs(true).map_err(failed("new rights"))?;
    capabilities(CapabilitySet::empty()).map_err(failed("capabilities"))?;
    let landlock = written_beneath_alone(state, sockets)?;
    filter::own()?;
    Ok(landlock)
}

/// What the process with the machine's rights keeps of them, each with what it is for.
const PRIVILEGED: [(CapabilitySet, &str); 9] = [
    (CapabilitySet::SYS_PTRACE, "looking into containers' processes"),
    (CapabilitySet::DAC_READ_SEARCH, "files of the stack, and of containers, that are not for everybody"),
    (
        CapabilitySet::DAC_OVERRIDE,
        "the kernel's files of AppArmor and of bounds, where a container's root is remapped",
    ),
    (CapabilitySet::CHOWN, "giving a secret to the user who reads it"),
    (CapabilitySet::FOWNER, "its mode after that"),
    (CapabilitySet::MAC_ADMIN, "loading AppArmor profiles"),
    (CapabilitySet::NET_ADMIN, "setting the guard"),
    (CapabilitySet::NET_BIND_SERVICE, "listening on a low port that is relayed"),
    (CapabilitySet::SYSLOG, "reading in the kernel's log what it denied, where that is not for everybody"),
];

/// Of the process that has the machine's rights: it keeps some, none of the calls that nobody here needs, and ends with its
/// parent.
///
/// # Errors
/// The kernel refuses a step; what was given up before it stays so.
pub fn privileged() -> Result<(), SandboxError> {
    rustix::thread::set_no_new_privs(true).map_err(failed("new rights"))?;
    let kept = PRIVILEGED.iter().fold(CapabilitySet::empty(), |kept, (one, _)| kept | *one);
    nothing_outlives_or_shows(kept)?;
    filter::own()
}

/// No capability but these, no look into its memory, alive or dead, and it ends with its parent.
fn nothing_outlives_or_shows(kept: CapabilitySet) -> Result<(), SandboxError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("outliving its parent"))?;
    nothing_shows()?;
    capabilities(kept).map_err(failed("capabilities"))
}

/// No look into its memory, alive or dead.
fn nothing_shows() -> Result<(), SandboxError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(failed("being looked into"))?;
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, nothing).map_err(failed("core dumps"))
}

/// None but these in force, none that could be, and where it may say so, none that any program could bring.
fn capabilities(kept: CapabilitySet) -> rustix::io::Result<()> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if !kept.contains(one)
            && rustix::thread::capability_is_in_bounding_set(one) == Ok(true)
            && let Err(error) = rustix::thread::remove_capability_from_bounding_set(one)
            // Without CAP_SETPCAP the bounding set stays; what is executed gains nothing of it.
            && error != Errno::PERM
        {
            return Err(error);
        }
    }
    let had = rustix::thread::capabilities(None)?;
    if (had.permitted | had.effective | had.inheritable).is_empty() {
        // Nothing to give up: the unit's filter of system calls does not even let it say so.
        return Ok(());
    }
    let left = had.permitted & kept;
    // Those that a program inherits, and those that are in force for it whatever it is, go with the inheritable ones.
    let inheritable = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: left, permitted: left, inheritable })
}

/// This program, what it becomes to call a control plane, and what the kernel starts both with where they are linked
/// dynamically. Those that are not there are passed over.
const EXECUTED: [&str; 7] = [
    "/proc/self/exe",
    "/usr/bin/curl",
    "/usr/local/bin/curl",
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Files are written, made and removed beneath the one folder alone, sockets in the others, too; and read anywhere. Few are
/// executed.
fn written_beneath_alone(state: &Path, sockets: &[&Path]) -> Result<Landlock, RulesetError> {
    let write = AccessFs::from_write(LANDLOCK);
    let socket = AccessFs::MakeSock | AccessFs::RemoveFile;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(write)?
        .handle_access(AccessFs::Execute)?
        .create()?
        .add_rules(path_beneath_rules(EXECUTED, AccessFs::Execute))?
        .add_rules(path_beneath_rules([state], write))?
        .add_rules(path_beneath_rules(sockets, socket))?
        // What is executed is given it for its output.
        .add_rules(path_beneath_rules(["/dev/null"], AccessFs::WriteFile))?;
    Ok(kept(rules.restrict_self()?.ruleset))
}

/// Every right that this kernel's Landlock knows is taken, and none given back.
fn nothing_by_landlock() -> Result<Landlock, RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    Ok(kept(rules.restrict_self()?.ruleset))
}

const fn kept(status: RulesetStatus) -> Landlock {
    match status {
        RulesetStatus::FullyEnforced => Landlock::Full,
        RulesetStatus::PartiallyEnforced => Landlock::Partial,
        RulesetStatus::NotEnforced => Landlock::None,
    }
}
