//! What one run of a program used: CPU time, time on the wall, memory.
//!
//! A hidden command of this program runs each sample in a process of its own, since the kernel keeps the largest memory of all
//! children together. Deliberately absent: opinions.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Options of the hidden command.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    program: Vec<OsString>,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system together.
    pub(crate) cpu: Duration,
    /// From start to end.
    pub(crate) wall: Duration,
    /// Largest resident set, in KiB.
    pub(crate) rss: u64,
}

/// The hidden command: runs the program, prints what it used, ends as it ended.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (program, arguments) = args.program.split_first().context("no program")?;
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{cpu} {} {}", wall.as_micros(), usage.max_rss());
    if !status.success() {
        bail!("it ended with {status}");
    }
    Ok(())
}

/// Runs a prepared command to its end with its own output: how it ended, and its CPU time with that of its children. Nothing
/// else may end meanwhile.
pub(crate) fn watch(command: &mut Command) -> Result<(ExitStatus, Duration)> {
    let used = || -> Result<i64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
    };
    let before = used()?;
    let status = command.stdin(Stdio::null()).status()?;
    Ok((status, Duration::from_micros(u64::try_from(used()? - before).unwrap_or_default())))
}

/// Runs a prepared command to its end and measures it. It must succeed.
pub(crate) fn measure(command: &Command) -> Result<Usage> {
    parse(&crate::shell::output(&mut measured(command)?)?)
}

/// The same of a command that may fail.
pub(crate) fn usage(command: &Command) -> Result<Usage> {
    let output = measured(command)?.stdin(Stdio::null()).output()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn measured(command: &Command) -> Result<Command> {
    let mut measured = Command::new(std::env::current_exe()?);
    measured.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measured.env(name, value),
            None => measured.env_remove(name),
        };
    }
    Ok(measured)
}

fn parse(text: &str) -> Result<Usage> {
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let mut next = || numbers.next().context("no measurement");
    Ok(Usage { cpu: Duration::from_micros(next()?), wall: Duration::from_micros(next()?), rss: next()? })
}

/// What a row such as `VmRSS:` of a file in `/proc` says, in KiB.
pub(crate) fn kib(file: &Path, row: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let found = text.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(':'));
    let number = found.and_then(|found| found.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no {row}"))
}

/// A process, and those that it started and that are children still.
pub(crate) fn tree(pid: u32) -> Result<Vec<u32>> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children"))?;
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    Ok(found)
}

/// The median of each number by itself.
pub(crate) fn median(samples: &[Usage]) -> Usage {
    Usage {
        cpu: middle(samples.iter().map(|s| s.cpu).collect()),
        wall: middle(samples.iter().map(|s| s.wall).collect()),
        rss: middle(samples.iter().map(|s| s.rss).collect()),
    }
}

/// The median of plain numbers; no number without one.
pub(crate) fn middle_of(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Looks every 10 ms until something is found, for a minute.
///
/// # Errors
/// Nothing was found within it, or a look failed.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(1) {
        if let Some(found) = look()? {
            return Ok(found);
        }
        sleep(Duration::from_millis(10));
    }
    bail!("waited for {what} in vain")
}

/// Resident set of a process now, in KiB.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    kib(&PathBuf::from(format!("/proc/{pid}/status")), "VmRSS")
}

fn middle<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
