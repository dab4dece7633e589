//! A process's cgroup, and its bounds, in either version (cgroups(7)): `/proc/PID/cgroup` and the files beside.
//!
//! Pure. Where both versions are mounted, a controller is where its version 1 hierarchy is, else in version 2.
//! Deliberately absent: reading the files; `Place` says which.

use serde::{Deserialize, Serialize};

use super::mountinfo::{MountInfo, below};

/// A bound as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bound {
    /// At most this many.
    At(u64),
    /// No bound of its own.
    Unlimited,
}

/// The folder of one controller for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which version's files are there.
    pub version: Version,
    /// Absolute path of the folder.
    pub folder: String,
}

/// The two kinds of hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy a controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// The path of a process in the hierarchy of a controller, or in version 2's where that has none of its own.
pub fn path<'a>(proc_cgroup: &'a str, controller: &str) -> Option<(Version, &'a str)> {
    let mut unified = None;
    for line in proc_cgroup.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            unified = Some((Version::V2, path));
        } else if controllers.split(',').any(|name| name == controller) {
            return Some((Version::V1, path));
        }
    }
    unified
}

/// Where a controller's files are for a process, by `/proc/PID/cgroup` and the reader's own mounts.
pub fn place(proc_cgroup: &str, controller: &str, mounts: &[MountInfo]) -> Option<Place> {
    let (version, path) = path(proc_cgroup, controller)?;
    let mount = mounts.iter().find(|mount| match version {
        Version::V1 => mount.fs_type == "cgroup" && mount.super_options.iter().any(|o| o == controller),
        Version::V2 => mount.fs_type == "cgroup2",
    })?;
    let rest = below(&mount.root, path)?;
    Some(Place { version, folder: format!("{}{rest}", mount.target.trim_end_matches('/')) })
}

/// Version 2's `pids.max`, `memory.max` and the like: a number or `max`.
pub fn bound(text: &str) -> Option<Bound> {
    match text.trim() {
        "max" => Some(Bound::Unlimited),
        number => number.parse().ok().map(Bound::At),
    }
}

/// Version 1's files, whose memory bounds spell "none" as the largest number of whole pages (of up to 64 KiB).
pub fn bound_v1(text: &str) -> Option<Bound> {
    const NONE: u64 = i64::MAX.cast_unsigned() & !0xffff;
    match bound(text)? {
        Bound::At(bytes) if bytes >= NONE => Some(Bound::Unlimited),
        bound => Some(bound),
    }
}

/// `cpu.max`: quota and period in microseconds, as billionths of a core.
pub fn cpu_max(text: &str) -> Option<Bound> {
    let (quota, period) = text.trim().split_once(' ')?;
    if quota == "max" { Some(Bound::Unlimited) } else { nano_cpus(quota.parse().ok()?, period.parse().ok()?) }
}

/// `cpu.cfs_quota_us` (-1 is none) and `cpu.cfs_period_us`, as billionths of a core.
pub fn cfs(quota: &str, period: &str) -> Option<Bound> {
    match quota.trim() {
        "-1" => Some(Bound::Unlimited),
        quota => nano_cpus(quota.parse().ok()?, period.trim().parse().ok()?),
    }
}

/// How often something happened, by a file of events such as `pids.events`: a name and a number a line.
pub fn event(text: &str, name: &str) -> Option<u64> {
    let rows = text.lines().filter_map(|line| line.split_once(' '));
    rows.into_iter().find(|(row, _)| *row == name).and_then(|(_, count)| count.trim().parse().ok())
}

fn nano_cpus(quota: u64, period: u64) -> Option<Bound> {
    let nano = u128::from(quota).checked_mul(1_000_000_000)?.checked_div(u128::from(period))?;
    u64::try_from(nano).ok().map(Bound::At)
}

#[cfg(test)]
mod tests {
    use super::super::mountinfo;
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const V1: &str = "8:pids:/docker/abc\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/docker/abc\n";
    const V1_MOUNTS: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const V2: &str = "0::/system.slice/docker-abc.scope\n";
    const V2_MOUNTS: &str = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    #[track_caller]
    fn check(cgroup: &str, mounts: &str, controller: &str, expect: Expect) {
        let mounts = mountinfo::parse(mounts).unwrap();
        expect.assert_eq(&format!("{:?}", place(cgroup, controller, &mounts)));
    }

    #[test]
    fn events_are_counted_by_their_name() {
        assert_eq!(event("max 7\n", "max"), Some(7));
        assert_eq!(event("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(event("max.imposed 7\n", "max"), None);
        assert_eq!(event("max many\n", "max"), None);
    }

    #[test]
    fn version_1_has_a_folder_a_controller() {
        check(
            V1,
            V1_MOUNTS,
            "cpu",
            expect![[r#"Some(Place { version: V1, folder: "/sys/fs/cgroup/cpu/docker/abc" })"#]],
        );
    }

    #[test]
    fn version_2_has_one_for_all() {
        check(
            V2,
            V2_MOUNTS,
            "memory",
            expect![[
                r#"Some(Place { version: V2, folder: "/sys/fs/cgroup/system.slice/docker-abc.scope" })"#
            ]],
        );
    }

    #[test]
    fn a_controller_without_a_hierarchy_of_its_own_is_in_version_2() {
        check(
            V1,
            V1_MOUNTS,
            "io",
            expect![[r#"Some(Place { version: V2, folder: "/sys/fs/cgroup/unified/docker/abc" })"#]],
        );
    }

    #[test]
    fn a_hierarchy_that_is_not_mounted_has_no_place() {
        check(V1, V1_MOUNTS, "pids", expect![["None"]]);
    }

    #[test]
    fn a_part_of_the_hierarchy_that_is_mounted_elsewhere_is_found_under_it() {
        let mounts = "41 31 0:38 /system.slice /cg rw - cgroup2 cgroup2 rw";
        check(
            V2,
            mounts,
            "pids",
            expect![[r#"Some(Place { version: V2, folder: "/cg/docker-abc.scope" })"#]],
        );
        check("0::/user.slice/x", mounts, "pids", expect![["None"]]);
    }

    #[test]
    fn bounds_of_both_versions_are_one_kind_of_value() {
        assert_eq!(bound("max\n"), Some(Bound::Unlimited));
        assert_eq!(bound("512\n"), Some(Bound::At(512)));
        assert_eq!(bound_v1("9223372036854771712\n"), Some(Bound::Unlimited));
        assert_eq!(bound_v1("67108864\n"), Some(Bound::At(67_108_864)));
        assert_eq!(cpu_max("50000 100000\n"), Some(Bound::At(500_000_000)));
        assert_eq!(cpu_max("max 100000\n"), Some(Bound::Unlimited));
        assert_eq!(cfs("-1\n", "100000\n"), Some(Bound::Unlimited));
        assert_eq!(cfs("150000\n", "100000\n"), Some(Bound::At(1_500_000_000)));
        assert_eq!(cfs("1", "0"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}", other in ".{0,40}") {
            let mounts = mountinfo::parse(V1_MOUNTS).unwrap();
            let _ = (place(&text, &other, &mounts), bound(&text), bound_v1(&text), cpu_max(&text), cfs(&text, &other));
        }
    }
}
