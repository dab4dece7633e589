//! Recorded profiles: which of a base's calls a service was seen to use, and the word on each name for the policy.
//!
//! A recorded profile only ever narrows. Deliberately absent: reading its file (`compose`) and recording (the shell).

use std::collections::BTreeSet;

use compose::Service;
use compose::model::{Recorded, Runtime};
use compose::policy::Call;

use crate::bases::Base;
use crate::capability::{CAPABILITIES, capability};
use crate::confinement::Arch;
use crate::groups::GROUPS;
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
pub(crate) fn granted(recorded: &Recorded, arch: Arch) -> BTreeSet<&'static str> {
    let rows = recorded.calls.iter().filter_map(|call| syscall(&call.value));
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

/// The base of a name in a file.
impl From<Runtime> for Base {
    fn from(runtime: Runtime) -> Self {
        Self::of(Some(runtime))
    }
}
