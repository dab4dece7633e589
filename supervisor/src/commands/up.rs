//! `up`: creates and starts what is wanted, and waits until it is healthy.
//!
//! On a terminal it then follows the logs, as Docker Compose does, and stops the stack on an interrupt; with `-d`,
//! `--wait`, or without a terminal it ends. What failed half-way is left for a look at it. Deliberately absent: keeping
//! the stack up (`run`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use super::output::OutputArgs;
use super::{shared, unchanged};
use crate::apply::{Machine as _, ThisMachine};
use crate::args::GlobalArgs;
use crate::decide::plan::{
    Choice, Dependencies, Orphans, Plan, Planned, Recreate, Step, plan_with, readiness, runs_to_its_end,
};
use crate::decide::relay::not_served;
use crate::decide::seen::{Health, Seen, SeenContainer, State};
use crate::decide::spec::{ContainerSpec, ServiceSpec, Wanted};
use crate::decide::wanted::Restarts;
use crate::engine::{Docker, EngineError, LogQuery, Scope, version};
use crate::exit::{Exit, Failure};
use crate::host::contents::{Contents, sweep};
use crate::host::files::Files;
use crate::host::noted::Noting;
use crate::host::{ground, kernel};
use crate::privileged::Rights;
use crate::{input, pipeline, session};

/// Options of `up`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End when everything is started, without waiting for health that nothing depends on
    #[arg(short, long)]
    pub detach: bool,
    /// Wait until everything is healthy, and end
    #[arg(long)]
    pub wait: bool,
    /// The longest wait for each service, in seconds, in place of its own budget
    #[arg(long, value_name = "SECONDS")]
    pub wait_timeout: Option<u64>,
    /// Remove containers of services that the file no longer has
    #[arg(long)]
    pub remove_orphans: bool,
    /// Replace containers that are as wanted, too
    #[arg(long, conflicts_with = "no_recreate")]
    pub force_recreate: bool,
    /// Replace nothing: what differs from the file is only said
    #[arg(long)]
    pub no_recreate: bool,
    /// Leave out the services that the named ones depend on
    #[arg(long)]
    pub no_deps: bool,
    /// Create, and start nothing
    #[arg(long)]
    pub no_start: bool,
    /// Fetch images: also those that are there, those that are missing, or none
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub pull: Pull,
    /// The longest wait for a container that is replaced to stop, in seconds, in place of its own grace
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Give a pull up of which nothing came for so long
    #[arg(long, value_name = "SECONDS", default_value_t = super::pull::STALL)]
    pub pull_stall: u64,
    /// Without the container's name before each line of output
    #[arg(long)]
    pub no_log_prefix: bool,
    /// Each line of output with its time
    #[arg(long)]
    pub timestamps: bool,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

/// When images are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pull {
    /// All that are not named by their id, also those that are on the engine: a tag may mean another one by now
    Always,
    /// Those that are not on the engine
    #[default]
    Missing,
    /// None: a missing one is a failure
    Never,
}

impl Args {
    /// More is asked for than what a plan over what is there leads to.
    pub(super) fn is_more_than_a_plan(&self) -> bool {
        self.output.dry_run || self.no_start || self.force_recreate || self.pull == Pull::Always
    }

    /// Whether the command ends once the plan is carried out, and follows no logs.
    pub(super) fn ends(&self, global: &GlobalArgs) -> bool {
        let ends = self.detach || self.wait || self.no_start || !self.output.is_for_people(global);
        ends || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal()
    }
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let call = unchanged::call(global, args);
    let kept = call.as_deref().and_then(|call| unchanged::recall(global, call));
    let mut before = None;
    // What fails here fails again below, after what is to be said of the file.
    if let Some(kept) = kept
        && let Ok(begun) = unchanged::compare(global, args, &kept).await
    {
        if begun.is_as_it_was(&kept) {
            eprint!("{}", kept.said);
            return nothing_to_do(global, args, begun, kept.warnings).await;
        }
        before = Some(begun);
    }
    let noting = Noting::new(&Files);
    let (stack, said) = input::admitted_by(&noting, global)?;
    let project = stack.project().name.clone();
    let mut begun = match before.filter(|begun| begun.is_of(&project)) {
        Some(begun) => begun,
        None => unchanged::begin(global, args, &project).await?,
    };
    advise(&begun);
    let unchanged::Begun { session, writer, wish, look, .. } = &mut begun;
    if args.pull == Pull::Always && !args.output.dry_run {
        let deps = if args.no_deps { Dependencies::Left } else { Dependencies::Included };
        let images = super::pull::images(&stack, &wish.profiles, &args.services, deps)?;
        super::pull::fetch(global, args.output, &session.engine, &project, images).await?;
    }
    let prepared = pipeline::prepare_by(&noting, &session.engine, stack, wish, look.take()).await?;
    let pipeline::Prepared { wanted, seen, contents, labels_are_past, .. } = &prepared;
    let machine = ThisMachine::new(&Rights::Own, contents, &writer.folder, &session.socket);

