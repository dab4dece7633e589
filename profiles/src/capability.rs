//! Capabilities as data: what each opens, and which system calls make sense only with it.
//!
//! Names are without `CAP_`, upper case. Deliberately absent: which of them a stack may ask for; that is the policy's.

/// One capability of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name without `CAP_`.
    pub name: &'static str,
    /// How far it reaches.
    pub danger: Danger,
    /// What it lets a process do.
    pub why: &'static str,
    /// System calls that are granted with it whatever the base, as the engine's default does.
    pub opens: &'static [&'static str],
}

/// How far a capability reaches out of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// Stays within the container.
    Contained,
    /// Weakens the container or its neighbours.
    Weakens,
    /// Is, or leads to, root on the host.
    Host,
}

/// `cap_net_raw`, `CAP_NET_RAW` and `net_raw` are all `NET_RAW`; `None` if Linux has no such capability.
/// `ALL` is not one: it is for the caller to understand.
pub fn capability(name: &str) -> Option<&'static Capability> {
    let upper = name.trim().to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    CAPABILITIES.iter().find(|row| row.name == bare)
}

/// A row that opens no system call.
const fn row(name: &'static str, danger: Danger, why: &'static str) -> Capability {
    Capability { name, danger, why, opens: &[] }
}

impl Capability {
    /// The same, opening these.
    const fn opening(mut self, calls: &'static [&'static str]) -> Self {
        self.opens = calls;
        self
    }
}

/// The table: `capabilities(7)` of Linux 6.12, in the kernel's order.
#[rustfmt::skip]
pub const CAPABILITIES: &[Capability] = &[
    row("CHOWN", Danger::Contained, "give files away"),
    row("DAC_OVERRIDE", Danger::Weakens, "pass by permissions of files"),
    row("DAC_READ_SEARCH", Danger::Host, "open the host's files by handle").opening(&["open_by_handle_at"]),
    row("FOWNER", Danger::Contained, "treat files of others as one's own"),
    row("FSETID", Danger::Contained, "keep set-id bits on change"),
    row("KILL", Danger::Contained, "signal processes of other users in the container"),
    row("SETGID", Danger::Contained, "become any group"),
    row("SETUID", Danger::Contained, "become any user"),
    row("SETPCAP", Danger::Weakens, "change own capabilities"),
    row("LINUX_IMMUTABLE", Danger::Weakens, "make files unremovable"),
    row("NET_BIND_SERVICE", Danger::Contained, "listen below port 1024"),
    row("NET_BROADCAST", Danger::Contained, "unused by the kernel"),
    row("NET_ADMIN", Danger::Weakens, "addresses, routes and firewall of the container's network"),
    row("NET_RAW", Danger::Weakens, "forge packets to neighbours"),
    row("IPC_LOCK", Danger::Weakens, "keep memory out of swap").opening(&["mlockall", "munlockall"]),
    row("IPC_OWNER", Danger::Contained, "pass by permissions of System V objects"),
    row("SYS_MODULE", Danger::Host, "load kernel code").opening(&["delete_module", "finit_module", "init_module"]),
    row("SYS_RAWIO", Danger::Host, "talk to hardware").opening(&["ioperm", "iopl"]),
    row("SYS_CHROOT", Danger::Weakens, "change the root").opening(&["chroot"]),
    row("SYS_PTRACE", Danger::Host, "take over processes")
        .opening(&["kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"]),
    row("SYS_PACCT", Danger::Host, "accounting of the whole machine").opening(&["acct"]),
    row("SYS_ADMIN", Danger::Host, "mount, namespaces, and most of the rest").opening(&[
        "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
        "open_tree", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns", "umount2", "unshare",
    ]),
    row("SYS_BOOT", Danger::Host, "restart the machine").opening(&["reboot"]),
    row("SYS_NICE", Danger::Weakens, "raise priorities, place memory").opening(&[
        "get_mempolicy", "mbind", "sched_setattr", "sched_setparam", "sched_setscheduler", "set_mempolicy",
        "set_mempolicy_home_node",
    ]),
    row("SYS_RESOURCE", Danger::Weakens, "pass by limits"),
    row("SYS_TIME", Danger::Host, "set the host's clock")
        .opening(&["adjtimex", "clock_adjtime", "clock_settime", "settimeofday"]),
    row("SYS_TTY_CONFIG", Danger::Weakens, "hang terminals up").opening(&["vhangup"]),
    row("MKNOD", Danger::Host, "make device files"),
    row("LEASE", Danger::Contained, "leases on files of others"),
    row("AUDIT_WRITE", Danger::Contained, "write to the audit log"),
    row("AUDIT_CONTROL", Danger::Host, "switch auditing off"),
    row("SETFCAP", Danger::Weakens, "give files capabilities"),
    row("MAC_OVERRIDE", Danger::Host, "pass by security modules"),
    row("MAC_ADMIN", Danger::Host, "change security modules' rules"),
    row("SYSLOG", Danger::Host, "kernel messages and addresses").opening(&["syslog"]),
    row("WAKE_ALARM", Danger::Contained, "wake the machine up"),
    row("BLOCK_SUSPEND", Danger::Contained, "keep the machine awake"),
    row("AUDIT_READ", Danger::Host, "read the audit log"),
    row("PERFMON", Danger::Host, "counters and kernel addresses").opening(&["perf_event_open"]),
    row("BPF", Danger::Host, "programs in the kernel").opening(&["bpf"]),
    row("CHECKPOINT_RESTORE", Danger::Host, "freeze and rebuild processes"),
];
