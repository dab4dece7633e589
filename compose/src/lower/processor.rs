//! Keys on processors and block devices: shares, cores, a quota in a period, weights.
//!
//! Deliberately absent: whether this host has those cores, which its engine says when a container is made.

use crate::model::Service;
use crate::node::{Map, Node};
use crate::problem::{self, Problems};
use crate::source::{At, Span};
use crate::units::NanoCpus;

use super::{read, whole};

/// The kernel's period of a quota where none is said, in microseconds.
const PERIOD: i64 = 100_000;

/// The kernel's bounds of `cpu.shares`; 0 is the engine's default.
pub(super) fn shares(node: &Node, problems: &mut Problems) -> Option<At<u64>> {
    let shares = read::small::<u64>(node, "cpu_shares", problems)?;
    if shares.value != 0 && !(2..=262_144).contains(&shares.value) {
        read::bad(node, "cpu_shares", "a weight from 2 to 262144", problems);
        return None;
    }
    (shares.value != 0).then_some(shares)
}

/// Cores and ranges of cores with commas between them, the kernel's list format.
pub(super) fn cores(node: &Node, problems: &mut Problems) -> Option<At<String>> {
    let text = read::text(node).filter(|text| !text.value.is_empty())?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let is_range = |part: &str| match part.split_once('-') {
        None => number(part).is_some(),
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
    };
    if !text.value.split(',').all(is_range) {
        read::bad(node, "cpuset", "cores such as `0-2,4`", problems);
        return None;
    }
    Some(text)
}

/// `weight` of `blkio_config`, in the engine's bounds.
pub(super) fn blkio_weight(node: &Node, problems: &mut Problems) -> Option<At<u16>> {
    let node = node.get("weight")?;
    let weight = read::small::<u16>(node, "blkio_config.weight", problems)?;
    if weight.value != 0 && !(10..=1000).contains(&weight.value) {
        read::bad(node, "blkio_config.weight", "a weight from 10 to 1000", problems);
        return None;
    }
    (weight.value != 0).then_some(weight)
}

/// What else `blkio_config` says: it names devices of the host.
pub(super) fn blkio_devices(node: &Node) -> impl Iterator<Item = (&'static str, Span)> {
    let entries = node.as_map().into_iter().flat_map(|map| &map.entries);
    let devices = entries.filter(|entry| entry.key.contains("device"));
    let said = devices.filter(|entry| entry.value.as_list().is_some_and(|list| !list.is_empty()));
    said.map(|entry| ("blkio_config.device", whole(entry)))
}

/// `cpu_quota` within `cpu_period`, both in microseconds, is a number of CPUs in other words.
pub(super) fn quota(service: &mut Service, map: &Map, problems: &mut Problems) {
    let mut number =
        |key| map.get(key).and_then(|node| read::whole(node, key, problems)).filter(|n| n.value != 0);
    let (quota, period) = (number("cpu_quota"), number("cpu_period"));
    if let Some(odd) = period.filter(|period| !(1_000..=1_000_000).contains(&period.value)) {
        let message = format!("a `cpu_period` of {} microseconds", odd.value);
        problems.add(&problem::BAD_VALUE, odd.span().unwrap_or(service.span), message, "use 1000 to 1000000");
        return;
    }
    let Some(quota) = quota else { return };
    if quota.value > 0 && quota.value < 1_000 {
        let message = format!("a `cpu_quota` of {} microseconds", quota.value);
        problems.add(&problem::BAD_VALUE, quota.span().unwrap_or(service.span), message, "use 1000 or more");
        return;
    }
    if let Some(cpus) = service.cpus.as_ref().filter(|cpus| cpus.value.0 != 0) {
        let message = "`cpus` and `cpu_quota` are both given";
        let place = quota.span().unwrap_or(service.span);
        let finding = problems.add(&problem::CONFLICT, place, message, "keep `cpus`");
        finding.related.extend(cpus.span().map(|span| (span, "`cpus` is here".to_owned())));
        return;
    }
    // A negative quota is no limit, which the policy refuses as it refuses `cpus: 0`.
    let period = period.map_or(PERIOD, |period| period.value);
    let nano = i128::from(quota.value.max(0)) * 1_000_000_000 / i128::from(period);
    service.cpus = Some(quota.map(|_| NanoCpus(u64::try_from(nano).unwrap_or(u64::MAX))));
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::emit::{self, Credentials};
    use crate::finding::Severity;
    use crate::rules::tests::judge;

    /// The keys as `config` prints them, or what is wrong with them.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is used")]
    fn check(keys: &str, expect: Expect) {
        let (admitted, report) = judge(&format!("services: {{web: {{image: a, mem_limit: 64m, {keys}}}}}\n"));
        let errors = report.findings.iter().filter(|f| f.severity == Severity::Error);
        let mut out: Vec<String> = errors.map(|f| format!("{} {}", f.rule, f.message)).collect();
        if let Some(admitted) = admitted {
            let text = emit::yaml(admitted.project(), Credentials::Shown);
            let ours = text
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("cpu") || line.starts_with("weight"));
            out.extend(ours.map(str::to_owned));
        }
        expect.assert_eq(&out.join("; "));
    }

    #[test]
    fn a_quota_in_a_period_is_a_number_of_cpus() {
        check("cpu_quota: 50000", expect!["cpus: 0.5"]);
        check("cpu_quota: 50000, cpu_period: 25000", expect!["cpus: 2"]);
        check("cpu_quota: -1", expect!["SV213 the CPU time of `web` is not limited"]);
        check("cpu_quota: 50000, cpus: 1", expect!["SV022 `cpus` and `cpu_quota` are both given"]);
        check("cpu_quota: 10", expect!["SV015 a `cpu_quota` of 10 microseconds"]);
        check("cpu_quota: 50000, cpu_period: 10", expect!["SV015 a `cpu_period` of 10 microseconds"]);
    }

    #[test]
    fn shares_cores_and_weights_are_passed_on_within_the_kernels_bounds() {
        check(
            "cpus: 1, cpu_shares: 512, cpuset: \"0-2,4\", blkio_config: {weight: 300}",
            expect![[r#"cpus: 1; cpu_shares: 512; cpuset: "0-2,4"; weight: 300"#]],
        );
        check("cpus: 1, cpuset: \"2-0\"", expect!["SV015 `cpuset` is `2-0`, not cores such as `0-2,4`"]);
        check("cpus: 1, cpuset: \"0, 1\"", expect!["SV015 `cpuset` is `0, 1`, not cores such as `0-2,4`"]);
        check("cpus: 1, cpu_shares: 1", expect!["SV015 `cpu_shares` is `1`, not a weight from 2 to 262144"]);
        check(
            "cpus: 1, blkio_config: {weight: 5}",
            expect!["SV015 `blkio_config.weight` is `5`, not a weight from 10 to 1000"],
        );
        check(
            "cpus: 1, blkio_config: {device_read_bps: [{path: /dev/sda, rate: 1mb}]}",
            expect!["SV279 `blkio_config.device` is not supported"],
        );
    }
}
