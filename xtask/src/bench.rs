//! Figures beside those of Docker Compose and of the raw API, from interleaved runs on one engine; printed as ratios.
//!
//! Deliberately absent: assertions. A busy machine makes every figure worse, and ratios less so.

mod confined;
pub(crate) mod counting;
mod floor;
mod healing;
mod idle;
mod judging;
mod lifecycle;
pub(crate) mod measure;
mod network;
pub(crate) mod pump;
mod resident;

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::api::Api;
use crate::engine::unpack::docker_compose;
use crate::engine::{Place, Private};
use crate::shell::{command, quiet, require_root};
use crate::{cache, images, product};
use counting::Proxy;
use measure::{measure, median};

/// Two services with a health check of 1 s, as the floor starts them.
const SMALL: &str = include_str!("bench/small.yaml");
/// One service that our own probe asks every 2 s.
const PROBED: &str = include_str!("bench/probed.yaml");

/// Options of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs of each short measurement
    #[arg(long, default_value_t = 15, value_name = "N")]
    runs: usize,
    /// Services of the stack that is large; 0 leaves it out
    #[arg(long, default_value_t = 200, value_name = "N")]
    many: usize,
    /// Only `check`, which needs no engine and no root
    #[arg(long)]
    check: bool,
    /// Leave out what `--check` measures
    #[arg(long, conflicts_with = "check")]
    engine: bool,
    /// Only the network's own parts: the egress proxy, the relay and the guard
    #[arg(long)]
    network: bool,
    /// With `--network`: hold one stream through the egress proxy for so long, besides
    #[arg(long, value_name = "SECONDS", requires = "network")]
    stream: Option<u32>,
    /// Rounds of a stack's life (up from nothing, one change, down), and of a service's deaths and hangs
    #[arg(long, default_value_t = 5, value_name = "N")]
    starts: usize,
}

/// Measures everything and prints it.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.network {
        return network::run(args.runs, args.stream);
    }
    println!("{:<40} {:>12} {:>12} {:>12} {:>8}  aim", "", "supervisor", "compose", "floor", "ratio");
    if args.check {
        return judging::run(args.runs);
    }
    require_root("to start a container engine")?;
    if !args.engine {
        judging::run(args.runs)?;
    }
    let bench = Bench::new()?;
    bench.size()?;
    bench.check(args.runs)?;
    lifecycle::run(&bench, args.starts)?;
    confined::run(&bench, args.runs)?;
    idle::small(&bench, args.runs)?;
    if args.many > 0 {
        idle::many(&bench, args.many, args.runs)?;
    }
    healing::run(&bench, args.starts)?;
    resident::run(&bench)
}

struct Bench {
    supervisor: PathBuf,
    compose: PathBuf,
    folder: PathBuf,
    image: String,
    proxy: Proxy,
    engine: Private,
}

impl Bench {
    fn new() -> Result<Self> {
        let supervisor = product::release()?;
        let compose = docker_compose()?;
        let engine = Private::start("bench", Place::OwnNetwork)?;
        let image = images::caddy(&engine.api)?;
        let folder = cache::root()?.join("bench");
        let _ = fs::remove_dir_all(&folder);
        // Beside it on one engine, and in a file that is read like it: with `-p`, Docker Compose's `ps` would read none.
        let beside = SMALL.replace("name: bench-small", "name: bench-compose");
        for (name, text) in [("small", SMALL), ("small-compose", &beside), ("probed", PROBED)] {
            fs::create_dir_all(folder.join(name))?;
            fs::write(folder.join(name).join("compose.yaml"), text)?;
            fs::write(folder.join(name).join(".env"), format!("IMAGE={image}\n"))?;
        }
        let mut init = command(&supervisor, ["init"]);
        quiet(init.arg(folder.join("stack")).args(["--site", "localhost", "--tls", "internal"]))?;
        let socket = engine.api.socket().with_file_name("counting.sock");
        let proxy = Proxy::listen(&socket, engine.api.socket())?;
        // Where the engine's bridges are, which the guard goes by. What is started from here on is there, without a program
        // before it that would be counted with it.
        move_into_link_name_space(File::open(engine.network())?.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(Self { supervisor, compose, folder, image, proxy, engine })
    }

    fn size(&self) -> Result<()> {
        let bytes = fs::metadata(&self.supervisor)?.len();
        row("release binary, MiB", &format!("{:.1}", mib(bytes / 1024)), "", "", None, "8 MiB at most");
        Ok(())
    }

    /// Judging the shipped stack, which needs no engine.
    fn check(&self, runs: usize) -> Result<()> {
        let stack = self.folder.join("stack");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(measure(self.at(&self.supervisor, &stack).arg("check"))?);
            theirs.push(measure(self.at(&self.compose, &stack).args(["config", "-q"]))?);
        }
        let (ours, theirs) = (median(&ours), median(&theirs));
        compare("check / config -q, CPU ms", ms(ours.cpu), ms(theirs.cpu), "", "0.10 at most");
        compare("check / config -q, wall ms", ms(ours.wall), ms(theirs.wall), "", "");
        compare("check / config -q, memory MiB", mib(ours.rss), mib(theirs.rss), "", "0.17 at most");
        Ok(())
    }

    fn at(&self, program: &Path, folder: &Path) -> Command {
        let mut there = Command::new(program);
        there.current_dir(folder).env("DOCKER_HOST", self.api().host()).stdin(Stdio::null());
        there
    }

    const fn api(&self) -> &Api {
        &self.engine.api
    }
}

fn compare(what: &str, ours: f64, theirs: f64, floor: &str, aim: &str) {
    row(what, &format!("{ours:.1}"), &format!("{theirs:.1}"), floor, Some(ours / theirs), aim);
}

fn row(what: &str, ours: &str, theirs: &str, floor: &str, ratio: Option<f64>, aim: &str) {
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    println!("{what:<40} {ours:>12} {theirs:>12} {floor:>12} {ratio:>8}  {aim}");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn mib(kib: u64) -> f64 {
    count(kib) / 1024.0
}

/// A count that is small enough for a float to hold it.
fn count(n: u64) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
