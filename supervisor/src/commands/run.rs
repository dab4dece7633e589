//! `run`: the daemon: converge, watch, heal, serve.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    std::future::ready((global, args)).await;
    Err(Failure::new(Exit::Failed, "not built yet"))
}
