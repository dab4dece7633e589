//! `top`: the processes of services.

use futures_util::future::try_join_all;

use crate::args::GlobalArgs;
use crate::engine::Engine as _;
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

use super::chosen::running;

/// Options of `top`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let containers = running(&session.engine, &project, &args.services).await?;
    let tables = try_join_all(containers.iter().map(|container| session.engine.top(&container.id))).await?;
    for (container, processes) in containers.iter().zip(tables) {
        let titles: Vec<&str> = processes.titles.iter().map(String::as_str).collect();
        println!("{}\n{}", container.name, table(&titles, &processes.rows));
    }
    Ok(Exit::Done)
}
