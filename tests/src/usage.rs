//! What a process and its children hold of this machine, from `/proc`.
//!
//! Deliberately absent: what is too much; whoever asks judges.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Of a process and all that descend from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in KiB, shared pages counted in each (`VmRSS`).
    pub rss: u64,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads.
    pub tasks: usize,
    /// Processes.
    pub processes: usize,
    /// User and system time, of those that live.
    pub cpu: Duration,
}

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, which is 100 on every architecture that Linux shows it on.
const TICKS: u64 = 100;

/// Looks at a process; `None` if it is not there.
pub fn usage(pid: u32) -> Option<Usage> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let rss =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // After the name, which may hold anything: `state` is the third field, `utime` and `stime` are 14 and 15 (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let mut usage = Usage {
        rss: rss.unwrap_or_default(),
        descriptors: fs::read_dir(folder.join("fd")).ok()?.count(),
        tasks: fs::read_dir(folder.join("task")).ok()?.count(),
        processes: 1,
        cpu: Duration::from_millis((ticks(14)? + ticks(15)?) * 1000 / TICKS),
    };
    for task in fs::read_dir(folder.join("task")).ok()?.flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| self::usage(pid.parse().ok()?)) {
            usage.rss += child.rss;
            usage.descriptors += child.descriptors;
            usage.tasks += child.tasks;
            usage.processes += child.processes;
            usage.cpu += child.cpu;
        }
    }
    Some(usage)
}
