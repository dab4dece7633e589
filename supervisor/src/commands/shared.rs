//! What the commands that change a stack have in common: options of output, and carrying out a plan while it is shown.
//!
//! Deliberately absent: which plan.

use std::io::{IsTerminal as _, stderr};

use crate::apply::{Applied, Machine, apply};
use crate::args::GlobalArgs;
use crate::decide::plan::{Plan, Planned, Step};
use crate::decide::spec::Wanted;
use crate::engine::Docker;
use crate::exit::{Exit, Failure};
use crate::progress::{Printer, Style};
use crate::render::plain;

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