    let mut plan = plan_with(wanted, seen, &choice(args));
    plan.warnings.extend(not_served(wanted, &args.services.iter().cloned().collect()));
    images_are_to_be_had(wanted, &plan, args.pull)?;
    shared::announce(&plan)?;
    if args.no_start {
        keep_creations(&mut plan);
    } else {
        wait_for_health(&mut plan, wanted, seen, &machine, args).await;
    }
    shared::with_grace(&mut plan, args.timeout);
    if !plan.steps.is_empty() && !args.output.dry_run {
        forget(&session.engine, &writer.folder);
    }
    shared::carry_out_update(global, args.output, &session.engine, &machine, wanted, seen, &plan).await?;
    if args.output.dry_run {
        return Ok(Exit::Done);
    }
    if !labels_are_past {
        writer.settle(Restarts::Engine);
    }
    if !plan.steps.is_empty() || !session.engine.relied() {
        remember(&session.engine, &writer.folder, wanted).await;
    }
    if args.services.is_empty() && wanted.inactive.is_empty() {
        sweep(&writer.folder, contents, wanted.services.values().flat_map(|service| &service.containers));
    }
    if args.ends(global) {
        if let Some(call) = call.filter(|_| plan.steps.is_empty()) {
            unchanged::remember((global, args), call, noting.notes(), said, &prepared, plan.warnings);
        }
        return Ok(Exit::Done);
    }
    let machine = ThisMachine::new(&Rights::Own, contents, &writer.folder, &session.socket);
    attached(global, session, &machine.that_settles_nothing(), wanted, args).await
}

/// What there is to know before anything runs.
fn advise(begun: &unchanged::Begun) {
    let advice = version::advice(&begun.version).into_iter();
    for advice in advice.chain(kernel::advice(&begun.wish.kernel)) {
        eprintln!("warning: {advice}");
    }
}

/// Ends as a plan without a step does.
async fn nothing_to_do(
    global: &GlobalArgs,
    args: &Args,
    begun: unchanged::Begun,
    warnings: Vec<String>,
) -> Result<Exit, Failure> {
    advise(&begun);
    let unchanged::Begun { session, mut writer, .. } = begun;
    let (contents, wanted, plan) =
        (Contents::default(), Wanted::default(), Plan { warnings, ..Plan::default() });
    let machine = ThisMachine::new(&Rights::Own, &contents, &writer.folder, &session.socket);
    shared::announce(&plan)?;
    shared::carry_out(global, args.output, &session.engine, &machine, &wanted, &plan).await?;
    writer.settle(Restarts::Engine);
    Ok(Exit::Done)
}

/// Keeps what the containers stand on now, so that the next `up` has less to ask. A hint: failing costs requests.
async fn remember(engine: &Docker, folder: &Path, wanted: &Wanted) {
    let ground = engine.ground(&Scope::wanted(wanted)).await.unwrap_or_default();
    if let Err(error) = ground::write(folder, ground.as_ref()) {
        tracing::warn!(%error, "cannot keep what the stack stands on");
    }
}

/// Nothing vouches for a network that no container is on: what is about to change is looked at in full until it has.
fn forget(engine: &Docker, folder: &Path) {
    engine.rely_on(None);
    if let Err(error) = ground::write(folder, None) {
        tracing::warn!(%error, "cannot forget what the stack stood on");
    }
}

