//! `pull`: fetches the images of services, also those that are on the engine already.
//!
//! Deliberately absent: recreating what runs of an older one (`up`), and credentials; a private image is fetched with
//! the docker command.

use std::collections::BTreeSet;

use crate::args::GlobalArgs;
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::spec::Wanted;
use crate::decide::wanted::is_active;
use crate::exit::{Exit, Failure};
use crate::{input, session};

use super::shared::{self, OutputArgs};

/// Options of `pull`.
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
    let stack = input::admitted(global)?;
    let profiles: BTreeSet<String> = global.profiles().into_iter().collect();
    let services = &stack.project().services;
    if let Some(name) = args.services.iter().find(|name| !services.contains_key(*name)) {
        return Err(Failure::new(Exit::Unreadable, format!("the file has no service `{name}`")));
    }
    let chosen = services.values().filter(|service| match args.services.as_slice() {
        [] => is_active(service, &profiles),
        named => named.contains(&service.name),
    });
    let images: BTreeSet<String> = chosen.filter_map(|s| Some(s.image.as_ref()?.value.clone())).collect();
    let (by_id, by_name): (Vec<_>, Vec<_>) = images.into_iter().partition(|name| name.starts_with("sha256:"));
    for image in by_id {
        eprintln!("image {image} is named by its id: it is on an engine or nowhere");
    }
    let steps = by_name.into_iter().map(|image| Planned {
        step: Step::Pull { image },
        reason: "a pull was asked for".into(),
        after: Vec::new(),
    });
    let plan = Plan { steps: steps.collect(), ..Plan::default() };
    let session = session::open(global).await?;
    let wanted = Wanted { project: stack.project().name.clone(), ..Wanted::default() };
    shared::carry_out(global, args.output, &session.engine, &shared::NoMachine, &wanted, &plan).await?;
    Ok(Exit::Done)
}
