//! A base, capabilities and a kernel to the engine's seccomp profile.
//!
//! What is granted is allowed; what is known and dangerous answers EPERM or kills; everything else, and every call
//! that this table has never heard of, answers ENOSYS. Only the native architecture is listed, so that a call by way of
//! the 32-bit entry ends the thread that makes it. Deliberately absent: compiling and loading; the OCI runtime does both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::arguments::{self, Row, Test};
use crate::bases::Base;
use crate::confinement::{Arch, Kernel};
use crate::floor;
use crate::groups::Denied;
use crate::recorded;
use crate::syscalls::{SYSCALLS, Syscall};

/// `ENOSYS`.
pub(crate) const ENOSYS: u16 = 38;
/// `EPERM`.
const EPERM: u16 = 1;
/// `EOPNOTSUPP`.
pub(crate) const EOPNOTSUPP: u16 = 95;

/// A seccomp profile as the OCI runtime specification and the engine write it. Reading one refuses any other key:
/// `includes` and `excludes` would be lost in silence, and what they gate would become unconditional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// The only entry into the kernel that is open.
    pub architectures: Vec<String>,
    /// What a call gets that no rule names.
    pub default_action: Action,
    /// The error number of `default_action`.
    pub default_errno_ret: u32,
    /// What the kernel does besides, of `seccomp(2)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The socket on the host that the filter's own descriptor is handed to, for [`Action::Notify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Alternatives: rules of one call never overlap.
    pub syscalls: Vec<Rule>,
}

/// What the kernel does besides answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flag {
    /// It writes down every answer that is not "go on". Since Linux 4.14; the OCI runtime has to know it (runc 1.2).
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
}

/// What is done with some calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// What is done.
    pub action: Action,
    /// Tests of arguments that are all true together; empty is always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
    /// The error number, for [`Action::Errno`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Names of calls.
    pub names: Vec<String>,
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It goes on.
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    /// It answers an error number.
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    /// The process ends with SIGSYS.
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    /// It waits until whoever holds the filter's descriptor lets it go on; once nobody does, it answers ENOSYS.
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

/// A test of one argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arg {
    /// 0 to 5.
    pub index: u32,
    /// How.
    pub op: Op,
    /// What it is compared with; the mask, for [`Op::MaskedEq`].
    pub value: u64,
    /// What the masked bits must be, for [`Op::MaskedEq`].
    #[serde(default)]
    pub value_two: u64,
}

/// How an argument is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Equal.
    #[serde(rename = "SCMP_CMP_EQ")]
    Eq,
    /// Equal under a mask.
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEq,
}

/// The profile of a base with these capabilities (names without `CAP_`) on this kernel.
pub fn profile(base: Base, capabilities: &BTreeSet<String>, kernel: &Kernel) -> Profile {
    let opened = recorded::opened(capabilities);
    let granted = |row: &Syscall| (base.grants(row) || opened.contains(row.name)).then_some(Granted::Always);
    of(&granted, capabilities, *kernel)
}

/// The same, granting of it no more than these calls, and what every container needs to start. What is denied is
/// written down by the kernel, so that a call that was missed can be told.
pub fn narrowed(
    base: Base,
    calls: &BTreeSet<&str>,
    capabilities: &BTreeSet<String>,
    kernel: &Kernel,
) -> Profile {
    let opened = recorded::opened(capabilities);
    let granted = |row: &Syscall| {
        let base = base.grants(row) || opened.contains(row.name);
        (base && (calls.contains(row.name) || floor::keeps(row.name, kernel.arch))).then_some(Granted::Always)
    };
    Profile { flags: vec![Flag::Log], ..of(&granted, capabilities, *kernel) }
}

/// The same as [`profile`], with every grant told to whoever listens at a path on the host, but for what is known of the
/// service already and for what every container needs. It grants nothing more and nothing less.
pub fn heard(
    base: Base,
    known: &BTreeSet<&str>,
    capabilities: &BTreeSet<String>,
    kernel: &Kernel,
    listener: &str,
) -> Profile {
    let opened = recorded::opened(capabilities);
    let granted = |row: &Syscall| {
        let silent = known.contains(row.name) || floor::keeps(row.name, kernel.arch);
        let how = if silent { Granted::Always } else { Granted::Heard };
        (base.grants(row) || opened.contains(row.name)).then_some(how)
    };
    Profile { listener_path: Some(listener.to_owned()), ..of(&granted, capabilities, *kernel) }
}

