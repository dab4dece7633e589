//! `/metrics`: one row a metric; the row is the metric, its documentation and its reading of the snapshot.
//!
//! Deliberately absent: counters of its own; every number is in what it is given.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::decide::guard::listing::Count;
use crate::decide::guard::rows;
use crate::observe::denials::Way;

use super::routes::Moment;
use super::snapshot::{Attestation, ContainerStatus, GuardState, RelayStatus, STALE_AFTER, ServiceState};

/// The media type of OpenMetrics text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric.
pub struct Metric {
    /// Without the unit and without `_total`; both are added where they belong.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// The unit at the end of its name.
    pub unit: Option<Unit>,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says, without a full stop.
    pub help: &'static str,
    /// Its samples.
    read: fn(&Moment<'_>) -> Vec<Sample>,
}

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows while the supervisor runs.
    Counter,
}

/// A value under the metric's labels, in their order.
struct Sample {
    labels: Vec<String>,
    value: f64,
}

/// Every metric.
pub static METRICS: &[Metric] = &[
    Metric {
        name: "supervisor_info",
        kind: Kind::Gauge,
        unit: None,
        labels: &["version", "project"],
        help: "Always 1; which supervisor this is",
        read: |r| vec![sample([&r.snapshot.version, &r.snapshot.project], 1.0)],
    },
    Metric {
        name: "supervisor_start_time",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "When this process started, since 1970",
        read: |r| vec![bare(seconds(r.snapshot.started_at))],
    },
    Metric {
        name: "supervisor_turning",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 while the loop turns; what /livez says",
        read: |r| vec![bare(flag(r.age <= STALE_AFTER))],
    },
    Metric {
        name: "supervisor_turn_age",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "Since the loop last ended a turn; it turns at least every 5 s",
        read: |r| vec![bare(r.age.as_secs_f64())],
    },
    Metric {
        name: "supervisor_turn_duration",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "How long the loop's last turn took",
        read: |r| vec![bare(r.snapshot.turn_seconds)],
    },
    Metric {
        name: "supervisor_turn_longest",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "How long the longest turn took since this process started",
        read: |r| vec![bare(r.snapshot.longest_turn_seconds)],
    },
    Metric {
        name: "supervisor_kernel_landlock_abi",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Version of Landlock's interface that the kernel offers, of those that are made use of; 0 is none",
        read: |r| r.snapshot.kernel.iter().map(|kernel| bare(f64::from(kernel.landlock_abi))).collect(),
    },
    Metric {
        name: "supervisor_ready",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 when every service is healthy and attested; what /readyz and /healthz say",
        read: |r| vec![bare(flag(r.age <= STALE_AFTER && r.snapshot.is_ready()))],
    },
    Metric {
        name: "supervisor_stack_refused",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 while the file as it is now is refused; the one before it stays in force",
        read: |r| vec![bare(flag(r.snapshot.stack.refused.is_some()))],
    },
    Metric {
        name: "supervisor_stack_refusals",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Files that were read and not taken",
        read: |r| vec![count(r.snapshot.totals.refusals)],
    },
    Metric {
        name: "supervisor_engine_reachable",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 while the engine answers",
        read: |r| vec![bare(flag(r.snapshot.engine.reachable))],
    },
    Metric {
        name: "supervisor_engine_listening",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 while the engine's events are heard",
        read: |r| vec![bare(flag(r.snapshot.engine.listening))],
    },
    Metric {
        name: "supervisor_engine_reconnects",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Times that the engine's event stream was opened again",
        read: |r| vec![count(r.snapshot.totals.reconnects)],
    },
    Metric {
        name: "supervisor_look_time",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "When the engine was last looked at in full, since 1970",
        read: |r| r.snapshot.engine.looked_at.map(|at| bare(seconds(at))).into_iter().collect(),
    },
    Metric {
        name: "supervisor_look_duration",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "How long the engine took for the last full look",
        read: |r| vec![bare(r.snapshot.engine.look_seconds)],
    },
    Metric {
        name: "supervisor_looks",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Full looks at the engine",
        read: |r| vec![count(r.snapshot.totals.looks)],
    },
    Metric {
        name: "supervisor_plans",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Plans with at least one step that were carried out",
        read: |r| vec![count(r.snapshot.totals.plans)],
    },
    Metric {
        name: "supervisor_plan_failures",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Plans that stopped before their end",
        read: |r| vec![count(r.snapshot.totals.plan_failures)],
    },
    Metric {
        name: "supervisor_last_plan_time",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &[],
        help: "When the last plan with a step ended, since 1970; absent before the first one has",
        read: |r| {
            let at = r.snapshot.last_plan.as_ref().and_then(|plan| plan.at);
            at.map(|at| bare(seconds(at))).into_iter().collect()
        },
    },
    Metric {
        name: "supervisor_service_state",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "state"],
        help: "1 for the state that the service is in",
        read: |r| {
            let service = r.snapshot.services.iter();
            let states =
                service.flat_map(|(name, s)| ServiceState::ALL.iter().map(move |state| (name, s, *state)));
            states.map(|(name, s, state)| sample([name, state.name()], flag(s.state == state))).collect()
        },
    },
    Metric {
        name: "supervisor_container_restarts",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "container"],
        help: "Starts that healed the container",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_container(r, |c| Some(c.restarts as f64)),
    },
    Metric {
        name: "supervisor_container_attested",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "container"],
        help: "1 where the kernel's word is as promised, 0 where it is not; absent where it was not asked yet",
        read: |r| {
            each_container(r, |c| match c.attestation {
                Attestation::Unknown => None,
                Attestation::Passed { .. } => Some(1.0),
                Attestation::Failed { .. } => Some(0.0),
            })
        },
    },
    Metric {
        name: "supervisor_container_broken_promises",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "container"],
        help: "What the kernel said of it that is not as promised, in sentences; absent where it was not asked yet",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| {
            each_container(r, |c| match &c.attestation {
                Attestation::Unknown => None,
                Attestation::Passed { .. } => Some(0.0),
                Attestation::Failed { differences, .. } => Some(differences.len() as f64),
            })
        },
    },
    Metric {
        name: "supervisor_container_next_start",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &["service", "container"],
        help: "When a container that waits for its back-off is started again, since 1970; absent where none waits",
        read: |r| each_container(r, |c| c.next_start.map(seconds)),
    },
    Metric {
        name: "supervisor_probe_duration",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        labels: &["service", "container"],
        help: "How long the last probe took",
        read: |r| each_container(r, |c| c.probe.as_ref().map(|p| p.seconds)),
    },
    Metric {
        name: "supervisor_probes",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "container"],
        help: "Probes that were asked",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_container(r, |c| c.probe.as_ref().map(|p| p.total as f64)),
    },
    Metric {
        name: "supervisor_probe_failures",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "container"],
        help: "Probes that failed",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_container(r, |c| c.probe.as_ref().map(|p| p.failed as f64)),
    },
    Metric {
        name: "supervisor_relay_listening",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "listen"],
        help: "1 where the supervisor listens on a loopback port of a service on internal networks, 0 where it cannot",
        read: |r| each_relay(r, |relay| flag(relay.error.is_none())),
    },
    Metric {
        name: "supervisor_relay_connections",
        kind: Kind::Gauge,
        unit: None,
        labels: &["service", "listen"],
        help: "Connections through that port now",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_relay(r, |relay| relay.open as f64),
    },
    Metric {
        name: "supervisor_relay_passed",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "listen"],
        help: "Connections that were passed on to a container",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_relay(r, |relay| relay.passed as f64),
    },
    Metric {
        name: "supervisor_relay_refused",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "listen"],
        help: "Connections that were closed at once: too many, or no container took them",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_relay(r, |relay| relay.refused as f64),
    },
    Metric {
        name: "supervisor_egress_requests",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "name", "outcome"],
        help: "Connections that a service asked the egress proxy for, by name and port: `allowed`, `denied`, or `failed` where \
               the way was open and nobody answered; 100 names a service, the rest under `other:0`",
        read: |r| {
            let rows = r.snapshot.egress.iter();
            #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            let samples = rows.map(|row| {
                let to = format!("{}:{}", row.asked.name, row.asked.port);
                sample([&row.asked.service, &to, row.outcome.name()], row.count as f64)
            });
            samples.collect()
        },
    },
    Metric {
        name: "supervisor_denials",
        kind: Kind::Counter,
        unit: None,
        labels: &["service", "by", "what"],
        help: "What the kernel denied to a service, as far as it tells: by `seccomp` a system call, by `apparmor` an operation; \
               which path and what to write is in /status",
        read: denials,
    },
    Metric {
        name: "supervisor_denials_heard",
        kind: Kind::Gauge,
        unit: None,
        labels: &["way"],
        help: "1 where denials are heard on this way: `audit` loses none, `log` has ten at once at most",
        read: |r| {
            let open = &r.snapshot.denials.heard_by;
            let ways = [("audit", Way::Audit), ("log", Way::Log)];
            ways.iter().map(|(name, way)| sample([name], flag(open.contains(way)))).collect()
        },
    },
    Metric {
        name: "supervisor_control_plane_told",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Whether the control plane took the news that the stack is up; absent where there is none",
        read: |r| {
            let told = r.snapshot.control_plane.iter();
            told.map(|told| sample([], if told.announced_at.is_some() { 1.0 } else { 0.0 })).collect()
        },
    },
    Metric {
        name: "supervisor_endpoint_answers",
        kind: Kind::Counter,
        unit: None,
        labels: &["status"],
        help: "Answers of the endpoint since it started; 401 without the right token, 421 for another host",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| {
            let answers = r.requests.answers.iter();
            answers.map(|(status, times)| sample([&status.to_string()], *times as f64)).collect()
        },
    },
    Metric {
        name: "supervisor_endpoint_crowded_out",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Connections to the endpoint that had to make room before they had asked",
        read: |r| vec![count(r.requests.crowded_out)],
    },
    Metric {
        name: "supervisor_guard_set",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "1 where the guard was in force as wanted at the last look, 0 where it was not; absent where the stack goes without",
        read: |r| {
            let guard = r.snapshot.guard.iter().filter(|guard| guard.state != GuardState::Off);
            guard.map(|guard| bare(flag(guard.state == GuardState::Set))).collect()
        },
    },
    Metric {
        name: "supervisor_guard_restorations",
        kind: Kind::Counter,
        unit: None,
        labels: &[],
        help: "Times that the guard was put back after somebody had taken it away or changed it",
        read: |r| vec![count(r.snapshot.totals.guard_restorations)],
    },
    Metric {
        name: "supervisor_guard_packets",
        kind: Kind::Counter,
        unit: None,
        labels: &["row", "deed"],
        help: "Packets that met a row of the guard; `supervisor guard show` says what each row is",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_row(r, |count| count.packets as f64),
    },
    Metric {
        name: "supervisor_guard",
        kind: Kind::Counter,
        unit: Some(Unit::Bytes),
        labels: &["row", "deed"],
        help: "Bytes of those packets",
        #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        read: |r| each_row(r, |count| count.bytes as f64),
    },
];

