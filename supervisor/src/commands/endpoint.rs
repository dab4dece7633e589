//! `endpoint`: what answers for `run`, in a process of its own; not for people.
//!
//! Deliberately absent: everything but its options; `serve::inside` does the work.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::run::log::LogArgs;
use crate::serve::inside::{self, InsideError};

/// Options of `endpoint`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    args.log.start(global.colours(false));
    inside::enter()?.serve()?;
    Ok(Exit::Done)
}

impl From<InsideError> for Failure {
    fn from(error: InsideError) -> Self {
        Self::new(Exit::Failed, error)
    }
}
