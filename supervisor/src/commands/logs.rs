//! `logs`: what services write.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};

/// Options of `logs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Compose file; in this command `-f` is `--follow`, as in Docker Compose
    #[arg(id = "file", long = "file", value_name = "FILE")]
    pub file: Vec<std::path::PathBuf>,
    /// Go on printing what comes
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    std::future::ready((global, args)).await;
    Err(Failure::new(Exit::Failed, "not built yet"))
}
