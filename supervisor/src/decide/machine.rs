//! Whether a service is for this machine: its platform, and the cores that it is to have.
//!
//! The file alone cannot tell. Deliberately absent: reading the machine.

use std::collections::BTreeSet;

use profiles::Arch;
use profiles::confinement::Limits;

/// The machine, as far as a file can ask for more than it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its architecture.
    pub arch: Arch,
    /// The cores that are on, by number; empty where that cannot be read, and nothing is asked of it then.
    pub online: BTreeSet<u32>,
}

/// What a service asks for and this machine does not have, in sentences with what to write.
pub fn misfits(service: &str, platform: Option<&str>, limits: &Limits, machine: &Machine) -> Vec<String> {
    let here = platform_of(machine.arch);
    let mut misfits = Vec::new();
    if let Some(platform) = platform.filter(|platform| !is_here(platform, here)) {
        misfits.push(format!(
            "service `{service}` is for `{platform}` by its `platform`, and this machine is `linux/{here}`: nothing is \
             emulated; use an image for it and write `platform: linux/{here}`, or leave the key out"
        ));
    }
    let cores = machine.online.len() as u64;
    if cores > 0 && limits.nano_cpus > cores.saturating_mul(NANO) {
        misfits.push(format!(
            "service `{service}` may use {} cores by its `cpus`, and this machine has {cores}: write `cpus: {cores}` or less",
            amount(limits.nano_cpus)
        ));
    }
    let missing: Vec<String> = limits
        .cpuset
        .as_deref()
        .map(listed)
        .unwrap_or_default()
        .into_iter()
        .filter(|core| cores > 0 && !machine.online.contains(core))
        .map(|core| core.to_string())
        .collect();
    if !missing.is_empty() {
        misfits.push(format!(
            "service `{service}` is to stay on cores that this machine does not have, by its `cpuset`: {}; it has {}",
            missing.join(", "),
            machine.online.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    misfits
}

/// Billionths of a core.
const NANO: u64 = 1_000_000_000;
/// A core's number is not read beyond this one, whoever writes a list (`NR_CPUS` of no distribution is larger).
const MOST: u32 = 8192;

/// A list of cores in the kernel's format (cpuset(7)): `0-3,8`.
pub fn listed(text: &str) -> BTreeSet<u32> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse::<u32>().ok()?.min(MOST))
    });
    ranges.flatten().collect()
}

const fn platform_of(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "amd64",
        Arch::Aarch64 => "arm64",
    }
}

/// `OS/ARCHITECTURE/VARIANT`, of which one word may stand for either of the first two.
fn is_here(platform: &str, here: &str) -> bool {
    let platform = platform.to_ascii_lowercase();
    let words: Vec<&str> = platform.split('/').collect();
    let is_arch = |word: &str| match word {
        "x86_64" | "x86-64" => here == "amd64",
        "aarch64" => here == "arm64",
        word => word == here,
    };
    match words.as_slice() {
        [one] => *one == "linux" || is_arch(one),
        [os, arch, ..] => *os == "linux" && is_arch(arch),
        [] => true,
    }
}

/// Billionths as people write cores.
fn amount(nano: u64) -> String {
    let (whole, rest) = (nano / NANO, nano % NANO);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:09}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::testing::want_on;
    use super::*;

    #[track_caller]
    fn check(own: &str, platform: Option<&str>, expect: Expect) {
        let text = format!("services:\n  web:\n    image: i:1\n{own}");
        let wanted = want_on(&text, 6);
        let limits = wanted.services["web"].containers[0].confinement.limits();
        let machine = Machine { arch: Arch::X86_64, online: listed("0-1\n") };
        expect.assert_eq(&misfits("web", platform, limits, &machine).join("\n"));
        let unknown = Machine { online: BTreeSet::new(), ..machine };
        assert!(misfits("web", None, limits, &unknown).is_empty());
    }

    #[test]
    fn what_a_machine_does_not_have_is_said_with_what_to_write() {
        check(
            "    cpus: 2.5\n    cpuset: '1,3-4'\n",
            Some("linux/arm64/v8"),
            expect![[r#"
            service `web` is for `linux/arm64/v8` by its `platform`, and this machine is `linux/amd64`: nothing is emulated; use an image for it and write `platform: linux/amd64`, or leave the key out
            service `web` may use 2.5 cores by its `cpus`, and this machine has 2: write `cpus: 2` or less
            service `web` is to stay on cores that this machine does not have, by its `cpuset`: 3, 4; it has 0, 1"#]],
        );
        check("    cpus: 2\n    cpuset: 0-1\n", Some("linux/amd64"), expect![]);
        check("", None, expect![]);
    }

    #[test]
    fn a_platform_is_named_in_whole_or_by_one_word() {
        for platform in ["linux/amd64", "linux/amd64/v2", "linux", "amd64", "Linux/x86_64", "x86-64"] {
            assert!(is_here(platform, "amd64"), "{platform}");
        }
        for platform in ["linux/arm64", "arm64", "windows/amd64", "linux/386", "darwin"] {
            assert!(!is_here(platform, "amd64"), "{platform}");
        }
        assert!(is_here("linux/aarch64", "arm64"));
    }
}
