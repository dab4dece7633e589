//! Calls that reach deep into the kernel, and that exploits begin with.
//!
//! Deliberately absent: an exploit; that the call is answered is enough.

use std::io::{Result, pipe};

use crate::kernel::{call, descriptor, path, pointer, pointer_mut, zero};
use crate::number;
use crate::row::{Attempt, Class, Layer, Needs};

const FILTER: &[Layer] = &[Layer::Seccomp];

pub(crate) const CLASS: Class = Class {
    name: "kernel interfaces",
    attempts: &[
        Attempt {
            id: "bpf-map",
            tries: "`bpf` makes a map",
            done: "it keeps data in the kernel, for programs there",
            why: "the first step to a program in the kernel",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: bpf_map,
            needs: Needs::Rights,
        },
        Attempt {
            id: "bpf-program",
            tries: "`bpf` loads a socket filter",
            done: "a program of its own runs in the kernel",
            why: "what checks such programs has had a line of bugs (CVE-2021-3490, CVE-2023-2163)",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: bpf_program,
            needs: Needs::Rights,
        },
        Attempt {
            id: "io-uring",
            tries: "`io_uring_setup`",
            done: "it opens, connects and writes by a ring that no filter sees",
            why: "it passes by seccomp, and has had a line of escapes",
            layers: FILTER,
            run: io_uring,
            needs: Needs::Rights,
        },
        Attempt {
            id: "aio",
            tries: "`io_setup`",
            done: "it has a ring in the kernel",
            why: "old code with a line of bugs, and no service needs it",
            layers: FILTER,
            run: aio,
            needs: Needs::Rights,
        },
        Attempt {
            id: "perf",
            tries: "`perf_event_open` on itself",
            done: "it counts in hardware",
            why: "kernel addresses, secrets by timing, and a line of bugs",
            layers: FILTER,
            run: perf,
            needs: Needs::Rights,
        },
        Attempt {
            id: "userfaultfd",
            tries: "`userfaultfd` for its own memory",
            done: "it can hold the kernel still in the middle of a copy",
            why: "it makes races in the kernel easy to win; part of many exploits",
            layers: FILTER,
            run: || zero(&[number::USERFAULTFD, 1]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "keyctl",
            tries: "`keyctl` asks for its session's key ring",
            done: "it uses the kernel's key rings",
            why: "they are not namespaced: another container's keys are in reach",
            layers: FILTER,
            run: || zero(&[number::KEYCTL, 0, -3, 1]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "add-key",
            tries: "`add_key` of a key of its own",
            done: "it stores in kernel memory",
            why: "memory of a chosen size and content, which exploits need",
            layers: FILTER,
            run: || zero(&[number::ADD_KEY, path("user"), path("attack"), path("x"), 1, -2]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "request-key",
            tries: "`request_key` of a key that is there",
            done: "it asks the host's key store",
            why: "for a key that is not there the kernel starts a program of the host",
            layers: FILTER,
            run: || {
                zero(&[number::ADD_KEY, path("user"), path("attack"), path("x"), 1, -2])?;
                zero(&[number::REQUEST_KEY, path("user"), path("attack"), 0, -2])
            },
            needs: Needs::Rights,
        },
        Attempt {
            id: "personality",
            tries: "`personality` with `ADDR_NO_RANDOMIZE`",
            done: "what it executes next has known addresses",
            why: "an exploit need not guess",
            layers: FILTER,
            run: || zero(&[number::PERSONALITY, 0x0040_0000]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "modify-ldt",
            tries: "`modify_ldt` reads its own table",
            done: "the kernel serves 16-bit segments",
            why: "code from another age, with a line of bugs (CVE-2017-17053)",
            layers: FILTER,
            run: || zero(&[number::MODIFY_LDT, 0, pointer_mut(&mut [0_u64; 2]), 16]),
            needs: Needs::Machine("modify_ldt"),
        },
        Attempt {
            id: "vmsplice",
            tries: "`vmsplice` of its memory into a pipe",
            done: "a pipe holds its pages",
            why: "part of exploits that write where they may only read (CVE-2008-0600, CVE-2020-29374)",
            layers: FILTER,
            run: vmsplice,
            needs: Needs::Rights,
        },
    ],
};

fn bpf_map() -> Result<()> {
    let mut attributes = [0_u32; 32];
    // An array of one value of four bytes.
    attributes[..4].copy_from_slice(&[2, 4, 4, 1]);
    zero(&[number::BPF, 0, pointer(&attributes), 128])
}

fn bpf_program() -> Result<()> {
    // `r0 = 0; exit`.
    let program: [u64; 2] = [0xb7, 0x95];
    let licence = path("GPL").cast_unsigned();
    let mut attributes = [0_u64; 16];
    // BPF_PROG_TYPE_SOCKET_FILTER and two instructions, where they are, and the licence.
    attributes[..3].copy_from_slice(&[1 | (2 << 32), pointer(&program).cast_unsigned(), licence]);
    zero(&[number::BPF, 5, pointer(&attributes), 128])
}

fn io_uring() -> Result<()> {
    let mut parameters = [0_u32; 30];
    zero(&[number::IO_URING_SETUP, 1, pointer_mut(&mut parameters)])
}

fn aio() -> Result<()> {
    let mut context = 0_u64;
    zero(&[number::IO_SETUP, 1, pointer_mut(&mut context)])
}

fn perf() -> Result<()> {
    let mut attributes = [0_u32; 28];
    // A software event of 112 bytes' description, disabled, without the kernel's and the hypervisor's part.
    attributes[0] = 1;
    attributes[1] = 112;
    attributes[10] = 0x61;
    zero(&[number::PERF_EVENT_OPEN, pointer(&attributes), 0, -1, -1, 0])
}

fn vmsplice() -> Result<()> {
    let (_reader, writer) = pipe()?;
    let page = [0_u8; 64];
    let vector: [i64; 2] = [pointer(&page), 64];
    call(&[number::VMSPLICE, descriptor(&writer), pointer(&vector), 1, 0]).map(drop)
}
