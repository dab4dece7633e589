//! The system calls that this program's own processes are left with: one row a call, with why.
//!
//! Whatever has no row is answered EPERM. Read by `build.rs` too, which compiles a filter of it: nothing but `std` here.
//! Deliberately absent: putting a filter into force (`filter`).

/// A process of ours, with the calls that it is left with.
pub struct Process {
    /// In the name of its filter's file.
    pub name: &'static str,
    /// What it may call.
    pub calls: &'static [Call],
}

/// A call that is allowed.
pub struct Call {
    /// As the architecture's table has it.
    pub name: &'static str,
    /// `None`: on every architecture that we build for.
    pub only_on: Option<&'static str>,
    /// All of them have to hold.
    pub when: &'static [Condition],
    /// What it is needed for.
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
pub const PROCESSES: &[Process] = &[Process { name: "endpoint", calls: ENDPOINT }];

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