/// The profile that grants these rows.
fn of(
    granted: &dyn Fn(&Syscall) -> Option<Granted>,
    capabilities: &BTreeSet<String>,
    kernel: Kernel,
) -> Profile {
    let mut whole: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
    let mut filtered = Vec::new();
    for row in SYSCALLS.iter().filter(|row| row.exists(&kernel)) {
        let outcome = granted(row).map_or(Outcome::Deny(row.group.denied()), Outcome::Grant);
        match (outcome, arguments::filter(row.name, capabilities)) {
            (Outcome::Grant(_), Some(filter)) => {
                filtered.extend(filter.allow.iter().map(|args| rule(row.name, outcome, args)));
                let refused = Outcome::Deny(Denied::Refused);
                filtered.extend(filter.refuse.iter().map(|args| rule(row.name, refused, args)));
            }
            _ => whole.entry(outcome).or_default().push(row.name.to_owned()),
        }
    }
    // The default's own answer needs no rule, and some runtimes refuse one that says the same.
    whole.remove(&Outcome::Deny(Denied::Absent));
    let whole = whole.into_iter().map(|(outcome, mut names)| {
        names.sort_unstable();
        Rule { names, action: outcome.action(), errno_ret: outcome.errno(), args: Vec::new() }
    });
    Profile {
        default_action: Action::Errno,
        default_errno_ret: ENOSYS.into(),
        architectures: vec![architecture(kernel.arch).to_owned()],
        flags: Vec::new(),
        listener_path: None,
        syscalls: whole.chain(filtered).collect(),
    }
}

/// A profile as the engine takes it, and the hash of it. Copies share both. Serialized, it is its hash: what covers the
/// hash covers the text, in a thousandth of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    text: Arc<str>,
    hash: Arc<str>,
}

impl Text {
    /// Prints a profile.
    pub fn of(profile: &Profile) -> Self {
        let text = profile.to_json();
        let hash = Sha256::digest(&text).iter().fold(String::with_capacity(64), |mut hash, byte| {
            // Writing to a `String` does not fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        Self { text: text.into(), hash: hash.into() }
    }

    /// The engine's JSON.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hash)
    }
}

impl Profile {
    /// The text that the engine takes inline.
    pub fn to_json(&self) -> String {
        // Fields are declared in their names' order, the one in which `json!` prints them in twice the time. Neither fails for
        // names and numbers; if this ever did, that one would rather end the program than print a text that allows more.
        serde_json::to_string(self).unwrap_or_else(|_| serde_json::json!(self).to_string())
    }

    /// The same over several lines, as a file for Kubernetes or containerd: nothing in it is the engine's own.
    pub fn to_pretty_json(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }

    /// The same filter for an OCI runtime that knows no flags: what is denied is not written down.
    #[must_use]
    pub fn without_flags(self) -> Self {
        Self { flags: Vec::new(), ..self }
    }

    /// The same, with these calls, none of which it grants, answering as a file system without extended attributes does.
    #[must_use]
    pub fn without_attributes(mut self, names: &BTreeSet<&str>) -> Self {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        if !names.is_empty() {
            let errno_ret = Some(EOPNOTSUPP.into());
            self.syscalls.push(Rule { names, action: Action::Errno, errno_ret, args: Vec::new() });
        }
        self
    }

    /// Whether a call of extended attributes was left out by name.
    pub fn leaves_out(&self, name: &str) -> bool {
        let mut left_out = self.syscalls.iter().filter(|rule| rule.errno_ret == Some(EOPNOTSUPP.into()));
        left_out.any(|rule| rule.names.iter().any(|left| left == name))
    }

    /// Names that are allowed, for some arguments at least.
    pub fn allowed(&self) -> BTreeSet<&str> {
        let granted = |rule: &&Rule| matches!(rule.action, Action::Allow | Action::Notify);
        let allow = self.syscalls.iter().filter(granted);
        allow.flat_map(|rule| rule.names.iter().map(String::as_str)).collect()
    }
}

/// How a call is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Granted {
    /// It goes on.
    Always,
    /// It goes on once it has been heard of.
    Heard,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Grant(Granted),
    Deny(Denied),
}

impl Outcome {
    const fn action(self) -> Action {
        match self {
            Self::Grant(Granted::Always) => Action::Allow,
            Self::Grant(Granted::Heard) => Action::Notify,
            Self::Deny(Denied::Killed) => Action::KillProcess,
            Self::Deny(Denied::Absent | Denied::Refused) => Action::Errno,
        }
    }

    fn errno(self) -> Option<u32> {
        match self {
            Self::Deny(Denied::Absent) => Some(ENOSYS.into()),
            Self::Deny(Denied::Refused) => Some(EPERM.into()),
            Self::Grant(_) | Self::Deny(Denied::Killed) => None,
        }
    }
}

/// A rule for one call and one row of tests.
fn rule(name: &str, outcome: Outcome, tests: &Row) -> Rule {
    let args = tests.iter().map(|argument| match argument.test {
        Test::Eq(value) => Arg { index: argument.index, value, value_two: 0, op: Op::Eq },
        Test::MaskedEq { mask, value } => {
            Arg { index: argument.index, value: mask, value_two: value, op: Op::MaskedEq }
        }
    });
    Rule {
        names: vec![name.to_owned()],
        action: outcome.action(),
        errno_ret: outcome.errno(),
        args: args.collect(),
    }
}

/// The specification's name of an architecture.
const fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "SCMP_ARCH_X86_64",
        Arch::Aarch64 => "SCMP_ARCH_AARCH64",
    }
}
