//! The numbers of the system calls: what a filter and the kernel's log call them by.
//!
//! `asm/unistd_64.h` and `asm-generic/unistd.h` of Linux 6.17; a test compares them with another table. Deliberately
//! absent: what a call is for; that is [`crate::syscalls`].

use crate::confinement::Arch;

/// The name of a call on this architecture.
pub fn name(arch: Arch, number: u32) -> Option<&'static str> {
    NUMBERS.iter().find(|row| row.on(arch) == Some(number)).map(|row| row.0)
}

/// The number of a call on this architecture.
pub fn number(arch: Arch, name: &str) -> Option<u32> {
    NUMBERS.iter().find(|row| row.0 == name).and_then(|row| row.on(arch))
}

/// What the kernel calls an architecture in a filter and in its log: `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_AARCH64`.
pub const fn audit_arch(arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => 0xc000_003e,
        Arch::Aarch64 => 0xc000_00b7,
    }
}

/// Name, number on `x86_64`, number on `aarch64`; [`NONE`] where it does not exist.
#[derive(Clone, Copy, Debug)]
struct Numbers(&'static str, u32, u32);

/// No number.
const NONE: u32 = u32::MAX;

impl Numbers {
    fn on(self, arch: Arch) -> Option<u32> {
        let number = match arch {
            Arch::X86_64 => self.1,
            Arch::Aarch64 => self.2,
        };
        Some(number).filter(|number| *number != NONE)
    }
}

/// The table, by name.
#[rustfmt::skip]
const NUMBERS: &[Numbers] = &[
    Numbers("_sysctl", 156, NONE), Numbers("accept", 43, 202), Numbers("accept4", 288, 242),
    Numbers("access", 21, NONE), Numbers("acct", 163, 89), Numbers("add_key", 248, 217),
    Numbers("adjtimex", 159, 171), Numbers("afs_syscall", 183, NONE), Numbers("alarm", 37, NONE),
    Numbers("arch_prctl", 158, NONE), Numbers("bind", 49, 200), Numbers("bpf", 321, 280), Numbers("brk", 12, 214),
    Numbers("cachestat", 451, 451), Numbers("capget", 125, 90), Numbers("capset", 126, 91),
    Numbers("chdir", 80, 49), Numbers("chmod", 90, NONE), Numbers("chown", 92, NONE), Numbers("chroot", 161, 51),
    Numbers("clock_adjtime", 305, 266), Numbers("clock_getres", 229, 114), Numbers("clock_gettime", 228, 113),
    Numbers("clock_nanosleep", 230, 115), Numbers("clock_settime", 227, 112), Numbers("clone", 56, 220),
    Numbers("clone3", 435, 435), Numbers("close", 3, 57), Numbers("close_range", 436, 436),
    Numbers("connect", 42, 203), Numbers("copy_file_range", 326, 285), Numbers("creat", 85, NONE),
    Numbers("create_module", 174, NONE), Numbers("delete_module", 176, 106), Numbers("dup", 32, 23),
    Numbers("dup2", 33, NONE), Numbers("dup3", 292, 24), Numbers("epoll_create", 213, NONE),
    Numbers("epoll_create1", 291, 20), Numbers("epoll_ctl", 233, 21), Numbers("epoll_ctl_old", 214, NONE),
    Numbers("epoll_pwait", 281, 22), Numbers("epoll_pwait2", 441, 441), Numbers("epoll_wait", 232, NONE),
    Numbers("epoll_wait_old", 215, NONE), Numbers("eventfd", 284, NONE), Numbers("eventfd2", 290, 19),
    Numbers("execve", 59, 221), Numbers("execveat", 322, 281), Numbers("exit", 60, 93),
    Numbers("exit_group", 231, 94), Numbers("faccessat", 269, 48), Numbers("faccessat2", 439, 439),
    Numbers("fadvise64", 221, 223), Numbers("fallocate", 285, 47), Numbers("fanotify_init", 300, 262),
    Numbers("fanotify_mark", 301, 263), Numbers("fchdir", 81, 50), Numbers("fchmod", 91, 52),
    Numbers("fchmodat", 268, 53), Numbers("fchmodat2", 452, 452), Numbers("fchown", 93, 55),
    Numbers("fchownat", 260, 54), Numbers("fcntl", 72, 25), Numbers("fdatasync", 75, 83),
    Numbers("fgetxattr", 193, 10), Numbers("file_getattr", 468, 468), Numbers("file_setattr", 469, 469),
    Numbers("finit_module", 313, 273), Numbers("flistxattr", 196, 13), Numbers("flock", 73, 32),
    Numbers("fork", 57, NONE), Numbers("fremovexattr", 199, 16), Numbers("fsconfig", 431, 431),
    Numbers("fsetxattr", 190, 7), Numbers("fsmount", 432, 432), Numbers("fsopen", 430, 430),
    Numbers("fspick", 433, 433), Numbers("fstat", 5, 80), Numbers("fstatfs", 138, 44), Numbers("fsync", 74, 82),
    Numbers("ftruncate", 77, 46), Numbers("futex", 202, 98), Numbers("futex_requeue", 456, 456),
    Numbers("futex_wait", 455, 455), Numbers("futex_waitv", 449, 449), Numbers("futex_wake", 454, 454),
    Numbers("futimesat", 261, NONE), Numbers("get_kernel_syms", 177, NONE), Numbers("get_mempolicy", 239, 236),
    Numbers("get_robust_list", 274, 100), Numbers("get_thread_area", 211, NONE), Numbers("getcpu", 309, 168),
    Numbers("getcwd", 79, 17), Numbers("getdents", 78, NONE), Numbers("getdents64", 217, 61),
    Numbers("getegid", 108, 177), Numbers("geteuid", 107, 175), Numbers("getgid", 104, 176),
    Numbers("getgroups", 115, 158), Numbers("getitimer", 36, 102), Numbers("getpeername", 52, 205),
    Numbers("getpgid", 121, 155), Numbers("getpgrp", 111, NONE), Numbers("getpid", 39, 172),
    Numbers("getpmsg", 181, NONE), Numbers("getppid", 110, 173), Numbers("getpriority", 140, 141),
    Numbers("getrandom", 318, 278), Numbers("getresgid", 120, 150), Numbers("getresuid", 118, 148),
    Numbers("getrlimit", 97, 163), Numbers("getrusage", 98, 165), Numbers("getsid", 124, 156),
    Numbers("getsockname", 51, 204), Numbers("getsockopt", 55, 209), Numbers("gettid", 186, 178),
    Numbers("gettimeofday", 96, 169), Numbers("getuid", 102, 174), Numbers("getxattr", 191, 8),
    Numbers("getxattrat", 464, 464), Numbers("init_module", 175, 105), Numbers("inotify_add_watch", 254, 27),
    Numbers("inotify_init", 253, NONE), Numbers("inotify_init1", 294, 26), Numbers("inotify_rm_watch", 255, 28),
    Numbers("io_cancel", 210, 3), Numbers("io_destroy", 207, 1), Numbers("io_getevents", 208, 4),
    Numbers("io_pgetevents", 333, 292), Numbers("io_setup", 206, 0), Numbers("io_submit", 209, 2),
    Numbers("io_uring_enter", 426, 426), Numbers("io_uring_register", 427, 427),
    Numbers("io_uring_setup", 425, 425), Numbers("ioctl", 16, 29), Numbers("ioperm", 173, NONE),
    Numbers("iopl", 172, NONE), Numbers("ioprio_get", 252, 31), Numbers("ioprio_set", 251, 30),
    Numbers("kcmp", 312, 272), Numbers("kexec_file_load", 320, 294), Numbers("kexec_load", 246, 104),
    Numbers("keyctl", 250, 219), Numbers("kill", 62, 129), Numbers("landlock_add_rule", 445, 445),
    Numbers("landlock_create_ruleset", 444, 444), Numbers("landlock_restrict_self", 446, 446),
    Numbers("lchown", 94, NONE), Numbers("lgetxattr", 192, 9), Numbers("link", 86, NONE),
    Numbers("linkat", 265, 37), Numbers("listen", 50, 201), Numbers("listmount", 458, 458),
    Numbers("listxattr", 194, 11), Numbers("listxattrat", 465, 465), Numbers("llistxattr", 195, 12),
    Numbers("lookup_dcookie", 212, 18), Numbers("lremovexattr", 198, 15), Numbers("lseek", 8, 62),
    Numbers("lsetxattr", 189, 6), Numbers("lsm_get_self_attr", 459, 459), Numbers("lsm_list_modules", 461, 461),
    Numbers("lsm_set_self_attr", 460, 460), Numbers("lstat", 6, NONE), Numbers("madvise", 28, 233),
    Numbers("map_shadow_stack", 453, 453), Numbers("mbind", 237, 235), Numbers("membarrier", 324, 283),
    Numbers("memfd_create", 319, 279), Numbers("memfd_secret", 447, 447), Numbers("migrate_pages", 256, 238),
    Numbers("mincore", 27, 232), Numbers("mkdir", 83, NONE), Numbers("mkdirat", 258, 34),
    Numbers("mknod", 133, NONE), Numbers("mknodat", 259, 33), Numbers("mlock", 149, 228),
    Numbers("mlock2", 325, 284), Numbers("mlockall", 151, 230), Numbers("mmap", 9, 222),
    Numbers("modify_ldt", 154, NONE), Numbers("mount", 165, 40), Numbers("mount_setattr", 442, 442),
    Numbers("move_mount", 429, 429), Numbers("move_pages", 279, 239), Numbers("mprotect", 10, 226),
    Numbers("mq_getsetattr", 245, 185), Numbers("mq_notify", 244, 184), Numbers("mq_open", 240, 180),
    Numbers("mq_timedreceive", 243, 183), Numbers("mq_timedsend", 242, 182), Numbers("mq_unlink", 241, 181),
    Numbers("mremap", 25, 216), Numbers("mseal", 462, 462), Numbers("msgctl", 71, 187), Numbers("msgget", 68, 186),
    Numbers("msgrcv", 70, 188), Numbers("msgsnd", 69, 189), Numbers("msync", 26, 227), Numbers("munlock", 150, 229),
    Numbers("munlockall", 152, 231), Numbers("munmap", 11, 215), Numbers("name_to_handle_at", 303, 264),
    Numbers("nanosleep", 35, 101), Numbers("newfstatat", 262, 79), Numbers("nfsservctl", 180, 42),
    Numbers("open", 2, NONE), Numbers("open_by_handle_at", 304, 265), Numbers("open_tree", 428, 428),
    Numbers("open_tree_attr", 467, 467), Numbers("openat", 257, 56), Numbers("openat2", 437, 437),
    Numbers("pause", 34, NONE), Numbers("perf_event_open", 298, 241), Numbers("personality", 135, 92),
    Numbers("pidfd_getfd", 438, 438), Numbers("pidfd_open", 434, 434), Numbers("pidfd_send_signal", 424, 424),
    Numbers("pipe", 22, NONE), Numbers("pipe2", 293, 59), Numbers("pivot_root", 155, 41),
    Numbers("pkey_alloc", 330, 289), Numbers("pkey_free", 331, 290), Numbers("pkey_mprotect", 329, 288),
    Numbers("poll", 7, NONE), Numbers("ppoll", 271, 73), Numbers("prctl", 157, 167), Numbers("pread64", 17, 67),
    Numbers("preadv", 295, 69), Numbers("preadv2", 327, 286), Numbers("prlimit64", 302, 261),
    Numbers("process_madvise", 440, 440), Numbers("process_mrelease", 448, 448),
    Numbers("process_vm_readv", 310, 270), Numbers("process_vm_writev", 311, 271), Numbers("pselect6", 270, 72),
    Numbers("ptrace", 101, 117), Numbers("putpmsg", 182, NONE), Numbers("pwrite64", 18, 68),
    Numbers("pwritev", 296, 70), Numbers("pwritev2", 328, 287), Numbers("query_module", 178, NONE),
    Numbers("quotactl", 179, 60), Numbers("quotactl_fd", 443, 443), Numbers("read", 0, 63),
    Numbers("readahead", 187, 213), Numbers("readlink", 89, NONE), Numbers("readlinkat", 267, 78),
    Numbers("readv", 19, 65), Numbers("reboot", 169, 142), Numbers("recvfrom", 45, 207),
    Numbers("recvmmsg", 299, 243), Numbers("recvmsg", 47, 212), Numbers("remap_file_pages", 216, 234),
    Numbers("removexattr", 197, 14), Numbers("removexattrat", 466, 466), Numbers("rename", 82, NONE),
    Numbers("renameat", 264, 38), Numbers("renameat2", 316, 276), Numbers("request_key", 249, 218),
    Numbers("restart_syscall", 219, 128), Numbers("rmdir", 84, NONE), Numbers("rseq", 334, 293),
    Numbers("rt_sigaction", 13, 134), Numbers("rt_sigpending", 127, 136), Numbers("rt_sigprocmask", 14, 135),
    Numbers("rt_sigqueueinfo", 129, 138), Numbers("rt_sigreturn", 15, 139), Numbers("rt_sigsuspend", 130, 133),
    Numbers("rt_sigtimedwait", 128, 137), Numbers("rt_tgsigqueueinfo", 297, 240),
    Numbers("sched_get_priority_max", 146, 125), Numbers("sched_get_priority_min", 147, 126),
    Numbers("sched_getaffinity", 204, 123), Numbers("sched_getattr", 315, 275), Numbers("sched_getparam", 143, 121),
    Numbers("sched_getscheduler", 145, 120), Numbers("sched_rr_get_interval", 148, 127),
    Numbers("sched_setaffinity", 203, 122), Numbers("sched_setattr", 314, 274), Numbers("sched_setparam", 142, 118),
    Numbers("sched_setscheduler", 144, 119), Numbers("sched_yield", 24, 124), Numbers("seccomp", 317, 277),
    Numbers("security", 185, NONE), Numbers("select", 23, NONE), Numbers("semctl", 66, 191),
    Numbers("semget", 64, 190), Numbers("semop", 65, 193), Numbers("semtimedop", 220, 192),
    Numbers("sendfile", 40, 71), Numbers("sendmmsg", 307, 269), Numbers("sendmsg", 46, 211),
    Numbers("sendto", 44, 206), Numbers("set_mempolicy", 238, 237), Numbers("set_mempolicy_home_node", 450, 450),
    Numbers("set_robust_list", 273, 99), Numbers("set_thread_area", 205, NONE), Numbers("set_tid_address", 218, 96),
    Numbers("setdomainname", 171, 162), Numbers("setfsgid", 123, 152), Numbers("setfsuid", 122, 151),
    Numbers("setgid", 106, 144), Numbers("setgroups", 116, 159), Numbers("sethostname", 170, 161),
    Numbers("setitimer", 38, 103), Numbers("setns", 308, 268), Numbers("setpgid", 109, 154),
    Numbers("setpriority", 141, 140), Numbers("setregid", 114, 143), Numbers("setresgid", 119, 149),
    Numbers("setresuid", 117, 147), Numbers("setreuid", 113, 145), Numbers("setrlimit", 160, 164),
    Numbers("setsid", 112, 157), Numbers("setsockopt", 54, 208), Numbers("settimeofday", 164, 170),
    Numbers("setuid", 105, 146), Numbers("setxattr", 188, 5), Numbers("setxattrat", 463, 463),
    Numbers("shmat", 30, 196), Numbers("shmctl", 31, 195), Numbers("shmdt", 67, 197), Numbers("shmget", 29, 194),
    Numbers("shutdown", 48, 210), Numbers("sigaltstack", 131, 132), Numbers("signalfd", 282, NONE),
    Numbers("signalfd4", 289, 74), Numbers("socket", 41, 198), Numbers("socketpair", 53, 199),
    Numbers("splice", 275, 76), Numbers("stat", 4, NONE), Numbers("statfs", 137, 43),
    Numbers("statmount", 457, 457), Numbers("statx", 332, 291), Numbers("swapoff", 168, 225),
    Numbers("swapon", 167, 224), Numbers("symlink", 88, NONE), Numbers("symlinkat", 266, 36),
    Numbers("sync", 162, 81), Numbers("sync_file_range", 277, 84), Numbers("syncfs", 306, 267),
    Numbers("sysfs", 139, NONE), Numbers("sysinfo", 99, 179), Numbers("syslog", 103, 116), Numbers("tee", 276, 77),
    Numbers("tgkill", 234, 131), Numbers("time", 201, NONE), Numbers("timer_create", 222, 107),
    Numbers("timer_delete", 226, 111), Numbers("timer_getoverrun", 225, 109), Numbers("timer_gettime", 224, 108),
    Numbers("timer_settime", 223, 110), Numbers("timerfd_create", 283, 85), Numbers("timerfd_gettime", 287, 87),
    Numbers("timerfd_settime", 286, 86), Numbers("times", 100, 153), Numbers("tkill", 200, 130),
    Numbers("truncate", 76, 45), Numbers("tuxcall", 184, NONE), Numbers("umask", 95, 166),
    Numbers("umount2", 166, 39), Numbers("uname", 63, 160), Numbers("unlink", 87, NONE),
    Numbers("unlinkat", 263, 35), Numbers("unshare", 272, 97), Numbers("uretprobe", 335, NONE),
    Numbers("uselib", 134, NONE), Numbers("userfaultfd", 323, 282), Numbers("ustat", 136, NONE),
    Numbers("utime", 132, NONE), Numbers("utimensat", 280, 88), Numbers("utimes", 235, NONE),
    Numbers("vfork", 58, NONE), Numbers("vhangup", 153, 58), Numbers("vmsplice", 278, 75),
    Numbers("vserver", 236, NONE), Numbers("wait4", 61, 260), Numbers("waitid", 247, 95), Numbers("write", 1, 64),
    Numbers("writev", 20, 66),
];
