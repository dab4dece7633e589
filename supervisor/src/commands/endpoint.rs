//! `endpoint`: what answers for `run`, in a process of its own; not for people.
//!
//! Deliberately absent: everything but its options; `serve::inside` does the work.

use std::ffi::OsString;

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::run::log::{self, LogFormat, LogLevel};
use crate::serve::inside::{self, InsideError};

/// Options of `endpoint`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Form of the log on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: LogFormat,
    /// How much is logged
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    log_level: LogLevel,
}

/// The arguments by which a process of ours logs as `run` does.
pub(crate) fn arguments(command: &str, format: LogFormat, level: LogLevel, colour: bool) -> Vec<OsString> {
    use clap::ValueEnum as _;
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let ansi = if colour { "always" } else { "never" };
    let (format, level) = (name(format.to_possible_value()), name(level.to_possible_value()));
    [command, "--ansi", ansi, "--log-format", &format, "--log-level", &level].map(OsString::from).to_vec()
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    log::start(args.log_format, args.log_level, global.colours(false));
    inside::enter()?.serve()?;
    Ok(Exit::Done)
}

impl From<InsideError> for Failure {
    fn from(error: InsideError) -> Self {
        Self::new(Exit::Failed, error)
    }
}
