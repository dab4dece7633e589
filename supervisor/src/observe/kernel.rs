//! The kernel's word on one container: read from `/proc` and the cgroup files, never from the engine.
//!
//! A thin reader over pure parsers. What cannot be read is kept as such beside what can, so that a look without
//! rights ends in a list of unread items and never in a pass. Deliberately absent: what was promised, and verdicts.

pub mod capability;
pub mod cgroup;
pub mod denied;
pub mod inside;
pub mod limits;
pub mod mountinfo;
pub mod owners;
mod processes;
pub mod records;
pub mod sockets;
mod sought;
pub mod status;
pub mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use cgroup::{Bound, Version};
pub(crate) use denied::Denied;
use inside::{FileId, Root};
use mountinfo::MountInfo;
use status::Status;
use users::Ids;

pub use processes::Process;
pub use sought::Sought;

/// What was read, or why it could not be.
pub type Read<T> = Result<T, Unread>;

/// Why something could not be read, in the operating system's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct Unread(pub String);

/// Why there is no evidence at all.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum EvidenceError {
    /// The process ended before or while it was looked at.
    #[error("process {pid} of container `{container}` has ended")]
    Gone {
        /// The engine's name of the container.
        container: String,
        /// As the engine gave it.
        pid: u32,
    },
    /// Nobody could look.
    #[error("container `{container}` could not be looked at: {why}")]
    Unable {
        /// The engine's name of the container.
        container: String,
        /// Why.
        why: String,
    },
}

/// Everything that the kernel says about one container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// Process 1.
    pub main: Process,
    /// What the AppArmor policy in force under its promised name allows of what it has to refuse, in words; `None` where
    /// nothing is promised, or the kernel cannot be asked.
    pub policy: Read<Option<Vec<String>>>,
    /// Every other process of its cgroup.
    pub others: Read<Vec<Process>>,
    /// Namespaces that are the host's: kind to inode numbers.
    pub host_namespaces: Read<BTreeMap<String, BTreeSet<u64>>>,
    /// `/proc/PID/uid_map`: inside, outside, length of each row.
    pub uid_map: Read<Vec<[u64; 3]>>,
    /// `/proc/PID/gid_map` likewise.
    pub gid_map: Read<Vec<[u64; 3]>>,
    /// What its `user` and groups mean in its image.
    pub ids: Read<Ids>,
    /// The program that process 1 executes.
    pub executable: Read<String>,
    /// Path of its cgroup, of the pids controller in version 1.
    pub cgroup: Read<String>,
    /// Most processes and threads.
    pub pids: Read<Bound>,
    /// Most bytes of memory.
    pub memory: Read<Bound>,
    /// Most bytes of memory and swap together.
    pub memory_swap: Read<Bound>,
    /// Most billionths of a core.
    pub cpus: Read<Bound>,
    /// Text of `/proc/PID/limits`.
    pub limits: Read<String>,
    /// Who is killed first when memory runs out.
    pub oom_score_adj: Read<i64>,
    /// Every mount that it sees.
    pub mounts: Read<Vec<MountInfo>>,
    /// The host's own mounts, to trace a mount to its host path.
    pub host_mounts: Read<Vec<MountInfo>>,
    /// What is at each promised target inside.
    pub inside: BTreeMap<String, Read<FileId>>,
    /// What is at each promised host path, no symbolic link followed; by target.
    pub outside: BTreeMap<String, Read<FileId>>,
    /// What listens in its network namespace.
    pub listening: Read<BTreeSet<sockets::Listening>>,
    /// Devices in its `/dev`.
    pub devices: Read<BTreeSet<String>>,
    /// Those of the paths that an engine hides in `/proc` and `/sys` that this kernel has.
    pub system_paths: BTreeSet<String>,
    /// Host paths of the sockets by which an engine is commanded.
    pub engine_sockets: BTreeSet<String>,
    /// Calls that its filter denied since it started, where the filter has them written down.
    pub denied: Read<BTreeMap<String, Denied>>,
}

/// Paths under which engines and runtimes listen, besides the one that is in use.
const ENGINE_SOCKETS: [&str; 8] = [
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/docker/metrics.sock",
    "/run/docker/plugins",
];

/// Paths that an engine hides or makes read-only (moby's `oci/defaults.go`, those that every supported engine has).
pub const SYSTEM_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/kcore",
    "/proc/keys",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/sys/firmware",
];

