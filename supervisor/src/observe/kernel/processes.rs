//! The processes of a container: each one's status, namespaces and AppArmor label.
//!
//! Deliberately absent: which of them is which; a process can call itself what it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::status::{self, Status};
use super::{Read, Unread, read as read_text, unread};

/// One process, as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// As the host numbers it.
    pub pid: u32,
    /// When it started, in clock ticks since boot: with the number, it names one process for good.
    pub started: u64,
    /// Identity and rights.
    pub status: Read<Status>,
    /// Kind of namespace to inode number.
    pub namespaces: Read<BTreeMap<String, u64>>,
    /// AppArmor label with its mode, such as `name (enforce)`; `None` where the kernel has no AppArmor.
    pub apparmor: Read<Option<String>>,
}

/// The kinds of namespace that a container has of its own.
const KINDS: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// Reads one process; `None` if it is not there, is dead and waits to be reaped, or ended while it was read.
pub(super) fn read(pid: u32) -> Option<Process> {
    let started = started(pid)?;
    let process = Process {
        pid,
        started,
        status: read_text(&format!("/proc/{pid}/status")).and_then(|text| {
            status::parse(&text).map_err(|key| Unread(format!("`{key}` is not understood")))
        }),
        namespaces: namespaces(&format!("/proc/{pid}/ns")),
        apparmor: apparmor(pid),
    };
    // What of it could not be read because it ended meanwhile is no evidence against it.
    (self::started(pid) == Some(started)).then_some(process)
}

/// When a process started; `None` if it is not there any more, or dead.
pub(super) fn started(pid: u32) -> Option<u64> {
    started_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether a process is stopped by a signal: it neither works nor hears anything but SIGKILL and SIGCONT.
pub(super) fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T')))
}

/// Set in a process's flags from the moment at which it begins to end (`PF_EXITING`, `linux/sched.h`): it gives up its
/// namespaces before it is dead.
const ENDING: u64 = 4;

/// Fields 3, 9 and 22 of `/proc/PID/stat`, behind the name, which may hold any character.
fn started_in(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    let flags: u64 = fields.nth(5)?.parse().ok()?;
    if flags & ENDING != 0 {
        return None;
    }
    fields.nth(12)?.parse().ok()
}

/// Every process of a cgroup and of those below it.
pub(super) fn members(folder: &Path) -> Read<BTreeSet<u32>> {
    let text = std::fs::read_to_string(folder.join("cgroup.procs")).map_err(|e| unread(&e))?;
    let mut pids: BTreeSet<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in std::fs::read_dir(folder).map_err(|e| unread(&e))?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(members(&entry.path())?);
        }
    }
    Ok(pids)
}

/// Those of these processes that are still there, but for process 1.
pub(super) fn others(main: u32, pids: &BTreeSet<u32>) -> Vec<Process> {
    pids.iter().filter(|pid| **pid != main).filter_map(|pid| read(*pid)).collect()
}

/// The namespaces that no container may share: our own, and those of the host's first process where it may be
/// looked at. The two differ where supervisor and engine have a network of their own.
pub(super) fn host_namespaces() -> Read<BTreeMap<String, BTreeSet<u64>>> {
    let mut all: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let first = namespaces("/proc/1/ns").unwrap_or_default();
    for (kind, inode) in namespaces("/proc/self/ns")?.into_iter().chain(first) {
        all.entry(kind).or_default().insert(inode);
    }
    Ok(all)
}

fn namespaces(folder: &str) -> Read<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        let link = std::fs::read_link(format!("{folder}/{kind}")).map_err(|e| unread(&e))?;
        let text = link.display().to_string();
        let inode = text.split_once(":[").and_then(|(_, rest)| rest.strip_suffix(']')?.parse().ok());
        all.insert(kind.to_owned(), inode.ok_or_else(|| Unread(format!("namespace link `{text}`")))?);
    }
    Ok(all)
}

/// The label is in `attr/apparmor/current` where several security modules may be on, else in `attr/current`.
fn apparmor(pid: u32) -> Read<Option<String>> {
    let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    if !enabled.is_ok_and(|text| text.trim() == "Y") {
        return Ok(None);
    }
    let label = read_text(&format!("/proc/{pid}/attr/apparmor/current"))
        .or_else(|_| read_text(&format!("/proc/{pid}/attr/current")))?;
    Ok(Some(label.trim_end_matches(['\n', '\0']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_and_one_that_cannot_be_is_not() {
        let own = read(std::process::id()).unwrap();
        assert!(own.status.is_ok());
        assert_eq!(own.namespaces.unwrap().len(), KINDS.len());
        assert_eq!(read(u32::MAX), None);
    }

    #[test]
    fn a_process_that_ends_while_it_is_read_is_not_there() {
        for _ in 0..300 {
            let mut child = std::process::Command::new("true").spawn().unwrap();
            while let Some(seen) = read(child.id()) {
                assert!(seen.status.is_ok() && seen.namespaces.is_ok(), "{seen:?}");
            }
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let rest = "S 1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        assert_eq!(started_in(&format!("12 (a) b) {rest}")), Some(4711));
        assert_eq!(started_in(&format!("12 (a) {}", rest.replacen('S', "Z", 1))), None);
        assert_eq!(started_in(&format!("12 (a) {}", rest.replacen("4194304", "4194308", 1))), None);
        assert_eq!(started_in("12"), None);
    }
}
