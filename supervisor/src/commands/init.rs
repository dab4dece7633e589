//! `init`: writes the stack's own files to start from.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let _ = (global, args);
    Err(Failure::new(Exit::Failed, "not built yet"))
}
