//! What runs for long on a private engine, and is told at its end: soaking, bad updates, and attacks on the endpoint.
//!
//! Deliberately absent: what is done there; those are programs of the tests' crate.

use anyhow::Result;

use crate::debian;
use crate::engine::unpack::docker_compose;
use crate::engine::{self, Place, Private};
use crate::images;
use crate::product::{self, cargo, workspace};
use crate::shell::{command, loud, require_root};

/// Options of `soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// How long faults are made
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    minutes: u64,
    /// From the stack's health to the next fault
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    rest: u64,
    /// From one row of figures to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    every: u64,
    /// Of the faults' order
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Runs the real stack with one fault after another, and prints what the supervisor holds meanwhile.
pub(crate) fn soak(args: &Soak) -> Result<()> {
    let words = [args.minutes * 60, args.rest, args.every, args.seed].map(|number| number.to_string());
    played("soak", &words)
}

/// Options of `updates`.
#[derive(Debug, clap::Args)]
pub(crate) struct Updates {
    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    count: usize,
}

/// Makes bad updates, one after another on several beds.
pub(crate) fn updates(args: &Updates) -> Result<()> {
    played("updates", &[args.count.to_string()])
}

/// Runs a program of the tests' crate in the network of a private engine that has the real images, with the supervisor as
/// it is given out.
pub(crate) fn played(program: &str, words: &[String]) -> Result<()> {
    require_root("to start a container engine and look into containers")?;
    debian::install(&engine::unpack::NEEDS)?;
    let supervisor = product::release()?;
    product::development()?;
    let engine = Private::start(program, Place::OwnNetwork)?;
    let images = images::ensure(&engine.api)?;
    let mut run = command("nsenter", [format!("--net={}", engine.network().display())]);
    run.arg(cargo()).args(["run", "--quiet", "--package", "tests", "--bin", program, "--"]).args(words);
    run.env("DOCKER_HOST", engine.api.host())
        .env("DOCKER_COMPOSE", docker_compose()?)
        .env("SUPERVISOR_BIN", &supervisor)
        .env("SUPERVISOR_STATIC_BIN", &supervisor)
        .env("SUPERVISOR_REGISTRY_BIN", debian::own_program(debian::REGISTRY)?)
        .env("SUPERVISOR_IMAGE_CADDY", images.caddy)
        .env("SUPERVISOR_IMAGE_OPENCLAW", images.openclaw);
    loud(run.current_dir(workspace()))
}
