//! Recorded profiles: which of a base's calls a service was seen to use, and the word on each name for the policy.
//!
//! A recorded profile only ever narrows. Deliberately absent: reading its file (`compose`) and recording (the shell).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use compose::Service;
use compose::model::{Recorded, Recording, Runtime};
use compose::policy::Call;

use crate::bases::Base;
use crate::capability::{CAPABILITIES, capability};
use crate::confinement::{Arch, Kernel};
use crate::floor;
use crate::groups::{GROUPS, Group};
use crate::seccomp::{ENOSYS, EOPNOTSUPP};
use crate::syscalls::{SYSCALLS, Syscall, syscall};

/// What the policy is told of a call that a service's recorded profile names.
pub fn call(service: &Service, name: &str) -> Call {
    let Some(row) = syscall(name) else {
        return Call::Unknown { near: compose::shape::nearest(name, SYSCALLS.iter().map(|row| row.name)) };
    };
    let base = Base::of(service.supervisor.runtime.as_ref().map(|runtime| runtime.value));
    if base.grants(row) || opened(&capabilities(service)).contains(row.name) {
        return Call::Granted;
    }
    let group = GROUPS.iter().find(|group| group.group == row.group);
    let others = granting(row);
    // A group's reason is why it is granted, or why no base does.
    let why = group.filter(|_| others.is_empty()).map_or(row.why, |group| group.why);
    Call::Beyond { base: base.name(), why, others }
}

/// Bases that grant a call. They are nested: what `go` grants, `node` grants, and so on.
fn granting(row: &Syscall) -> &'static [&'static str] {
    const NAMES: &[&str] = &["node", "generic"];
    let first = [Base::Node, Base::Generic].iter().position(|base| base.grants(row));
    first.and_then(|first| NAMES.get(first..)).unwrap_or_default()
}

/// What a service adds, by the names that Linux knows.
pub(crate) fn capabilities(service: &Service) -> BTreeSet<String> {
    service.cap_add.iter().filter_map(|name| capability(&name.value)).map(|row| row.name.to_owned()).collect()
}

/// Calls that capabilities open.
pub(crate) fn opened(capabilities: &BTreeSet<String>) -> BTreeSet<&'static str> {
    let held = CAPABILITIES.iter().filter(|row| capabilities.contains(row.name));
    held.flat_map(|row| row.opens.iter().copied()).collect()
}

/// The calls that a recorded profile grants on this architecture.
///
/// Where it was recorded on another one alone, every spelling of a recorded call is granted: a C library that calls
/// `mkdir` on `x86_64` calls `mkdirat` where there is no other.
pub fn granted(recorded: &Recorded, arch: Arch) -> BTreeSet<&'static str> {
    let recorded_names: BTreeSet<&str> = recorded.calls.iter().map(|call| call.value.as_str()).collect();
    let rows = SYSCALLS.iter().filter(|row| recorded_names.contains(row.name));
    let mut names: BTreeSet<&'static str> = rows.map(|row| row.name).collect();
    let here = recorded.recordings.iter().any(|recording| recording.arch.as_deref() == Some(arch.name()));
    if !here {
        let seen = names.clone();
        for row in SYSCALLS {
            if let Some(modern) = row.modern() {
                if seen.contains(row.name) {
                    names.insert(modern);
                }
                if seen.contains(modern) {
                    names.insert(row.name);
                }
            }
        }
    }
    names
}

/// What a recording does about extended attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// Calls about them are granted, where they are heard.
    Granted,
    /// They are left out: whoever asks is told that there are none.
    LeftOut,
}

/// The calls that a recording does not let go on, each with the error number that it answers instead. What their callers
/// then do is heard.
pub fn answers(attributes: Attributes) -> BTreeMap<&'static str, u16> {
    let rows = SYSCALLS.iter().filter(|row| row.without.is_some());
    let rows = rows.map(|row| (row, if row.group == Group::Attributes { EOPNOTSUPP } else { ENOSYS }));
    let left_out = |errno| errno == ENOSYS || attributes == Attributes::LeftOut;
    rows.filter(|&(_, errno)| left_out(errno)).map(|(row, errno)| (row.name, errno)).collect()
}

