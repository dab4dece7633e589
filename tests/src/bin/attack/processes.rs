//! Other processes: their memory, their descriptors, signals to them, and the terminal that they share.
//!
//! Deliberately absent: what `/proc` tells of processes (`files of the kernel`).

use std::ffi::c_long;
use std::fs::{self, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kernel::{call, descriptor, end, errno, error, path, pointer, pointer_mut, sleeping_child, zero};
use crate::number;
use crate::places::{self, fresh, remove};
use crate::row::{Attempt, Class, Layer, Needs};

const FILTER: &[Layer] = &[Layer::Seccomp];

pub(crate) const CLASS: Class = Class {
    name: "processes",
    attempts: &[
        Attempt {
            id: "ptrace-child",
            tries: "`ptrace` seizes a child",
            done: "it controls another process",
            why: "another process's code and secrets, and a line of kernel bugs",
            layers: FILTER,
            run: || {
                let child = sleeping_child(0)?;
                let seized = seize(child);
                end(child);
                seized
            },
            needs: Needs::Rights,
        },
        Attempt {
            id: "ptrace-init",
            tries: "`ptrace` seizes process 1",
            done: "it controls the service's first process",
            why: "the service does what the attacker says, and looks well",
            layers: FILTER,
            run: || seize(1),
            needs: Needs::Rights,
        },
        Attempt {
            id: "ptrace-me",
            tries: "`ptrace` asks to be traced by its parent",
            done: "it is traced",
            why: "how a tracer outlives the start of a setuid program (CVE-2019-13272)",
            layers: FILTER,
            run: || zero(&[number::PTRACE, 0, 0, 0, 0]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "process-read",
            tries: "`process_vm_readv` of its parent",
            done: "it reads another process's memory",
            why: "keys and tokens are there in clear",
            layers: FILTER,
            run: read_parent,
            needs: Needs::Rights,
        },
        Attempt {
            id: "process-write",
            tries: "`process_vm_writev` to a child",
            done: "it writes another process's memory",
            why: "the other runs the attacker's code",
            layers: FILTER,
            run: write_child,
            needs: Needs::Rights,
        },
        Attempt {
            id: "memory-by-proc",
            tries: "writes to `/proc/PID/mem` of a child",
            done: "it writes another process's memory",
            why: "as `process-write`, by a file: a filter of calls does not see which",
            layers: &[Layer::Files],
            run: memory_by_proc,
            needs: Needs::Rights,
        },
        Attempt {
            id: "pidfd-getfd",
            tries: "`pidfd_getfd` takes its parent's standard input",
            done: "it holds another process's open files and connections",
            why: "a connection that is logged in already",
            layers: FILTER,
            run: take_descriptor,
            needs: Needs::Rights,
        },
        Attempt {
            id: "kcmp",
            tries: "`kcmp` of itself and its parent",
            done: "it learns the order of kernel addresses",
            why: "it helps an exploit to aim",
            layers: FILTER,
            run: || {
                let parent = c_long::from(parent_id());
                zero(&[number::KCMP, c_long::from(std::process::id()), parent, 1, 0, 0])
            },
            needs: Needs::Machine("kcmp"),
        },
        Attempt {
            id: "signal-neighbour",
            tries: "looks for a process of a neighbouring container and signals it",
            done: "it can stop its neighbours",
            why: "one service takes all others down",
            layers: &[Layer::Namespaces],
            run: signal_neighbour,
            needs: Needs::Weakness(|| {
                // It does not hold the output of this process, whose end is waited for.
                let mut neighbour = Command::new(std::env::current_exe()?);
                let mut neighbour = neighbour.arg("neighbour").stdout(Stdio::null()).spawn()?;
                let process = PathBuf::from(format!("/proc/{}", neighbour.id()));
                // The kernel lets this process go on a moment before it shows the other one's words.
                while !is_neighbour(&process) && neighbour.try_wait()?.is_none() {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Ok(())
            }),
        },
        Attempt {
            id: "real-time",
            tries: "asks for real-time scheduling",
            done: "it runs before everything else on its processor",
            why: "the host and all other services stand still",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::SCHED_SETSCHEDULER, 0, 1, pointer(&1_i32)]),
            needs: Needs::Machine("real-time scheduling for control groups"),
        },
        Attempt {
            id: "priority",
            tries: "sets its own nice value to -20",
            done: "it runs before the other services",
            why: "they slow down",
            layers: &[Layer::Capabilities],
            run: || zero(&[number::SETPRIORITY, 0, 0, -20]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "terminal-input",
            tries: "`ioctl` with `TIOCSTI` types into a terminal",
            done: "the terminal's owner typed what the attacker wanted",
            why: "an administrator who looks in runs a command of the attacker's (CVE-2017-5226)",
            layers: FILTER,
            run: type_into_terminal,
            needs: Needs::Rights,
        },
        Attempt {
            id: "core-dump",
            tries: "a child crashes, with as much room for a core dump as it can get",
            done: "its memory was written down",
            why: "keys and tokens on a disk, or handed to a program of the host",
            layers: &[Layer::Limits],
            run: dump_core,
            needs: Needs::Rights,
        },
    ],
};

fn seize(process: c_long) -> Result<()> {
    const PTRACE_SEIZE: c_long = 0x4206;
    zero(&[number::PTRACE, PTRACE_SEIZE, process, 0, 0])
}

/// The process that started this one lives on unchanged while it is read; a child may be about to be replaced.
fn read_parent() -> Result<()> {
    let parent = parent_id();
    let maps = fs::read_to_string(format!("/proc/{parent}/maps"))?;
    let start = maps.split('-').next().and_then(|hex| i64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let mut byte = 0_u8;
    let local: [i64; 2] = [pointer_mut(&mut byte), 1];
    let remote: [i64; 2] = [start, 1];
    zero(&[number::PROCESS_VM_READV, c_long::from(parent), pointer(&local), 1, pointer(&remote), 1, 0])
}

/// A child begins as a copy: what is written to it is at the address of the original.
fn memory_by_proc() -> Result<()> {
    let target = 1_u64;
    let child = sleeping_child(0)?;
    let memory = OpenOptions::new().write(true).open(format!("/proc/{child}/mem"));
    let written =
        memory.and_then(|memory| memory.write_all_at(&2_u64.to_ne_bytes(), pointer(&target).cast_unsigned()));
    end(child);
    written
}

/// A child begins as a copy: what is written to it is at the address of the original.
fn write_child() -> Result<()> {
    let target = 1_u64;
    let child = sleeping_child(0)?;
    let vector: [i64; 2] = [pointer(&target), 8];
    let words = [pointer(&vector), 1, pointer(&vector), 1, 0];
    let [local, one, remote, other, flags] = words;
    let written = zero(&[number::PROCESS_VM_WRITEV, child, local, one, remote, other, flags]);
    end(child);
    written
}

fn take_descriptor() -> Result<()> {
    let parent = call(&[number::PIDFD_OPEN, c_long::from(parent_id()), 0])?;
    zero(&[number::PIDFD_GETFD, parent, 0, 0])
}

/// A neighbour runs this program as `/attack neighbour`.
fn is_neighbour(process: &Path) -> bool {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(b"neighbour")
}

fn signal_neighbour() -> Result<()> {
    let mut processes = fs::read_dir("/proc")?.flatten();
    let found = processes.find(|process| is_neighbour(&process.path())).ok_or_else(|| error(3))?;
    let process: c_long = found.file_name().to_string_lossy().parse().unwrap_or(-1);
    // Signal 0 asks whether one might.
    zero(&[number::KILL, process, 0])
}

/// Into a terminal of its own; what was typed goes nowhere.
fn type_into_terminal() -> Result<()> {
    const TIOCSPTLCK: c_long = 0x4004_5431;
    const TIOCGPTN: c_long = 0x8004_5430;
    const TIOCSCTTY: c_long = 0x540e;
    const TIOCSTI: c_long = 0x5412;
    let main = OpenOptions::new().read(true).write(true).open("/dev/ptmx")?;
    let mut number = 0_i32;
    call(&[number::IOCTL, descriptor(&main), TIOCSPTLCK, pointer(&0_i32)])?;
    call(&[number::IOCTL, descriptor(&main), TIOCGPTN, pointer_mut(&mut number)])?;
    // Its own terminal alone lets it without a capability. Where that is denied, the last call is what decides.
    let _ = call(&[number::SETSID]);
    let terminal = File::open(format!("/dev/pts/{number}"))?;
    let _ = call(&[number::IOCTL, descriptor(&terminal), TIOCSCTTY, 0]);
    let typed = zero(&[number::IOCTL, descriptor(&terminal), TIOCSTI, path("x")]);
    // Closing its own terminal would end this process before it answers.
    std::mem::forget((main, terminal));
    typed
}

fn dump_core() -> Result<()> {
    const RLIMIT_CORE: c_long = 4;
    const ROOM: u64 = 64 << 20;
    let limit: [u64; 2] = [ROOM, ROOM];
    zero(&[number::PRLIMIT64, 0, RLIMIT_CORE, pointer(&limit), 0])?;
    let folder = fresh("core")?;
    places::folder(&folder)?;
    let ran = Command::new("/proc/self/exe").arg0("crash").arg("crash").current_dir(&folder).status();
    for core in fs::read_dir(&folder)?.flatten() {
        remove(&core.path());
    }
    remove(&folder);
    if ran?.core_dumped() { Ok(()) } else { Err(error(errno::EINVAL)) }
}