/// The whole exposition.
pub fn render(now: Moment<'_>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Rows(readings(&now))));
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = text::encode(&mut out, &registry);
    out
}

/// `docs/metrics.md`.
pub fn documentation() -> String {
    let mut out = String::from(
        "# Metrics\n\nGenerated from the table in `supervisor/src/serve/metrics.rs`; `GET /metrics` has them.\n\n\
         | metric | type | labels | says |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = if metric.kind == Kind::Gauge { "gauge" } else { "counter" };
        let _ =
            writeln!(out, "| `{}` | {kind} | {} | {} |", metric.full_name(), labels.join(", "), metric.help);
    }
    out
}

impl Metric {
    /// As Prometheus shows it.
    pub fn full_name(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name)
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Samples that were read, beside their metric.
#[derive(Debug)]
struct Rows(Vec<(&'static Metric, Vec<(Labels, f64)>)>);

type Labels = Vec<(&'static str, String)>;

fn readings(reading: &Moment<'_>) -> Vec<(&'static Metric, Vec<(Labels, f64)>)> {
    let named = |metric: &'static Metric, sample: Sample| {
        (metric.labels.iter().copied().zip(sample.labels).collect(), sample.value)
    };
    METRICS
        .iter()
        .map(|metric| (metric, (metric.read)(reading).into_iter().map(|s| named(metric, s)).collect()))
        .collect()
}

impl Collector for Rows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, samples) in &self.0 {
            let kind = match metric.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
            };
            let mut family =
                encoder.encode_descriptor(metric.name, metric.help, metric.unit.as_ref(), kind)?;
            for (labels, value) in samples {
                let mut sample = family.encode_family(labels)?;
                match metric.kind {
                    Kind::Gauge => sample.encode_gauge(value)?,
                    Kind::Counter => sample.encode_counter::<Labels, f64, f64>(value, None)?,
                }
            }
        }
        Ok(())
    }
}

