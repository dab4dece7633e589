//! Every system call of the two architectures: its group, its kernel, what it is for.
//!
//! One row a call, and a call has one group; [`crate::groups`] says what a group is and what is answered where it
//! is not granted. Deliberately absent: numbers (the engine resolves names) and the engine's own list (a test has it).

use crate::confinement::{Arch, Kernel};
use crate::groups::Group;

/// One system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// The kernel's name for it.
    pub name: &'static str,
    /// The group that it is granted or denied with.
    pub group: Group,
    /// The kernel that it came with, by `syscalls(2)`; `(2, 6)` stands for 2.6 and everything before.
    pub since: (u16, u16),
    /// It exists on `x86_64` alone.
    pub x86_64_only: bool,
    /// What it is for, or what is dangerous about it.
    pub why: &'static str,
    /// Major and minor version of the first kernel that lets it by without asking a filter.
    pub until: Option<(u16, u16)>,
    /// What its callers do where there is no such call, if every known one goes on: a recorded profile leaves it out.
    pub without: Option<&'static str>,
}

impl Syscall {
    /// Whether this kernel has it and asks a filter about it, as far as version and architecture say.
    pub fn exists(&self, kernel: &Kernel) -> bool {
        self.since <= kernel.version
            && !(self.x86_64_only && kernel.arch == Arch::Aarch64)
            && self.until.is_none_or(|until| kernel.version < until)
    }

    /// The same row, with what callers do where there is no such call.
    const fn or(self, without: &'static str) -> Self {
        Self { without: Some(without), ..self }
    }

    /// The same row, of a call that filters are not asked about from a version on (`kernel/seccomp.c`).
    const fn until(self, version: (u16, u16)) -> Self {
        Self { until: Some(version), ..self }
    }
}

impl Syscall {
    /// The call that does the same on every architecture, where this is the old spelling of one.
    pub fn modern(&self) -> Option<&'static str> {
        self.why.split_once("'s old spelling").map(|(modern, _)| modern)
    }
}

/// The row of a call by its name.
pub fn syscall(name: &str) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|row| row.name == name)
}

/// A call of both architectures.
const fn both(name: &'static str, group: Group, since: (u16, u16), why: &'static str) -> Syscall {
    Syscall { name, group, since, x86_64_only: false, why, until: None, without: None }
}

/// A call that newer architectures never had.
const fn x86(name: &'static str, group: Group, since: (u16, u16), why: &'static str) -> Syscall {
    Syscall { name, group, since, x86_64_only: true, why, until: None, without: None }
}

/// Of extended attributes, access control lists among them. A recording leaves these calls out only where it is told to.
const NO_ATTRIBUTES: &str =
    "goes on as on a file system without attributes: they are not shown, copied or set";

/// In every kernel that an engine runs on.
const OLD: (u16, u16) = (2, 6);

