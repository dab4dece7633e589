//! The numbers of system calls, by architecture.
//!
//! Deliberately absent: calls that no attempt makes.

use std::ffi::c_long;

/// One constant a call: its number on `x86_64` (`asm/unistd_64.h`) and on `aarch64` (`asm-generic/unistd.h`), where -1
/// stands for a call that the architecture does not have: the kernel answers ENOSYS.
macro_rules! numbers {
    ($($name:ident $x86_64:literal $aarch64:literal)*) => {
        $(
            #[cfg(target_arch = "x86_64")]
            pub(crate) const $name: c_long = $x86_64;
            #[cfg(target_arch = "aarch64")]
            pub(crate) const $name: c_long = $aarch64;
        )*
    };
}

numbers! {
    ACCT 163 89
    ADD_KEY 248 217
    ADJTIMEX 159 171
    BPF 321 280
    CHROOT 161 51
    CLOCK_ADJTIME 305 266
    CLONE 56 220
    CLONE3 435 435
    DELETE_MODULE 176 106
    EXECVEAT 322 281
    EXIT 60 93
    FANOTIFY_INIT 300 262
    FCHOWNAT 260 54
    FINIT_MODULE 313 273
    FSOPEN 430 430
    GETEUID 107 175
    INIT_MODULE 175 105
    IOCTL 16 29
    IOPERM 173 -1
    IOPL 172 -1
    IO_SETUP 206 0
    IO_URING_SETUP 425 425
    KCMP 312 272
    KEXEC_FILE_LOAD 320 294
    KEXEC_LOAD 246 104
    KEYCTL 250 219
    KILL 62 129
    MEMFD_CREATE 319 279
    MKDIRAT 258 34
    MKNODAT 259 33
    MMAP 9 222
    MODIFY_LDT 154 -1
    MOUNT 165 40
    MOUNT_SETATTR 442 442
    MQ_OPEN 240 180
    MQ_UNLINK 241 181
    MSGCTL 71 187
    MSGGET 68 186
    MSGSND 69 189
    NAME_TO_HANDLE_AT 303 264
    NANOSLEEP 35 101
    OPEN_BY_HANDLE_AT 304 265
    OPEN_TREE 428 428
    PERF_EVENT_OPEN 298 241
    PERSONALITY 135 92
    PIDFD_GETFD 438 438
    PIDFD_OPEN 434 434
    PIVOT_ROOT 155 41
    PRCTL 157 167
    PRLIMIT64 302 261
    PROCESS_VM_READV 310 270
    PROCESS_VM_WRITEV 311 271
    PTRACE 101 117
    QUOTACTL 179 60
    REBOOT 169 142
    REQUEST_KEY 249 218
    SCHED_SETSCHEDULER 144 119
    SEMGET 64 190
    SETDOMAINNAME 171 162
    SETGROUPS 116 159
    SETHOSTNAME 170 161
    SETNS 308 268
    SETPRIORITY 141 140
    SETSID 112 157
    SETTIMEOFDAY 164 170
    SETUID 105 146
    SHMGET 29 194
    SOCKET 41 198
    SWAPOFF 168 225
    SWAPON 167 224
    SYSLOG 103 116
    UMOUNT2 166 39
    UNLINKAT 263 35
    UNSHARE 272 97
    USERFAULTFD 323 282
    VHANGUP 153 58
    VMSPLICE 278 75
    WAIT4 61 260
}