fn sample<const N: usize>(labels: [&str; N], value: f64) -> Sample {
    Sample { labels: labels.map(str::to_owned).to_vec(), value }
}

fn bare(value: f64) -> Sample {
    sample([], value)
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(value: u64) -> Sample {
    bare(value as f64)
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// Whatever they were about, which programs choose, is one sample.
#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn denials(reading: &Moment<'_>) -> Vec<Sample> {
    let mut sums: BTreeMap<[&str; 3], u64> = BTreeMap::new();
    for row in &reading.snapshot.denials.rows {
        let labels = [row.denial.service.as_str(), row.denial.by.name(), row.denial.what.as_str()];
        let sum = sums.entry(labels).or_default();
        *sum = sum.saturating_add(row.count);
    }
    sums.into_iter().map(|(labels, sum)| sample(labels, sum as f64)).collect()
}

fn each_row(reading: &Moment<'_>, value: fn(&Count) -> f64) -> Vec<Sample> {
    let Some(guard) = &reading.snapshot.guard else { return Vec::new() };
    let rows = rows::ALL.iter().filter_map(|row| Some((row, guard.counters.get(row.name)?)));
    rows.map(|(row, count)| sample([row.name, row.deed.word()], value(count))).collect()
}

fn each_container(reading: &Moment<'_>, value: impl Fn(&ContainerStatus) -> Option<f64>) -> Vec<Sample> {
    let containers = reading.snapshot.services.iter();
    containers
        .flat_map(|(service, s)| s.containers.iter().map(move |c| (service, c)))
        .filter_map(|(service, c)| value(c).map(|value| sample([service, &c.name], value)))
        .collect()
}

fn each_relay(reading: &Moment<'_>, value: impl Fn(&RelayStatus) -> f64) -> Vec<Sample> {
    let relays = reading.snapshot.relays.iter();
    relays.map(|relay| sample([&relay.service, &relay.listen.to_string()], value(relay))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_as_the_table_says() {
        expect_test::expect_file!["../../../docs/metrics.md"].assert_eq(&documentation());
    }

    #[test]
    fn names_are_unique_and_ours() {
        let mut names: Vec<String> = METRICS.iter().map(Metric::full_name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.iter().all(|name| name.starts_with("supervisor_")));
    }
}
