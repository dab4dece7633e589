//! What every container keeps, whatever was recorded: the calls between the filter and the service's own program.
//!
//! runc loads the filter and then still is a Go program that closes descriptors, waits for `start` and executes; the
//! engine's init starts the service and reaps; the dynamic loader and the C library set a process up; a program that
//! confines itself with Landlock may stand in between. `realloc` moves what is large: the sizes of one run decide whether it was
//! heard. Deliberately absent: what a service itself uses.

use crate::confinement::Arch;

/// Whether a call is kept on an architecture.
pub fn keeps(name: &str, arch: Arch) -> bool {
    // A C library calls it by its old spelling, where there is one.
    let spelled = name != "ppoll" || arch == Arch::Aarch64;
    spelled && FLOOR.binary_search_by_key(&name, |(kept, _)| kept).is_ok()
}

/// Each call, and who needs it, by name: they are searched by halves.
#[rustfmt::skip]
pub const FLOOR: &[(&str, &str)] = &[
    ("access", "loader"), ("arch_prctl", "loader"), ("brk", "loader"), ("clock_gettime", "runc"), ("clone", "runc"),
    ("close", "runc"), ("epoll_create1", "runc"), ("epoll_ctl", "runc"),
    ("epoll_pwait", "runc"), ("eventfd2", "runc"), ("execve", "runc"), ("exit", "runc"), ("exit_group", "init"),
    ("fcntl", "runc"), ("fstat", "runc"), ("fstatfs", "runc"), ("futex", "runc"), ("getdents64", "runc"),
    ("getpgrp", "init"), ("getpid", "runc"), ("getppid", "init"), ("getrandom", "loader"), ("gettid", "runc"),
    ("ioctl", "init"), ("kill", "init"), ("landlock_add_rule", "Landlock"), ("landlock_create_ruleset", "Landlock"),
    ("landlock_restrict_self", "Landlock"), ("madvise", "runc"), ("mmap", "loader"), ("mprotect", "loader"),
    ("mremap", "realloc"), ("munmap", "loader"), ("nanosleep", "runc"), ("newfstatat", "loader"), ("openat", "runc"),
    ("openat2", "runc"), ("poll", "Landlock"), ("ppoll", "Landlock"), ("prctl", "Landlock"), ("pread64", "loader"),
    ("prlimit64", "loader"), ("read", "runc"), ("readlink", "init"), ("readlinkat", "runc"), ("recvfrom", "runc"),
    ("restart_syscall", "kernel"), ("rt_sigaction", "init"), ("rt_sigprocmask", "init"),
    ("rt_sigreturn", "kernel"), ("rt_sigtimedwait", "init"), ("sched_getaffinity", "Landlock"),
    ("sched_yield", "runc"), ("set_robust_list", "loader"), ("set_tid_address", "loader"), ("setpgid", "init"),
    ("sigaltstack", "runc"), ("statx", "runc"), ("tgkill", "runc"), ("uretprobe", "kernel"), ("wait4", "init"),
    ("write", "runc"),
];

#[cfg(test)]
mod tests {
    use super::FLOOR;

    #[test]
    fn what_is_searched_by_halves_is_in_order() {
        assert!(FLOOR.is_sorted_by(|(one, _), (next, _)| one < next));
    }
}
