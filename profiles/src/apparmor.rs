//! A promise to its AppArmor profile.
//!
//! Reads are wide within what the container sees, less what tells of the host. Writes are the writable mounts alone.
//! What can be written cannot be executed or mapped as code, so that nothing that was downloaded can be run.
//! Deliberately absent: loading it, and asking the kernel; a stack on a kernel without AppArmor has no profile.

mod text;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::confinement::{AppArmor, Confinement, MountPromise, MountSource};
use text::{Pattern, Profile, Section, Subject, allow, deny};

/// The name of the profile that the supervisor itself is under where its package puts it on
/// (`packaging/supervisor.apparmor`).
pub const SUPERVISOR: &str = "supervisor";

/// How the names of a project's profiles begin, and no other project's: a project's name has no dot.
pub fn prefix(project: &str) -> String {
    format!("supervisor-{}.", text::name(project))
}

/// Whether a text is one profile of ours of this name, and nothing besides: what somebody is asked to load may not name
/// another, include a file, or reach into another's. What the rules are is not asked.
pub fn is_just(text: &str, name: &str) -> bool {
    name.starts_with("supervisor-") && text::is_just(text, name)
}

/// The profile of a service's container. Its name carries a hash of its text, so that a container that runs keeps the
/// one that it was given when the stack changes.
pub(crate) fn profile(project: &str, confinement: &Confinement) -> AppArmor {
    let stem = text::name(&format!("{}{}", prefix(project), confinement.service));
    let draft = Profile { name: stem.clone(), sections: sections(&stem, confinement) };
    let digest = Sha256::digest(draft.to_string());
    let hash = digest.iter().take(6).fold(0_u64, |hash, &byte| hash << 8 | u64::from(byte));
    let name = format!("{stem}-{hash:012x}");
    let text = Profile { name: name.clone(), sections: sections(&name, confinement) }.to_string();
    AppArmor::Profile { name, text }
}

/// Every rule, by reason.
fn sections(name: &str, confinement: &Confinement) -> Vec<Section> {
    vec![
        Section { why: "capabilities that the service was given", rules: capabilities(confinement) },
        Section { why: "sockets: unix, TCP, UDP, ping, addresses and routes", rules: network(confinement) },
        Section { why: "signals: stop and kill from the host, and among its own", rules: signals(name) },
        Section {
            why: "processes are seen, never taken over; mounts stay as they are",
            rules: isolation(name),
        },
        Section {
            why: "what the container sees may be read, and run from where nobody writes",
            rules: root(confinement),
        },
        Section { why: "devices without hardware behind them", rules: devices() },
        Section { why: "what somebody writes: data with locks, never code", rules: written(confinement) },
        Section { why: "own entries of /proc that runtimes write", rules: own_proc() },
        Section { why: "what tells of the host, or reaches it", rules: host() },
    ]
}

fn capabilities(confinement: &Confinement) -> Vec<text::Rule> {
    let names = confinement.capabilities.iter();
    names.map(|name| allow(Subject::Capability(name.to_ascii_lowercase()))).collect()
}

fn network(confinement: &Confinement) -> Vec<text::Rule> {
    let mut rules = vec![
        allow(Subject::Whole("unix")),
        allow(Subject::Network("unix", None)),
        allow(Subject::Network("inet", Some("stream"))),
        allow(Subject::Network("inet", Some("dgram"))),
        allow(Subject::Network("inet6", Some("stream"))),
        allow(Subject::Network("inet6", Some("dgram"))),
        allow(Subject::Network("netlink", Some("raw"))),
    ];
    let raw = [("inet", Some("raw")), ("inet6", Some("raw")), ("packet", None)];
    let rule = if confinement.capabilities.contains("NET_RAW") { allow } else { deny };
    rules.extend(raw.map(|(family, kind)| rule(Subject::Network(family, kind))));
    rules.extend(
        ["alg", "vsock", "xdp", "can", "tipc", "bluetooth"]
            .map(|family| deny(Subject::Network(family, None))),
    );
    rules
}

/// `runc` and `crun` are the names under which Debian and Ubuntu confine the runtimes themselves.
fn signals(name: &str) -> Vec<text::Rule> {
    let from = ["unconfined", "runc", "crun"].map(|peer| allow(Subject::Signal("receive", peer.to_owned())));
    let own = allow(Subject::Signal("send, receive", name.to_owned()));
    from.into_iter().chain([own]).collect()
}

fn isolation(name: &str) -> Vec<text::Rule> {
    vec![
        allow(Subject::Ptrace("read, readby", name.to_owned())),
        // The kernel asks both sides before it tells the one of the other: attestation reads what it is about.
        allow(Subject::Ptrace("readby", SUPERVISOR.to_owned())),
        deny(Subject::Ptrace("trace, tracedby", name.to_owned())),
        deny(Subject::Whole("mount")),
        deny(Subject::Whole("umount")),
        deny(Subject::Whole("pivot_root")),
    ]
}

fn root(confinement: &Confinement) -> Vec<text::Rule> {
    let permissions = if confinement.read_only_root { "rmix" } else { "rwklmix" };
    vec![allow(Subject::File(Pattern::glob("/{,**}"), permissions))]
}

