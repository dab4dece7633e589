//! `down`: stops and removes what carries the project's labels; volumes only when they are asked for.
//!
//! The file gives the order and the graces where it can be read; a refused or missing file is no obstacle. Deliberately
//! absent: touching anything without our label.

use crate::apply::ThisMachine;
use crate::args::GlobalArgs;
use crate::decide::plan::{Volumes, down};
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::host::contents::Contents;
use crate::privileged::Rights;
use crate::{host, input, pipeline, session};

use super::chosen;
use super::output::OutputArgs;
use super::shared;

/// Options of `down`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Remove the project's volumes, too, with their data
    #[arg(short, long)]
    pub volumes: bool,
    /// Accepted for Docker Compose's sake: containers of services that the file no longer has always go, too
    #[arg(long)]
    pub remove_orphans: bool,
    /// The longest wait for a container to stop, in seconds, in place of its own grace
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services whose containers go, and nothing else; the whole stack without
    #[arg(value_name = "SERVICE", conflicts_with = "volumes")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let wanted = wanted(global);
    let project = match &wanted {
        Some(wanted) => wanted.project.clone(),
        None => input::project_name(global)?,
    };
    let session = session::open(global).await?;
    let writer = session::write(global, &project, "down")?;
    let mut seen = pipeline::observe(&session.engine, &Scope::project(&project), &writer.folder).await?;
    if args.services.is_empty() {
        seen.guard =
            Some(host::guard::glance(&writer.folder, &project, host::resolvers::behind(&session.socket)));
    } else {
        seen.containers = chosen::of_services(seen.containers, &project, &args.services)?;
        // What the others stand on stays, whether they use it or not.
        (seen.networks, seen.volumes) = (Vec::new(), Vec::new());
    }
    let volumes = if args.volumes { Volumes::Remove } else { Volumes::Keep };
    let mut plan = down(&project, wanted.as_ref(), &seen, volumes);
    shared::announce(&plan)?;
    shared::with_grace(&mut plan, args.timeout);
    if plan.is_empty() && args.output.is_for_people(global) {
        eprintln!("nothing of project `{project}` is there");
    }
    let wanted = wanted.unwrap_or_else(|| Wanted { project: project.clone(), ..Wanted::default() });
    let contents = Contents::default();
    let machine =
        ThisMachine::new(&Rights::Own, &contents, &writer.folder, &session.socket).that_settles_nothing();
    shared::carry_out(global, args.output, &session.engine, &machine, &wanted, &plan).await?;
    if args.output.dry_run || !args.services.is_empty() {
        return Ok(Exit::Done);
    }
    if let Err(error) = host::ground::write(&writer.folder, None) {
        tracing::warn!(%error, "cannot forget what the stack stood on");
    }
    if let Err(error) = host::unchanged::forget(&host::state::cache(global.state_dir.as_deref()), &project) {
        tracing::warn!(%error, "cannot forget what the stack was judged by");
    }
    host::guard::forget(&writer.folder);
    if let Err(error) = host::contents::remove(&writer.folder) {
        eprintln!("warning: staged secrets in `{}` cannot be removed: {error}", writer.folder.display());
    }
    Ok(Exit::Done)
}

/// What the file wants, for the order of things alone.
fn wanted(global: &GlobalArgs) -> Option<Wanted> {
    let stack = input::load_and_admit(global, false).admitted?;
    pipeline::order_only(stack, &session::wish(global, Restarts::Engine))
}
