//! What all runs of the fuzz targets reached, kept in the repository, so that hours add up over many runs and machines.
//!
//! Deliberately absent: the runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::cache;
use crate::product::workspace;

/// The file's first line.
const HEAD: &str = "target\tCPU seconds\texecutions\tlast run";

/// One run, or the sum of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// User and system together.
    pub(super) cpu: Duration,
    /// Inputs tried.
    pub(super) executions: u64,
    /// The day of it, or of the last, in UTC; empty where there was none.
    pub(super) day: String,
}

/// Where it is kept.
pub(super) fn file() -> PathBuf {
    workspace().join("fuzz/ledger.tsv")
}

/// Adds a run of today. Two programs that do so at once wait for each other.
pub(super) fn note(file: &Path, target: &str, cpu: Duration, executions: u64) -> Result<()> {
    let _lock = cache::lock("fuzz-ledger.lock")?;
    let mut rounds = read(file)?;
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    add(&mut rounds, target, cpu, executions, day);
    fs::write(file, written(&rounds)).with_context(|| format!("could not write `{}`", file.display()))
}

/// The sums by target; none where nothing ran yet.
pub(super) fn read(file: &Path) -> Result<BTreeMap<String, Round>> {
    match fs::read_to_string(file) {
        Ok(text) => parsed(&text).with_context(|| format!("`{}` is no ledger", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("could not read `{}`", file.display())),
    }
}

fn add(rounds: &mut BTreeMap<String, Round>, target: &str, cpu: Duration, executions: u64, day: String) {
    let sum = rounds.entry(target.to_owned()).or_default();
    // Whole seconds are kept: what a run has beyond them is no hour in the end.
    sum.cpu += Duration::from_secs(cpu.as_secs());
    sum.executions += executions;
    sum.day = day;
}

fn parsed(text: &str) -> Result<BTreeMap<String, Round>> {
    let rows = text.lines().filter(|line| *line != HEAD);
    let row = |line: &str| {
        let [target, cpu, executions, day] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        let round = Round {
            cpu: Duration::from_secs(cpu.parse().ok()?),
            executions: executions.parse().ok()?,
            day: day.to_owned(),
        };
        Some((target.to_owned(), round))
    };
    rows.map(|line| row(line).with_context(|| format!("`{line}` is no row"))).collect()
}

fn written(rounds: &BTreeMap<String, Round>) -> String {
    rounds.iter().fold(format!("{HEAD}\n"), |mut out, (target, Round { cpu, executions, day })| {
        let _ = writeln!(out, "{target}\t{}\t{executions}\t{day}", cpu.as_secs());
        out
    })
}

/// How many inputs were tried, by the last words of the fuzzer.
pub(super) fn executions(log: &str) -> u64 {
    let line = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{BTreeMap, Duration, Round, add, parsed, written};

    #[test]
    fn runs_add_up_and_what_is_written_is_read_back() {
        let mut rounds = BTreeMap::new();
        add(&mut rounds, "load", Duration::from_millis(600_900), 10, "2026-01-02".into());
        add(&mut rounds, "fix", Duration::from_secs(1), 2, "2026-01-02".into());
        let mut rounds = parsed(&written(&rounds)).unwrap();
        add(&mut rounds, "load", Duration::from_mins(1), 5, "2026-01-03".into());
        let load = Round { cpu: Duration::from_mins(11), executions: 15, day: "2026-01-03".into() };
        assert_eq!(rounds.get("load"), Some(&load));
        assert_eq!(parsed(&written(&rounds)).unwrap(), rounds);
    }

    #[test]
    fn a_broken_row_is_an_error_and_not_a_loss() {
        assert!(parsed("load\t1\t2\n").is_err());
        assert!(parsed("<<<<<<< ours\n").is_err());
    }
}
