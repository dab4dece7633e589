//! `privileged`: what does for `run` what needs the machine's rights, in a process of its own; not for people.
//!
//! Deliberately absent: everything but its options; `privileged::inside` does the work.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::host::state;
use crate::privileged::inside::{self, InsideError};
use crate::privileged::process::PrivilegedError;
use crate::run::log::LogArgs;

/// Options of `privileged`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    args.log.start(global.colours(false));
    inside::serve(state::root(global.state_dir.as_deref()))?;
    Ok(Exit::Done)
}

impl From<InsideError> for Failure {
    fn from(error: InsideError) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<PrivilegedError> for Failure {
    fn from(error: PrivilegedError) -> Self {
        let help = error.help();
        Self::new(Exit::Failed, error).help(help)
    }
}
