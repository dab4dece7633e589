//! The kernel's own files: `/proc`, `/sys` and control groups, written where that is the host's, read where that tells.
//!
//! Deliberately absent: mounting them anew (`mounts`).

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read as _, Result};
use std::path::Path;

use crate::kernel::{errno, error};
use crate::places::{folder, remove};
use crate::row::{Attempt, Class, Layer, Needs};

const READ_ONLY: &[Layer] = &[Layer::Mounts, Layer::Capabilities];
const MASKED: &[Layer] = &[Layer::Mounts];

pub(crate) const CLASS: Class = Class {
    name: "files of the kernel",
    attempts: &[
        Attempt {
            id: "core-pattern",
            tries: "writes `/proc/sys/kernel/core_pattern`, what is there already",
            done: "it may name the program that the host's root runs for a crash",
            why: "root on the host with the next crash",
            layers: READ_ONLY,
            run: || same("/proc/sys/kernel/core_pattern"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "modprobe-path",
            tries: "writes `/proc/sys/kernel/modprobe`, what is there already",
            done: "it may name the program that the kernel runs for an unknown file format",
            why: "root on the host by executing nonsense",
            layers: READ_ONLY,
            run: || same("/proc/sys/kernel/modprobe"),
            needs: Needs::Machine("loadable modules"),
        },
        Attempt {
            id: "sysctl-domain",
            tries: "writes `/proc/sys/kernel/domainname`",
            done: "a kernel parameter is set",
            why: "whoever may set one may set the others",
            layers: READ_ONLY,
            run: || fs::write("/proc/sys/kernel/domainname", "attacker"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "sysctl-panic",
            tries: "writes `/proc/sys/kernel/panic`, what is there already",
            done: "it may say what the host does when its kernel gives up",
            why: "the machine's availability",
            layers: READ_ONLY,
            run: || same("/proc/sys/kernel/panic"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "sysctl-overcommit",
            tries: "writes `/proc/sys/vm/overcommit_memory`, what is there already",
            done: "it may change how the host gives out memory",
            why: "every other service runs on it",
            layers: READ_ONLY,
            run: || same("/proc/sys/vm/overcommit_memory"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "sysrq",
            tries: "opens `/proc/sysrq-trigger` to write",
            done: "it may reboot or crash the host with one letter",
            why: "the machine's availability",
            layers: READ_ONLY,
            run: || open_to_write("/proc/sysrq-trigger"),
            needs: Needs::Machine("the magic key"),
        },
        Attempt {
            id: "binfmt-register",
            tries: "opens `/proc/sys/fs/binfmt_misc/register` to write",
            done: "it may say which program opens which files, on the whole host",
            why: "the next program that the host's root starts may be the attacker's",
            layers: READ_ONLY,
            run: || open_to_write("/proc/sys/fs/binfmt_misc/register"),
            needs: Needs::Machine("binfmt_misc, mounted"),
        },
        Attempt {
            id: "uevent-helper",
            tries: "writes `/sys/kernel/uevent_helper`, what is there already",
            done: "it may name the program that the kernel runs for every device",
            why: "root on the host",
            layers: READ_ONLY,
            run: || same("/sys/kernel/uevent_helper"),
            needs: Needs::Machine("the uevent helper"),
        },
        Attempt {
            id: "sys-write",
            tries: "writes `/sys/kernel/mm/transparent_hugepage/enabled`, what is there already",
            done: "it may set the host's kernel by `/sys`",
            why: "devices and drivers of the host are set there",
            layers: READ_ONLY,
            run: || same("/sys/kernel/mm/transparent_hugepage/enabled"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "cgroup-limit",
            tries: "writes its own limit of processes, what is there already",
            done: "it may lift its own limits",
            why: "then nothing is left of them",
            layers: READ_ONLY,
            run: own_limit,
            needs: Needs::Rights,
        },
        Attempt {
            id: "cgroup-new",
            tries: "makes a control group",
            done: "it has a group without limits",
            why: "its processes leave their limits behind",
            layers: READ_ONLY,
            run: new_group,
            needs: Needs::Rights,
        },
        Attempt {
            id: "cgroup-devices",
            tries: "opens its own list of devices (`devices.allow`) to write",
            done: "it may open every device",
            why: "the host's disk is one of them",
            layers: READ_ONLY,
            run: || open_to_write("/sys/fs/cgroup/devices/devices.allow"),
            needs: Needs::Machine("cgroup v1"),
        },
        Attempt {
            id: "read-kcore",
            tries: "reads `/proc/kcore`",
            done: "it reads the kernel's memory",
            why: "every secret of the machine is in it",
            layers: &[Layer::Mounts, Layer::Capabilities],
            run: || says_something("/proc/kcore"),
            needs: Needs::Machine("/proc/kcore"),
        },
        Attempt {
            id: "read-keys",
            tries: "reads `/proc/keys`",
            done: "it sees the kernel's key rings",
            why: "they are not namespaced",
            layers: MASKED,
            run: || says_something("/proc/keys"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "read-timers",
            tries: "reads `/proc/timer_list`",
            done: "it sees what every process of the host waits for",
            why: "kernel addresses and other services' rhythm",
            layers: MASKED,
            run: || says_something("/proc/timer_list"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "read-interrupts",
            tries: "reads `/proc/interrupts`",
            done: "it sees when the host's devices work",
            why: "keystrokes and traffic of others can be told from their timing",
            layers: MASKED,
            run: || says_something("/proc/interrupts"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "read-firmware",
            tries: "lists `/sys/firmware`",
            done: "it sees the machine's firmware tables",
            why: "serial numbers, and tables that can be written to",
            layers: MASKED,
            run: || match fs::read_dir("/sys/firmware")?.next() {
                Some(_) => Ok(()),
                None => Err(error(errno::ENOENT)),
            },
            needs: Needs::Rights,
        },
        Attempt {
            id: "read-kallsyms",
            tries: "reads addresses from `/proc/kallsyms`",
            done: "it knows where the kernel's code is",
            why: "the first half of most exploits of the kernel",
            layers: &[Layer::Capabilities],
            run: addresses,
            needs: Needs::Rights,
        },
        Attempt {
            id: "oom-score",
            tries: "sets its own `oom_score_adj` to -500",
            done: "the kernel ends others before it when memory is short",
            why: "a memory hog that outlives the other services",
            layers: &[Layer::Capabilities],
            run: || fs::write("/proc/self/oom_score_adj", "-500"),
            needs: Needs::Machine("an engine that has `CAP_SYS_RESOURCE` itself"),
        },
        Attempt {
            id: "environ",
            tries: "searches `/proc/*/environ`, process 1's first, for the service's token",
            done: "it has the token",
            why: "the environment is inherited by every child and shown by `docker inspect`",
            layers: &[Layer::Secrets],
            run: environ,
            needs: Needs::Rights,
        },
    ],
};

/// Writes what is there already, so that nothing changes where it succeeds.
fn same(file: &str) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let chosen = text.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or(text.trim());
    fs::write(file, chosen)
}

/// Opens a file to write, and writes nothing.
pub(crate) fn open_to_write(file: &str) -> Result<()> {
    OpenOptions::new().write(true).open(file).map(drop)
}

/// Whether a file holds anything: a masked one reads as empty.
fn says_something(file: &str) -> Result<()> {
    match File::open(file)?.read(&mut [0; 64])? {
        0 => Err(error(errno::ENOENT)),
        _ => Ok(()),
    }
}

/// The folders of its own control group, as the container's namespace shows them: v2's, and that of v1's `pids`.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"];

fn own_limit() -> Result<()> {
    let limits = GROUPS.map(|group| format!("{group}/pids.max"));
    let Some(limit) = limits.iter().find(|limit| Path::new(limit).exists()) else {
        // The hierarchy's root has no limit; a new group of it is `cgroup-new`.
        return open_to_write("/sys/fs/cgroup/pids/cgroup.procs");
    };
    same(limit)
}

fn new_group() -> Result<()> {
    let pids = Path::new(GROUPS[1]);
    let parent = if pids.is_dir() { pids } else { Path::new(GROUPS[0]) };
    let group = parent.join(format!("attack-{}", std::process::id()));
    folder(&group)?;
    remove(&group);
    Ok(())
}

fn addresses() -> Result<()> {
    let mut start = [0_u8; 8];
    File::open("/proc/kallsyms")?.read_exact(&mut start)?;
    if start.iter().all(|digit| *digit == b'0') { Err(Error::from_raw_os_error(1)) } else { Ok(()) }
}

/// The variable by which the suite's containers are given their token, where the environment is how.
const TOKEN: &str = "API_TOKEN=";

fn environ() -> Result<()> {
    let holds = |file: &Path| {
        let environment = fs::read(file).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|row| row.starts_with(TOKEN.as_bytes()))
    };
    let mut processes: Vec<_> = fs::read_dir("/proc")?.flatten().map(|entry| entry.path()).collect();
    processes.sort_by_key(|path| path.file_name().map(|name| (name.len(), name.to_owned())));
    let found = processes.iter().any(|process| holds(&process.join("environ")));
    if found { Ok(()) } else { Err(error(errno::ENOENT)) }
}
