//! What a process of ours has given up, by the kernel's word (`/proc/PID/status`).
//!
//! What Landlock keeps is not in it; no kernel tells of another process, which has to say it itself. Deliberately absent: what should be in force.

use serde::{Deserialize, Serialize};

use super::Landlock;
use crate::observe::kernel::{capability, status};

/// What is in force for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its effective user.
    pub uid: u32,
    /// The capabilities that it can use.
    pub capabilities: String,
    /// No program that it executes gains rights.
    pub no_new_privs: bool,
    /// How many filters each of its system calls goes through; absent where the kernel does not count them.
    pub seccomp_filters: Option<u32>,
    /// What Landlock keeps, by its own word; absent where it was not asked for anything.
    pub landlock: Option<Landlock>,
}

/// Of a process by its id; `None` where it is gone.
pub fn of(pid: u32, landlock: Option<Landlock>) -> Option<InForce> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let status = status::parse(&text).ok()?;
    let [_, uid, ..] = status.uids;
    Some(InForce {
        uid,
        capabilities: capability::list(status.capabilities.permitted),
        no_new_privs: status.no_new_privs,
        seccomp_filters: status.seccomp_filters,
        landlock,
    })
}
