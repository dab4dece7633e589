//! What it may use: processes, memory, swap, processor time, resource limits, its turn when memory runs out.

use compose::units::NanoCpus;

use super::{Case, Check};
use crate::observe::kernel::cgroup::Bound;
use crate::observe::kernel::{Read, Unread, limits};

/// The bounds of its cgroup, and its turn when memory runs out.
pub(super) fn bounds(case: &Case<'_>) -> Vec<Check> {
    let limits = case.spec.confinement.limits();
    let evidence = case.evidence;
    // The kernel keeps memory bounds in whole pages.
    let page = |seen: u64| limits.memory.abs_diff(seen) < 65_536;
    let turn = evidence.oom_score_adj.clone();
    vec![
        bound("processes", u64::from(limits.pids), &evidence.pids, str_of, |seen| {
            seen == u64::from(limits.pids)
        }),
        bound("memory", limits.memory, &evidence.memory, bytes, page),
        bound("memory and swap", limits.memory, &evidence.memory_swap, bytes, page),
        bound("processor", limits.nano_cpus, &evidence.cpus, cpus, |seen| is_quota(limits.nano_cpus, seen)),
        Check::compared(
            "oom score",
            limits.oom_score_adj.to_string(),
            turn.map(|seen| (seen.to_string(), seen == i64::from(limits.oom_score_adj))),
        ),
    ]
}

/// Whether a quota is the one that was promised: the kernel keeps microseconds in a period of 100 ms, and where systemd
/// keeps the cgroup it is the next whole hundredth of a core, for systemd knows no finer one (runc, `addCPUQuota`).
fn is_quota(promised: u64, seen: u64) -> bool {
    const HUNDREDTH: u64 = 10_000_000;
    promised.abs_diff(seen) <= 10_000 || promised.checked_next_multiple_of(HUNDREDTH) == Some(seen)
}

/// Soft and hard limits of process 1, one row each.
pub(super) fn ulimits(case: &Case<'_>) -> Vec<Check> {
    let rows = &case.spec.confinement.limits().ulimits;
    rows.iter()
        .map(|(name, (soft, hard))| {
            let seen = case.evidence.limits.as_ref().map_err(Clone::clone).and_then(|text| {
                let seen = limits::limit(text, name)
                    .ok_or_else(|| Unread(format!("the kernel lists no `{name}`")))?;
                let word = |bound| match bound {
                    Bound::At(n) => n.to_string(),
                    Bound::Unlimited => "unlimited".to_owned(),
                };
                Ok((
                    format!("{}:{}", word(seen.0), word(seen.1)),
                    seen == (Bound::At(*soft), Bound::At(*hard)),
                ))
            });
            Check::compared(format!("ulimit {name}"), format!("{soft}:{hard}"), seen)
        })
        .collect()
}

fn bound(
    item: &str,
    promised: u64,
    seen: &Read<Bound>,
    word: fn(u64) -> String,
    same: impl Fn(u64) -> bool,
) -> Check {
    let seen = seen.clone().map(|seen| match seen {
        Bound::At(n) => (word(n), same(n)),
        Bound::Unlimited => ("unlimited".to_owned(), false),
    });
    Check::compared(item, word(promised), seen)
}

fn str_of(n: u64) -> String {
    n.to_string()
}

fn bytes(n: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if n.is_multiple_of(MIB) { format!("{} MiB", n / MIB) } else { format!("{n} bytes") }
}

fn cpus(n: u64) -> String {
    NanoCpus(n).to_string()
}

#[cfg(test)]
mod tests {
    use super::is_quota;

    /// In thousandths of a hundredth of a core.
    #[track_caller]
    fn check(promised: u64, seen: &[u64], expected: bool) {
        for seen in seen {
            assert_eq!(
                is_quota(promised * 10_000, seen * 10_000),
                expected,
                "{promised} promised, {seen} seen"
            );
        }
    }

    #[test]
    fn a_quota_is_kept_to_the_microsecond_or_to_the_next_hundredth_that_systemd_knows() {
        check(12_500, &[12_500, 12_501, 12_499, 13_000], true);
        check(12_500, &[12_000, 12_502, 12_999, 14_000, 100_000], false);
        check(50_000, &[50_000], true);
        check(50_000, &[49_000, 51_000], false);
    }
}
