//! `stats`: what services use, by the engine's readings.
//!
//! On a terminal it goes on until an interrupt. Deliberately absent: history; `run` serves metrics.

use std::io::{IsTerminal as _, Write as _, stdout};

use futures_util::StreamExt as _;
use futures_util::future::join_all;

use crate::args::GlobalArgs;
use crate::decide::seen::SeenContainer;
use crate::engine::{Docker, Engine as _, EngineError, Usage};
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

use super::chosen::running;
use super::ps::Format;

/// Options of `stats`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One reading, and no more; without a terminal it is so anyway
    #[arg(long)]
    pub no_stream: bool,
    /// A table, or JSON: an array with one object a container
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let once = args.no_stream || args.format == Format::Json || !stdout().is_terminal();
    let mut drawn = 0;
    loop {
        let containers = running(&session.engine, &project, &args.services).await?;
        let readings = join_all(containers.iter().map(|container| read(&session.engine, container))).await;
        let readings = readings.into_iter().collect::<Result<Vec<_>, _>>()?;
        let text = match args.format {
            Format::Json => json(&containers, &readings),
            Format::Table => shown(&containers, &readings),
        };
        if drawn > 0 {
            print!("\u{1b}[{drawn}A\u{1b}[J");
        }
        print!("{text}");
        stdout().flush()?;
        if once {
            return Ok(Exit::Done);
        }
        drawn = text.lines().count();
    }
}

/// A reading spans about a second: the engine takes two samples for the processor's share.
async fn read(engine: &Docker, container: &SeenContainer) -> Result<Option<Usage>, EngineError> {
    match engine.stats(&container.id, false).next().await {
        Some(Ok(usage)) => Ok(Some(usage)),
        // It ended meanwhile.
        Some(Err(EngineError::NotFound { .. })) | None => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

fn shown(containers: &[SeenContainer], readings: &[Option<Usage>]) -> String {
    let rows = containers.iter().zip(readings).filter_map(|(container, usage)| {
        let usage = usage.as_ref()?;
        Some(vec![
            container.name.clone(),
            percent(usage.nano_cpus, 1_000_000_000),
            format!("{} / {}", bytes(usage.memory), bytes(usage.memory_limit)),
            percent(usage.memory, usage.memory_limit),
            format!("{} / {}", bytes(usage.received), bytes(usage.sent)),
            format!("{} / {}", bytes(usage.read), bytes(usage.written)),
            usage.pids.to_string(),
        ])
    });
    let titles = ["NAME", "CPU", "MEMORY / LIMIT", "MEM", "NET IN / OUT", "DISK READ / WRITTEN", "PIDS"];
    table(&titles, &rows.collect::<Vec<_>>())
}

fn json(containers: &[SeenContainer], readings: &[Option<Usage>]) -> String {
    let rows = containers.iter().zip(readings).filter_map(|(container, usage)| {
        let usage = usage.as_ref()?;
        Some(serde_json::json!({
            "name": container.name,
            "service": container.service,
            "nano_cpus": usage.nano_cpus,
            "memory": usage.memory,
            "memory_limit": usage.memory_limit,
            "pids": usage.pids,
            "received": usage.received,
            "sent": usage.sent,
            "read": usage.read,
            "written": usage.written,
        }))
    });
    format!("{}\n", serde_json::Value::Array(rows.collect()))
}

/// Hundredths in whole numbers: `12.34%`.
fn percent(part: u64, whole: u64) -> String {
    let share = (u128::from(part) * 10_000).checked_div(u128::from(whole)).unwrap_or_default();
    format!("{}.{:02}%", share / 100, share % 100)
}

/// `812.4MiB`, one digit.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.into_iter().find(|(_, size)| number >= *size);
    unit.map_or_else(
        || format!("{number}B"),
        |(name, size)| {
            let tenths = u128::from(number) * 10 / u128::from(size);
            format!("{}.{}{name}", tenths / 10, tenths % 10)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let shown = [0, 1023, 1536, 5 << 20, 3_758_096_384].map(bytes);
        assert_eq!(shown, ["0B", "1023B", "1.5KiB", "5.0MiB", "3.5GiB"]);
        assert_eq!([percent(1, 3), percent(3, 2), percent(1, 0)], ["33.33%", "150.00%", "0.00%"]);
    }
}
