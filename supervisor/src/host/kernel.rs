//! What this machine's kernel offers to confine with.
//!
//! Deliberately absent: the kernel's word on a container; that is `observe::kernel`.

use profiles::{Arch, Kernel};

/// Reads it from `uname` and securityfs. What cannot be read is taken as not offered.
pub fn read() -> Kernel {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u16>().unwrap_or_default());
    let arch = if uname.machine().to_bytes() == b"aarch64" { Arch::Aarch64 } else { Arch::X86_64 };
    Kernel {
        arch,
        version: (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()),
        apparmor: super::apparmor::enabled(),
    }
}
