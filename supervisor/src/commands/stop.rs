//! `stop`: stops services without removing them.
//!
//! A running supervisor sees who stopped them and leaves them alone until somebody starts them. Deliberately absent:
//! removing (`down`).

use crate::args::GlobalArgs;
use crate::decide::plan;
use crate::exit::{Exit, Failure};

use super::output::OutputArgs;
use super::shared;

/// Options of `stop`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The longest wait for a container to stop, in seconds, in place of its own grace
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    shared::existing(global, args.output, "stop", &args.services, args.timeout, plan::stop).await
}
