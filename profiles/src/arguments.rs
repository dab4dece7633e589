//! Calls that are granted for some arguments alone.
//!
//! A row is true when all its tests are; rows of one list are alternatives. No row tests one argument twice: runc would
//! make alternatives of the two tests. What no row names gets the profile's default answer. Deliberately absent: which
//! calls are granted at all.

use std::collections::BTreeSet;

/// One test of one argument, over all its 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// Equal.
    Eq(u64),
    /// Equal under a mask.
    MaskedEq {
        /// Bits that count.
        mask: u64,
        /// What they must be.
        value: u64,
    },
}

/// One test of the argument with this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Argument {
    /// 0 to 5.
    pub index: u32,
    /// The test.
    pub test: Test,
}

/// Tests that are all true together.
pub type Row = Vec<Argument>;

/// For which arguments a call is granted, and for which it answers EPERM. No arguments are in both.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Alternatives that grant it.
    pub allow: Vec<Row>,
    /// Alternatives that refuse it.
    pub refuse: Vec<Row>,
}

/// The filter of a call, given the capabilities that the service has; `None` if its arguments do not matter.
pub fn filter(syscall: &str, capabilities: &BTreeSet<String>) -> Option<Filter> {
    let has = |name: &str| capabilities.contains(name);
    match syscall {
        "clone" if !has("SYS_ADMIN") => Some(clone()),
        "ioctl" => Some(ioctl()),
        "mknod" if !has("MKNOD") => Some(mknod(1)),
        "mknodat" if !has("MKNOD") => Some(mknod(2)),
        "personality" => Some(personality()),
        "prctl" => Some(prctl()),
        "socket" => Some(socket(has("NET_RAW"))),
        _ => None,
    }
}

/// `index` equals `value`.
const fn eq(index: u32, value: u64) -> Argument {
    Argument { index, test: Test::Eq(value) }
}

/// The bits of `mask` in `index` are `value`.
const fn masked(index: u32, mask: u64, value: u64) -> Argument {
    Argument { index, test: Test::MaskedEq { mask, value } }
}

/// What the kernel reads of an `unsigned int`. A test of all 64 bits could be passed by with a bit above these.
const LOW: u64 = 0xffff_ffff;

