//! What the commands that change a stack have in common: options of output, and carrying out a plan while it is shown.
//!
//! Deliberately absent: which plan.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write, stderr, stdout};

use futures_util::future::join_all;

use crate::apply::{Applied, Machine, ThisMachine, apply};
use crate::args::{Ansi, GlobalArgs, Progress};
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::seen::{Seen, SeenContainer, State};
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::{Docker, Engine as _, EngineError, Scope};
use crate::exit::{Exit, Failure};
use crate::pipeline::{self, Prepared};
use crate::progress::{Phase, Printer, Progress as News, Style, Subject};
use crate::render::plain;
use crate::{host, input, session};

/// How progress is shown, in short; `--progress` of every command says it in full.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// The same as `--progress json`: one JSON object a change and one at the end, on standard output
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// The same as `--progress quiet`: nothing but failures
    #[arg(short, long)]
    quiet: bool,
}

impl OutputArgs {
    /// How progress is shown; never left to a choice any more.
    pub(crate) fn progress(self, global: &GlobalArgs) -> Progress {
        match self {
            Self { json: true, .. } => Progress::Json,
            Self { quiet: true, .. } => Progress::Quiet,
            Self { .. } => match global.progress() {
                Progress::Auto if stderr().is_terminal() && global.ansi != Ansi::Never => Progress::Tty,
                Progress::Auto => Progress::Plain,
                said => said,
            },
        }
    }

    /// Whether people read along.
    pub(crate) fn is_for_people(self, global: &GlobalArgs) -> bool {
        matches!(self.progress(global), Progress::Plain | Progress::Tty)
    }

    fn style(self, global: &GlobalArgs) -> Style {
        match self.progress(global) {
            Progress::Json => Style::Json,
            Progress::Quiet => Style::Quiet,
            Progress::Auto | Progress::Plain => Style::Plain,
            Progress::Tty => {
                let size = rustix::termios::tcgetwinsize(stderr()).ok().filter(|size| size.ws_row > 0);
                let (rows, columns) = size.map_or((24, 80), |size| (size.ws_row, size.ws_col));
                Style::Live {
                    colours: global.colours(true),
                    rows: usize::from(rows).saturating_sub(2),
                    columns: usize::from(columns),
                }
            }
        }
    }
}

/// JSON goes to standard output; what people read along goes to standard error.
fn printer(global: &GlobalArgs, output: OutputArgs) -> Printer<Box<dyn Write>> {
    let style = output.style(global);
    let out: Box<dyn Write> = if style == Style::Json { Box::new(stdout()) } else { Box::new(stderr()) };
    Printer::new(out, style)
}

/// Says what a plan is worth saying before it begins; a plan that is blocked does not begin.
pub(crate) fn announce(plan: &Plan) -> Result<(), Failure> {
    for warning in &plan.warnings {
        eprintln!("warning: {}", plain(warning));
    }
    let Some((last, others)) = plan.blocked.split_last() else { return Ok(()) };
    for other in others {
        eprintln!("error: {}", plain(other));
    }
    Err(Failure::new(Exit::Failed, last.clone()).help("nothing was changed"))
}

/// Carries out a plan and shows how far it is. With JSON the last line sums up, whether it failed or not.
pub(crate) async fn carry_out<M: Machine>(
    global: &GlobalArgs,
    output: OutputArgs,
    engine: &Docker,
    machine: &M,
    wanted: &Wanted,
    plan: &Plan,
) -> Result<Applied, Failure> {
    let json = output.progress(global) == Progress::Json;
    let mut printer = printer(global, output);
    let outcome = apply(engine, machine, wanted, plan, &mut |news| printer.show(&news)).await;
    let outcome = outcome.map_err(Failure::from);
    if json {
        let traffic = engine.traffic();
        let mut summary = serde_json::json!({
            "result": if outcome.is_ok() { "done" } else { "failed" },
            "steps": plan.steps.len(),
            "requests": traffic.requests,
            "mutations": traffic.mutations,
            "sent_bytes": traffic.sent,
        });
        if let (Err(failure), Some(object)) = (&outcome, summary.as_object_mut()) {
            object.insert("exit".into(), failure.exit().code().into());
            object.insert("message".into(), failure.to_string().into());
        }
        println!("{summary}");
    }
    if let Ok(applied) = &outcome {
        for warning in &applied.warnings {
            eprintln!("warning: {}", plain(warning));
        }
    }
    outcome
}

/// Plans over the containers that are there, and carries it out; each start is attested.
pub(crate) async fn existing(
    global: &GlobalArgs,
    output: OutputArgs,
    services: &[String],
    timeout: Option<u64>,
    plan: fn(&Wanted, &Seen, &BTreeSet<String>) -> Plan,
) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let session = session::open(global).await?;
    let folder = host::state::project(global.state_dir.as_deref(), &stack.project().name)?;
    let wish = session::wish(global, Restarts::Engine);
    let Prepared { wanted, seen, contents, .. } = pipeline::prepare(&session.engine, stack, &wish).await?;
    let machine = ThisMachine { contents: &contents, folder: &folder, socket: &session.socket };
    let mut plan = plan(&wanted, &seen, &services.iter().cloned().collect());
    announce(&plan)?;
    with_grace(&mut plan, timeout);
    carry_out(global, output, &session.engine, &machine, &wanted, &plan).await?;
    Ok(Exit::Done)
}