/// Looks at a running container.
///
/// # Errors
/// [`EvidenceError::Gone`] if its process 1 is not there, or another process has its number by now.
pub fn evidence(sought: &Sought) -> Result<Evidence, EvidenceError> {
    let pid = sought.pid;
    let gone = || EvidenceError::Gone { container: sought.container.clone(), pid };
    let main = processes::read(pid).ok_or_else(gone)?;
    let file = |name: &str| read(&format!("/proc/{pid}/{name}"));
    let root = Root::of(pid);
    let host_mounts = mounts("/proc/self/mountinfo");
    let cgroups = file("cgroup");
    let bounds = Bounds { cgroups: &cgroups, mounts: &host_mounts };
    let evidence = Evidence {
        policy: policy(sought),
        others: bounds.members().map(|pids| processes::others(pid, &pids)),
        host_namespaces: processes::host_namespaces(),
        uid_map: file("uid_map").and_then(|text| id_map(&text)),
        gid_map: file("gid_map").and_then(|text| id_map(&text)),
        ids: ids(&root, sought),
        executable: std::fs::read_link(format!("/proc/{pid}/exe"))
            .map(|path| path.display().to_string())
            .map_err(|e| unread(&e)),
        cgroup: cgroups.clone().and_then(|text| {
            let path = cgroup::path(&text, "pids").map(|(_, path)| path.to_owned());
            path.ok_or_else(|| Unread("no cgroup is named".into()))
        }),
        pids: bounds.pids(),
        memory: bounds.memory(),
        memory_swap: bounds.memory_swap(),
        cpus: bounds.cpus(),
        limits: file("limits"),
        oom_score_adj: file("oom_score_adj").and_then(|text| number(&text)),
        mounts: mounts(&format!("/proc/{pid}/mountinfo")),
        inside: sought.mounts.keys().map(|target| (target.clone(), look_inside(&root, target))).collect(),
        outside: sought
            .mounts
            .iter()
            .filter_map(|(target, source)| Some((target.clone(), inside::host(source.as_ref()?))))
            .collect(),
        listening: listening_of(pid),
        devices: root.as_ref().map_err(Clone::clone).and_then(Root::devices),
        system_paths: SYSTEM_PATHS
            .iter()
            .filter(|p| Path::new(p).exists())
            .map(|p| (*p).to_owned())
            .collect(),
        engine_sockets: engine_sockets(sought.socket.as_deref()),
        denied: denied_calls(sought, &main),
        host_mounts,
        main,
    };
    // Another process may have its number by now: then what was read is about two of them.
    let still = processes::started(pid).is_some_and(|started| started == evidence.main.started);
    if still { Ok(evidence) } else { Err(gone()) }
}

/// What its filter denied since its start, if it has that written down.
fn denied_calls(sought: &Sought, main: &Process) -> Read<BTreeMap<String, Denied>> {
    let Some(since) = sought.denials_since else { return Ok(BTreeMap::new()) };
    let [uid, ..] = main.status.as_ref().map_err(Clone::clone)?.uids;
    denied::denied(&sought.id, uid, since, crate::host::kernel::ARCH)
}

/// Whether any process of the container with this process 1 is stopped by a signal (state `T`). `false` where that
/// cannot be read.
pub fn is_frozen(pid: u32) -> bool {
    let cgroups = read(&format!("/proc/{pid}/cgroup"));
    let mounts = mounts("/proc/self/mountinfo");
    let bounds = Bounds { cgroups: &cgroups, mounts: &mounts };
    bounds.members().is_ok_and(|pids| pids.into_iter().any(processes::is_stopped))
}

/// How often the kernel refused a process or thread to the container with this process 1 for its limit. 0 where that
/// cannot be read.
pub fn pids_refused(pid: u32) -> u64 {
    let cgroups = read(&format!("/proc/{pid}/cgroup"));
    let mounts = mounts("/proc/self/mountinfo");
    let place = Bounds { cgroups: &cgroups, mounts: &mounts }.place("pids");
    let events = place.and_then(|place| read(&format!("{}/pids.events", place.folder)));
    events.ok().and_then(|text| cgroup::event(&text, "max")).unwrap_or(0)
}

/// What listens in the network namespace of the reader, beyond loopback and on it.
pub fn listening() -> Read<BTreeSet<sockets::Listening>> {
    listening_of("self")
}

/// The kernel's files of listening sockets.
const LISTENING: [(&str, sockets::Protocol); 4] = [
    ("tcp", sockets::Protocol::Tcp),
    ("tcp6", sockets::Protocol::Tcp),
    ("udp", sockets::Protocol::Udp),
    ("udp6", sockets::Protocol::Udp),
];

/// What listens in a process's network namespace.
fn listening_of(pid: impl std::fmt::Display) -> Read<BTreeSet<sockets::Listening>> {
    let mut all = BTreeSet::new();
    for (file, protocol) in LISTENING {
        match std::fs::read_to_string(format!("/proc/{pid}/net/{file}")) {
            Ok(text) => all.extend(sockets::parse(&text, protocol)),
            // A kernel without IPv6 has no such file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.ends_with('6') => {}
            Err(error) => return Err(unread(&error)),
        }
    }
    Ok(all)
}

/// Asks the kernel about the policy that it enforces under the name of this promise.
fn policy(sought: &Sought) -> Read<Option<Vec<String>>> {
    let Some((name, refused)) = &sought.profile else { return Ok(None) };
    match crate::host::apparmor::allowed(name, refused) {
        Ok(allowed) => Ok(Some(allowed)),
        Err(error) if crate::host::apparmor::cannot_be_asked(&error) => Ok(None),
        Err(error) => Err(unread(&error)),
    }
}

