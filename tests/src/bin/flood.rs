//! Attacks an endpoint for `cargo xtask endpoint`, and prints what was seen; ends with 1 where it should not have been.
//!
//! `flood ADDRESS TOKEN-FILE PID CONNECTIONS SECONDS SEED`. Deliberately absent: starting the endpoint.

use std::process::ExitCode;
use std::time::Duration;

use tests::flood::{Attack, attack};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, token, endpoint, connections, seconds, seed] = words.as_slice() else {
        panic!("six words")
    };
    let seen = attack(&Attack {
        address: address.parse().expect("an address"),
        token: std::fs::read_to_string(token).expect("the token").trim().to_owned(),
        endpoint: endpoint.parse().expect("a process"),
        connections: connections.parse().expect("a number"),
        fuzz: Duration::from_secs(seconds.parse().expect("seconds")),
        seed: seed.parse().expect("a number"),
    });
    println!(
        "{} attackers' connections, {} malformed requests among them; {} answers to the owner, each within {:.1?} of the \
         processor and {:.1?} on the wall; the loop's last turn was at most {:.1?} ago",
        seen.connections,
        seen.malformed,
        seen.answers,
        seen.longest_on_the_processor,
        seen.longest,
        seen.oldest_turn,
    );
    for wrong in &seen.wrong {
        println!("wrong: {wrong}");
    }
    ExitCode::from(u8::from(
        !seen.wrong.is_empty() || seen.longest_on_the_processor > Duration::from_millis(50),
    ))
}