/// What a service's earlier recordings did about extended attributes.
pub fn attributes(left_out: &BTreeSet<&str>) -> Attributes {
    let rows = left_out.iter().filter_map(|name| syscall(name));
    match rows.filter(|row| row.group == Group::Attributes).count() {
        0 => Attributes::Granted,
        _ => Attributes::LeftOut,
    }
}

/// The calls of extended attributes that a recorded profile leaves out by name. A name under `syscalls` is granted.
pub(crate) fn without_attributes(
    recorded: &Recorded,
    granted: &BTreeSet<&'static str>,
) -> BTreeSet<&'static str> {
    let rows = recorded.left_out.iter().filter_map(|call| syscall(&call.value));
    let rows = rows.filter(|row| row.group == Group::Attributes && !granted.contains(row.name));
    rows.map(|row| row.name).collect()
}

/// The file of a profile, as people review it: each call with what it is for.
///
/// What every container keeps is not listed.
pub fn text(
    service: &str,
    base: Base,
    recordings: &[Recording],
    calls: &BTreeSet<&str>,
    left_out: &BTreeSet<&str>,
) -> String {
    let mut text = format!(
        "# The system calls that service `{service}` was seen to use, besides those that every container keeps. Each line is\n\
         # granted; what is not here is not, though the base grants it. `supervisor profile diff {service}` compares.\n\
         base: {}\nrecordings:\n",
        base.name()
    );
    for recording in recordings {
        let fields = [
            ("when", &recording.when),
            ("arch", &recording.arch),
            ("kernel", &recording.kernel),
            ("engine", &recording.engine),
            ("runc", &recording.runc),
            ("seconds", &recording.seconds),
        ];
        let fields = fields.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        // A JSON string is a YAML string, whatever is in it.
        let fields: Vec<_> =
            fields.map(|(key, value)| format!("{key}: {}", serde_json::json!(value))).collect();
        let _ = writeln!(text, "  - {{{}}}", fields.join(", "));
    }
    let left_out = SYSCALLS.iter().filter(|row| left_out.contains(row.name) && !calls.contains(row.name));
    let left_out: Vec<_> = left_out.filter_map(|row| Some((row, row.without?))).collect();
    if !left_out.is_empty() {
        text.push_str(
            "# Heard, and left out: while it was recorded, its callers were told that there is no such call, and went on as is said\n\
             # beside it. To grant one, move its line to `syscalls`.\nleft_out:\n",
        );
    }
    for (row, without) in left_out {
        let _ = writeln!(text, "  - {} # {}; without: {without}", row.name, row.why);
    }
    text.push_str(if calls.is_empty() { "syscalls: []\n" } else { "syscalls:\n" });
    let everywhere = |name| [Arch::X86_64, Arch::Aarch64].iter().all(|&arch| floor::keeps(name, arch));
    for row in SYSCALLS.iter().filter(|row| calls.contains(row.name) && !everywhere(row.name)) {
        let _ = writeln!(text, "  - {} # {}", row.name, row.why);
    }
    text
}

/// What a recorded profile makes of its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Granted because every container needs it.
    pub kept: BTreeSet<&'static str>,
    /// Granted because it was recorded.
    pub used: BTreeSet<&'static str>,
    /// Granted by the base, and not any more: by the group's name.
    pub gone: BTreeMap<&'static str, Vec<&'static str>>,
}

/// Compares the calls of a recorded profile with the base that it narrows.
pub fn difference(base: Base, calls: &BTreeSet<&str>, kernel: &Kernel) -> Difference {
    let mut difference = Difference { kept: BTreeSet::new(), used: BTreeSet::new(), gone: BTreeMap::new() };
    for row in SYSCALLS.iter().filter(|row| row.exists(kernel) && base.grants(row)) {
        if floor::keeps(row.name, kernel.arch) {
            difference.kept.insert(row.name);
        } else if calls.contains(row.name) {
            difference.used.insert(row.name);
        } else {
            let group = GROUPS.iter().find(|group| group.group == row.group).map_or("", |group| group.name);
            difference.gone.entry(group).or_default().push(row.name);
        }
    }
    difference
}

/// The base of a name in a file.
impl From<Runtime> for Base {
    fn from(runtime: Runtime) -> Self {
        Self::of(Some(runtime))
    }
}
