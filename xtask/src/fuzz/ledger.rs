//! What each run of a fuzz target reached, one line a run, so that hours are counted over many runs.
//!
//! Deliberately absent: the runs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

/// One run, or the sum of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// User and system together.
    pub(super) cpu: Duration,
    /// Inputs tried.
    pub(super) executions: u64,
}

/// Adds a run.
pub(super) fn note(ledger: &Path, round: Round) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(ledger)?;
    Ok(writeln!(file, "{} {}", round.cpu.as_millis(), round.executions)?)
}

/// The sum of all runs; nothing where there was none.
pub(super) fn total(ledger: &Path) -> Result<Round> {
    if !ledger.exists() {
        return Ok(Round::default());
    }
    let text = fs::read_to_string(ledger)?;
    let rows = text.lines().filter_map(|line| line.split_once(' '));
    let rows = rows
        .filter_map(|(cpu, executions)| Some((cpu.parse::<u64>().ok()?, executions.parse::<u64>().ok()?)));
    Ok(rows.fold(Round::default(), |sum, (cpu, executions)| Round {
        cpu: sum.cpu + Duration::from_millis(cpu),
        executions: sum.executions + executions,
    }))
}

/// How many inputs were tried, by the last words of the fuzzer.
pub(super) fn executions(log: &str) -> u64 {
    let line = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}
