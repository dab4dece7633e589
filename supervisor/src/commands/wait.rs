//! `wait`: waits until services have ended, and ends with the last one's exit code.
//!
//! Deliberately absent: bringing the stack down after that; `supervisor wait job && supervisor down` says it.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::args::GlobalArgs;
use crate::engine::{Engine as _, Scope};
use crate::exit::{Exit, Failure};
use crate::render::plain;
use crate::{input, session};

use super::chosen;

/// Options of `wait`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor wait migrate                       until the job has ended; its exit code is the command's
  supervisor wait migrate && supervisor down

A container that has ended already counts at once. One that a running supervisor starts again has ended all the same.")]
pub struct Args {
    /// The services
    #[arg(value_name = "SERVICE", required = true)]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let seen = session.engine.observe(&Scope::project(&project)).await?;
    let containers = chosen::of_services(seen.containers, &project, &args.services)?;
    let engine = &session.engine;
    let mut ends: FuturesUnordered<_> = containers
        .iter()
        .map(|container| async move { (container, engine.wait(&container.id).await) })
        .collect();
    let mut last = 0;
    while let Some((container, end)) = ends.next().await {
        last = end?;
        println!("container {} exited with status code {last}", plain(&container.name));
    }
    Ok(Exit::Program(u8::try_from(last).unwrap_or(u8::MAX)))
}
