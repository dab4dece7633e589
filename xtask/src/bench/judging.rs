//! What judging costs beside `docker compose config -q`: stacks of 2, 200 and 1,000 services, and what hostile files cost.
//!
//! Deliberately absent: engines; nothing here needs one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::measure::{Usage, measure, median, usage};
use super::{compare, mib, ms, row};
use crate::cache;
use crate::engine::unpack::docker_compose;
use crate::product::{self, cargo, workspace};
use crate::shell::{command, output};

/// Services, and at most this part of Docker Compose's CPU.
const STACKS: [(usize, &str); 3] =
    [(2, "3 ms and 8 MiB at most"), (200, "0.050 at most"), (1000, "0.033 at most")];

/// Measures and prints.
pub(super) fn run(runs: usize) -> Result<()> {
    let (supervisor, compose) = (product::release()?, docker_compose()?);
    let folder = cache::root()?.join("bench-check");
    let _ = fs::remove_dir_all(&folder);
    for (services, aim) in STACKS {
        let at = folder.join(services.to_string());
        fs::create_dir_all(&at)?;
        fs::write(at.join("compose.yaml"), stack(services))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(measure(Command::new(&supervisor).arg("check").current_dir(&at))?);
            theirs.push(measure(Command::new(&compose).args(["config", "-q"]).current_dir(&at))?);
        }
        let (ours, theirs) = (median(&ours), median(&theirs));
        let what = format!("check of {services} services");
        let ratio = ours.cpu.as_secs_f64() / theirs.cpu.as_secs_f64();
        println!(
            "{what}, CPU ms: {:.2} beside {:.1}, ratio {ratio:.3}; aim: {aim}",
            ms(ours.cpu),
            ms(theirs.cpu)
        );
        compare(&format!("{what}, memory MiB"), mib(ours.rss), mib(theirs.rss), "", "");
    }
    hostile(&supervisor, &folder.join("hostile"), runs.min(5))
}

/// Services as well-made stacks have them: each with its image, user, limits, health check, network and volume.
fn stack(services: usize) -> String {
    let service = |i: usize| {
        format!(
            "  service-{i}:\n    image: registry.example/app-{i}@sha256:{i:064x}\n    user: \"1000:1000\"\n    mem_limit: 64m\n    \
             cpus: 0.5\n    read_only: true\n    cap_drop: [ALL]\n    environment:\n      LOG_LEVEL: info\n      PORT: \"{port}\"\n    \
             ports: [\"127.0.0.1:{port}:8080\"]\n    networks: [back]\n    volumes: [\"data-{i}:/data\"]\n    \
             healthcheck: {{test: [CMD, /app, health], interval: 10s, timeout: 2s, retries: 3}}\n",
            port = 10_000 + i,
        )
    };
    let rows = (0..services).map(service).fold(String::new(), |text, row| text + &row);
    let volumes = (0..services).fold(String::new(), |text, i| text + &format!("  data-{i}: {{}}\n"));
    format!("services:\n{rows}networks:\n  back: {{}}\nvolumes:\n{volumes}")
}

/// The dearest of the hostile files that the tests know, by CPU and by memory.
fn hostile(supervisor: &Path, folder: &PathBuf, runs: usize) -> Result<()> {
    let mut write = command(cargo(), ["run", "--quiet", "--package", "tests", "--bin", "hostile", "--"]);
    let cases = output(write.arg(folder).current_dir(workspace()))?;
    let (mut dearest, mut largest) = (("", Usage::default()), ("", Usage::default()));
    for case in cases.lines() {
        let (name, arguments) = case.split_once(' ').context("a case without a name")?;
        let mut check = Command::new(supervisor);
        check
            .args(["check", "--format", "json"])
            .args(arguments.split_whitespace())
            .current_dir(folder.join(name));
        check.stdin(Stdio::null());
        let samples = (0..runs).map(|_| usage(&check)).collect::<Result<Vec<_>>>()?;
        let used = median(&samples);
        println!("  {name:<38} {:>9.1} ms {:>9.1} MiB", ms(used.cpu), mib(used.rss));
        if used.cpu > dearest.1.cpu {
            dearest = (name, used);
        }
        if used.rss > largest.1.rss {
            largest = (name, used);
        }
    }
    let text = |figure: f64| format!("{figure:.1}");
    row(&format!("dearest: {}, CPU ms", dearest.0), &text(ms(dearest.1.cpu)), "", "", None, "100 ms at most");
    row(&format!("largest: {}, MiB", largest.0), &text(mib(largest.1.rss)), "", "", None, "64 MiB at most");
    Ok(())
}
