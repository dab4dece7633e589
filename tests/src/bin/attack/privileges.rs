//! More rights than the service was given.
//!
//! Deliberately absent: what is done with them.

use std::ffi::c_long;
use std::fs::{self, File};
use std::io::Result;
use std::process::Command;

use crate::kernel::{AT_FDCWD, errno, error, path, pointer, user, zero};
use crate::number;
use crate::places::{fresh, remove};
use crate::row::{Attempt, Class, Layer, Needs};

pub(crate) const CLASS: Class = Class {
    name: "rights",
    attempts: &[
        Attempt {
            id: "setuid-program",
            tries: "executes a setuid program of the image",
            done: "it is root",
            why: "`su`, `sudo`, `mount` and their kind are in most images",
            layers: &[Layer::NoNewPrivileges],
            run: || gains("/raise", |(user, _)| user == 0),
            needs: Needs::Rights,
        },
        Attempt {
            id: "file-capability",
            tries: "executes a program of the image that carries `CAP_NET_RAW`",
            done: "it has the capability",
            why: "`ping` and the official Caddy carry some",
            layers: &[Layer::NoNewPrivileges, Layer::Capabilities],
            run: || gains("/capable", |(_, capabilities)| capabilities != 0),
            needs: Needs::Rights,
        },
        Attempt {
            id: "setuid",
            tries: "`setuid` to another user",
            done: "it is that user",
            why: "that user's files, in volumes too",
            layers: &[Layer::Capabilities],
            run: || zero(&[number::SETUID, OTHER]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "setgroups",
            tries: "`setgroups` to other groups",
            done: "it has those groups",
            why: "that group's files; some groups own devices or the engine's socket",
            layers: &[Layer::Capabilities],
            run: || zero(&[number::SETGROUPS, 1, pointer(&4321_u32)]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "read-others-file",
            tries: "reads a file that only another user may read",
            done: "it has its content",
            why: "file permissions no longer hold",
            layers: &[Layer::Capabilities],
            run: || File::open("/srv/private").map(drop),
            needs: Needs::Rights,
        },
        Attempt {
            id: "chown",
            tries: "gives a file of its own to another user",
            done: "it made a file in another's name",
            why: "quotas and traces point to somebody else",
            layers: &[Layer::Capabilities],
            run: give_away,
            needs: Needs::Rights,
        },
        Attempt {
            id: "raise-limit",
            tries: "raises its hard limit of locked memory",
            done: "its limits no longer hold",
            why: "memory that cannot be taken back, files without number",
            layers: &[Layer::Capabilities],
            run: || zero(&[number::PRLIMIT64, 0, RLIMIT_MEMLOCK, pointer(&[u64::MAX; 2]), 0]),
            needs: Needs::Machine("an engine that has `CAP_SYS_RESOURCE` itself"),
        },
        Attempt {
            id: "securebits",
            tries: "`prctl` makes capabilities outlive a change of user",
            done: "it keeps its rights when it seems to give them up",
            why: "a service that drops to a user has not",
            layers: &[Layer::Capabilities],
            run: || zero(&[number::PRCTL, PR_SET_SECUREBITS, 1 << 4]),
            needs: Needs::Rights,
        },
    ],
};

/// A user that nothing belongs to but `/srv/private`.
const OTHER: c_long = 4321;
const RLIMIT_MEMLOCK: c_long = 8;
const PR_SET_SECUREBITS: c_long = 28;

/// This process's user, and its capabilities in hexadecimal.
pub(crate) fn rights() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    format!("{} {}", user(), capabilities.trim())
}

/// Executes a program that prints its rights, and looks whether it has what this process has not.
fn gains(program: &str, gained: fn((c_long, u64)) -> bool) -> Result<()> {
    let read = |text: &str| -> Option<(c_long, u64)> {
        let (user, capabilities) = text.trim().split_once(' ')?;
        Some((user.parse().ok()?, u64::from_str_radix(capabilities, 16).ok()?))
    };
    if read(&rights()).is_some_and(gained) {
        return Err(error(errno::EALREADY));
    }
    let output = Command::new(program).arg("rights").output()?;
    match read(&String::from_utf8_lossy(&output.stdout)) {
        Some(rights) if gained(rights) => Ok(()),
        _ => Err(error(1)),
    }
}

fn give_away() -> Result<()> {
    let file = fresh("own")?;
    fs::write(&file, "")?;
    let given = zero(&[number::FCHOWNAT, AT_FDCWD, path(&file.to_string_lossy()), OTHER, -1, 0]);
    remove(&file);
    given
}
