//! How much the profiles allow, and what making them costs, measured in a program that is optimised as the product is.
//!
//! Deliberately absent: the figures; `profiles/examples/figures.rs` prints them.

use anyhow::Result;

use crate::product::{cargo, workspace};
use crate::shell::{command, loud};

/// Builds and runs it.
pub(crate) fn run() -> Result<()> {
    let run = ["run", "--quiet", "--release", "--package", "profiles", "--example", "figures"];
    loud(command(cargo(), run).current_dir(workspace()))
}
