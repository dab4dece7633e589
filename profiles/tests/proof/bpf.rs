//! A classic BPF interpreter for seccomp filters: what the kernel would answer to a call.
//!
//! Only the instructions that seccomp allows and compilers emit; any other stops the test.

use profiles::Arch;
use seccompiler::sock_filter;

/// A system call as a filter sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) arch: Arch,
    pub(crate) arguments: [u64; 6],
}

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64` of linux/audit.h.
fn audit_arch(arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => 0xc000_003e,
        Arch::Aarch64 => 0xc000_00b7,
    }
}

/// The 32-bit word at an offset of `struct seccomp_data`.
fn word(call: &Call, offset: u32) -> u32 {
    match offset {
        0 => call.number,
        4 => audit_arch(call.arch),
        16..=63 => {
            let argument = call.arguments[((offset - 16) / 8) as usize];
            if offset.is_multiple_of(8) { (argument & 0xffff_ffff) as u32 } else { (argument >> 32) as u32 }
        }
        _ => panic!("a filter reads offset {offset}"),
    }
}

/// The filter's return value.
pub(crate) fn run(filter: &[sock_filter], call: &Call) -> u32 {
    trace(filter, call).0
}

/// The filter's return value, and whether it looked at an argument on the way: if not, no argument can change it.
pub(crate) fn trace(filter: &[sock_filter], call: &Call) -> (u32, bool) {
    let (mut pc, mut accumulator, mut looked) = (0_usize, 0_u32, false);
    loop {
        let instruction = &filter[pc];
        pc += 1;
        let k = instruction.k;
        let jump = |taken: bool| usize::from(if taken { instruction.jt } else { instruction.jf });
        match instruction.code {
            0x20 => {
                looked |= k >= 16;
                accumulator = word(call, k);
            }
            0x54 => accumulator &= k,
            0x05 => pc += k as usize,
            0x15 => pc += jump(accumulator == k),
            0x25 => pc += jump(accumulator > k),
            0x35 => pc += jump(accumulator >= k),
            0x45 => pc += jump(accumulator & k != 0),
            0x06 => return (k, looked),
            code => panic!("instruction {code:#x} is not one that this filter needs"),
        }
    }
}

/// What `SECCOMP_RET_ALLOW` is.
pub(crate) const ALLOW: u32 = 0x7fff_0000;
/// What `SECCOMP_RET_KILL_PROCESS` is.
pub(crate) const KILL_PROCESS: u32 = 0x8000_0000;
/// What `SECCOMP_RET_ERRNO` is, less the number.
pub(crate) const ERRNO: u32 = 0x0005_0000;
/// `EPERM`.
pub(crate) const EPERM: u32 = 1;
/// `ENOSYS`.
pub(crate) const ENOSYS: u32 = 38;

#[test]
fn jumps_loads_and_masks_as_the_kernel_does() {
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let filter = [
        op(0x20, 0, 0, 20),
        op(0x54, 0, 0, 0xf0),
        op(0x15, 0, 1, 0x30),
        op(0x06, 0, 0, ALLOW),
        op(0x06, 0, 0, ERRNO | EPERM),
    ];
    let call = |high: u64| Call { number: 1, arch: Arch::X86_64, arguments: [high << 32, 0, 0, 0, 0, 0] };
    assert_eq!(run(&filter, &call(0x3f)), ALLOW);
    assert_eq!(run(&filter, &call(0x4f)), ERRNO | EPERM);
}
