//! `cargo xtask fuzz`: builds the fuzz targets, grows their corpora in the cache, and says what was reached.
//!
//! The bodies are in `tests/src/fuzz.rs`. Nothing here is `unsafe`, so that no sanitizer is built in: panics, hangs and memory are
//! what is looked for, with overflow checks on. Deliberately absent: mending what is found.

mod ledger;
mod seeds;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bench::measure;
use crate::cache;
use crate::product::{cargo, workspace};
use crate::shell::{command, loud, say};

/// The build tool, where the machine has none.
const CARGO_FUZZ: &str = "0.13.2";
/// One a function in `tests::fuzz`.
const TARGETS: [&str; 5] = ["load", "interpolate", "merge", "check", "fix"];
/// What one input may take, far above what the limits of reading allow; time is on the wall, and fuzzing comes last for the CPU.
const LIMITS: [&str; 4] = ["-timeout=60", "-rss_limit_mb=512", "-max_len=8192", "-len_control=20"];
/// Most of a kept corpus, by target.
const MOST_KEPT: usize = 300;
/// Longest input that is kept.
const LONGEST_KEPT: u64 = 1024;

/// Options of `fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One target only
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Afterwards, write the shortest inputs that reach all that was reached to `fuzz/corpus`
    #[arg(long)]
    keep: bool,
    /// Run nothing, and print what all runs reached, as `fuzz/ledger.tsv` has it
    #[arg(long)]
    report: bool,
}

/// Builds, runs, reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = TARGETS.iter().filter(|name| args.target.as_ref().is_none_or(|only| only == *name));
    let mut failed = Vec::new();
    if !args.report {
        let binaries = build()?;
        for target in targets.clone() {
            let place = Place::new(target)?;
            if !place.run(target, &binaries.join(target), args.seconds)? {
                failed.push(place.log.display().to_string());
            }
            if args.keep {
                place.keep(&binaries.join(target))?;
            }
        }
    }
    println!("{:<12} {:>10} {:>12} {:>9} {:>9}", "target", "CPU s", "executions", "corpus", "findings");
    let mut rounds = ledger::read(&ledger::file())?;
    for target in targets {
        let place = Place::new(target)?;
        let all = rounds.remove(*target).unwrap_or_default();
        let (corpus, findings) = (count(&place.corpus)?, count(&place.findings)?);
        println!("{target:<12} {:>10} {:>12} {corpus:>9} {findings:>9}", all.cpu.as_secs(), all.executions);
    }
    if !failed.is_empty() {
        bail!("a target ended on an input; its words: {}", failed.join(", "));
    }
    Ok(())
}

/// The folder of the built programs.
fn build() -> Result<PathBuf> {
    let tool = cache::entry(&format!("tools/cargo-fuzz-{CARGO_FUZZ}"), |folder| {
        say(format!("building cargo-fuzz {CARGO_FUZZ}, once"));
        let install = ["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--quiet", "--root"];
        loud(command(cargo(), install).arg(folder).env_remove("CARGO_TARGET_DIR"))
    })?;
    let target = cache::root()?.join("target/fuzz");
    say("building the fuzz targets with the nightly compiler");
    let mut build = command("rustup", ["run", "nightly"]);
    build.arg(tool.join("bin/cargo-fuzz")).args(["fuzz", "build", "--sanitizer", "none", "--target-dir"]);
    // Cargo tells its children which compiler it is; the nightly one has to find its own.
    build.arg(&target).current_dir(workspace()).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    loud(&mut build)?;
    let triple = fs::read_dir(&target)?.flatten().map(|entry| entry.path().join("release"));
    let mut built = triple.filter(|folder| folder.join(TARGETS[0]).is_file());
    built.next().context("cargo-fuzz built nothing")
}

/// Where one target's things are, all but the kept corpus in the cache.
struct Place {
    corpus: PathBuf,
    seeds: PathBuf,
    findings: PathBuf,
    kept: PathBuf,
    dictionary: PathBuf,
    log: PathBuf,
}

impl Place {
    fn new(target: &str) -> Result<Self> {
        let root = cache::root()?.join("fuzz").join(target);
        let place = Self {
            corpus: root.join("corpus"),
            seeds: root.join("seeds"),
            findings: root.join("findings"),
            kept: workspace().join("fuzz/corpus").join(target),
            dictionary: root.join("dictionary"),
            log: root.join("log"),
        };
        for folder in [&place.corpus, &place.seeds, &place.findings, &place.kept] {
            fs::create_dir_all(folder)?;
        }
        seeds::write(target, &place.seeds)?;
        fs::write(&place.dictionary, seeds::dictionary())?;
        Ok(place)
    }

    /// Runs for a while and notes it down; whether no input was found that ends it.
    fn run(&self, target: &str, binary: &Path, seconds: u64) -> Result<bool> {
        say(format!("fuzzing {} for {seconds} s", self.kept.display()));
        let mut fuzzer = Command::new(binary);
        fuzzer.args([&self.corpus, &self.kept, &self.seeds]).args(LIMITS);
        fuzzer.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        fuzzer.arg(format!("-dict={}", self.dictionary.display()));
        fuzzer.arg(format!("-artifact_prefix={}/", self.findings.display()));
        let log = File::create(&self.log)?;
        let (status, cpu) = measure::watch(fuzzer.stdout(log.try_clone()?).stderr(log))?;
        let executions = ledger::executions(&String::from_utf8_lossy(&fs::read(&self.log)?));
        ledger::note(&ledger::file(), target, cpu, executions)?;
        Ok(status.success())
    }

    /// Writes the kept corpus anew: of what reaches all that is reached, the short ones, at most so many.
    fn keep(&self, binary: &Path) -> Result<()> {
        let merged = self.corpus.with_file_name("merged");
        let _ = fs::remove_dir_all(&merged);
        fs::create_dir_all(&merged)?;
        let mut merge = Command::new(binary);
        // Lines of code that are reached, not how often: far fewer inputs.
        merge
            .args(["-set_cover_merge=1", "-use_counters=0", "-rss_limit_mb=2048"])
            .arg(format!("-max_len={LONGEST_KEPT}"));
        merge.args([&merged, &self.kept, &self.seeds, &self.corpus]);
        let log = File::create(&self.log)?;
        loud(merge.stdout(log.try_clone()?).stderr(log))?;
        let mut found = fs::read_dir(&merged)?
            .map(|entry| {
                Ok((entry.as_ref().map_or(Ok(0), |e| e.metadata().map(|m| m.len()))?, entry?.path()))
            })
            .collect::<Result<Vec<(u64, PathBuf)>>>()?;
        found.sort();
        fs::remove_dir_all(&self.kept)?;
        fs::create_dir_all(&self.kept)?;
        let short = found.iter().filter(|(length, _)| *length <= LONGEST_KEPT).take(MOST_KEPT);
        for (_, path) in short {
            fs::copy(path, self.kept.join(path.file_name().context("an input without a name")?))?;
        }
        fs::remove_dir_all(&merged).map_err(Into::into)
    }
}

fn count(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}
