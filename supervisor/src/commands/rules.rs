//! `rules`: the catalogue of rules.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};

/// Options of `rules`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let _ = (global, args);
    Err(Failure::new(Exit::Failed, "not built yet"))
}