/// Follows the logs until an interrupt, and then stops the stack, as Docker Compose does.
async fn attached(
    global: &GlobalArgs,
    session: &session::Session,
    machine: &ThisMachine<'_>,
    wanted: &Wanted,
    args: &Args,
) -> Result<Exit, Failure> {
    eprintln!("following the logs; an interrupt (^C) stops the stack, `up -d` would have left it running");
    let since = Some(jiff::Timestamp::now());
    let query = LogQuery { follow: true, since, timestamps: true, ..LogQuery::default() };
    let style = super::logs::Style::new(global, args.no_log_prefix, args.timestamps);
    let wish = super::logs::Wish { project: &wanted.project, services: &args.services, index: None, query };
    tokio::select! {
        outcome = super::logs::print(&session.engine, &wish, style) => {
            outcome?;
        }
        _ = tokio::signal::ctrl_c() => {}
    }
    eprintln!("\nstopping; another interrupt leaves the rest running");
    let seen = pipeline::observe(&session.engine, &Scope::wanted(wanted), machine.folder).await?;
    let names: BTreeSet<String> = args.services.iter().cloned().collect();
    let plan = crate::decide::plan::stop(wanted, &seen, &names);
    let output = OutputArgs::default();
    tokio::select! {
        outcome = shared::carry_out(global, output, &session.engine, machine, wanted, &plan) => {
            outcome?;
        }
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(Exit::Done)
}

fn choice(args: &Args) -> Choice {
    Choice {
        services: Some(args.services.iter().cloned().collect::<BTreeSet<_>>()).filter(|s| !s.is_empty()),
        dependencies: if args.no_deps { Dependencies::Left } else { Dependencies::Included },
        recreate: match (args.force_recreate, args.no_recreate) {
            (true, _) => Recreate::All,
            (false, true) => Recreate::None,
            (false, false) => Recreate::Changed,
        },
        orphans: if args.remove_orphans { Orphans::Remove } else { Orphans::Keep },
        ..Choice::default()
    }
}

/// A missing image that is not to be fetched is a failure of its own: one that is named by its id is nowhere but on
/// an engine.
fn images_are_to_be_had(wanted: &Wanted, plan: &Plan, pull: Pull) -> Result<(), EngineError> {
    let missing = |image: &str| Err(EngineError::ImageMissing { image: image.to_owned() });
    for planned in &plan.steps {
        if let (Step::Pull { image }, Pull::Never) = (&planned.step, pull) {
            return missing(image);
        }
    }
    let nowhere = wanted.services.values().find_map(|service| {
        let images = service.containers.iter().flat_map(ContainerSpec::images);
        let mut absent = images.filter(|(_, id)| id.is_none()).map(|(image, _)| image);
        absent.find(|image| service.never_pull || image.starts_with("sha256:"))
    });
    match nowhere {
        Some(image) if !plan.blocked.is_empty() => missing(image),
        _ => Ok(()),
    }
}

/// Without the steps that start, or wait for what is not started; what follows from them goes, too.
fn keep_creations(plan: &mut Plan) {
    let mut places = BTreeMap::new();
    let mut kept: Vec<Planned> = Vec::new();
    for (index, planned) in plan.steps.drain(..).enumerate() {
        if matches!(planned.step, Step::Start { .. } | Step::PostStart { .. } | Step::Await(_)) {
            continue;
        }
        let after = planned.after.iter().filter_map(|first| places.get(first).copied()).collect();
        places.insert(index, kept.len());
        kept.push(Planned { after, ..planned });
    }
    plan.steps = kept;
    plan.tidy_from = None;
}

/// Adds the wait for every service that is not known to be as wanted. What runs already is asked once, by its own
/// probe, which is no request to the engine.
async fn wait_for_health(
    plan: &mut Plan,
    wanted: &Wanted,
    seen: &Seen,
    machine: &ThisMachine<'_>,
    args: &Args,
) {
    let awaited = plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::Await(wait) => Some((wait.service.clone(), wait.condition)),
        _ => None,
    });
    let awaited: BTreeSet<_> = awaited.map(|(service, condition)| (service, condition as u8)).collect();
    let by_name: BTreeMap<&str, &SeenContainer> =
        seen.containers.iter().map(|container| (container.name.as_str(), container)).collect();
    for service in wanted.services.values().filter(|_| !args.detach) {
        let chosen = args.services.is_empty() || args.services.contains(&service.service);
        let wait = readiness(wanted, service);
        if !chosen || awaited.contains(&(wait.service.clone(), wait.condition as u8)) {
            continue;
        }
        let starts: Vec<usize> = starts_of(plan, &service.service);
        if starts.is_empty() && is_ready(wanted, service, &by_name, machine).await {
            continue;
        }
        plan.steps.push(Planned {
            step: Step::Await(wait),
            reason: "the command waits until it is as wanted".into(),
            after: starts,
        });
    }
    for planned in &mut plan.steps {
        if let (Step::Await(wait), Some(seconds)) = (&mut planned.step, args.wait_timeout) {
            wait.timeout = Duration::from_secs(seconds);
        }
    }
}

/// The steps that start a service.
pub(crate) fn starts_of(plan: &Plan, service: &str) -> Vec<usize> {
    let starts = plan.steps.iter().enumerate().filter(|(_, planned)| match &planned.step {
        Step::Start { service: started, .. } | Step::PostStart { service: started, .. } => started == service,
        _ => false,
    });
    starts.map(|(index, _)| index).collect()
}

async fn is_ready(
    wanted: &Wanted,
    service: &ServiceSpec,
    seen: &BTreeMap<&str, &SeenContainer>,
    machine: &ThisMachine<'_>,
) -> bool {
    for spec in &service.containers {
        let ready = match seen.get(spec.name.as_str()).copied() {
            Some(container) if container.state == State::Running => {
                answers(service, container, machine).await
            }
            Some(container) => container.state == State::Exited(0) && runs_to_its_end(wanted, service),
            _ => false,
        };
        if !ready {
            return false;
        }
    }
    true
}

async fn answers(service: &ServiceSpec, container: &SeenContainer, machine: &ThisMachine<'_>) -> bool {
    let Some(probe) = &service.probe else {
        return !service.engine_health || container.health == Some(Health::Healthy);
    };
    match container.networks.values().flatten().next() {
        Some(address) => machine.probe(probe, &probe.http, *address).await.is_ok(),
        None => false,
    }
}
