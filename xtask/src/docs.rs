//! The documents that are generated: each is checked by a test beside what it is made from, and written by the same test.
//!
//! Deliberately absent: their content.

use anyhow::Result;

use crate::product::{cargo, workspace};
use crate::shell::{command, loud};
use crate::test;

/// Tests of this name compare a file in `docs/` with what it is made from.
const TESTS: &str = "test(documentation)";

/// Options of `docs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say which are stale
    #[arg(long)]
    check: bool,
    /// Only the table of attacks, by making them all on a private engine
    #[arg(long)]
    attacks: bool,
}

/// The test that makes every attack, and keeps the table of what became of them.
const ATTACKS: &str =
    "binary(attacks) + test(every_attack_on_the_network_is_stopped_and_what_has_to_work_does)";

/// Writes them, or says which are stale.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.attacks {
        return attacks(args);
    }
    let mut tests =
        command(cargo(), ["nextest", "run", "--cargo-quiet", "--workspace", "--lib", "-E", TESTS]);
    if !args.check {
        tests.env("UPDATE_EXPECT", "1");
    }
    loud(tests.current_dir(workspace()))
}

fn attacks(args: &Args) -> Result<()> {
    let update: &[(&str, &str)] = if args.check { &[] } else { &[("UPDATE_EXPECT", "1")] };
    test::on_a_private_engine(&["-E".to_owned(), ATTACKS.to_owned()], update)
}
