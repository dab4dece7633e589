//! The system calls that this program's own processes are left with, or that are taken from them: one row a call, with why.
//!
//! What is not left is answered EPERM. Read by `build.rs` too, which compiles a filter of it: nothing but `std` here.
//! Deliberately absent: putting a filter into force (`filter`).

/// A process of ours, with the calls that it is left with.
pub struct Process {
    /// In the name of its filter's file.
    pub name: &'static str,
    /// What becomes of these calls; of all others it is the opposite.
    pub these: Fate,
    /// The calls.
    pub calls: &'static [Call],
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Left,
    /// It is answered EPERM.
    Taken,
}

/// A call.
pub struct Call {
    /// As the architecture's table has it.
    pub name: &'static str,
    /// `None`: on every architecture that we build for.
    pub only_on: Option<&'static str>,
    /// All of them have to hold.
    pub when: &'static [Condition],
    /// What it is needed for, or what it would be good for.
    pub why: &'static str,
}

/// What an argument has to be.
pub struct Condition {
    /// Number of the argument, from 0.
    pub argument: u8,
    /// These bits of it are looked at.
    pub mask: u64,
    /// And have to be these.
    pub value: u64,
}

/// `PROT_EXEC` of mmap(2): memory that is written is never executed.
const NOT_EXECUTABLE: &[Condition] = &[Condition { argument: 2, mask: 4, value: 0 }];
/// sendto(2) to nobody but the one who is connected.
const CONNECTED: &[Condition] = &[Condition { argument: 4, mask: u64::MAX, value: 0 }];

/// `F_GETFL` of fcntl(2): looking at a descriptor's mode.
const LOOKED_AT: &[Condition] = &[Condition { argument: 1, mask: 0xffff_ffff, value: 3 }];

const fn call(name: &'static str, why: &'static str) -> Call {
    Call { name, only_on: None, when: &[], why }
}

const fn on(arch: &'static str, name: &'static str, why: &'static str) -> Call {
    Call { name, only_on: Some(arch), when: &[], why }
}

const fn when(when: &'static [Condition], name: &'static str, why: &'static str) -> Call {
    Call { name, only_on: None, when, why }
}

/// Every process that has a filter of its own.
pub const PROCESSES: &[Process] = &[
    Process { name: "endpoint", these: Fate::Left, calls: ENDPOINT },
    Process { name: "own", these: Fate::Taken, calls: FOREIGN },
];

/// What neither `run`, nor the process beside it that has the machine's rights, nor any program that they execute needs:
/// nft, `apparmor_parser`, `curl`, and the endpoint, which has a list of its own besides. A list of what is taken and not
/// of what is left, since those programs are the machine's, of whatever version.
const FOREIGN: &[Call] = &[
    call("ptrace", "taking another process over"),
    call("process_vm_readv", "another process's memory"),
    call("process_vm_writev", "another process's memory"),
    call("process_madvise", "another process's memory"),
    call("pidfd_getfd", "another process's descriptors"),
    call("kcmp", "another process's descriptors"),
    call("mount", "other files in place of those that are there"),
    call("umount2", "other files in place of those that are there"),
    call("move_mount", "other files in place of those that are there"),
    call("open_tree", "other files in place of those that are there"),
    call("fsopen", "other files in place of those that are there"),
    call("fsmount", "other files in place of those that are there"),
    call("fsconfig", "other files in place of those that are there"),
    call("fspick", "other files in place of those that are there"),
    call("mount_setattr", "other files in place of those that are there"),
    call("pivot_root", "another root"),
    call("chroot", "another root"),
    call("open_by_handle_at", "files past every folder above them"),
    call("unshare", "namespaces, in which there are capabilities again"),
    call("setns", "a container's namespaces"),
    call("init_module", "the kernel's code"),
    call("finit_module", "the kernel's code"),
    call("delete_module", "the kernel's code"),
    call("kexec_load", "another kernel"),
    call("kexec_file_load", "another kernel"),
    call("bpf", "programs in the kernel"),
    call("perf_event_open", "what other processes do; a history of holes"),
    call("userfaultfd", "holding the kernel at a page; a help for using holes"),
    call("io_uring_setup", "system calls past this filter"),
    call("io_uring_enter", "system calls past this filter"),
    call("io_uring_register", "system calls past this filter"),
    call("add_key", "the kernel's keys"),
    call("request_key", "the kernel's keys"),
    call("keyctl", "the kernel's keys"),
    call("syslog", "the kernel's log: clearing it"),
    call("acct", "a file that the kernel writes"),
    call("quotactl", "bounds of file systems"),
    call("swapon", "a file that the kernel writes"),
    call("swapoff", "the machine's memory"),
    call("reboot", "the machine's end"),
    call("settimeofday", "the clock"),
    call("clock_settime", "the clock"),
    call("adjtimex", "the clock"),
    call("clock_adjtime", "the clock"),
    call("sethostname", "the machine's name"),
    call("setdomainname", "the machine's name"),
    call("personality", "memory at known addresses"),
    on("x86_64", "iopl", "hardware"),
    on("x86_64", "ioperm", "hardware"),
    on("x86_64", "modify_ldt", "16-bit code; a history of holes"),
];

/// The endpoint takes connections on sockets that it was given, reads and writes them, and makes no other: it has no way
/// to make a socket, to connect one, or to open, execute or signal anything.
const ENDPOINT: &[Call] = &[
    call("accept4", "a connection on a socket that it was given"),
    call("read", "snapshots from the supervisor; waking itself up"),
    call("recvfrom", "requests"),
    when(CONNECTED, "sendto", "answers, to whoever asked"),
    call("write", "the log; waking itself up"),
    call("writev", "answers: head and body at once"),
    call("shutdown", "an answer's end"),
    call("close", "a connection's end"),
    when(LOOKED_AT, "fcntl", "whether a socket blocks, which the runtime asks in a development build"),
    call("epoll_ctl", "waiting for a connection"),
    call("epoll_pwait", "waiting for anything"),
    on("x86_64", "epoll_wait", "waiting for anything"),
    call("clock_gettime", "time limits, where the kernel maps no clock"),
    call("futex", "the runtime's locks"),
    call("getrandom", "the seed of a table's hash"),
    call("brk", "memory"),
    when(NOT_EXECUTABLE, "mmap", "memory"),
    when(NOT_EXECUTABLE, "mprotect", "memory"),
    call("mremap", "memory"),
    call("munmap", "memory"),
    call("madvise", "memory"),
    call("rt_sigreturn", "coming back from a signal"),
    call("rt_sigprocmask", "ending after a defect"),
    call("sigaltstack", "ending"),
    call("restart_syscall", "going on after it was stopped"),
    call("exit", "ending"),
    call("exit_group", "ending"),
];
