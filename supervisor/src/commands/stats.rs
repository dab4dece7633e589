//! `stats`: what services use.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};

/// Options of `stats`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    std::future::ready((global, args)).await;
    Err(Failure::new(Exit::Failed, "not built yet"))
}
