//! Who listens: the processes that hold a listening socket of the reader's network namespace.
//!
//! Deliberately absent: judging. Without root, other users' processes keep their descriptors to themselves.

use std::collections::BTreeMap;
use std::fmt;

use super::sockets::{Listening, by_inode};

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its name as it calls itself, at most 15 bytes (`proc_pid_comm(5)`).
    pub name: String,
    /// Its number here.
    pub pid: u32,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.pid)
    }
}

/// Sockets to the processes that hold them, of those that can be known.
pub fn owners() -> BTreeMap<Listening, Vec<Process>> {
    let mut sockets = BTreeMap::new();
    for (file, protocol) in super::LISTENING {
        let text = std::fs::read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default();
        sockets.extend(by_inode(&text, protocol));
    }
    let mut owners: BTreeMap<Listening, Vec<Process>> = BTreeMap::new();
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let held = held(pid).filter_map(|inode| sockets.get(&inode).copied());
        for socket in held.collect::<std::collections::BTreeSet<_>>() {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            owners.entry(socket).or_default().push(Process { name: name.trim_end().to_owned(), pid });
        }
    }
    owners
}

/// The inodes of a process's sockets.
fn held(pid: u32) -> impl Iterator<Item = u64> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| {
        let link = std::fs::read_link(file.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}
