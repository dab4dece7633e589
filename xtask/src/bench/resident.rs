//! `supervisor run` over one service: what it holds, and what it uses while nothing happens.
//!
//! Deliberately absent: what it does when something happens (`healing`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::measure::{self, kib, tree};
use super::{Bench, mib, row};
use crate::shell::{command, quiet, say};

/// Until it has nothing to do any more.
const SETTLED: Duration = Duration::from_secs(15);
/// How long it is watched.
const WATCH: Duration = Duration::from_mins(1);

/// Measures and prints.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let probed = bench.folder.join("probed");
    let daemon = Daemon::start(bench, &probed, "resident")?;
    sleep(SETTLED);
    say(format!("watching `supervisor run` for {} s", WATCH.as_secs()));
    let before = daemon.cpu()?;
    sleep(WATCH);
    let used = daemon.cpu()?.saturating_sub(before);
    let rss = daemon.memory()?;
    let all = daemon.proportional()?;
    drop(daemon);
    quiet(bench.at(&bench.supervisor, &probed).arg("down"))?;
    let percent = used.as_secs_f64() / WATCH.as_secs_f64() * 100.0;
    row("resident run, memory MiB", &format!("{:.1}", mib(rss)), "", "", None, "10 MiB at most");
    let text = format!("{:.1}", mib(all));
    row("the same with its helpers, shared once, MiB", &text, "", "", None, "");
    row("resident run, % of a core at 2 s", &format!("{percent:.3}"), "", "", None, "0.2 % at most");
    Ok(())
}

/// The resident supervisor; dropping it ends it.
pub(super) struct Daemon(Child);

impl Daemon {
    /// Starts it over the stack in a folder, with a log of this name.
    pub(super) fn start(bench: &Bench, folder: &Path, log: &str) -> Result<Self> {
        let log = File::create(bench.folder.join(format!("{log}.log")))?;
        let mut run = bench.at(&bench.supervisor, folder);
        run.args(["run", "--listen", "127.0.0.1:9180"]).stdout(log.try_clone()?).stderr(log);
        Ok(Self(run.spawn()?))
    }

    /// Its process and those that it started.
    fn processes(&self) -> Result<impl Iterator<Item = PathBuf>> {
        Ok(tree(self.0.id())?.into_iter().map(|pid| PathBuf::from(format!("/proc/{pid}"))))
    }

    /// CPU time of all threads of all its processes, by the scheduler's own count.
    fn cpu(&self) -> Result<Duration> {
        let mut total = 0;
        for process in self.processes()? {
            for thread in fs::read_dir(process.join("task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                total += text
                    .split_whitespace()
                    .next()
                    .and_then(|n| n.parse::<u64>().ok())
                    .context("no schedstat")?;
            }
        }
        Ok(Duration::from_nanos(total))
    }

    /// Memory of all its processes, what they share counted once, in KiB (`Pss`, proc(5)).
    fn proportional(&self) -> Result<u64> {
        let mut total = 0;
        for process in self.processes()? {
            total += kib(&process.join("smaps_rollup"), "Pss")?;
        }
        Ok(total)
    }

    /// Resident set now, in KiB.
    fn memory(&self) -> Result<u64> {
        measure::resident(self.0.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = quiet(&mut command("kill", [self.0.id().to_string()]));
        let _ = self.0.wait();
    }
}
