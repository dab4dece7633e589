//! What this machine's kernel offers to confine with.
//!
//! Deliberately absent: the kernel's word on a container; that is `observe::kernel`.

use std::collections::BTreeSet;
use std::fs;

use profiles::{Arch, Kernel};

use crate::decide::machine::listed;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("profiles are made for x86_64 and aarch64 alone");

/// The architecture that this program is built for, and so the machine's.
pub const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// Reads it from `/proc` and `/sys`. A version that cannot be read is the oldest that an engine runs on, so that no
/// profile counts on a newer kernel's calls.
pub fn read() -> Kernel {
    Kernel {
        arch: ARCH,
        version: version(&release()),
        apparmor: super::apparmor::enabled(),
        landlock: confine::offered(),
    }
}

/// Its release, such as `6.8.0-40-generic`.
pub fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// The cores that are on, by number; none where that cannot be read.
pub fn online() -> BTreeSet<u32> {
    fs::read_to_string("/sys/devices/system/cpu/online").map(|text| listed(&text)).unwrap_or_default()
}

/// What the operator should know of it before anything runs under it; one sentence each.
pub fn advice(kernel: &Kernel) -> Vec<String> {
    let no_apparmor = "this kernel has no AppArmor: containers run without that layer, under seccomp, without capabilities, \
                  on read-only roots; boot with `apparmor=1 security=apparmor` where the kernel is built with it";
    let no_landlock = "this kernel has no Landlock (it came with Linux 5.13, and is used from 5.19 on): services that do not \
                       require it run without that layer; boot with `landlock` in `lsm=` where the kernel is built with it";
    let missing = [(kernel.apparmor, no_apparmor), (kernel.landlock != 0, no_landlock)];
    missing.iter().filter(|(there, _)| !there).map(|(_, advice)| (*advice).to_owned()).collect()
}

/// Major and minor of a release such as `6.8.0-40-generic`.
fn version(release: &str) -> (u16, u16) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).unwrap_or((3, 10))
}

#[cfg(test)]
mod tests {
    use profiles::{Arch, Kernel};

    use super::{advice, version};

    #[test]
    fn what_a_kernel_does_not_have_is_said_and_nothing_else() {
        let said = |apparmor, landlock| -> Vec<String> {
            let kernel = Kernel { arch: Arch::X86_64, version: (6, 12), apparmor, landlock };
            advice(&kernel)
                .iter()
                .map(|line| line.split([' ', ':']).nth(4).unwrap_or_default().to_owned())
                .collect()
        };
        let nothing: Vec<String> = Vec::new();
        assert_eq!(said(true, 6), nothing);
        assert_eq!(said(false, 6), ["AppArmor"]);
        assert_eq!(said(true, 0), ["Landlock"]);
        assert_eq!(said(false, 0), ["AppArmor", "Landlock"]);
    }

    #[test]
    fn a_release_is_read_to_its_minor_version() {
        let releases = ["6.8.0-40-generic", "6.1.0-rc3+", "5.15", "6.18.44\n", "", "custom"];
        let read = releases.map(version);
        assert_eq!(read, [(6, 8), (6, 1), (5, 15), (6, 18), (3, 10), (3, 10)]);
    }
}
