//! What is asked again and again of a stack that is as wanted: `up` with nothing to do, and a table of its containers.
//!
//! Deliberately absent: anything that changes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::measure::{Usage, measure, median};
use super::{Bench, compare, count, mib, ms, row};
use crate::shell::{quiet, say};

/// One service, which is repeated, with nothing of its own to do.
const MANY: &str = include_str!("many.yaml");
/// After a start, until nothing of it goes on.
const SETTLED: Duration = Duration::from_secs(3);

/// Two services, beside the same under Docker Compose.
pub(super) fn small(bench: &Bench, runs: usize) -> Result<()> {
    let [our_folder, their_folder] = ["small", "small-compose"].map(|name| bench.folder.join(name));
    let ours = Side { bench, program: &bench.supervisor, folder: &our_folder, up: &["up"] };
    let theirs = Side { program: &bench.compose, folder: &their_folder, up: &["up", "-d"], ..ours };
    for side in [ours, theirs] {
        quiet(&mut side.run(side.up))?;
    }
    sleep(SETTLED);
    let mut taken = [const { (Vec::new(), Vec::new()) }; 2];
    for _ in 0..runs {
        for (side, (ups, listings)) in [ours, theirs].into_iter().zip(&mut taken) {
            ups.push(measure(&side.run(side.up))?);
            listings.push(measure(&side.run(&["ps"]))?);
        }
    }
    let [our_asked, their_asked] = [ours.asked()?, theirs.asked()?];
    for side in [ours, theirs] {
        quiet(&mut side.run(&["down"]))?;
    }
    let [(our_up, our_ps), (their_up, their_ps)] = taken.map(|(up, ps)| (median(&up), median(&ps)));
    let what = |what: &str| format!("up with nothing to do, {what}");
    let requests = [our_asked, their_asked].map(|(requests, _)| count(requests));
    compare(&what("requests"), requests[0], requests[1], "3", "3 requests at most");
    let bytes = [our_asked, their_asked].map(|(_, bytes)| count(bytes) / 1024.0);
    compare(&what("KiB exchanged"), bytes[0], bytes[1], "", "");
    compare(&what("CPU ms"), ms(our_up.cpu), ms(their_up.cpu), "", "10 ms at most");
    compare(&what("wall ms"), ms(our_up.wall), ms(their_up.wall), "", "");
    compare("ps of 2 services, CPU ms", ms(our_ps.cpu), ms(their_ps.cpu), "", "0.05 at most");
    compare("ps of 2 services, wall ms", ms(our_ps.wall), ms(their_ps.wall), "", "");
    Ok(())
}

/// A stack as large as one machine has. Docker Compose's comes after ours, since two of them are larger than one machine.
pub(super) fn many(bench: &Bench, services: usize, runs: usize) -> Result<()> {
    let folder = bench.folder.join("many");
    fs::create_dir_all(&folder)?;
    let rows: Vec<String> = (1..=services).map(|n| format!("  s{n}: *service\n")).collect();
    fs::write(folder.join("compose.yaml"), MANY.replace("  s1: *service\n", &rows.concat()))?;
    fs::write(folder.join(".env"), format!("IMAGE={}\n", bench.image))?;
    let ours = Side { bench, program: &bench.supervisor, folder: &folder, up: &["up", "-d"] };
    let theirs = Side { program: &bench.compose, ..ours };
    say(format!("starting {services} services"));
    quiet(&mut ours.run(ours.up))?;
    sleep(SETTLED);
    let up = ours.repeat(ours.up, runs)?;
    let our_ps = ours.repeat(&["ps"], runs)?;
    let (requests, _) = ours.asked()?;
    quiet(&mut ours.run(&["down"]))?;
    say(format!("starting {services} services by Docker Compose"));
    quiet(&mut theirs.run(theirs.up))?;
    sleep(SETTLED);
    let their_ps = theirs.repeat(&["ps"], runs)?;
    quiet(&mut theirs.run(&["down"]))?;
    let name = |what: &str| format!("{what} of {services} services");
    let figure = |what: &str, figure: &str, floor: &str, aim: &str| {
        row(&name(&format!("up with nothing to do, {what}")), figure, "", floor, None, aim);
    };
    figure("requests", &requests.to_string(), "3", "3 at most");
    figure("CPU ms", &format!("{:.1}", ms(up.cpu)), "", "10 ms at most");
    figure("memory MiB", &format!("{:.1}", mib(up.rss)), "", "20 MiB at most");
    compare(&name("ps, CPU ms"), ms(our_ps.cpu), ms(their_ps.cpu), "", "0.05 at most");
    Ok(())
}

/// A program over a stack.
#[derive(Clone, Copy)]
struct Side<'a> {
    bench: &'a Bench,
    program: &'a Path,
    folder: &'a Path,
    /// The command that brings the stack up.
    up: &'a [&'a str],
}

impl Side<'_> {
    fn run(&self, command: &[&str]) -> Command {
        let mut run = self.bench.at(self.program, self.folder);
        run.args(command);
        run
    }

    /// The median of many.
    fn repeat(&self, command: &[&str], runs: usize) -> Result<Usage> {
        let samples: Result<Vec<Usage>> = (0..runs).map(|_| measure(&self.run(command))).collect();
        Ok(median(&samples?))
    }

    /// The requests of an `up` with nothing to do, and the bytes exchanged.
    fn asked(&self) -> Result<(u64, u64)> {
        let proxy = &self.bench.proxy;
        proxy.take();
        quiet(self.run(self.up).env("DOCKER_HOST", proxy.host()))?;
        Ok(proxy.take())
    }
}
