//! What keeps coming from the engine: events, output, readings, progress of a pull.
//!
//! Deliberately absent: joining again after a break; whoever listens knows from when on.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerBlkioStats, ContainerStatsResponse, CreateImageInfo, EventMessage};
use bollard::query_parameters::{LogsOptions, LogsOptionsBuilder};
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;

use crate::decide::labels;
use crate::decide::seen::Health;
use crate::engine::port::{Channel, EngineEvent, EventKind, LogChunk, LogQuery, PullProgress, Usage};

/// An event that we pass on; `None` for the others.
pub(super) fn event(message: &EventMessage) -> Option<EngineEvent> {
    let actor = message.actor.as_ref()?;
    let attribute = |name: &str| actor.attributes.as_ref()?.get(name).cloned();
    let kind = match message.action.as_deref()? {
        "create" => EventKind::Create,
        "start" => EventKind::Start,
        "kill" => EventKind::Kill(attribute("signal")?.parse().ok()?),
        "stop" => EventKind::Stop,
        "die" => EventKind::Die(attribute("exitCode")?.parse().ok()?),
        "oom" => EventKind::OutOfMemory,
        "pause" => EventKind::Pause,
        "unpause" => EventKind::Unpause,
        "update" => EventKind::Update,
        "rename" => EventKind::Rename,
        "destroy" => EventKind::Destroy,
        "health_status: healthy" => EventKind::Health(Health::Healthy),
        "health_status: unhealthy" => EventKind::Health(Health::Unhealthy),
        _ => return None,
    };
    Some(EngineEvent {
        at: Timestamp::from_nanosecond(i128::from(message.time_nano?)).ok()?,
        id: actor.id.clone()?,
        name: attribute("name").unwrap_or_default(),
        service: attribute(labels::SERVICE),
        kind,
    })
}

/// Seconds and their fraction since 1970, as the engine takes times.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{}.{:09}", at.as_second(), at.subsec_nanosecond())
}

/// Which part of the output, in the engine's words.
pub(super) fn log_options(query: &LogQuery) -> LogsOptions {
    let clamp = |at: Timestamp| i32::try_from(at.as_second()).unwrap_or(i32::MAX);
    let tail = query.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
    let mut options = LogsOptionsBuilder::new()
        .stdout(true)
        .stderr(true)
        .follow(query.follow)
        .timestamps(query.timestamps)
        .tail(&tail);
    if let Some(since) = query.since {
        options = options.since(clamp(since));
    }
    if let Some(until) = query.until {
        options = options.until(clamp(until));
    }
    options.build()
}

/// Some output.
pub(super) fn chunk(output: LogOutput) -> LogChunk {
    let channel = match output {
        LogOutput::StdErr { .. } => Channel::Err,
        LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => Channel::Out,
    };
    LogChunk { channel, bytes: output.into_bytes().to_vec() }
}

/// A step of a pull.
pub(super) fn pull(info: CreateImageInfo) -> PullProgress {
    let bytes = info.progress_detail.and_then(|detail| {
        let (done, all) = (detail.current?, detail.total?);
        Some((u64::try_from(done).ok()?, u64::try_from(all).ok()?)).filter(|(_, all)| *all > 0)
    });
    PullProgress { layer: info.id.unwrap_or_default(), status: info.status.unwrap_or_default(), bytes }
}

/// A stream that fails with `stalled` and ends where nothing came of it for so long.
pub(super) fn moving<T, E>(
    steps: impl Stream<Item = Result<T, E>>,
    limit: Duration,
    stalled: impl Fn() -> E + Clone,
) -> impl Stream<Item = Result<T, E>> {
    let steps = Box::pin(steps);
    futures_util::stream::unfold(Some(steps), move |steps| {
        let stalled = stalled.clone();
        async move {
            let mut steps = steps?;
            match tokio::time::timeout(limit, steps.next()).await {
                Ok(step) => step.map(|step| (step, Some(steps))),
                Err(_) => Some((Err(stalled()), None)),
            }
        }
    })
}

/// A reading; the processor's share is of the time since the one before.
pub(super) fn usage(reading: &ContainerStatsResponse) -> Usage {
    let memory = reading.memory_stats.as_ref();
    let used = memory.and_then(|memory| memory.usage).unwrap_or_default();
    let cache = memory.and_then(|memory| {
        let stats = memory.stats.as_ref()?;
        // cgroup v2 and v1 call it by these names.
        stats.get("inactive_file").or_else(|| stats.get("total_inactive_file")).copied()
    });
    let networks = reading.networks.iter().flatten().map(|(_, network)| network);
    let (received, sent) = networks.fold((0, 0), |(rx, tx), network| {
        (rx + network.rx_bytes.unwrap_or_default(), tx + network.tx_bytes.unwrap_or_default())
    });
    let (read, written) = reading.blkio_stats.as_ref().map(blocks).unwrap_or_default();
    Usage {
        nano_cpus: nano_cpus(reading).unwrap_or_default(),
        memory: used.saturating_sub(cache.unwrap_or_default()),
        memory_limit: memory.and_then(|memory| memory.limit).unwrap_or_default(),
        pids: reading.pids_stats.as_ref().and_then(|pids| pids.current).unwrap_or_default(),
        received,
        sent,
        read,
        written,
    }
}

fn nano_cpus(reading: &ContainerStatsResponse) -> Option<u64> {
    let (now, before) = (reading.cpu_stats.as_ref()?, reading.precpu_stats.as_ref()?);
    let used = now.cpu_usage.as_ref()?.total_usage?.checked_sub(before.cpu_usage.as_ref()?.total_usage?)?;
    let passed = now.system_cpu_usage?.checked_sub(before.system_cpu_usage?)?;
    let cores = u128::from(now.online_cpus?);
    let share = (u128::from(used) * cores * 1_000_000_000).checked_div(u128::from(passed))?;
    u64::try_from(share).ok()
}

fn blocks(stats: &ContainerBlkioStats) -> (u64, u64) {
    let rows = stats.io_service_bytes_recursive.iter().flatten();
    rows.fold((0, 0), |(read, written), row| {
        let bytes = row.value.unwrap_or_default();
        match row.op.as_deref() {
            Some(op) if op.eq_ignore_ascii_case("read") => (read + bytes, written),
            Some(op) if op.eq_ignore_ascii_case("write") => (read, written + bytes),
            _ => (read, written),
        }
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(message: &str, expect: Expect) {
        let message: EventMessage = serde_json::from_str(message).unwrap();
        let text = event(&message).map_or_else(
            || "passed over".to_owned(),
            |event| format!("{} {} {:?} {:?}", event.at, event.name, event.service, event.kind),
        );
        expect.assert_eq(&text);
    }

    #[test]
    fn an_end_has_its_code() {
        check(
            r#"{"Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"name":"shop-web-1","exitCode":"78",
                "supervisor.service":"web"}},"time":1764000000,"timeNano":1764000000123456789}"#,
            expect![[r#"2025-11-24T16:00:00.123456789Z shop-web-1 Some("web") Die(78)"#]],
        );
    }

    #[test]
    fn health_is_an_event_and_its_commands_are_not() {
        check(
            r#"{"Action":"health_status: healthy","Actor":{"ID":"ab","Attributes":{"name":"x"}},"timeNano":1}"#,
            expect!["1970-01-01T00:00:00.000000001Z x None Health(Healthy)"],
        );
        check(
            r#"{"Action":"exec_start: /bin/true","Actor":{"ID":"ab","Attributes":{"name":"x"}},"timeNano":1}"#,
            expect!["passed over"],
        );
    }
}