fn look_inside(root: &Read<Root>, target: &str) -> Read<FileId> {
    root.as_ref().map_err(Clone::clone)?.look(target)
}

fn ids(root: &Read<Root>, sought: &Sought) -> Read<Ids> {
    let root = root.as_ref().map_err(Clone::clone)?;
    // An image may have neither file: then numbers alone mean something.
    let (passwd, group) = (root.text("/etc/passwd"), root.text("/etc/group"));
    users::ids(&sought.user, &sought.groups, &passwd.unwrap_or_default(), &group.unwrap_or_default())
        .map_err(|name| Unread(format!("`{name}` is in neither /etc/passwd nor /etc/group of the image")))
}

fn engine_sockets(own: Option<&Path>) -> BTreeSet<String> {
    let known = ENGINE_SOCKETS.iter().map(Path::new);
    let resolved = known.chain(own).filter_map(|path| path.canonicalize().ok());
    resolved.map(|path| path.display().to_string()).collect()
}

/// The files of a process's cgroup.
struct Bounds<'a> {
    cgroups: &'a Read<String>,
    mounts: &'a Read<Vec<MountInfo>>,
}

impl Bounds<'_> {
    fn place(&self, controller: &str) -> Read<cgroup::Place> {
        let (cgroups, mounts) =
            (self.cgroups.as_ref().map_err(Clone::clone)?, self.mounts.as_ref().map_err(Clone::clone)?);
        cgroup::place(cgroups, controller, mounts)
            .ok_or_else(|| Unread(format!("the cgroup files of `{controller}` are mounted nowhere here")))
    }

    fn value(&self, controller: &str, v1: &str, v2: &str) -> Read<Bound> {
        let place = self.place(controller)?;
        let (name, parse): (_, fn(&str) -> Option<Bound>) = match place.version {
            Version::V1 => (v1, cgroup::bound_v1),
            Version::V2 => (v2, cgroup::bound),
        };
        let text = read(&format!("{}/{name}", place.folder))?;
        parse(&text).ok_or_else(|| Unread(format!("`{name}` says `{}`", text.trim())))
    }

    fn pids(&self) -> Read<Bound> {
        self.value("pids", "pids.max", "pids.max")
    }

    fn memory(&self) -> Read<Bound> {
        self.value("memory", "memory.limit_in_bytes", "memory.max")
    }

    /// Version 2 bounds swap by itself; the sum is what version 1 and the engine speak of.
    fn memory_swap(&self) -> Read<Bound> {
        let seen = self.value("memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
        match (self.place("memory")?.version, seen) {
            (_, Err(_)) if !swap_is_on() => self.memory(),
            (Version::V1, seen) => seen,
            (Version::V2, seen) => Ok(match (seen?, self.memory()?) {
                (Bound::At(swap), Bound::At(memory)) => Bound::At(swap.saturating_add(memory)),
                _ => Bound::Unlimited,
            }),
        }
    }

    fn cpus(&self) -> Read<Bound> {
        let place = self.place("cpu")?;
        let text = |name: &str| read(&format!("{}/{name}", place.folder));
        let bound = match place.version {
            Version::V1 => cgroup::cfs(&text("cpu.cfs_quota_us")?, &text("cpu.cfs_period_us")?),
            Version::V2 => cgroup::cpu_max(&text("cpu.max")?),
        };
        bound.ok_or_else(|| Unread("the quota of the cpu controller is not understood".into()))
    }

    fn members(&self) -> Read<BTreeSet<u32>> {
        processes::members(Path::new(&self.place("pids")?.folder))
    }
}

/// Without swap on the machine, a kernel may leave the file of its bound away.
fn swap_is_on() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

fn mounts(path: &str) -> Read<Vec<MountInfo>> {
    mountinfo::parse(&read(path)?)
        .map_err(|line| Unread(format!("a line of `{path}` is not understood: `{line}`")))
}

fn id_map(text: &str) -> Read<Vec<[u64; 3]>> {
    text.lines()
        .map(|line| {
            let row: Vec<u64> = line.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
            <[u64; 3]>::try_from(row).map_err(|_| Unread(format!("a row of the id map is `{line}`")))
        })
        .collect()
}

/// What an id of the host is inside, by the rows of an id map; `None` where it is nobody there.
pub fn inward(rows: &[[u64; 3]], outside: u32) -> Option<u32> {
    let outside = u64::from(outside);
    rows.iter().find_map(|[inside, first, length]| {
        let offset = outside.checked_sub(*first).filter(|offset| offset < length)?;
        u32::try_from(inside.checked_add(offset)?).ok()
    })
}

fn number(text: &str) -> Read<i64> {
    text.trim().parse().map_err(|_| Unread(format!("`{}` is no number", text.trim())))
}

fn read(path: &str) -> Read<String> {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| unread(&error))
}

fn unread(error: &std::io::Error) -> Unread {
    Unread(match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied; run as root".to_owned(),
        _ => error.to_string(),
    })
}

impl Evidence {
    /// The status of process 1.
    pub fn status(&self) -> Read<&Status> {
        self.main.status.as_ref().map_err(Clone::clone)
    }
}
