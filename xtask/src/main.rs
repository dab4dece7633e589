//! Everything that builds, demonstrates, measures, generates and checks, as `cargo xtask COMMAND`.
//!
//! Deliberately absent: anything that the product needs at run time.

mod api;
mod bench;
mod cache;
mod compat;
mod debian;
mod demo;
mod dist;
mod docs;
mod endpoint;
mod engine;
mod figures;
mod fuzz;
mod hook;
mod images;
mod long;
mod machine;
mod netfilter;
mod npm;
mod product;
mod recipes;
mod runc;
mod sarif;
mod shell;
mod survey;
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
    /// Start Caddy and OpenClaw under the supervisor on this machine, and show what it says of them
    Demo(demo::Args),
    /// Run every test: units, properties, and the real engine with the real images
    Test(test::Args),
    /// Measure beside Docker Compose and the raw API, and print ratios
    Bench(bench::Args),
    /// Run one program and print what it used
    #[command(hide = true)]
    Measure(bench::measure::Args),
    /// Be one end of a measured connection
    #[command(hide = true, subcommand)]
    Pump(bench::pump::Args),
    /// Build what is given out: a .deb, a tarball, checksums, and the list of what is in them
    Dist(dist::Args),
    /// Write the documents that are generated
    Docs(docs::Args),
    /// Load Compose files beside Docker Compose, and print how many come out the same
    Compat(compat::Args),
    /// Judge Compose files, and print how often each rule speaks up
    Survey(survey::Args),
    /// Try the examples of commit hooks and workflows
    Hook,
    /// Run the fuzz targets for a while, and print what was reached
    Fuzz(fuzz::Args),
    /// Attack the endpoint and hold it to its description, and print what was seen
    Endpoint(endpoint::Args),
    /// Keep the real stack through one fault after another, and print what the supervisor holds meanwhile
    Soak(long::Soak),
    /// Make bad updates of each kind, and print whether each ended on the old stack
    Updates(long::Updates),
    /// Start a private engine and keep it until Ctrl-C
    Engine(engine::Args),
    /// Build and boot a machine with systemd and AppArmor, under User-Mode Linux
    Machine(machine::Args),
    /// Start containers with every runc of Debian's suites under every seccomp profile
    Runc(runc::Args),
    /// Print how many calls each profile allows, and how long making them takes
    Figures,
    /// Build the real images of Caddy and OpenClaw into the engine in use
    Images,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Measure(args) => bench::measure::run(&args),
        Task::Pump(args) => bench::pump::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Docs(args) => docs::run(&args),
        Task::Compat(args) => compat::run(&args),
        Task::Survey(args) => survey::run(&args),
        Task::Hook => hook::run(),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Endpoint(args) => endpoint::run(&args),
        Task::Soak(args) => long::soak(&args),
        Task::Updates(args) => long::updates(&args),
        Task::Engine(args) => engine::run(&args),
        Task::Machine(args) => machine::run(&args),
        Task::Runc(args) => runc::run(&args),
        Task::Figures => figures::run(),
        Task::Images => images::run(),
    }
}
