//! Makes bad updates for `cargo xtask updates`, and prints a row for each and a summary; ends with 1 where one did not end
//! on the old stack.
//!
//! `updates COUNT`. Deliberately absent: starting the engine.

use std::process::ExitCode;

use tests::bad_updates::bad_updates;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    println!("number\tkind\tseconds\twrong");
    let seen = bad_updates(count, &|row| println!("{row}"));
    println!("\n| what is bad | times | longest until the old stack was back, s |\n|---|---|---|");
    for (bad, (times, longest)) in &seen.made {
        println!("| {bad:?} | {times} | {:.1} |", longest.as_secs_f64());
    }
    for wrong in &seen.wrong {
        println!("\nwrong: {wrong}");
    }
    ExitCode::from(u8::from(!seen.wrong.is_empty()))
}