/// The running containers of a project, or of some of its services.
pub(crate) async fn running(
    engine: &Docker,
    project: &str,
    services: &[String],
) -> Result<Vec<SeenContainer>, Failure> {
    let mut containers = engine.observe(&Scope::project(project)).await?.containers;
    containers.retain(|container| container.state == State::Running);
    of_services(containers, project, services)
}

/// Those of these services; of all if there are none. Each service has one at least.
pub(crate) fn of_services(
    containers: Vec<SeenContainer>,
    project: &str,
    services: &[String],
) -> Result<Vec<SeenContainer>, Failure> {
    let is_of = |container: &SeenContainer, service: &String| container.service.as_ref() == Some(service);
    let without = |service: &&String| !containers.iter().any(|container| is_of(container, service));
    let missing: Vec<String> = services.iter().filter(without).cloned().collect();
    if !missing.is_empty() || containers.is_empty() {
        return Err(nothing(project, &missing));
    }
    let named = |container: &SeenContainer| {
        services.is_empty() || services.iter().any(|service| is_of(container, service))
    };
    Ok(containers.into_iter().filter(named).collect())
}

/// One replica of a service, whether it runs or not.
pub(crate) async fn replica(
    engine: &Docker,
    project: &str,
    service: &str,
    index: u32,
) -> Result<SeenContainer, Failure> {
    let seen = engine.observe(&Scope::project(project)).await?;
    let of_service = seen.containers.into_iter().filter(|c| c.service.as_deref() == Some(service));
    let containers: Vec<SeenContainer> = of_service.collect();
    if containers.is_empty() {
        return Err(nothing(project, &[service.to_owned()]));
    }
    let count = containers.len();
    containers.into_iter().find(|container| container.number == Some(index)).ok_or_else(|| {
        let what = format!("service `{service}` has no container number {index}");
        Failure::new(Exit::Failed, what)
            .help(format!("it has {count}; `supervisor ps --all {service}` shows them"))
    })
}

/// What is done to each container of some services.
pub(crate) struct Deed {
    /// To containers in which states.
    pub(crate) concerns: fn(State) -> bool,
    /// What one of them does: `runs`.
    pub(crate) does: &'static str,
    /// What is said while it is done: `Pausing`.
    pub(crate) doing: &'static str,
    /// What is said then: `Paused`.
    pub(crate) done: &'static str,
}

/// Does something to each container of services, all at the same time, and shows it. The first failure is the
/// command's; the others are said.
pub(crate) async fn each(
    global: &GlobalArgs,
    output: OutputArgs,
    services: &[String],
    deed: &Deed,
    act: impl AsyncFn(&Docker, &SeenContainer) -> Result<(), EngineError>,
) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let seen = session.engine.observe(&Scope::project(&project)).await?;
    let mut containers = of_services(seen.containers, &project, services)?;
    containers.retain(|container| (deed.concerns)(container.state));
    if containers.is_empty() {
        return Err(Failure::new(Exit::Failed, format!("no container of these {}", deed.does))
            .help("`supervisor ps --all` shows what there is"));
    }
    let printer = RefCell::new(printer(global, output));
    let show = |step: usize, phase: Phase| {
        let Some(container) = containers.get(step) else { return };
        let subject = Subject { kind: "container", name: container.name.clone() };
        printer.borrow_mut().show(&News { step, subject, phase });
    };
    let outcomes = join_all(containers.iter().enumerate().map(async |(step, container)| {
        show(step, Phase::Working(deed.doing));
        let outcome = act(&session.engine, container).await;
        show(
            step,
            outcome.as_ref().map_or_else(|e| Phase::Failed(e.to_string()), |()| Phase::Done(deed.done)),
        );
        outcome
    }))
    .await;
    let mut failures = outcomes.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(Exit::Done) };
    for other in failures {
        eprintln!("error: {}", plain(&other.to_string()));
    }
    Err(first.into())
}

/// That there is nothing to do something with.
pub(crate) fn nothing(project: &str, services: &[String]) -> Failure {
    let what = match services {
        [] => format!("project `{project}` has no containers"),
        [service] => format!("project `{project}` has no container of service `{service}`"),
        several => format!("project `{project}` has no containers of services `{}`", several.join("`, `")),
    };
    Failure::new(Exit::Failed, what)
        .help("`supervisor up` makes them; `supervisor ps --all` shows what is there")
}

/// A machine for plans that create and start nothing.
pub(crate) struct NoMachine;

impl Machine for NoMachine {
    fn prepare(
        &self,
        _: &crate::decide::spec::ContainerSpec,
    ) -> Result<std::collections::BTreeMap<String, std::path::PathBuf>, crate::apply::PrepareError> {
        Ok(std::collections::BTreeMap::new())
    }

    async fn attest(
        &self,
        _: &crate::decide::spec::ContainerSpec,
        _: &crate::engine::Inspected,
    ) -> Result<(), Vec<String>> {
        Err(vec!["nothing is to be started here".to_owned()])
    }

    async fn probe(&self, _: &compose::model::Probe, _: &str, _: std::net::IpAddr) -> Result<(), String> {
        Err("nothing is to be waited for here".to_owned())
    }
}

/// `--timeout` in place of every grace of the plan.
pub(crate) fn with_grace(plan: &mut Plan, seconds: Option<u64>) {
    let Some(seconds) = seconds else { return };
    for Planned { step, .. } in &mut plan.steps {
        if let Step::Stop { grace, .. } = step {
            *grace = std::time::Duration::from_secs(seconds);
        }
    }
}
