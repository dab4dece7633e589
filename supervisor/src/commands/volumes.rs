//! `volumes`: the volumes that the stack made, or that its services use.
//!
//! Deliberately absent: removing them (`down --volumes`), and saving their data.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use crate::args::GlobalArgs;
use crate::engine::{Engine as _, Scope};
use crate::exit::{Exit, Failure};
use crate::render::table::table;
use crate::{input, session};

use super::chosen;
use super::ps::Format;

/// Options of `volumes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor volumes           every volume that this stack made
  supervisor volumes db        the volumes that `db` has mounted, also those that others made")]
pub struct Args {
    /// A table, or JSON: an array with one object a volume
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Print names alone
    #[arg(short, long)]
    pub quiet: bool,
    /// Those that these services have mounted; all that the stack made without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let mut volumes = session.engine.stored_volumes().await?;
    if args.services.is_empty() {
        volumes.retain(|volume| volume.project.as_ref() == Some(&project));
    } else {
        let seen = session.engine.observe(&Scope::project(&project)).await?;
        let containers = chosen::of_services(seen.containers, &project, &args.services)?;
        let inspected = try_join_all(containers.iter().map(|c| session.engine.inspect(&c.id))).await?;
        let mounted: BTreeSet<String> =
            inspected.into_iter().flat_map(|c| c.mounts).filter_map(|mount| mount.name).collect();
        volumes.retain(|volume| mounted.contains(&volume.name));
    }
    match args.format {
        _ if args.quiet => {
            for volume in volumes {
                println!("{}", volume.name);
            }
        }
        Format::Table => {
            let rows: Vec<_> = volumes.into_iter().map(|volume| vec![volume.driver, volume.name]).collect();
            print!("{}", table(&["DRIVER", "VOLUME NAME"], &rows));
        }
        Format::Json => {
            let rows = volumes.into_iter().map(|volume| {
                let (name, driver, place) = (volume.name, volume.driver, volume.place);
                serde_json::json!({"name": name, "driver": driver, "mountpoint": place, "project": volume.project})
            });
            println!("{}", serde_json::Value::Array(rows.collect()));
        }
    }
    Ok(Exit::Done)
}
