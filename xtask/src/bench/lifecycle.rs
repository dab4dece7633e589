//! A stack's life, beside Docker Compose's and the floor: up from nothing, one service changed, and down; one round after the
//! other.
//!
//! Deliberately absent: graces. All that is stopped ends at once on its signal.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::measure::{Usage, measure, median};
use super::{Bench, compare, floor, ms, row};

/// The variable that changes one service's environment, as the Compose file has it.
const CHANGE: (&str, &str) = ("GREETING", "good morning");

/// Measures and prints.
pub(super) fn run(bench: &Bench, rounds: usize) -> Result<()> {
    let small = bench.folder.join("small");
    let run = |program: &Path, arguments: &[&str]| measure(bench.at(program, &small).args(arguments));
    let changed = |program: &Path, arguments: &[&str]| {
        let mut up: Command = bench.at(program, &small);
        measure(up.args(arguments).env(CHANGE.0, CHANGE.1))
    };
    let (ours, theirs) = (bench.supervisor.as_path(), bench.compose.as_path());
    let [mut up, mut change, mut down] = [const { Taken::new() }; 3];
    for _ in 0..rounds {
        up.ours.push(run(ours, &["up"])?);
        change.ours.push(changed(ours, &["up"])?);
        down.ours.push(run(ours, &["down"])?);
        up.theirs.push(run(theirs, &["up", "--wait"])?);
        change.theirs.push(changed(theirs, &["up", "--wait"])?);
        down.theirs.push(run(theirs, &["down"])?);
        up.floor.push(floor::up(bench.api(), &bench.image)?);
        change.floor.push(floor::change(bench.api(), &bench.image, CHANGE)?);
        down.floor.push(floor::down(bench.api())?);
    }
    up.print("up --wait from nothing", "1.10 of the floor at most");
    change.print("up --wait of one change", "1.15 of the floor at most");
    down.print("down", "1.10 of the floor at most");
    Ok(())
}

/// The same by all three.
struct Taken {
    ours: Vec<Usage>,
    theirs: Vec<Usage>,
    floor: Vec<Usage>,
}

impl Taken {
    const fn new() -> Self {
        Self { ours: Vec::new(), theirs: Vec::new(), floor: Vec::new() }
    }

    /// Time beside the floor's, CPU beside Docker Compose's.
    fn print(&self, what: &str, aim: &str) {
        let [ours, theirs, floor] = [&self.ours, &self.theirs, &self.floor].map(|taken| median(taken));
        let ratio = Some(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
        let [text, beside, least] = [ours, theirs, floor].map(|usage| format!("{:.0}", ms(usage.wall)));
        row(&format!("{what}, ms"), &text, &beside, &least, ratio, aim);
        compare(&format!("{what}, CPU ms"), ms(ours.cpu), ms(theirs.cpu), "", "");
    }
}
