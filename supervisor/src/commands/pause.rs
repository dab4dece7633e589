//! `pause` and `unpause`: freezes services where they are, and lets them go on.
//!
//! Deliberately absent: anything that a frozen service's peers may think of it.

use crate::args::GlobalArgs;
use crate::decide::seen::State;
use crate::engine::Engine as _;
use crate::exit::{Exit, Failure};

use super::each::{Deed, each};
use super::output::OutputArgs;

/// Options of `pause` and `unpause`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How progress is shown
    #[command(flatten)]
    pub output: OutputArgs,
    /// The services; all of them without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
}

pub(crate) async fn pause(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let deed = Deed {
        concerns: |state| state == State::Running,
        does: "runs",
        word: "pause",
        doing: "Pausing",
        done: "Paused",
    };
    each(global, args.output, &args.services, &deed, async |engine, container| {
        engine.pause(&container.id).await
    })
    .await
}

pub(crate) async fn unpause(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let deed = Deed {
        concerns: |state| state == State::Paused,
        does: "is paused",
        word: "unpause",
        doing: "Unpausing",
        done: "Unpaused",
    };
    each(global, args.output, &args.services, &deed, async |engine, container| {
        engine.unpause(&container.id).await
    })
    .await
}
