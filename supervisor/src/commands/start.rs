//! `start`: starts services that are stopped, each attested after its start.
//!
//! Deliberately absent: creating, and bringing them to what the file says now (`up`).

use crate::args::GlobalArgs;
use crate::decide::plan;
use crate::exit::{Exit, Failure};

use super::output::OutputArgs;
use super::shared;

/// Options of `start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    shared::existing(global, args.output, "start", &args.services, None, plan::start).await
}
