//! Devices of the host, by making a node for one.
//!
//! Deliberately absent: devices that the file itself hands out; that is refused before anything starts.

use std::ffi::c_long;
use std::fs::{self, File};
use std::io::{Read as _, Result};
use std::path::Path;

use crate::kernel::{AT_FDCWD, errno, error, path, zero};
use crate::number;
use crate::places::remove;
use crate::row::{Attempt, Class, Layer, Needs};

const S_IFCHR: c_long = 0o020_000;
const S_IFBLK: c_long = 0o060_000;

const LAYERS: &[Layer] = &[Layer::Seccomp, Layer::Capabilities, Layer::Mounts, Layer::Devices];

pub(crate) const CLASS: Class = Class {
    name: "devices",
    attempts: &[
        Attempt {
            id: "mknod",
            tries: "makes a node for `null`",
            done: "it can make nodes for devices",
            why: "a node for the host's disk is made the same way",
            layers: LAYERS,
            run: || node("null", S_IFCHR, 1, 3).map(|node| remove(Path::new(&node))),
            needs: Needs::Rights,
        },
        Attempt {
            id: "host-disk",
            tries: "makes a node for the first disk and reads a byte",
            done: "it reads the host's disk",
            why: "every file of the host, whatever its permissions",
            layers: LAYERS,
            run: disk,
            needs: Needs::Machine("a disk that an engine may hand out"),
        },
        Attempt {
            id: "host-memory",
            tries: "makes a node for `mem` and opens it",
            done: "it reads the machine's memory",
            why: "every secret of the machine is in it",
            layers: LAYERS,
            run: || opened("mem", 1, 1),
            needs: Needs::Machine("/dev/mem"),
        },
        Attempt {
            id: "kernel-log",
            tries: "makes a node for `kmsg` and opens it",
            done: "it reads and writes the kernel's log",
            why: "addresses, and lines that the host's monitoring believes",
            layers: LAYERS,
            run: || opened("kmsg", 1, 11),
            needs: Needs::Rights,
        },
        Attempt {
            id: "fuse",
            tries: "makes a node for `fuse` and opens it",
            done: "it can answer for a file system of its own",
            why: "it can hold the kernel still in the middle of a read",
            layers: LAYERS,
            run: || opened("fuse", 10, 229),
            needs: Needs::Machine("FUSE"),
        },
        Attempt {
            id: "tun",
            tries: "makes a node for `net/tun` and opens it",
            done: "it can make network interfaces",
            why: "packets that no rule of the host saw coming",
            layers: LAYERS,
            run: || opened("tun", 10, 200),
            needs: Needs::Machine("TUN"),
        },
    ],
};

/// Where nodes are tried: the root's own file system first, which nothing but being read-only keeps from holding some.
const PLACES: [&str; 5] = ["/", "/data", "/scratch", "/tmp", "/home/node/.openclaw"];

/// Makes a node; its path.
fn node(name: &str, kind: c_long, major: u32, minor: u32) -> Result<String> {
    let device = c_long::from((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12));
    let mut last = error(errno::ENOENT);
    for place in PLACES {
        let node = format!("{}/attack-{name}", place.trim_end_matches('/'));
        remove(Path::new(&node));
        match zero(&[number::MKNODAT, AT_FDCWD, path(&node), kind | 0o600, device]) {
            Ok(()) => return Ok(node),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn opened(name: &str, major: u32, minor: u32) -> Result<()> {
    let node = node(name, S_IFCHR, major, minor)?;
    let opened = File::open(&node);
    remove(Path::new(&node));
    opened.map(drop)
}

fn disk() -> Result<()> {
    let (major, minor) = first_disk().ok_or_else(|| error(errno::ENOENT))?;
    let node = node("disk", S_IFBLK, major, minor)?;
    let byte = File::open(&node).and_then(|mut disk| disk.read_exact(&mut [0]));
    remove(Path::new(&node));
    byte
}

/// The first whole disk that holds anything, by `/sys/block`.
fn first_disk() -> Option<(u32, u32)> {
    let mut disks: Vec<_> = fs::read_dir("/sys/block").ok()?.flatten().map(|entry| entry.path()).collect();
    disks.sort();
    let holds = |disk: &Path| fs::read_to_string(disk.join("size")).is_ok_and(|size| size.trim() != "0");
    let disk = disks.into_iter().find(|disk| holds(disk))?;
    let numbers = fs::read_to_string(disk.join("dev")).ok()?;
    let (major, minor) = numbers.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
