//! `pull`: fetches the images of services, also those that are on the engine already.
//!
//! Deliberately absent: recreating what runs of an older one (`up`), and credentials; a private image is fetched with
//! the docker command.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use compose::Admitted;

use crate::apply::ThisMachine;
use crate::args::GlobalArgs;
use crate::decide::plan::{Dependencies, Plan, Planned, Step};
use crate::decide::spec::Wanted;
use crate::decide::wanted::is_active;
use crate::engine::{Docker, Engine as _};
use crate::exit::{Exit, Failure};
use crate::host::contents::Contents;
use crate::privileged::Rights;
use crate::render::plain;
use crate::{input, session};

use super::output::OutputArgs;
use super::shared;

/// In seconds. What is slow says something all the time; what says nothing for so long stands still.
pub(crate) const STALL: u64 = 120;

/// Options of `pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor pull                      every image of the stack, also those that are there: a tag may mean another by now
  supervisor pull --policy missing     only what is not on the engine
  supervisor pull && supervisor up     fetch first, then replace what runs of an older image

Where the connection is cut, run it again: layers that have come in whole are not fetched twice. A pull of which nothing
comes for two minutes is given up (exit code 12).")]
pub struct Args {
    /// Fetch the services that the named ones depend on, too
    #[arg(long)]
    pub include_deps: bool,
    /// Fetch what can be fetched, and only say what cannot
    #[arg(long)]
    pub ignore_pull_failures: bool,
    /// Which images: also those that are on the engine, or those that are missing
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    pub policy: PullPolicy,
    /// Give a pull up of which nothing came for so long
    #[arg(long, value_name = "SECONDS", default_value_t = STALL)]
    pub pull_stall: u64,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// Which images are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum PullPolicy {
    /// Also those that are on the engine
    #[default]
    Always,
    /// Those that are not
    Missing,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let profiles: BTreeSet<String> = global.profiles().into_iter().collect();
    let deps = if args.include_deps { Dependencies::Included } else { Dependencies::Left };
    let mut images = images(&stack, &profiles, &args.services, deps)?;
    let mut session = session::open(global).await?;
    session.engine = session.engine.with_pull_stall(Duration::from_secs(args.pull_stall));
    if args.policy == PullPolicy::Missing {
        let there = session.engine.images(&images).await?;
        images.retain(|image| !there.contains_key(image));
    }
    let project = &stack.project().name;
    if !args.ignore_pull_failures {
        fetch(global, args.output, &session.engine, project, images).await?;
        return Ok(Exit::Done);
    }
    for image in images {
        if let Err(failure) =
            fetch(global, args.output, &session.engine, project, BTreeSet::from([image])).await
        {
            eprint!("{}", failure.to_string().replacen("error:", "warning:", 1));
        }
    }
    Ok(Exit::Done)
}

/// The images of these services, mounted ones too, of all that are switched on if none is named, as the file says them.
pub(crate) fn images(
    stack: &Admitted,
    profiles: &BTreeSet<String>,
    names: &[String],
    dependencies: Dependencies,
) -> Result<BTreeSet<String>, Failure> {
    let services = &stack.project().services;
    if let Some(name) = names.iter().find(|name| !services.contains_key(*name)) {
        return Err(Failure::new(Exit::Unreadable, format!("the file has no service `{name}`")));
    }
    let mut chosen: BTreeSet<&String> = match names {
        [] => services.values().filter(|service| is_active(service, profiles)).map(|s| &s.name).collect(),
        named => services.keys().filter(|name| named.contains(name)).collect(),
    };
    let mut open: Vec<&String> = chosen.iter().copied().collect();
    while let Some(name) = open.pop().filter(|_| dependencies == Dependencies::Included) {
        let service = services.get(name);
        open.extend(
            service.into_iter().flat_map(|s| s.depends_on.keys()).filter(|other| chosen.insert(other)),
        );
    }
    let images = chosen.into_iter().filter_map(|name| services.get(name)).flat_map(compose::Service::images);
    Ok(images.map(|image| image.value.clone()).collect())
}

/// Fetches images, all at the same time; one that is named by its id is only said.
pub(crate) async fn fetch(
    global: &GlobalArgs,
    output: OutputArgs,
    engine: &Docker,
    project: &str,
    images: BTreeSet<String>,
) -> Result<(), Failure> {
    let (by_id, by_name): (Vec<_>, Vec<_>) = images.into_iter().partition(|name| name.starts_with("sha256:"));
    for image in by_id {
        eprintln!("image {} is named by its id: it is on an engine or nowhere", plain(&image));
    }
    let steps = by_name.into_iter().map(|image| Planned {
        step: Step::Pull { image },
        reason: "a pull was asked for".into(),
        after: Vec::new(),
    });
    let plan = Plan { steps: steps.collect(), ..Plan::default() };
    let wanted = Wanted { project: project.to_owned(), ..Wanted::default() };
    // What is pulled has no place on this machine but the engine's.
    let (contents, nowhere) = (Contents::default(), Path::new(""));
    let machine = ThisMachine::new(&Rights::Own, &contents, nowhere, nowhere).that_settles_nothing();
    shared::carry_out(global, output, engine, &machine, &wanted, &plan).await.map(drop)
}
