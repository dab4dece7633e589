//! Soaks the real stack for `cargo xtask soak`, and prints a row a sample and a summary; ends with 1 where something went
//! wrong.
//!
//! `soak SECONDS REST EVERY SEED`, all in seconds. Deliberately absent: starting the engine.

use std::process::ExitCode;
use std::time::Duration;

use tests::soak::{HEADER, Sample, Wish, soak};

/// The run is told in so many parts, of which the first is of starting up.
const PARTS: usize = 8;

fn main() -> ExitCode {
    let words: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let [length, rest, every, seed] = words.as_slice() else { panic!("four numbers") };
    let seconds = |number: &u64| Duration::from_secs(*number);
    let wish = Wish { length: seconds(length), rest: seconds(rest), every: seconds(every), seed: *seed };
    println!("{HEADER}");
    let seen = soak(wish, |row| println!("{row}"));

    println!("\n| from, min | RSS, KiB (least, median, most) | descriptors | tasks | CPU, % | restarts |");
    println!("|---|---|---|---|---|---|");
    for part in seen.samples.chunks(seen.samples.len().div_ceil(PARTS).max(1)) {
        println!("{}", summary(part));
    }
    println!("\n| fault | times | longest to health, s |\n|---|---|---|");
    for (name, times) in &seen.faults {
        let longest = seen
            .longest
            .get(name)
            .map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64()));
        println!("| {name} | {times} | {longest} |");
    }
    match seen.wrong {
        Some(wrong) => {
            println!("\nwrong: {wrong}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

/// A part of the run as one row.
fn summary(part: &[Sample]) -> String {
    let range = |of: fn(&Sample) -> u64| {
        let mut all: Vec<u64> = part.iter().map(of).collect();
        all.sort_unstable();
        match all.as_slice() {
            [] => "-".to_owned(),
            [first, .., last] if first != last => format!("{first}, {}, {last}", all[all.len() / 2]),
            [only, ..] => only.to_string(),
        }
    };
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return String::new() };
    let wall = last.at.saturating_sub(first.at).as_secs_f64();
    let cpu = last.usage.cpu.saturating_sub(first.usage.cpu).as_secs_f64();
    format!(
        "| {:.0} | {} | {} | {} | {:.2} | {} |",
        first.at.as_secs_f64() / 60.0,
        range(|sample| sample.usage.rss),
        range(|sample| sample.usage.descriptors as u64),
        range(|sample| sample.usage.tasks as u64),
        if wall > 0.0 { cpu / wall * 100.0 } else { 0.0 },
        last.restarts.saturating_sub(first.restarts),
    )
}