/// Flags that make a namespace: `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET`.
const NEW_NAMESPACES: [u64; 7] =
    [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

/// No new namespaces.
fn clone() -> Filter {
    let all = NEW_NAMESPACES.iter().fold(0, |mask, flag| mask | flag);
    Filter {
        allow: vec![vec![masked(0, all, 0)]],
        refuse: NEW_NAMESPACES.iter().map(|&flag| vec![masked(0, flag, flag)]).collect(),
    }
}

/// `TIOCSTI` types into a terminal, `TIOCLINUX` pastes into one: whoever shares it is made to run the text.
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// Bits of a request that say how many bytes its argument has (`_IOC_SIZEMASK` of `ioctl.h`). No request has one of them and
/// neither of the two above, which say in what direction the bytes go.
const SIZE: u64 = 0x3fff_0000;

/// Everything but typing into a terminal.
///
/// A filter cannot say "none of these two", and a comparison of 64 bits can be passed by, so the complement is spelled
/// out: requests that differ from both in a bit that the two share, and requests that agree with one of them in the
/// first bit where the two part and differ from it in another.
fn ioctl() -> Filter {
    let [push, paste] = TYPING;
    let apart = push ^ paste;
    let first = apart & apart.wrapping_neg();
    let mut allow: Vec<Row> =
        bits(LOW & !SIZE & !apart).map(|bit| vec![masked(1, bit, !push & bit)]).collect();
    for typed in TYPING {
        let differ = |bit| vec![masked(1, first | bit, (typed & first) | (!typed & bit))];
        allow.extend(bits(apart & !first).map(differ));
    }
    Filter { allow, refuse: TYPING.iter().map(|&request| vec![masked(1, LOW, request)]).collect() }
}

/// The bits that are set, each alone, from the lowest.
fn bits(mask: u64) -> impl Iterator<Item = u64> {
    (0..64).map(|n| 1 << n).filter(move |bit| mask & bit != 0)
}

/// The values as tests under masks within this one, as few as pairs of them make: two that differ in one bit are one without it.
fn cubes(mask: u64, values: impl IntoIterator<Item = u64>) -> BTreeSet<(u64, u64)> {
    let mut cubes: BTreeSet<_> = values.into_iter().map(|value| (mask, value)).collect();
    for bit in bits(mask) {
        for (mask, value) in cubes.clone() {
            let pair = [(mask, value & !bit), (mask, value | bit)];
            if mask & bit != 0 && pair.iter().all(|cube| cubes.contains(cube)) {
                cubes.retain(|cube| !pair.contains(cube));
                cubes.insert((mask & !bit, value & !bit));
            }
        }
    }
    cubes
}

/// Alternatives that are true if an argument, under a mask, is one of the values.
fn among(index: u32, mask: u64, values: impl IntoIterator<Item = u64>) -> impl Iterator<Item = Row> {
    cubes(mask, values).into_iter().map(move |(mask, value)| vec![masked(index, mask, value)])
}

/// FIFOs, sockets and plain files; `S_IFCHR` and `S_IFBLK` are devices.
fn mknod(mode: u32) -> Filter {
    const KIND: u64 = 0xf000;
    Filter {
        allow: among(mode, KIND, [0, 0x1000, 0x8000, 0xc000]).collect(),
        refuse: among(mode, KIND, [0x2000, 0x6000]).collect(),
    }
}

/// The ordinary one, and the question which it is. `ADDR_NO_RANDOMIZE` is what an exploit sets.
fn personality() -> Filter {
    Filter { allow: vec![vec![eq(0, 0)], vec![eq(0, LOW)]], refuse: Vec::new() }
}

/// Options of `prctl(2)` that runtimes and runc use, and that cannot reach another process.
#[rustfmt::skip]
const PRCTL: &[(u64, &str)] = &[
    (1, "PR_SET_PDEATHSIG"), (2, "PR_GET_PDEATHSIG"), (3, "PR_GET_DUMPABLE"), (4, "PR_SET_DUMPABLE"),
    (7, "PR_GET_KEEPCAPS"), (8, "PR_SET_KEEPCAPS"), (15, "PR_SET_NAME"), (16, "PR_GET_NAME"),
    (21, "PR_GET_SECCOMP"), (22, "PR_SET_SECCOMP"), (23, "PR_CAPBSET_READ"), (24, "PR_CAPBSET_DROP"),
    (27, "PR_GET_SECUREBITS"), (28, "PR_SET_SECUREBITS"), (29, "PR_SET_TIMERSLACK"), (30, "PR_GET_TIMERSLACK"),
    (36, "PR_SET_CHILD_SUBREAPER"), (37, "PR_GET_CHILD_SUBREAPER"), (38, "PR_SET_NO_NEW_PRIVS"),
    (39, "PR_GET_NO_NEW_PRIVS"), (40, "PR_GET_TID_ADDRESS"), (41, "PR_SET_THP_DISABLE"),
    (42, "PR_GET_THP_DISABLE"), (47, "PR_CAP_AMBIENT"), (50, "PR_SVE_SET_VL"), (51, "PR_SVE_GET_VL"),
    (52, "PR_GET_SPECULATION_CTRL"), (53, "PR_SET_SPECULATION_CTRL"), (54, "PR_PAC_RESET_KEYS"),
    (55, "PR_SET_TAGGED_ADDR_CTRL"), (56, "PR_GET_TAGGED_ADDR_CTRL"), (65, "PR_SET_MDWE"), (66, "PR_GET_MDWE"),
    (0x4155_5856, "PR_GET_AUXV"), (0x5356_4d41, "PR_SET_VMA"),
];

/// The options above; `PR_SET_MM`, `PR_SET_PTRACER`, `PR_SCHED_CORE` and their kind are not among them.
fn prctl() -> Filter {
    Filter { allow: among(0, LOW, PRCTL.iter().map(|&(option, _)| option)).collect(), refuse: Vec::new() }
}

/// `AF_UNIX`.
const UNIX: u64 = 1;
/// `AF_INET`.
const INET: u64 = 2;
/// `AF_INET6`.
const INET6: u64 = 10;
/// `AF_NETLINK`.
const NETLINK: u64 = 16;
/// `AF_PACKET`.
const PACKET: u64 = 17;
/// The highest family of Linux 6.12, `AF_MCTP`.
const LAST_FAMILY: u64 = 45;

/// Bits of a socket's type beside `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
const TYPE: u64 = 0xf;

/// All but the bit that tells `AF_INET` from `AF_INET6`: under it they are one, and no other family is.
const ANY_IP: u64 = !(INET ^ INET6);

/// Family (under a mask), type and protocol of the sockets that services use on IP: TCP, UDP, and the ping that needs no
/// capability. SCTP, MPTCP, DCCP, L2TP and UDP-Lite are left out: each would load a kernel module.
const IP: [(u64, u64, u64, u64); 6] = [
    (ANY_IP, INET, 1, 0),
    (ANY_IP, INET, 1, 6),
    (ANY_IP, INET, 2, 0),
    (ANY_IP, INET, 2, 17),
    (EXACTLY, INET, 2, 1),
    (EXACTLY, INET6, 2, 58),
];

/// Every bit.
const EXACTLY: u64 = !0;

/// Unix, TCP, UDP and ping; netlink for addresses and routes alone. Every other family of the kernel is refused, `AF_ALG`,
/// `AF_VSOCK` and `AF_PACKET` among them; a service that has `CAP_NET_RAW` has raw and packet sockets besides.
fn socket(raw: bool) -> Filter {
    let mut allow = vec![vec![eq(0, UNIX)], vec![eq(0, NETLINK), eq(2, 0)]];
    allow.extend(IP.iter().map(|&(mask, family, kind, protocol)| {
        vec![masked(0, mask, family), masked(1, TYPE, kind), eq(2, protocol)]
    }));
    let mut granted = vec![UNIX, INET, INET6, NETLINK];
    let raws = vec![masked(0, ANY_IP, INET), masked(1, TYPE, 3)];
    let mut refuse = Vec::new();
    if raw {
        granted.push(PACKET);
        allow.extend([raws, vec![eq(0, PACKET)]]);
    } else {
        refuse.push(raws);
    }
    refuse.extend(among(0, EXACTLY, (0..=LAST_FAMILY).filter(|family| !granted.contains(family))));
    Filter { allow, refuse }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tests_under_masks_are_true_for_the_values_and_no_others(
            values in prop::collection::btree_set(0_u64..128, 0..100),
            asked in 0_u64..128,
        ) {
            const LOW_BITS: u64 = 0x7f;
            let tests = cubes(LOW_BITS, values.clone());
            let is_true = tests.iter().any(|(mask, value)| asked & mask == *value);
            prop_assert_eq!(is_true, values.contains(&asked));
            prop_assert!(tests.len() <= values.len());
        }
    }
}