/// The table, by group.
#[rustfmt::skip]
pub const SYSCALLS: &[Syscall] = &[
    both("brk", Group::Memory, OLD, "grow the heap"),
    both("madvise", Group::Memory, OLD, "give memory back, ask for huge pages"),
    both("mmap", Group::Memory, OLD, "map files and memory"),
    both("mprotect", Group::Memory, OLD, "guard pages, code made at run time"),
    both("mremap", Group::Memory, OLD, "grow a mapping, as realloc does"),
    both("munmap", Group::Memory, OLD, "give a mapping back"),

    x86("arch_prctl", Group::Process, OLD, "set the thread pointer at start"),
    both("clone", Group::Process, OLD, "start a thread or a process; new namespaces are filtered out"),
    both("execve", Group::Process, OLD, "run a program; runc's last call"),
    both("exit", Group::Process, OLD, "end a thread"),
    both("exit_group", Group::Process, OLD, "end a process"),
    both("futex", Group::Process, OLD, "wait for another thread"),
    both("getpid", Group::Process, OLD, "who am I"),
    both("getppid", Group::Process, OLD, "who started me"),
    both("gettid", Group::Process, OLD, "which thread am I"),
    both("kill", Group::Process, OLD, "signal a process of the same namespace"),
    both("prctl", Group::Process, OLD, "thread names, parent-death signal; options are filtered"),
    both("prlimit64", Group::Process, (2, 6), "read and lower limits"),
    both("restart_syscall", Group::Process, OLD, "the kernel's own, after a stop and continue"),
    both("rseq", Group::Process, (4, 18), "per-processor data of the C library").or("glibc asks the vDSO instead"),
    both("sched_getaffinity", Group::Process, OLD, "how many processors are there"),
    both("sched_yield", Group::Process, OLD, "let another thread run"),
    both("set_robust_list", Group::Process, OLD, "locks of dead threads"),
    both("set_tid_address", Group::Process, OLD, "thread start"),
    both("tgkill", Group::Process, OLD, "signal a thread"),
    x86("uretprobe", Group::Process, (6, 11), "the kernel's own, where the host watches a function; without it the process would crash").until((6, 14)),
    both("wait4", Group::Process, OLD, "reap a child"),
    both("waitid", Group::Process, OLD, "reap a child"),

    both("rt_sigaction", Group::Signals, OLD, "handle a signal"),
    both("rt_sigprocmask", Group::Signals, OLD, "block a signal"),
    both("rt_sigreturn", Group::Signals, OLD, "come back from a signal"),
    both("rt_sigsuspend", Group::Signals, OLD, "wait for a signal, as shells do"),
    both("rt_sigtimedwait", Group::Signals, OLD, "wait for a signal, as the engine's init does"),
    both("sigaltstack", Group::Signals, OLD, "a stack for signals"),

    both("clock_gettime", Group::Time, OLD, "what time is it, where the vDSO cannot say"),
    both("clock_nanosleep", Group::Time, OLD, "sleep"),
    both("nanosleep", Group::Time, OLD, "sleep"),

    both("getegid", Group::Identity, OLD, "which group am I"),
    both("geteuid", Group::Identity, OLD, "which user am I"),
    both("getgid", Group::Identity, OLD, "which group am I"),
    both("getuid", Group::Identity, OLD, "which user am I"),
    x86("getpgrp", Group::Identity, OLD, "process group, as shells ask"),
    both("setpgid", Group::Identity, OLD, "process group, as the engine's init sets"),

    both("getrandom", Group::System, (3, 17), "randomness"),
    both("sysinfo", Group::System, OLD, "size of memory"),
    both("uname", Group::System, OLD, "name and version of the kernel"),

    both("close", Group::Descriptors, OLD, "close a descriptor"),
    both("close_range", Group::Descriptors, (5, 9), "close descriptors").or("each is closed by its number"),
    both("dup", Group::Descriptors, OLD, "copy a descriptor"),
    both("dup3", Group::Descriptors, OLD, "copy a descriptor to a number"),
    both("fcntl", Group::Descriptors, OLD, "flags and locks of a descriptor"),
    both("ioctl", Group::Descriptors, OLD, "terminal size, bytes waiting; typing into a terminal is filtered out"),
    both("lseek", Group::Descriptors, OLD, "position in a file"),
    both("pipe2", Group::Descriptors, OLD, "make a pipe"),
    both("pread64", Group::Descriptors, OLD, "read at a position"),
    both("pwrite64", Group::Descriptors, OLD, "write at a position"),
    both("read", Group::Descriptors, OLD, "read"),
    both("readv", Group::Descriptors, OLD, "read into several buffers"),
    both("write", Group::Descriptors, OLD, "write"),
    both("writev", Group::Descriptors, OLD, "write several buffers"),

    both("epoll_create1", Group::Waiting, OLD, "event loop"),
    both("epoll_ctl", Group::Waiting, OLD, "event loop"),
    both("epoll_pwait", Group::Waiting, OLD, "event loop"),
    x86("epoll_wait", Group::Waiting, OLD, "event loop, as C libraries spell it"),
    both("eventfd2", Group::Waiting, OLD, "wake an event loop"),
    both("ppoll", Group::Waiting, OLD, "wait for descriptors"),

    both("chdir", Group::Look, OLD, "working directory"),
    both("faccessat", Group::Look, OLD, "may I open it"),
    both("faccessat2", Group::Look, (5, 8), "may I open it"),
    both("fstat", Group::Look, OLD, "about an open file"),
    both("fstatfs", Group::Look, OLD, "about an open file's file system; runc 1.5 asks after the filter is on"),
    both("getcwd", Group::Look, OLD, "working directory"),
    both("getdents64", Group::Look, OLD, "list a folder"),
    both("newfstatat", Group::Look, OLD, "about a file"),
    both("openat", Group::Look, OLD, "open a file"),
    both("openat2", Group::Look, (5, 6), "open without leaving a folder; runc 1.5 does after the filter is on"),
    both("readlinkat", Group::Look, OLD, "target of a symbolic link"),
    both("statfs", Group::Look, OLD, "about a file system"),
    both("statx", Group::Look, (4, 11), "about a file"),

    both("fchmod", Group::Change, OLD, "permissions of an open file"),
    both("fchmodat", Group::Change, OLD, "permissions of a file"),
    both("fchownat", Group::Change, OLD, "owner of a file"),
    both("fdatasync", Group::Change, OLD, "to disk"),
    both("flock", Group::Change, OLD, "lock a file"),
    both("fsync", Group::Change, OLD, "to disk"),
    both("ftruncate", Group::Change, OLD, "length of an open file"),
    both("linkat", Group::Change, OLD, "hard link"),
    both("mkdirat", Group::Change, OLD, "make a folder"),
    both("renameat", Group::Change, OLD, "rename"),
    both("renameat2", Group::Change, (3, 15), "rename without replacing"),
    both("symlinkat", Group::Change, OLD, "symbolic link"),
    both("unlinkat", Group::Change, OLD, "remove"),
    both("utimensat", Group::Change, OLD, "times of a file"),

    both("sendfile", Group::Copy, OLD, "file to socket in the kernel"),
    both("splice", Group::Copy, OLD, "socket to socket in the kernel, as Go's proxies do"),

    both("accept4", Group::Net, OLD, "take a connection"),
    both("bind", Group::Net, OLD, "address of a socket"),
    both("connect", Group::Net, OLD, "make a connection"),
    both("getpeername", Group::Net, OLD, "the other end"),
    both("getsockname", Group::Net, OLD, "this end"),
    both("getsockopt", Group::Net, OLD, "options of a socket"),
    both("listen", Group::Net, OLD, "wait for connections"),
    both("recvfrom", Group::Net, OLD, "receive"),
    both("recvmmsg", Group::Net, OLD, "receive several, as QUIC does"),
    both("recvmsg", Group::Net, OLD, "receive"),
    both("sendmmsg", Group::Net, (3, 0), "send several, as resolvers and QUIC do"),
    both("sendmsg", Group::Net, OLD, "send"),
    both("sendto", Group::Net, OLD, "send"),
    both("setsockopt", Group::Net, OLD, "options of a socket"),
    both("shutdown", Group::Net, OLD, "end one direction"),
    both("socket", Group::Net, OLD, "make a socket; family, type and protocol are filtered"),
    both("socketpair", Group::Net, OLD, "two joined sockets"),

    both("inotify_add_watch", Group::Watch, OLD, "be told of changes of files"),
    both("inotify_init1", Group::Watch, OLD, "be told of changes of files"),
    both("inotify_rm_watch", Group::Watch, OLD, "be told of changes of files"),

    both("pidfd_open", Group::Pidfd, (5, 3), "a child without races of its number"),
    both("pidfd_send_signal", Group::Pidfd, (5, 1), "a child without races of its number"),

    x86("access", Group::Shell, OLD, "faccessat's old spelling"),
    x86("dup2", Group::Shell, OLD, "dup3's old spelling"),
    x86("fork", Group::Shell, OLD, "clone's old spelling"),
    x86("lstat", Group::Shell, OLD, "newfstatat's old spelling"),
    x86("open", Group::Shell, OLD, "openat's old spelling"),
    x86("pipe", Group::Shell, OLD, "pipe2's old spelling"),
    x86("poll", Group::Shell, OLD, "ppoll's old spelling"),
    x86("readlink", Group::Shell, OLD, "readlinkat's old spelling"),
    x86("stat", Group::Shell, OLD, "newfstatat's old spelling"),
    x86("vfork", Group::Shell, OLD, "clone's old spelling"),

    x86("alarm", Group::OldSpelling, OLD, "setitimer's old spelling"),
    x86("chmod", Group::OldSpelling, OLD, "fchmodat's old spelling; OpenClaw does not start without it"),
    x86("chown", Group::OldSpelling, OLD, "fchownat's old spelling"),
    x86("creat", Group::OldSpelling, OLD, "openat's old spelling, used by tar"),
    x86("epoll_create", Group::OldSpelling, OLD, "epoll_create1's old spelling; Redis does not start without it"),
    x86("eventfd", Group::OldSpelling, OLD, "eventfd2's old spelling"),
    x86("getdents", Group::OldSpelling, OLD, "getdents64's old spelling"),
    x86("inotify_init", Group::OldSpelling, OLD, "inotify_init1's old spelling"),
    x86("lchown", Group::OldSpelling, OLD, "fchownat's old spelling"),
    x86("link", Group::OldSpelling, OLD, "linkat's old spelling"),
    x86("mkdir", Group::OldSpelling, OLD, "mkdirat's old spelling"),
    x86("mknod", Group::OldSpelling, OLD, "mknodat's old spelling; devices are filtered out"),
    x86("pause", Group::OldSpelling, OLD, "rt_sigsuspend's old spelling"),
    x86("rename", Group::OldSpelling, OLD, "renameat's old spelling"),
    x86("rmdir", Group::OldSpelling, OLD, "unlinkat's old spelling"),
    x86("select", Group::OldSpelling, OLD, "pselect6's old spelling"),
    x86("symlink", Group::OldSpelling, OLD, "symlinkat's old spelling"),
    x86("time", Group::OldSpelling, OLD, "clock_gettime's old spelling"),
    x86("unlink", Group::OldSpelling, OLD, "unlinkat's old spelling"),
    x86("utimes", Group::OldSpelling, OLD, "utimensat's old spelling"),

    both("copy_file_range", Group::Libc, (4, 5), "copy in the kernel").or("cp, Go and Rust read and write instead, libuv calls `sendfile`"),
    both("accept", Group::Libc, OLD, "take a connection"),
    both("clock_getres", Group::Libc, OLD, "resolution of a clock"),
    both("epoll_pwait2", Group::Libc, (5, 11), "event loop with nanoseconds"),
    both("fadvise64", Group::Libc, OLD, "how a file will be read").or("it is advice, and its callers pass over the answer"),
    both("fallocate", Group::Libc, OLD, "reserve room in a file"),
    both("fchdir", Group::Libc, OLD, "working directory, as tree walkers set"),
    both("fchmodat2", Group::Libc, (6, 6), "permissions without following links"),
    both("fchown", Group::Libc, OLD, "owner of an open file"),
    both("getcpu", Group::Libc, OLD, "which processor am I on"),
    both("getgroups", Group::Libc, OLD, "further groups"),
    both("getpgid", Group::Libc, OLD, "process group of another"),
    both("getpriority", Group::Libc, OLD, "nice value"),
    both("getresgid", Group::Libc, OLD, "which groups am I"),
    both("getresuid", Group::Libc, OLD, "which users am I"),
    both("getrlimit", Group::Libc, OLD, "own limits"),
    both("getrusage", Group::Libc, OLD, "own use of resources"),
    both("getsid", Group::Libc, OLD, "session of another"),
    both("gettimeofday", Group::Libc, OLD, "what time is it"),
    both("membarrier", Group::Libc, (4, 3), "order memory between threads"),
    both("mincore", Group::Libc, OLD, "which pages are in memory"),
    both("mlock", Group::Libc, OLD, "keep keys out of swap"),
    both("mlock2", Group::Libc, (4, 4), "keep keys out of swap"),
    both("msync", Group::Libc, OLD, "a mapped file to disk"),
    both("munlock", Group::Libc, OLD, "undo mlock"),
    both("preadv", Group::Libc, OLD, "read at a position into several buffers"),
    both("preadv2", Group::Libc, (4, 6), "read at a position into several buffers"),
    both("pselect6", Group::Libc, OLD, "wait for descriptors"),
    both("pwritev", Group::Libc, OLD, "write several buffers at a position"),
    both("pwritev2", Group::Libc, (4, 6), "write several buffers at a position"),
    both("readahead", Group::Libc, OLD, "read a file ahead"),
    both("rt_sigpending", Group::Libc, OLD, "signals that wait"),
    both("rt_sigqueueinfo", Group::Libc, OLD, "a signal with a value"),
    both("sched_get_priority_max", Group::Libc, OLD, "range of priorities"),
    both("sched_get_priority_min", Group::Libc, OLD, "range of priorities"),
    both("sched_getattr", Group::Libc, (3, 14), "scheduling of a thread"),
    both("sched_getparam", Group::Libc, OLD, "scheduling of a thread"),
    both("sched_getscheduler", Group::Libc, OLD, "scheduling of a thread"),
    both("sched_setaffinity", Group::Libc, OLD, "keep a thread on a processor"),
    both("seccomp", Group::Libc, (3, 17), "confine oneself further"),
    both("setpriority", Group::Libc, OLD, "be nicer"),
    both("setrlimit", Group::Libc, OLD, "lower own limits"),
    both("setsid", Group::Libc, OLD, "session, as daemons make"),
    both("signalfd4", Group::Libc, OLD, "signals as a descriptor"),
    both("syncfs", Group::Libc, OLD, "a file system to disk"),
    both("tee", Group::Libc, OLD, "copy a pipe"),
    both("times", Group::Libc, OLD, "own use of processor time"),
    both("tkill", Group::Libc, OLD, "signal a thread, as musl does"),
    both("truncate", Group::Libc, OLD, "length of a file"),
    both("umask", Group::Libc, OLD, "permissions of new files"),

    both("setitimer", Group::Timers, OLD, "signal after a time"),
    both("timer_create", Group::Timers, OLD, "signal after a time"),
    both("timer_delete", Group::Timers, OLD, "signal after a time"),
    both("timer_getoverrun", Group::Timers, OLD, "signal after a time"),
    both("timer_gettime", Group::Timers, OLD, "signal after a time"),
    both("timer_settime", Group::Timers, OLD, "signal after a time"),
    both("timerfd_create", Group::Timers, OLD, "timer as a descriptor"),
    both("timerfd_gettime", Group::Timers, OLD, "timer as a descriptor"),
    both("timerfd_settime", Group::Timers, OLD, "timer as a descriptor"),

    both("fgetxattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("flistxattr", Group::Attributes, OLD, "extended attributes").or(NO_ATTRIBUTES),
    both("fremovexattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("fsetxattr", Group::Attributes, OLD, "extended attribute, as `cp -a` and `sed -i` copy").or(NO_ATTRIBUTES),
    both("getxattr", Group::Attributes, OLD, "extended attribute, as `ls -l` shows").or(NO_ATTRIBUTES),
    both("lgetxattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("listxattr", Group::Attributes, OLD, "extended attributes").or(NO_ATTRIBUTES),
    both("llistxattr", Group::Attributes, OLD, "extended attributes").or(NO_ATTRIBUTES),
    both("lremovexattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("lsetxattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("removexattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),
    both("setxattr", Group::Attributes, OLD, "extended attribute").or(NO_ATTRIBUTES),

    both("mknodat", Group::Nodes, OLD, "make a FIFO; devices are filtered out"),

    both("capget", Group::Ids, OLD, "own capabilities"),
    both("capset", Group::Ids, OLD, "drop capabilities"),
    both("setgid", Group::Ids, OLD, "drop from root"),
    both("setgroups", Group::Ids, OLD, "drop from root"),
    both("setresgid", Group::Ids, OLD, "drop from root"),
    both("setresuid", Group::Ids, OLD, "drop from root"),
    both("setuid", Group::Ids, OLD, "drop from root"),

    both("memfd_create", Group::Anonymous, (3, 17), "a file in memory; it can be executed whatever the mounts say"),
    both("execveat", Group::Anonymous, (3, 19), "run an open file, one in memory too"),

    both("semctl", Group::Database, OLD, "System V semaphores"),
    both("semget", Group::Database, OLD, "System V semaphores"),
    both("semop", Group::Database, OLD, "System V semaphores"),
    both("semtimedop", Group::Database, OLD, "System V semaphores"),
    both("shmat", Group::Database, OLD, "System V shared memory, as PostgreSQL guards its folder with"),
    both("shmctl", Group::Database, OLD, "System V shared memory"),
    both("shmdt", Group::Database, OLD, "System V shared memory"),
    both("shmget", Group::Database, OLD, "System V shared memory"),
    both("sync_file_range", Group::Database, OLD, "part of a file to disk"),

    both("getitimer", Group::Older, OLD, "time left of a timer"),
    both("rt_tgsigqueueinfo", Group::Older, OLD, "a signal with a value to a thread"),
    both("setfsgid", Group::Older, OLD, "identity for files alone, for file servers"),
    both("setfsuid", Group::Older, OLD, "identity for files alone, for file servers"),
    both("setregid", Group::Older, OLD, "superseded by the setres calls"),
    both("setreuid", Group::Older, OLD, "superseded by the setres calls"),
    x86("futimesat", Group::Older, OLD, "utimensat's old spelling"),
    x86("signalfd", Group::Older, OLD, "signalfd4's old spelling"),
    x86("utime", Group::Older, OLD, "utimensat's old spelling"),

    both("clone3", Group::Unfilterable, (5, 3), "its flags are in memory, where a filter cannot read them: `clone` is used instead"),

    both("landlock_add_rule", Group::Landlock, (5, 13), "confine oneself further"),
    both("landlock_create_ruleset", Group::Landlock, (5, 13), "confine oneself further"),
    both("landlock_restrict_self", Group::Landlock, (5, 13), "confine oneself further"),

    both("msgctl", Group::Queues, OLD, "System V queues; messages shape the kernel's heap in many exploits"),
    both("msgget", Group::Queues, OLD, "System V queues"),
    both("msgrcv", Group::Queues, OLD, "System V queues"),
    both("msgsnd", Group::Queues, OLD, "System V queues"),
    both("mq_getsetattr", Group::Queues, OLD, "POSIX queues"),
    both("mq_notify", Group::Queues, OLD, "POSIX queues; a use-after-free in 2017"),
    both("mq_open", Group::Queues, OLD, "POSIX queues"),
    both("mq_timedreceive", Group::Queues, OLD, "POSIX queues"),
    both("mq_timedsend", Group::Queues, OLD, "POSIX queues"),
    both("mq_unlink", Group::Queues, OLD, "POSIX queues"),

    both("io_cancel", Group::Aio, OLD, "old asynchronous reading"),
    both("io_destroy", Group::Aio, OLD, "old asynchronous reading"),
    both("io_getevents", Group::Aio, OLD, "old asynchronous reading"),
    both("io_pgetevents", Group::Aio, (4, 18), "old asynchronous reading"),
    both("io_setup", Group::Aio, OLD, "old asynchronous reading; programs use threads where it is missing"),
    both("io_submit", Group::Aio, OLD, "old asynchronous reading"),

    both("io_uring_enter", Group::IoUring, (5, 1), "work that no filter sees; programs use threads or epoll where it is missing"),
    both("io_uring_register", Group::IoUring, (5, 1), "work that no filter sees"),
    both("io_uring_setup", Group::IoUring, (5, 1), "work that no filter sees"),

    both("cachestat", Group::Rare, (6, 5), "what the page cache holds, of others too"),
    both("fanotify_mark", Group::Rare, OLD, "useless without fanotify_init"),
    both("file_getattr", Group::Rare, (6, 17), "file flags; older ways are used where it is missing"),
    both("file_setattr", Group::Rare, (6, 17), "file flags; older ways are used where it is missing"),
    both("futex_requeue", Group::Rare, (6, 7), "futex in parts; nothing uses it yet"),
    both("futex_wait", Group::Rare, (6, 7), "futex in parts; nothing uses it yet"),
    both("futex_waitv", Group::Rare, (5, 16), "several futexes, for Windows games"),
    both("futex_wake", Group::Rare, (6, 7), "futex in parts; nothing uses it yet"),
    both("get_robust_list", Group::Rare, OLD, "addresses in another process"),
    both("getxattrat", Group::Rare, (6, 13), "extended attribute; older spellings are used where it is missing"),
    both("ioprio_get", Group::Rare, OLD, "disk priority"),
    both("ioprio_set", Group::Rare, OLD, "disk priority"),
    both("listmount", Group::Rare, (6, 8), "mounts as a list"),
    both("listxattrat", Group::Rare, (6, 13), "extended attribute; older spellings are used where it is missing"),
    both("map_shadow_stack", Group::Rare, (6, 6), "shadow stack, made by the C library where the kernel says so"),
    both("memfd_secret", Group::Rare, (5, 14), "memory that the kernel itself cannot read"),
    both("mlockall", Group::Rare, OLD, "keep all memory out of swap"),
    both("mseal", Group::Rare, (6, 10), "seal mappings"),
    both("munlockall", Group::Rare, OLD, "undo mlockall"),
    both("name_to_handle_at", Group::Rare, OLD, "half of the escape by file handles"),
    both("pkey_alloc", Group::Rare, (4, 9), "memory protection keys; V8 asks and does without"),
    both("pkey_free", Group::Rare, (4, 9), "memory protection keys"),
    both("pkey_mprotect", Group::Rare, (4, 9), "memory protection keys"),
    both("process_mrelease", Group::Rare, (5, 15), "for out-of-memory daemons"),
    both("remap_file_pages", Group::Rare, OLD, "superseded; source of many bugs"),
    both("removexattrat", Group::Rare, (6, 13), "extended attribute; older spellings are used where it is missing"),
    both("sched_rr_get_interval", Group::Rare, OLD, "real-time scheduling"),
    both("sched_setattr", Group::Rare, (3, 14), "real-time scheduling"),
    both("sched_setparam", Group::Rare, OLD, "real-time scheduling"),
    both("sched_setscheduler", Group::Rare, OLD, "real-time scheduling"),
    both("setxattrat", Group::Rare, (6, 13), "extended attribute; older spellings are used where it is missing"),
    both("statmount", Group::Rare, (6, 8), "about a mount"),
    both("sync", Group::Rare, OLD, "every disk of the host"),
    both("vmsplice", Group::Rare, OLD, "memory into a pipe; part of several exploits"),
    x86("get_thread_area", Group::Rare, OLD, "32-bit thread pointer"),
    x86("set_thread_area", Group::Rare, OLD, "32-bit thread pointer"),

    both("adjtimex", Group::Clock, OLD, "steer the host's clock"),
    both("clock_adjtime", Group::Clock, OLD, "steer the host's clock"),
    both("clock_settime", Group::Clock, OLD, "set the host's clock"),
    both("settimeofday", Group::Clock, OLD, "set the host's clock"),

    both("personality", Group::Personality, OLD, "switches address randomisation off"),

    both("add_key", Group::Keys, OLD, "key rings are not namespaced"),
    both("keyctl", Group::Keys, OLD, "key rings are not namespaced"),
    both("request_key", Group::Keys, OLD, "key rings are not namespaced; starts a program of the host"),

    both("kcmp", Group::Debug, (3, 5), "compare kernel pointers of two processes"),
    both("pidfd_getfd", Group::Debug, (5, 6), "take another process's descriptors"),
    both("process_madvise", Group::Debug, (5, 10), "another process's memory"),
    both("process_vm_readv", Group::Debug, (3, 2), "read another process's memory"),
    both("process_vm_writev", Group::Debug, (3, 2), "write another process's memory"),
    both("ptrace", Group::Debug, OLD, "take over another process"),

    both("bpf", Group::Probe, (3, 18), "programs in the kernel"),
    both("perf_event_open", Group::Probe, OLD, "counters and kernel addresses"),
    both("userfaultfd", Group::Probe, (4, 3), "holds the kernel still in the middle of a copy; part of many exploits"),
    both("lookup_dcookie", Group::Probe, OLD, "profiler's names of files"),
    x86("modify_ldt", Group::Probe, OLD, "16-bit segments; source of many bugs"),

    both("fanotify_init", Group::Files, OLD, "watch a whole file system, the host's too"),
    both("open_by_handle_at", Group::Files, OLD, "opens the host's files by number"),
    both("quotactl", Group::Files, OLD, "disk quotas"),
    both("quotactl_fd", Group::Files, (5, 14), "disk quotas"),
    both("chroot", Group::Files, OLD, "escape from folders held open"),

    both("fsconfig", Group::Mounts, (5, 2), "mount in steps"),
    both("fsmount", Group::Mounts, (5, 2), "mount in steps"),
    both("fsopen", Group::Mounts, (5, 2), "mount in steps; heap overflow in 2022"),
    both("fspick", Group::Mounts, (5, 2), "mount in steps"),
    both("mount", Group::Mounts, OLD, "change what is where"),
    both("mount_setattr", Group::Mounts, (5, 12), "make a read-only mount writable"),
    both("move_mount", Group::Mounts, (5, 2), "change what is where"),
    both("open_tree", Group::Mounts, (5, 2), "copy a mount"),
    both("open_tree_attr", Group::Mounts, (6, 15), "copy a mount with other flags"),
    both("pivot_root", Group::Mounts, OLD, "change the root"),
    both("umount2", Group::Mounts, OLD, "uncover what a mount hides"),

    both("setdomainname", Group::Namespaces, OLD, "name of the machine"),
    both("sethostname", Group::Namespaces, OLD, "name of the machine"),
    both("setns", Group::Namespaces, (3, 0), "enter another namespace"),
    both("unshare", Group::Namespaces, OLD, "root in a namespace of one's own, and with it the kernel's untested parts"),

    both("get_mempolicy", Group::Numa, OLD, "memory of several sockets"),
    both("mbind", Group::Numa, OLD, "memory of several sockets"),
    both("migrate_pages", Group::Numa, OLD, "memory of several sockets"),
    both("move_pages", Group::Numa, OLD, "memory of several sockets"),
    both("set_mempolicy", Group::Numa, OLD, "memory of several sockets"),
    both("set_mempolicy_home_node", Group::Numa, (5, 17), "memory of several sockets"),

    both("lsm_get_self_attr", Group::Lsm, (6, 8), "own AppArmor label"),
    both("lsm_list_modules", Group::Lsm, (6, 8), "which security modules are there"),
    both("lsm_set_self_attr", Group::Lsm, (6, 8), "change own AppArmor label"),

    both("reboot", Group::Machine, OLD, "restart the machine"),
    both("syslog", Group::Machine, OLD, "kernel messages, with addresses in them"),
    both("vhangup", Group::Machine, OLD, "hang the terminal up"),

    both("acct", Group::Kernel, OLD, "accounting of the whole machine"),
    both("delete_module", Group::Kernel, OLD, "unload kernel code"),
    both("finit_module", Group::Kernel, (3, 8), "load kernel code"),
    both("init_module", Group::Kernel, OLD, "load kernel code"),
    both("kexec_file_load", Group::Kernel, (3, 17), "replace the kernel"),
    both("kexec_load", Group::Kernel, OLD, "replace the kernel"),
    both("swapoff", Group::Kernel, OLD, "swap of the whole machine"),
    both("swapon", Group::Kernel, OLD, "swap of the whole machine"),
    x86("ioperm", Group::Kernel, OLD, "talk to hardware"),
    x86("iopl", Group::Kernel, OLD, "talk to hardware"),

    both("nfsservctl", Group::Gone, OLD, "removed from the kernel in 3.1"),
    x86("_sysctl", Group::Gone, OLD, "removed from the kernel in 5.5"),
    x86("afs_syscall", Group::Gone, OLD, "never implemented"),
    x86("create_module", Group::Gone, OLD, "removed from the kernel in 2.6"),
    x86("epoll_ctl_old", Group::Gone, OLD, "never implemented"),
    x86("epoll_wait_old", Group::Gone, OLD, "never implemented"),
    x86("get_kernel_syms", Group::Gone, OLD, "removed from the kernel in 2.6"),
    x86("getpmsg", Group::Gone, OLD, "never implemented"),
    x86("putpmsg", Group::Gone, OLD, "never implemented"),
    x86("query_module", Group::Gone, OLD, "removed from the kernel in 2.6"),
    x86("security", Group::Gone, OLD, "never implemented"),
    x86("sysfs", Group::Gone, OLD, "kinds of file systems; /proc/filesystems is used"),
    x86("tuxcall", Group::Gone, OLD, "never implemented"),
    x86("uselib", Group::Gone, OLD, "a.out libraries"),
    x86("ustat", Group::Gone, OLD, "statfs's old spelling"),
    x86("vserver", Group::Gone, OLD, "never implemented"),
];
