//! `kill`: sends a signal to services' processes.
//!
//! Deliberately absent: stopping them for good (`stop`); what a running supervisor keeps up, it starts again.

use crate::args::GlobalArgs;
use crate::decide::seen::State;
use crate::engine::Engine as _;
use crate::exit::{Exit, Failure};

use super::each::{Deed, each};
use super::output::OutputArgs;

/// Options of `kill`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor kill web              SIGKILL, at once
  supervisor kill -s HUP caddy     any other signal

A running supervisor takes a kill for a crash and starts the service again; `supervisor stop` keeps it down.")]
pub struct Args {
    /// The signal, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL")]
    pub signal: String,
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let deed = Deed {
        concerns: |state| matches!(state, State::Running | State::Paused | State::Restarting),
        does: "runs",
        word: "signal",
        doing: "Signalling",
        done: "Signalled",
    };
    each(global, args.output, &args.services, &deed, async |engine, container| {
        engine.kill(&container.id, &args.signal).await
    })
    .await
}
