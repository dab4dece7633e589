//! Everything that builds, demonstrates, measures, generates and checks, as `cargo xtask COMMAND`.
//!
//! Deliberately absent: anything that the product needs at run time.

mod api;
mod cache;
mod debian;
mod engine;
mod images;
mod product;
mod shell;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, demonstrates, measures and checks the supervisor.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test: units, properties, and the real engine with the real images
    Test(test::Args),
    /// Start a private engine and keep it until Ctrl-C
    Engine(engine::Args),
    /// Build the real images of Caddy and OpenClaw into the engine in use
    Images,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Engine(args) => engine::run(&args),
        Task::Images => images::run(),
    }
}
