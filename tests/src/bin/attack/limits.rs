//! Using up what others need too. Everything is bounded here as well, and given back at once.
//!
//! Deliberately absent: a flood of the log, which the host has to judge (`flood` alone writes it).

use std::ffi::c_long;
use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

use crate::kernel::{end, errno, error, path, pointer, pointer_mut, sleeping_child, zero};
use crate::number;
use crate::places::remove;
use crate::row::{Attempt, Class, Layer, Needs};

const LAYERS: &[Layer] = &[Layer::Limits];

/// Above what a service of a small stack is given, and little for a machine.
const PROCESSES: usize = 1000;
/// In bytes.
const MEMORY: usize = 1536 << 20;
/// In bytes.
const FILE: usize = 300 << 20;
/// Above the bound that the hardening fills in.
const FILES: usize = 17_000;
/// In bytes: above what an engine keeps of a log that is bounded.
const LOG: usize = 80 << 20;

pub(crate) const CLASS: Class = Class {
    name: "resources",
    attempts: &[
        Attempt {
            id: "fork-bomb",
            tries: "1,000 processes at once",
            done: "all of them ran",
            why: "the host has a number of processes for all, and no service starts without one",
            layers: LAYERS,
            run: fork_bomb,
            needs: Needs::Rights,
        },
        Attempt {
            id: "memory-hog",
            tries: "1.5 GiB of memory",
            done: "it got all of it",
            why: "the kernel ends others when memory is short",
            layers: LAYERS,
            run: memory_hog,
            needs: Needs::Rights,
        },
        Attempt {
            id: "tmpfs-fill",
            tries: "a file of 300 MiB in the service's memory file system",
            done: "it was written",
            why: "that is the host's memory",
            layers: LAYERS,
            run: || fill("/scratch"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "shm-fill",
            tries: "a file of 300 MiB in `/dev/shm`",
            done: "it was written",
            why: "that is the host's memory",
            layers: LAYERS,
            run: || fill("/dev/shm"),
            needs: Needs::Weakness(|| {
                zero(&[number::MOUNT, path("tmpfs"), path("/dev/shm"), path("tmpfs"), 0, path("mode=1777")])
            }),
        },
        Attempt {
            id: "disk-fill",
            tries: "a file of 300 MiB in the image's file system, else in `/tmp`",
            done: "it was written",
            why: "the engine and all services share that disk",
            layers: &[Layer::ReadOnlyRoot, Layer::Limits],
            run: || fill("/").or_else(|_| fill("/tmp")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "open-files",
            tries: "17,000 open files",
            done: "all of them were open",
            why: "each is kernel memory, and the host has a number for all",
            layers: LAYERS,
            run: open_files,
            needs: Needs::Rights,
        },
    ],
};

fn fork_bomb() -> Result<()> {
    let mut children = Vec::new();
    let mut done = Ok(());
    while done.is_ok() && children.len() < PROCESSES {
        match sleeping_child(0) {
            Ok(child) => children.push(child),
            Err(error) => done = Err(error),
        }
    }
    children.into_iter().for_each(end);
    done
}

fn memory_hog() -> Result<()> {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(MEMORY).map_err(|_| error(12))?;
    // A page that is written to is a page that is there.
    memory.resize(MEMORY, 1);
    std::hint::black_box(&memory);
    Ok(())
}

fn fill(folder: &str) -> Result<()> {
    let file = Path::new(folder).join(format!("attack-{}", std::process::id()));
    let written = File::create(&file).and_then(|mut open| {
        let block = vec![1_u8; 1 << 20];
        (0..FILE / block.len()).try_for_each(|_| open.write_all(&block))
    });
    remove(&file);
    written
}

fn open_files() -> Result<()> {
    const RLIMIT_NOFILE: c_long = 7;
    let mut limit = [0_u64; 2];
    zero(&[number::PRLIMIT64, 0, RLIMIT_NOFILE, 0, pointer_mut(&mut limit)])?;
    limit[0] = limit[1];
    zero(&[number::PRLIMIT64, 0, RLIMIT_NOFILE, pointer(&limit), 0])?;
    let files: Result<Vec<File>> = (0..FILES).map(|_| File::open("/dev/null")).collect();
    files.and_then(|files| if files.len() == FILES { Ok(()) } else { Err(error(errno::EINVAL)) })
}

/// Writes to standard output, as a service that logs without end.
pub(crate) fn flood() {
    let line = format!("{}\n", "x".repeat(1023));
    let mut output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    for _ in 0..LOG / line.len() {
        if output.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}
