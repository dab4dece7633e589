//! What single calls are answered, by profile: the table of the attacks that seccomp is there for.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use profiles::{Arch, Base};

use crate::compile::{Compiled, numbers, of};

/// One line a call: what each base answers on `x86_64`.
#[track_caller]
fn check(calls: &[(&str, &str, [u64; 3])], expected: &Expect) {
    let bases = Base::ALL.map(|base| (base.name(), Compiled::new(&of(base, Arch::X86_64), Arch::X86_64)));
    let numbers = numbers(Arch::X86_64);
    let mut lines = String::new();
    for &(what, name, [a, b, c]) in calls {
        let answers = bases.iter().map(|(base, compiled)| {
            format!("{base} {:?}", compiled.answer(numbers[name], [a, b, c, 0, 0, 0]))
        });
        writeln!(lines, "{what}: {}", answers.collect::<Vec<_>>().join(", ")).unwrap();
    }
    expected.assert_eq(&lines);
}

#[test]
fn a_clone_with_a_new_namespace_is_refused() {
    check(
        &[
            ("thread", "clone", [0x003d_0f00, 0, 0]),
            ("fork", "clone", [0x0120_0011, 0, 0]),
            ("user", "clone", [0x1000_0011, 0, 0]),
            ("user and network", "clone", [0x5000_0011, 0, 0]),
            ("mount, bit 33 set", "clone", [0x1_0002_0011, 0, 0]),
            ("clone3", "clone3", [0, 0, 0]),
            ("unshare", "unshare", [0x1000_0000, 0, 0]),
            ("setns", "setns", [3, 0, 0]),
        ],
        &expect![[r#"
            thread: go Allow, node Allow, generic Allow
            fork: go Allow, node Allow, generic Allow
            user: go Eperm, node Eperm, generic Eperm
            user and network: go Eperm, node Eperm, generic Eperm
            mount, bit 33 set: go Eperm, node Eperm, generic Eperm
            clone3: go Enosys, node Enosys, generic Enosys
            unshare: go Eperm, node Eperm, generic Eperm
            setns: go Eperm, node Eperm, generic Eperm
        "#]],
    );
}

#[test]
fn socket_kinds_are_an_allow_list() {
    check(
        &[
            ("unix seqpacket", "socket", [1, 5, 0]),
            ("tcp", "socket", [2, 0x8_0801, 0]),
            ("tcp by number", "socket", [2, 1, 6]),
            ("udp6", "socket", [10, 2, 17]),
            ("ping", "socket", [2, 2, 1]),
            ("routes", "socket", [16, 0x8_0003, 0]),
            ("audit", "socket", [16, 3, 9]),
            ("netfilter", "socket", [16, 3, 12]),
            ("raw", "socket", [2, 3, 1]),
            ("sctp", "socket", [2, 1, 132]),
            ("mptcp", "socket", [2, 1, 262]),
            ("packet", "socket", [17, 3, 0x300]),
            ("alg", "socket", [38, 5, 0]),
            ("vsock", "socket", [40, 1, 0]),
            ("alg, bit 33 set", "socket", [0x1_0000_0026, 5, 0]),
            ("unknown", "socket", [46, 1, 0]),
        ],
        &expect![[r#"
            unix seqpacket: go Allow, node Allow, generic Allow
            tcp: go Allow, node Allow, generic Allow
            tcp by number: go Allow, node Allow, generic Allow
            udp6: go Allow, node Allow, generic Allow
            ping: go Allow, node Allow, generic Allow
            routes: go Allow, node Allow, generic Allow
            audit: go Enosys, node Enosys, generic Enosys
            netfilter: go Enosys, node Enosys, generic Enosys
            raw: go Eperm, node Eperm, generic Eperm
            sctp: go Enosys, node Enosys, generic Enosys
            mptcp: go Enosys, node Enosys, generic Enosys
            packet: go Eperm, node Eperm, generic Eperm
            alg: go Eperm, node Eperm, generic Eperm
            vsock: go Eperm, node Eperm, generic Eperm
            alg, bit 33 set: go Enosys, node Enosys, generic Enosys
            unknown: go Enosys, node Enosys, generic Enosys
        "#]],
    );
}

#[test]
fn typing_into_a_terminal_is_refused() {
    check(
        &[
            ("size", "ioctl", [0, 0x5413, 0]),
            ("foreground", "ioctl", [0, 0x5410, 0]),
            ("type", "ioctl", [0, 0x5412, 0]),
            ("paste", "ioctl", [0, 0x541c, 0]),
            ("type, bit 33 set", "ioctl", [0, 0x1_0000_5412, 0]),
            ("neighbour", "ioctl", [0, 0x541e, 0]),
            ("bytes waiting", "ioctl", [0, 0x541b, 0]),
            ("the number of a terminal", "ioctl", [0, 0x8004_5430, 0]),
            ("bytes that go nowhere", "ioctl", [0, 0x0004_5413, 0]),
            ("type, with bytes that go nowhere", "ioctl", [0, 0x0004_5412, 0]),
        ],
        &expect![[r#"
            size: go Allow, node Allow, generic Allow
            foreground: go Allow, node Allow, generic Allow
            type: go Eperm, node Eperm, generic Eperm
            paste: go Eperm, node Eperm, generic Eperm
            type, bit 33 set: go Eperm, node Eperm, generic Eperm
            neighbour: go Allow, node Allow, generic Allow
            bytes waiting: go Allow, node Allow, generic Allow
            the number of a terminal: go Allow, node Allow, generic Allow
            bytes that go nowhere: go Allow, node Allow, generic Allow
            type, with bytes that go nowhere: go Enosys, node Enosys, generic Enosys
        "#]],
    );
}

#[test]
fn devices_are_not_made() {
    check(
        &[
            ("fifo", "mknod", [0, 0o010_644, 0]),
            ("char", "mknod", [0, 0o020_644, 0]),
            ("block", "mknod", [0, 0o060_644, 0]),
            ("fifo at", "mknodat", [0, 0, 0o010_644]),
            ("char at", "mknodat", [0, 0, 0o020_644]),
        ],
        &expect![[r#"
            fifo: go Enosys, node Allow, generic Allow
            char: go Enosys, node Eperm, generic Eperm
            block: go Enosys, node Eperm, generic Eperm
            fifo at: go Enosys, node Allow, generic Allow
            char at: go Enosys, node Eperm, generic Eperm
        "#]],
    );
}

#[test]
fn process_options_are_an_allow_list() {
    check(
        &[
            ("name", "prctl", [15, 0, 0]),
            ("name a mapping", "prctl", [0x5356_4d41, 0, 0]),
            ("move the heap", "prctl", [35, 0, 0]),
            ("let another trace me", "prctl", [0x5961_6d61, 0, 0]),
            ("share a core", "prctl", [62, 0, 0]),
            ("personality", "personality", [0, 0, 0]),
            ("no randomisation", "personality", [0x4_0000, 0, 0]),
        ],
        &expect![[r#"
            name: go Allow, node Allow, generic Allow
            name a mapping: go Allow, node Allow, generic Allow
            move the heap: go Enosys, node Enosys, generic Enosys
            let another trace me: go Enosys, node Enosys, generic Enosys
            share a core: go Enosys, node Enosys, generic Enosys
            personality: go Eperm, node Eperm, generic Eperm
            no randomisation: go Eperm, node Eperm, generic Eperm
        "#]],
    );
}

#[test]
fn doors_into_the_kernel_are_closed() {
    let names = [
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "io_uring_enter",
        "keyctl",
        "add_key",
        "ptrace",
        "process_vm_readv",
        "pidfd_getfd",
        "mount",
        "umount2",
        "pivot_root",
        "fsopen",
        "open_by_handle_at",
        "chroot",
        "init_module",
        "finit_module",
        "kexec_load",
        "iopl",
        "reboot",
        "swapon",
        "syslog",
        "settimeofday",
        "memfd_create",
        "execveat",
        "msgget",
        "semget",
        "shmget",
        "vmsplice",
        "modify_ldt",
    ];
    let known: Vec<_> = names.into_iter().map(|name| (name, name, [0; 3])).collect();
    check(
        &known,
        &expect![[r#"
            bpf: go Eperm, node Eperm, generic Eperm
            perf_event_open: go Eperm, node Eperm, generic Eperm
            userfaultfd: go Eperm, node Eperm, generic Eperm
            io_uring_setup: go Enosys, node Enosys, generic Enosys
            io_uring_enter: go Enosys, node Enosys, generic Enosys
            keyctl: go Eperm, node Eperm, generic Eperm
            add_key: go Eperm, node Eperm, generic Eperm
            ptrace: go Eperm, node Eperm, generic Eperm
            process_vm_readv: go Eperm, node Eperm, generic Eperm
            pidfd_getfd: go Eperm, node Eperm, generic Eperm
            mount: go Eperm, node Eperm, generic Eperm
            umount2: go Eperm, node Eperm, generic Eperm
            pivot_root: go Eperm, node Eperm, generic Eperm
            fsopen: go Eperm, node Eperm, generic Eperm
            open_by_handle_at: go Eperm, node Eperm, generic Eperm
            chroot: go Eperm, node Eperm, generic Eperm
            init_module: go Kill, node Kill, generic Kill
            finit_module: go Kill, node Kill, generic Kill
            kexec_load: go Kill, node Kill, generic Kill
            iopl: go Kill, node Kill, generic Kill
            reboot: go Eperm, node Eperm, generic Eperm
            swapon: go Kill, node Kill, generic Kill
            syslog: go Eperm, node Eperm, generic Eperm
            settimeofday: go Eperm, node Eperm, generic Eperm
            memfd_create: go Enosys, node Enosys, generic Enosys
            execveat: go Enosys, node Enosys, generic Enosys
            msgget: go Eperm, node Eperm, generic Eperm
            semget: go Enosys, node Enosys, generic Allow
            shmget: go Enosys, node Enosys, generic Allow
            vmsplice: go Enosys, node Enosys, generic Enosys
            modify_ldt: go Eperm, node Eperm, generic Eperm
        "#]],
    );
}
