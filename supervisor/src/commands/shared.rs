//! What the commands that change a stack have in common: options of output, and carrying out a plan while it is shown.
//!
//! Deliberately absent: which plan.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, stderr};

use crate::apply::{Applied, Machine, ThisMachine, apply};
use crate::args::GlobalArgs;
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::seen::{Seen, SeenContainer, State};
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::{Docker, Engine as _, Scope};
use crate::exit::{Exit, Failure};
use crate::pipeline::{self, Prepared};
use crate::progress::{Printer, Style};
use crate::render::plain;
use crate::{host, input, session};

/// How progress is shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct OutputArgs {
    /// One JSON object a change and one at the end, on standard output
    #[arg(long)]
    pub json: bool,
    /// Say nothing but failures
    #[arg(short, long)]
    pub quiet: bool,
}

impl OutputArgs {
    fn style(self, global: &GlobalArgs) -> Style {
        let terminal = stderr().is_terminal();
        match self {
            Self { json: true, .. } => Style::Json,
            Self { quiet: true, .. } => Style::Quiet,
            Self { .. } if terminal && global.ansi != crate::args::Ansi::Never => {
                let size = rustix::termios::tcgetwinsize(stderr()).ok();
                let rows = size.map_or(24, |size| usize::from(size.ws_row));
                Style::Live { colours: global.colours(terminal), rows: rows.saturating_sub(2) }
            }
            Self { .. } => Style::Plain,
        }
    }
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
    let outcome = if output.json {
        let mut printer = Printer::new(std::io::stdout(), Style::Json);
        apply(engine, machine, wanted, plan, &mut |news| printer.show(&news)).await
    } else {
        let mut printer = Printer::new(stderr(), output.style(global));
        apply(engine, machine, wanted, plan, &mut |news| printer.show(&news)).await
    };
    let outcome = outcome.map_err(Failure::from);
    if output.json {
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
    let Prepared { wanted, seen, contents } = pipeline::prepare(&session.engine, stack, &wish).await?;
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
    containers.retain(|container| {
        let named = container.service.as_ref().is_some_and(|service| services.contains(service));
        container.state == State::Running && (services.is_empty() || named)
    });
    if containers.is_empty() {
        return Err(super::logs::nothing(project, services));
    }
    Ok(containers)
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
