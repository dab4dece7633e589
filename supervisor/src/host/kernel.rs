//! What this machine's kernel offers to confine with.
//!
//! Deliberately absent: the kernel's word on a container; that is `observe::kernel`.

use std::fs;

use profiles::{Arch, Kernel};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("profiles are made for x86_64 and aarch64 alone");

/// Reads it from `/proc` and `/sys`. A version that cannot be read is the oldest that an engine runs on, so that no
/// profile counts on a newer kernel's calls.
pub fn read() -> Kernel {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };
    Kernel { arch, version: version(&release), apparmor: super::apparmor::enabled() }
}

/// What the operator should know of it before anything runs under it; one sentence each.
pub fn advice(kernel: &Kernel) -> Vec<String> {
    let absent = "this kernel has no AppArmor: containers run without that layer, under seccomp, without capabilities, \
                  on read-only roots; boot with `apparmor=1 security=apparmor` where the kernel is built with it";
    if kernel.apparmor { Vec::new() } else { vec![absent.to_owned()] }
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
    fn a_kernel_without_apparmor_is_said_and_one_with_it_is_not() {
        let kernel = |apparmor| Kernel { arch: Arch::X86_64, version: (6, 12), apparmor };
        assert!(advice(&kernel(false)).concat().starts_with("this kernel has no AppArmor"));
        assert_eq!(advice(&kernel(true)), Vec::<String>::new());
    }

    #[test]
    fn a_release_is_read_to_its_minor_version() {
        let releases = ["6.8.0-40-generic", "6.1.0-rc3+", "5.15", "6.18.44\n", "", "custom"];
        let read = releases.map(version);
        assert_eq!(read, [(6, 8), (6, 1), (5, 15), (6, 18), (3, 10), (3, 10)]);
    }
}
