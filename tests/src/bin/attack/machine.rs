//! The machine itself: its kernel, its clock, its power, its hardware.
//!
//! No call has an effect where it is permitted: the kernel asks for permission first, and then finds the arguments
//! meaningless. Deliberately absent: the kernel's files (`kernel_files`).

use std::ffi::c_long;
use std::io::Result;

use crate::kernel::{
    call, errno::EBADF, errno::EINVAL, errno::ENOENT, errno::ENOEXEC, path, permitted, pointer, pointer_mut,
    zero,
};
use crate::number;
use crate::row::{Attempt, Class, Layer, Needs};

const LAYERS: &[Layer] = &[Layer::Seccomp, Layer::Capabilities];

const MODULES: Needs = Needs::Machine("loadable modules");

pub(crate) const CLASS: Class = Class {
    name: "the machine",
    attempts: &[
        Attempt {
            id: "init-module",
            tries: "`init_module` of bytes that are no module",
            done: "it may load kernel code; these bytes are none",
            why: "the whole machine",
            layers: LAYERS,
            run: || permitted(&[number::INIT_MODULE, pointer(&[0_u64; 64]), 512, path("")], &[ENOEXEC]),
            needs: MODULES,
        },
        Attempt {
            id: "finit-module",
            tries: "`finit_module` of a file that is not open",
            done: "it may load kernel code; this file is none",
            why: "the whole machine",
            layers: LAYERS,
            run: || permitted(&[number::FINIT_MODULE, -1, path(""), 0], &[EBADF]),
            needs: MODULES,
        },
        Attempt {
            id: "delete-module",
            tries: "`delete_module` of a name that there is none of",
            done: "it may unload kernel code",
            why: "what guards the machine may be a module",
            layers: LAYERS,
            run: || permitted(&[number::DELETE_MODULE, path("attack-none"), 0o4000], &[ENOENT]),
            needs: MODULES,
        },
        Attempt {
            id: "kexec-load",
            tries: "`kexec_load` with more segments than there can be",
            done: "it may replace the kernel",
            why: "the whole machine",
            layers: LAYERS,
            run: || permitted(&[number::KEXEC_LOAD, 0, 1000, 0, 0], &[EINVAL]),
            needs: Needs::Machine("kexec"),
        },
        Attempt {
            id: "kexec-file",
            tries: "`kexec_file_load` of a file that is not open",
            done: "it may replace the kernel",
            why: "the whole machine",
            layers: LAYERS,
            run: || permitted(&[number::KEXEC_FILE_LOAD, -1, -1, 0, path(""), 0], &[EBADF]),
            needs: Needs::Machine("kexec"),
        },
        Attempt {
            id: "reboot",
            tries: "`reboot` without the magic numbers that it needs",
            done: "it may restart the machine",
            why: "the machine's availability",
            layers: LAYERS,
            run: || permitted(&[number::REBOOT, 0, 0, 0, 0], &[EINVAL]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "swapon",
            tries: "`swapon` of a file that is not there",
            done: "it may give the machine swap",
            why: "memory of every service in a file of the attacker's",
            layers: LAYERS,
            run: || permitted(&[number::SWAPON, path("/nowhere"), 0], &[ENOENT]),
            needs: Needs::Machine("swap"),
        },
        Attempt {
            id: "swapoff",
            tries: "`swapoff` of a file that is not there",
            done: "it may take the machine's swap away",
            why: "the machine's availability",
            layers: LAYERS,
            run: || permitted(&[number::SWAPOFF, path("/nowhere")], &[ENOENT]),
            needs: Needs::Machine("swap"),
        },
        Attempt {
            id: "acct",
            tries: "`acct` into a file that is not there",
            done: "it may write down what every process of the host does",
            why: "it watches all others",
            layers: LAYERS,
            run: || permitted(&[number::ACCT, path("/nowhere/acct")], &[ENOENT]),
            needs: Needs::Machine("process accounting"),
        },
        Attempt {
            id: "settimeofday",
            tries: "`settimeofday` of the time zone that the kernel has already",
            done: "it may set the host's clock",
            why: "certificates that ran out are good again, and logs lie",
            layers: LAYERS,
            run: || zero(&[number::SETTIMEOFDAY, 0, pointer(&[0_i32; 2])]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "adjtimex",
            tries: "`adjtimex` sets the tick to what it is",
            done: "it may steer the host's clock",
            why: "as `settimeofday`, slowly",
            layers: LAYERS,
            run: || same_tick(&[number::ADJTIMEX]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "clock-adjtime",
            tries: "`clock_adjtime` sets the tick to what it is",
            done: "it may steer the host's clock",
            why: "as `adjtimex`, by a call that older filters do not know",
            layers: LAYERS,
            run: || same_tick(&[number::CLOCK_ADJTIME, 0]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "iopl",
            tries: "`iopl` for all ports",
            done: "it talks to hardware",
            why: "a disk controller is hardware",
            layers: LAYERS,
            run: || zero(&[number::IOPL, 3]),
            needs: Needs::Machine("port input and output"),
        },
        Attempt {
            id: "ioperm",
            tries: "`ioperm` for one port",
            done: "it talks to hardware",
            why: "as `iopl`",
            layers: LAYERS,
            run: || zero(&[number::IOPERM, 0x80, 1, 1]),
            needs: Needs::Machine("port input and output"),
        },
        Attempt {
            id: "syslog",
            tries: "`syslog` reads the kernel's messages",
            done: "it has them",
            why: "addresses, hardware, and what happens in other containers",
            layers: LAYERS,
            run: || zero(&[number::SYSLOG, 3, pointer_mut(&mut [0_u64; 16]), 128]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "vhangup",
            tries: "`vhangup` of its terminal, of which it has none",
            done: "it may hang terminals up",
            why: "who looks in is thrown out",
            layers: LAYERS,
            run: || zero(&[number::VHANGUP]),
            needs: Needs::Rights,
        },
    ],
};

/// `struct timex`: what to set, and nine words later the tick.
const TIMEX_WORDS: usize = 32;
const TICK: usize = 11;
const ADJ_TICK: c_long = 0x4000;

fn same_tick(call_words: &[c_long]) -> Result<()> {
    let mut timex = [0_i64; TIMEX_WORDS];
    call(&[call_words, &[pointer_mut(&mut timex)]].concat())?;
    assert_ne!(timex[TICK], 0, "no tick where `struct timex` has it");
    // All that was read is handed back, and the tick alone is meant.
    timex[0] = ADJ_TICK;
    zero(&[call_words, &[pointer_mut(&mut timex)]].concat())
}
