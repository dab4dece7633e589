//! What is mounted where, changed; and file systems from below.
//!
//! Deliberately absent: writing into what is mounted (`files`, `kernel_files`).

use std::ffi::c_long;
use std::fs::File;
use std::io::Result;
use std::path::Path;

use crate::kernel::{AT_FDCWD, call, descriptor, errno, error, path, pointer, pointer_mut, zero};
use crate::places::{folder, fresh, remove};
use crate::row::{Attempt, Class, Layer, Needs};
use crate::{kernel_files, number};

const MS_REMOUNT: c_long = 32;
const MS_BIND: c_long = 4096;
const MNT_DETACH: c_long = 2;
/// `QCMD(Q_SYNC, USRQUOTA)`.
const QUOTA_SYNC: c_long = 0x8000_0100;

const LAYERS: &[Layer] = &[Layer::Seccomp, Layer::Capabilities];

pub(crate) const CLASS: Class = Class {
    name: "mounts",
    attempts: &[
        Attempt {
            id: "mount-tmpfs",
            tries: "mounts a memory file system",
            done: "it has a place without `noexec` and without a bound",
            why: "what is brought along can be executed there",
            layers: LAYERS,
            run: || mounted("tmpfs", "tmpfs", 0, ""),
            needs: Needs::Rights,
        },
        Attempt {
            id: "mount-bind",
            tries: "binds `/proc/self` elsewhere",
            done: "files show up where they were not meant to",
            why: "what is masked or read-only has a second path",
            layers: LAYERS,
            run: || mounted("/proc/self", "", MS_BIND, ""),
            needs: Needs::Rights,
        },
        Attempt {
            id: "mount-proc",
            tries: "mounts `/proc` anew",
            done: "a `/proc` without masks and not read-only",
            why: "`core_pattern` and its kind are root on the host",
            layers: LAYERS,
            run: || mounted("proc", "proc", 0, ""),
            needs: Needs::Rights,
        },
        Attempt {
            id: "mount-sysfs",
            tries: "mounts `/sys` anew",
            done: "a `/sys` that can be written to",
            why: "devices and drivers of the host are set there",
            layers: LAYERS,
            run: || mounted("sysfs", "sysfs", 0, ""),
            needs: Needs::Rights,
        },
        Attempt {
            id: "mount-debugfs",
            tries: "mounts the kernel's debug files",
            done: "they are there",
            why: "kernel memory and trace points of the whole host",
            layers: LAYERS,
            run: || mounted("debugfs", "debugfs", 0, ""),
            needs: Needs::Machine("debugfs"),
        },
        Attempt {
            id: "mount-binfmt",
            tries: "mounts `binfmt_misc`",
            done: "it can say which program opens which files, on the whole host",
            why: "the next program that the host's root starts may be the attacker's",
            layers: LAYERS,
            run: || mounted("binfmt_misc", "binfmt_misc", 0, ""),
            needs: Needs::Machine("binfmt_misc"),
        },
        Attempt {
            id: "release-agent",
            tries: "mounts a cgroup hierarchy and opens its `release_agent`",
            done: "it may name a program that the host's root runs when a cgroup is empty",
            why: "root on the host (CVE-2022-0492)",
            layers: LAYERS,
            run: release_agent,
            needs: Needs::Machine("cgroup v1"),
        },
        Attempt {
            id: "remount-root",
            tries: "remounts `/` writable",
            done: "the root is writable",
            why: "programs of the image can be replaced",
            layers: LAYERS,
            run: || mount("none", "/", "", MS_REMOUNT | MS_BIND, ""),
            needs: Needs::Rights,
        },
        Attempt {
            id: "mount-setattr",
            tries: "`mount_setattr` takes the read-only flag from `/`",
            done: "the root is writable",
            why: "as `remount-root`, by a call that older filters do not know",
            layers: LAYERS,
            run: mount_setattr,
            needs: Needs::Rights,
        },
        Attempt {
            id: "umount",
            tries: "takes `/etc/hostname` off",
            done: "what a mount covered is visible",
            why: "masks over `/proc` and `/sys` are mounts too",
            layers: LAYERS,
            run: || zero(&[number::UMOUNT2, path("/etc/hostname"), MNT_DETACH]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "fsopen",
            tries: "`fsopen` of a memory file system",
            done: "it can mount in steps",
            why: "a heap overflow behind it was an escape (CVE-2022-0185)",
            layers: LAYERS,
            run: || zero(&[number::FSOPEN, path("tmpfs"), 0]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "open-tree",
            tries: "`open_tree` clones the mount of `/`",
            done: "it has a copy of a mount, to put elsewhere",
            why: "as `mount-bind`, by a call that older filters do not know",
            layers: LAYERS,
            run: || zero(&[number::OPEN_TREE, AT_FDCWD, path("/"), 1]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "open-by-handle",
            tries: "opens a file by its number on the host's file system",
            done: "it can open every file there by guessing numbers",
            why: "the first public escape from Docker, in 2014",
            layers: LAYERS,
            run: open_by_handle,
            needs: Needs::Rights,
        },
        Attempt {
            id: "fanotify",
            tries: "`fanotify_init`",
            done: "it can watch a whole file system, the host's too",
            why: "it sees what others open, and is handed the open files",
            layers: LAYERS,
            run: || zero(&[number::FANOTIFY_INIT, 0, 0]),
            needs: Needs::Machine("fanotify"),
        },
        Attempt {
            id: "quotactl",
            tries: "`quotactl` writes every quota to disk",
            done: "it reached the quotas of the host's file systems",
            why: "quotas are the host's, and their code is seldom looked at",
            layers: LAYERS,
            run: || zero(&[number::QUOTACTL, QUOTA_SYNC, 0, 0, 0]),
            needs: Needs::Machine("disk quotas"),
        },
    ],
};

fn mount(source: &str, target: &str, kind: &str, flags: c_long, data: &str) -> Result<()> {
    zero(&[number::MOUNT, path(source), path(target), path(kind), flags, path(data)])
}

/// Mounts over a place of the attempt's own, and takes it off again.
fn mounted(source: &str, kind: &str, flags: c_long, data: &str) -> Result<()> {
    let target = target()?;
    let done = mount(source, &target, kind, flags, data);
    match done {
        Ok(()) => off(&target),
        Err(_) => remove(Path::new(&target)),
    }
    done
}

/// A new folder to mount on.
fn target() -> Result<String> {
    let place = fresh("mount")?;
    folder(&place)?;
    Ok(place.display().to_string())
}

fn off(target: &str) {
    let _ = zero(&[number::UMOUNT2, path(target), MNT_DETACH]);
    remove(Path::new(target));
}

/// Opened for writing, and nothing written.
fn release_agent() -> Result<()> {
    let target = target()?;
    let hierarchies = ["memory", "pids", "cpuset", "freezer", "rdma"];
    let mut done = Err(error(errno::ENOENT));
    for hierarchy in hierarchies {
        done = mount("cgroup", &target, "cgroup", 0, hierarchy);
        if done.is_ok() {
            let opened = kernel_files::open_to_write(&format!("{target}/release_agent"));
            off(&target);
            return opened;
        }
    }
    remove(Path::new(&target));
    done
}

fn mount_setattr() -> Result<()> {
    const MOUNT_ATTR_RDONLY: u64 = 1;
    // To set, to clear, propagation, user namespace (`struct mount_attr`).
    let attributes: [u64; 4] = [0, MOUNT_ATTR_RDONLY, 0, 0];
    zero(&[number::MOUNT_SETATTR, AT_FDCWD, path("/"), 0, pointer(&attributes), 32])
}

/// `struct file_handle`.
#[repr(C)]
struct Handle {
    length: u32,
    kind: i32,
    bytes: [u8; 128],
}

fn open_by_handle() -> Result<()> {
    let mut handle = Handle { length: 128, kind: 0, bytes: [0; 128] };
    let mut mount_id = 0_i32;
    let hosts = File::open("/etc/hosts")?;
    let words = [pointer_mut(&mut handle), pointer_mut(&mut mount_id)];
    call(&[number::NAME_TO_HANDLE_AT, AT_FDCWD, path("/etc/hosts"), words[0], words[1], 0])?;
    zero(&[number::OPEN_BY_HANDLE_AT, descriptor(&hosts), words[0], 0])
}
