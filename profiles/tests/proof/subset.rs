//! Nothing that the engine's default denies is allowed: every call, every class of arguments, every capability.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect;
use profiles::capability::CAPABILITIES;
use profiles::seccomp::Profile;
use profiles::{Arch, Base, seccomp};

use crate::compile::{ARCHES, Compiled, NUMBERS, kernel, numbers, of};
use crate::engine_default;

/// Values at which a test of an argument may change its mind: each bit alone and missing, small numbers, the values
/// that filters name, and each of these with a bit above the 32 that the kernel reads.
fn classes() -> Vec<u64> {
    let named = [
        0x5412,
        0x541c,
        0x5413,
        0x541b,
        0x7e02_0000,
        0x2_0000,
        0x2_0008,
        0xffff_ffff,
        0x1_0000_0000,
        u64::MAX,
    ];
    let bits = (0..64).map(|bit| 1_u64 << bit);
    let small = 0..48_u64;
    let mut values: BTreeSet<u64> = named.into_iter().chain(small).collect();
    values.extend(bits.flat_map(|bit| [bit, !bit]));
    let low: Vec<u64> = values.iter().copied().collect();
    values.extend(low.iter().map(|value| value | 1 << 32));
    values.into_iter().collect()
}

/// Every argument that a filter looks at, set to every class in turn, the others at values that open most.
fn arguments() -> Vec<[u64; 6]> {
    let mut all = Vec::new();
    for value in classes() {
        for others in [0, 2, 10, 16] {
            for index in 0..3 {
                let mut arguments = [others; 6];
                arguments[index] = value;
                all.push(arguments);
            }
        }
    }
    all
}

/// The first argument of all pairs of families and types, with the protocols that matter.
fn sockets() -> Vec<[u64; 6]> {
    let protocols = [0, 1, 6, 17, 58, 132, 255, 262];
    let pairs = (0..48_u64).flat_map(|family| (0..7_u64).map(move |kind| (family, kind)));
    pairs
        .flat_map(|(family, kind)| protocols.map(|protocol| [family, kind | 0x8_0000, protocol, 0, 0, 0]))
        .collect()
}

fn holds(base: Base, arch: Arch, capabilities: &[&str], arguments: &[[u64; 6]]) -> usize {
    let held = capabilities.iter().map(|&name| name.to_owned()).collect();
    let profile = seccomp::profile(base, &held, &kernel(arch));
    is_within(base.name(), &profile, arch, capabilities, arguments)
}

/// Asks a profile for every call with these arguments, and the engine's default where it allows; how often it was asked.
fn is_within(
    what: &str,
    profile: &Profile,
    arch: Arch,
    capabilities: &[&str],
    arguments: &[[u64; 6]],
) -> usize {
    let compiled = Compiled::new(profile, arch);
    let names = numbers(arch);
    let mut known = vec![None; NUMBERS as usize];
    for (name, number) in names {
        known[number as usize] = Some(name);
    }
    let mut asked = 0;
    for (number, name) in (0..NUMBERS).zip(known) {
        let varied = if compiled.depends_on_arguments(number) { arguments } else { &arguments[..1] };
        for &arguments in varied {
            asked += 1;
            if !compiled.allows(number, arguments) {
                continue;
            }
            let name = name.unwrap_or_else(|| panic!("call {number} is allowed and has no name"));
            let allows = engine_default::allows(name, arguments, arch, capabilities);
            assert!(allows, "{what} on {arch:?} with {capabilities:?}: {name} {arguments:x?}");
        }
    }
    asked
}

#[test]
fn nothing_is_allowed_that_the_engines_default_denies() {
    let mut arguments = arguments();
    arguments.extend(sockets());
    let mut lines = String::new();
    for base in Base::ALL {
        for arch in ARCHES {
            let asked = holds(base, arch, &[], &arguments);
            let ours = of(base, arch).allowed().len();
            let engine = engine_default::count(numbers(arch).into_keys(), arch);
            writeln!(lines, "{} {arch:?}: {ours} calls beside {engine}, {asked} asked", base.name()).unwrap();
        }
    }
    expect![[r#"
        go X86_64: 130 calls beside 304, 25220 asked
        go Aarch64: 116 calls beside 262, 25220 asked
        node X86_64: 229 calls beside 304, 37530 asked
        node Aarch64: 195 calls beside 262, 31375 asked
        generic X86_64: 247 calls beside 304, 37530 asked
        generic Aarch64: 210 calls beside 262, 31375 asked
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_recorded_profile_allows_nothing_that_the_engines_default_denies() {
    let mut arguments = arguments();
    arguments.extend(sockets());
    let everything: BTreeSet<&str> = profiles::syscalls::SYSCALLS.iter().map(|row| row.name).collect();
    let mut lines = String::new();
    for (what, calls) in
        [("least", BTreeSet::new()), ("sockets", BTreeSet::from(["socket"])), ("most", everything)]
    {
        for arch in ARCHES {
            let profile = seccomp::narrowed(Base::Generic, &calls, &BTreeSet::new(), &kernel(arch));
            let asked = is_within(what, &profile, arch, &[], &arguments);
            let engine = engine_default::count(numbers(arch).into_keys(), arch);
            let ours = profile.allowed().len();
            writeln!(lines, "{what} {arch:?}: {ours} calls beside {engine}, {asked} asked").unwrap();
        }
    }
    expect![[r#"
        least X86_64: 61 calls beside 304, 19065 asked
        least Aarch64: 56 calls beside 262, 19065 asked
        sockets X86_64: 62 calls beside 304, 25220 asked
        sockets Aarch64: 57 calls beside 262, 25220 asked
        most X86_64: 247 calls beside 304, 37530 asked
        most Aarch64: 210 calls beside 262, 31375 asked
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_capability_opens_nothing_beyond_the_engines_default() {
    let same: Vec<[u64; 6]> = classes().into_iter().map(|value| [value; 6]).collect();
    let without = of(Base::Generic, Arch::X86_64);
    let mut open = Vec::new();
    for row in CAPABILITIES {
        let held = BTreeSet::from([row.name.to_owned()]);
        let with = seccomp::profile(Base::Generic, &held, &kernel(Arch::X86_64));
        if with != without {
            open.push(row.name);
            holds(Base::Generic, Arch::X86_64, &[row.name], &same);
        }
    }
    holds(Base::Generic, Arch::X86_64, &["NET_RAW"], &sockets());
    expect!["DAC_READ_SEARCH NET_RAW IPC_LOCK SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG MKNOD SYSLOG PERFMON BPF"].assert_eq(&open.join(" "));
}
