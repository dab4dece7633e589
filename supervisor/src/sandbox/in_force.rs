//! What a process of ours has given up, by the kernel's word (`/proc/PID/status`).
//!
//! What Landlock keeps is not in it; no kernel tells of another process, which has to say it itself. Deliberately absent: what should be in force.

use serde::{Deserialize, Serialize};

use super::Landlock;
use crate::observe::kernel::{capability, status};

/// What is in force for one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its number.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// The capabilities that it can use.
    pub capabilities: String,
    /// No program that it executes gains rights.
    pub no_new_privs: bool,
    /// How its system calls are judged.
    pub seccomp: Seccomp,
    /// How many filters each of its system calls goes through; absent where the kernel does not count them.
    pub seccomp_filters: Option<u32>,
    /// What Landlock keeps, by its own word; absent where it was not asked for anything.
    pub landlock: Option<Landlock>,
}

/// The mode of `Seccomp` in `/proc/PID/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seccomp {
    /// Each is made.
    None,
    /// Four are left.
    Strict,
    /// By filters.
    Filter,
}

/// A process of ours, and what Landlock keeps by its own word.
pub type Own = (&'static str, u32, Option<Landlock>);

/// Of a process by its id; `None` where it is gone.
pub fn of(pid: u32, landlock: Option<Landlock>) -> Option<InForce> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let status = status::parse(&text).ok()?;
    let [_, uid, ..] = status.uids;
    let seccomp = match status.seccomp {
        0 => Seccomp::None,
        1 => Seccomp::Strict,
        _ => Seccomp::Filter,
    };
    Some(InForce {
        pid,
        uid,
        capabilities: capability::list(status.capabilities.permitted),
        no_new_privs: status.no_new_privs,
        seccomp,
        seccomp_filters: status.seccomp_filters,
        landlock,
    })
}