fn devices() -> Vec<text::Rule> {
    vec![
        allow(Subject::File(Pattern::glob("/dev/{null,zero,full,random,urandom,tty,console,ptmx}"), "rw")),
        allow(Subject::File(Pattern::glob("/dev/pts/{,*}"), "rw")),
        allow(Subject::File(Pattern::glob("/dev/shm/{,**}"), "rwkl")),
        deny(Subject::File(Pattern::glob("/dev/{,**}"), "mx")),
        deny(Subject::File(Pattern::glob("/memfd:**"), "x")),
    ]
}

/// Every mount that is not read-only, or whose files somebody writes through another mount.
fn written(confinement: &Confinement) -> Vec<text::Rule> {
    let both = |mount: &MountPromise| {
        let data = (!mount.read_only).then(|| allow(Subject::File(Pattern::below(&mount.target), "rwkl")));
        let code = not_run(confinement, mount).map(|paths| deny(Subject::File(paths, "mx")));
        data.into_iter().chain(code)
    };
    confinement.mounts.iter().filter(|mount| mount.written).flat_map(both).collect()
}

/// What of a mount that is written is not run: all of it, less what `exec_from` opens. A memory file system stays closed.
fn not_run(confinement: &Confinement, mount: &MountPromise) -> Option<Pattern> {
    let target = mount.target.trim_end_matches('/');
    let opened = confinement.exec_from.iter().map(String::as_str);
    if matches!(mount.source, MountSource::Tmpfs { .. }) {
        return Some(Pattern::below(target));
    }
    if opened.clone().any(|path| is_below(target, path)) {
        return None;
    }
    let inside: BTreeSet<&str> =
        opened.filter_map(|path| path.strip_prefix(target)?.strip_prefix('/')).collect();
    let outermost: BTreeSet<&str> = inside
        .iter()
        .copied()
        .filter(|path| !inside.iter().any(|other| other != path && is_below(path, other)))
        .collect();
    if outermost.is_empty() {
        return Some(Pattern::below(target));
    }
    Some(Pattern::below_without(target, &outermost))
}

/// Whether a path is another, or lies below it.
fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn own_proc() -> Vec<text::Rule> {
    let names = "/proc/[0-9]*/{,task/[0-9]*/}{comm,coredump_filter,oom_score_adj,timerslack_ns}";
    vec![allow(Subject::File(Pattern::glob(names), "rw"))]
}

fn host() -> Vec<text::Rule> {
    let hidden = [
        "/proc/{kallsyms,kcore,key-users,keys,kmsg,kpagecgroup,kpagecount,kpageflags,latency_stats,pagetypeinfo}",
        "/proc/{iomem,ioports,sched_debug,slabinfo,sysrq-trigger,timer_list,timer_stats,vmallocinfo}",
        "/proc/{acpi,asound,bus,irq,scsi}/{,**}",
        "/proc/[0-9]*/{,task/[0-9]*/}{environ,mem}",
        "/sys/{firmware,kernel/debug,kernel/security,kernel/tracing,fs/bpf,fs/pstore}/{,**}",
        "/sys/devices/virtual/powercap/{,**}",
    ];
    let unwritten = ["/proc/[^0-9]*{,/**}", "/sys/{,**}"];
    let hidden = hidden.map(|glob| deny(Subject::File(Pattern::glob(glob), "rwklmx")));
    let unwritten = unwritten.map(|glob| deny(Subject::File(Pattern::glob(glob), "wklmx")));
    hidden.into_iter().chain(unwritten).collect()
}

/// What a loaded profile of the right name has to refuse, if it is the one that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Read, write or execute.
    pub access: Access,
    /// A path in the container. Nothing has to be there.
    pub path: String,
}

/// One way to use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Execute.
    Execute,
}

/// A name that nobody gives a file, to ask about a folder by.
const NOBODYS: &str = "supervisor-asks";

/// Questions whose answers tell this profile from a weaker one that somebody loaded under its name: the kernel is asked
/// what it would do, and not what it was given.
pub fn refused(confinement: &Confinement) -> Vec<Refused> {
    if confinement.apparmor == AppArmor::Absent {
        return Vec::new();
    }
    let open =
        |path: &str| confinement.mounts.iter().any(|mount| !mount.read_only && is_below(path, &mount.target));
    let written =
        confinement.mounts.iter().filter(|mount| mount.written && not_run(confinement, mount).is_some());
    let executed = written
        .map(|mount| format!("{}/{NOBODYS}", mount.target.trim_end_matches('/')))
        .chain(["/dev/shm/".to_owned() + NOBODYS])
        .map(|path| Refused { access: Access::Execute, path });
    let unwritten = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper"];
    let root = ["/usr/", "/etc/", "/"].map(|folder| format!("{folder}{NOBODYS}"));
    let root = root.into_iter().filter(|path| confinement.read_only_root && !open(path));
    let written = unwritten.map(str::to_owned).into_iter().chain(root);
    let written = written.map(|path| Refused { access: Access::Write, path });
    let read = ["/proc/kcore", "/sys/kernel/security/lsm"];
    let read = read.map(|path| Refused { access: Access::Read, path: path.to_owned() });
    executed.chain(written).chain(read).collect()
}
