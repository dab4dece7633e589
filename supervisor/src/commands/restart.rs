//! `restart`: stops and starts services, and those that say they follow one.
//!
//! Deliberately absent: bringing them to what the file says now (`up`).

use crate::args::GlobalArgs;
use crate::decide::plan;
use crate::exit::{Exit, Failure};

use super::output::OutputArgs;
use super::shared;

/// Options of `restart`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The longest wait for a container to stop, in seconds, in place of its own grace
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Leave alone the services whose `depends_on` says that they follow
    #[arg(long)]
    pub no_deps: bool,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let plan = if args.no_deps { plan::restart_alone } else { plan::restart };
    shared::existing(global, args.output, "restart", &args.services, args.timeout, plan).await
}
