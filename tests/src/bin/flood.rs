//! Attacks the endpoint of a `run` that keeps a stack, for `cargo xtask endpoint`, and prints what was seen; ends with 1
//! where it should not have been.
//!
//! `flood CONNECTIONS SECONDS PER-SECOND SEED`. Deliberately absent: starting the engine.

use std::process::ExitCode;
use std::time::Duration;

use supervisor::serve::snapshot::STALE_AFTER;
use tests::flood::{Attack, Owner, Target, attack};

/// What an answer to the owner may cost.
const MOST: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let words: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let [connections, seconds, per_second, seed] = words.as_slice() else { panic!("four numbers") };
    let target = Target::start("flood");
    let seen = attack(&Attack {
        address: target.address,
        token: target.token.to_owned(),
        endpoint: target.endpoint,
        // A tenth, so that as many turns of the loop are seen as say something.
        quiet: Duration::from_secs(seconds / 10),
        connections: usize::try_from(*connections).expect("connections"),
        fuzz: Duration::from_secs(*seconds),
        per_second: u32::try_from(*per_second).expect("requests a second"),
        seed: *seed,
    });
    println!("{} attackers' connections, {} malformed requests among them", seen.connections, seen.malformed);
    println!("\n| the owner's | before | during the attacks |\n|---|---|---|");
    for (name, of) in ROWS {
        println!("| {name} | {} | {} |", of(&seen.before), of(&seen.during));
    }
    let restarts = target.restarts();
    println!("\nthe stack is well, and its service was started again {restarts} times");
    for wrong in &seen.wrong {
        println!("wrong: {wrong}");
    }
    let well = seen.wrong.is_empty()
        && restarts == 0
        && seen.during.longest_on_the_processor < MOST
        && seen.during.oldest_turn < STALE_AFTER;
    ExitCode::from(u8::from(!well))
}

/// One figure of the owner's.
type Row = (&'static str, fn(&Owner) -> String);

const ROWS: [Row; 6] = [
    ("answers", |owner| owner.answers.to_string()),
    ("time of the endpoint's on the processor for one, on average", |owner| {
        format!("{:.2?}", owner.on_the_processor / u32::try_from(owner.answers).unwrap_or(u32::MAX).max(1))
    }),
    ("and at most", |owner| format!("{:.2?}", owner.longest_on_the_processor)),
    ("time on the wall for one, at most", |owner| format!("{:.2?}", owner.longest)),
    ("longest turn of the loop", |owner| format!("{:.2?}", owner.longest_turn)),
    ("longest since the loop's last turn", |owner| format!("{:.2?}", owner.oldest_turn)),
];
