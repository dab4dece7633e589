//! Figures beside those of Docker Compose and of the raw API, from interleaved runs on one engine; printed as ratios.
//!
//! Deliberately absent: assertions. A busy machine makes every figure worse, and ratios less so.

mod confined;
pub(crate) mod counting;
mod floor;
mod judging;
pub(crate) mod measure;
mod network;
pub(crate) mod pump;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use profiles::seccomp;
use profiles::{Arch, Base, Kernel};

use crate::api::Api;
use crate::engine::unpack::{docker_compose, unpacked};
use crate::engine::{Place, Private};
use crate::shell::{command, quiet, require_root, say};
use crate::{cache, images, product};
use counting::Proxy;
use measure::{Usage, kib, measure, median};

/// Two services with a health check of 1 s, as the floor starts them.
const SMALL: &str = include_str!("bench/small.yaml");
/// One service that our own probe asks every 2 s.
const PROBED: &str = include_str!("bench/probed.yaml");
/// One service, which is repeated, with nothing of its own to do.
const MANY: &str = include_str!("bench/many.yaml");
/// How long the resident supervisor is watched.
const WATCH: Duration = Duration::from_mins(1);

/// This machine's.
const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

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
    /// Runs of each start from nothing
    #[arg(long, default_value_t = 5, value_name = "N")]
    starts: usize,
}

/// Measures everything and prints it.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.network {
        return network::run(args.runs);
    }
    println!("{:<40} {:>12} {:>12} {:>12} {:>8}  aim", "", "supervisor", "compose", "floor", "ratio");
    if args.check {
        return judging::run(args.runs);
    }
    require_root("to start a container engine")?;
    let bench = Bench::new()?;
    bench.size()?;
    if !args.engine {
        judging::run(args.runs)?;
    }
    bench.check(args.runs)?;
    bench.start_from_nothing(args.starts)?;
    bench.confined_start(args.runs)?;
    bench.nothing_to_do(args.runs)?;
    if args.many > 0 {
        bench.many(args.many, args.runs)?;
    }
    bench.resident()
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
        for (name, text) in [("small", SMALL), ("probed", PROBED)] {
            fs::create_dir_all(folder.join(name))?;
            fs::write(folder.join(name).join("compose.yaml"), text)?;
            fs::write(folder.join(name).join(".env"), format!("IMAGE={image}\n"))?;
        }
        let mut init = command(&supervisor, ["init"]);
        quiet(init.arg(folder.join("stack")).args(["--site", "localhost", "--tls", "internal"]))?;
        let socket = engine.api.socket().with_file_name("counting.sock");
        let proxy = Proxy::listen(&socket, engine.api.socket())?;
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

    fn start_from_nothing(&self, starts: usize) -> Result<()> {
        let small = self.folder.join("small");
        let (mut ours, mut theirs, mut floors) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..starts {
            ours.push(measure(self.at(&self.supervisor, &small).arg("up"))?);
            quiet(self.at(&self.supervisor, &small).arg("down"))?;
            theirs.push(measure(self.at(&self.compose, &small).args(["up", "--wait"]))?);
            quiet(self.at(&self.compose, &small).args(["down", "-t", "1"]))?;
            let wall = floor::up(self.api(), &self.image)?;
            floors.push(Usage { wall, ..Usage::default() });
            floor::down(self.api())?;
        }
        let (ours, theirs, floor) = (median(&ours), median(&theirs), median(&floors));
        let ratio = Some(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
        let text = |u: Usage| format!("{:.0}", ms(u.wall));
        row(
            "up --wait from nothing, ms",
            &text(ours),
            &text(theirs),
            &text(floor),
            ratio,
            "1.15 of the floor at most",
        );
        compare("up --wait from nothing, CPU ms", ms(ours.cpu), ms(theirs.cpu), "", "");
        Ok(())
    }

    /// What the program costs that keeps a service's Landlock rules: a start through it, beside one without it. The rules are
    /// a container's; the file system is this machine's, which is larger.
    fn confined_start(&self, runs: usize) -> Result<()> {
        let small = self.folder.join("small");
        let state = self.folder.join("state");
        let at_small = |word: &str| {
            let mut command = self.at(&self.supervisor, &small);
            command.arg(word).arg("--state-dir").arg(&state);
            command
        };
        quiet(&mut at_small("up"))?;
        let staged = fs::read_dir(state.join("bench-small/contents"))?.flatten().map(|entry| entry.path());
        let is_program = |path: &PathBuf| path.to_string_lossy().contains("program-confine");
        let program = staged.into_iter().find(is_program).context("no program is staged")?;
        let rules =
            ["--abi=6", "--write=/tmp", "--write=/home", "--bind=443", "--connect=443", "--", "/bin/true"];
        let (mut through, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            through.push(measure(command(&program, rules).current_dir("/"))?);
            plain.push(measure(command("/bin/true", [""; 0]).current_dir("/"))?);
        }
        let kernel = Kernel { arch: ARCH, version: (7, 0), apparmor: false, landlock: 0 };
        let profile = seccomp::profile(Base::Generic, &BTreeSet::new(), &kernel);
        let runc = unpacked()?.join("root/usr/sbin/runc");
        let [nothing, all] = confined::starts(&runc, &program, &profile, runs)?;
        // The program is staged for as long as the stack is there.
        quiet(&mut at_small("down"))?;
        let (nothing, all) = (ms(median(&nothing).cpu), ms(median(&all).cpu));
        row(
            "a start by runc with all confinement, CPU ms",
            &format!("{all:.1}"),
            "",
            &format!("{nothing:.1}"),
            None,
            "10 ms more at most",
        );
        let (through, plain) = (ms(median(&through).cpu), ms(median(&plain).cpu));
        let floor = format!("{plain:.1}");
        row(
            "a start through Landlock rules, CPU ms",
            &format!("{through:.1}"),
            "",
            &floor,
            None,
            "10 ms at most",
        );
        Ok(())
    }

    fn nothing_to_do(&self, runs: usize) -> Result<()> {
        let small = self.folder.join("small");
        let ours = self.repeat(&self.supervisor, &small, &["up"], runs)?;
        let our_ps = self.listing(&self.supervisor, &small, runs)?;
        quiet(self.at(&self.supervisor, &small).arg("down"))?;
        let theirs = self.repeat(&self.compose, &small, &["up", "-d"], runs)?;
        let their_ps = self.listing(&self.compose, &small, runs)?;
        quiet(self.at(&self.compose, &small).args(["down", "-t", "1"]))?;
        compare(
            "up with nothing to do, requests",
            count(ours.1.0),
            count(theirs.1.0),
            "3",
            "3 requests at most",
        );
        compare(
            "up with nothing to do, KiB exchanged",
            count(ours.1.1) / 1024.0,
            count(theirs.1.1) / 1024.0,
            "",
            "",
        );
        compare("up with nothing to do, CPU ms", ms(ours.0.cpu), ms(theirs.0.cpu), "", "10 ms at most");
        compare("up with nothing to do, wall ms", ms(ours.0.wall), ms(theirs.0.wall), "", "");
        compare("ps of 2 services, CPU ms", ms(our_ps.cpu), ms(their_ps.cpu), "", "0.05 at most");
        compare("ps of 2 services, wall ms", ms(our_ps.wall), ms(their_ps.wall), "", "");
        Ok(())
    }

    /// A stack as large as one machine has: what `up` costs that finds nothing to do, and a list of all containers.
    fn many(&self, services: usize, runs: usize) -> Result<()> {
        let folder = self.folder.join("many");
        fs::create_dir_all(&folder)?;
        let rows: Vec<String> = (1..=services).map(|n| format!("  s{n}: *service\n")).collect();
        fs::write(folder.join("compose.yaml"), MANY.replace("  s1: *service\n", &rows.concat()))?;
        fs::write(folder.join(".env"), format!("IMAGE={}\n", self.image))?;
        say(format!("starting {services} services"));
        let ours = self.repeat(&self.supervisor, &folder, &["up", "-d"], runs)?;
        let our_ps = self.listing(&self.supervisor, &folder, runs)?;
        quiet(self.at(&self.supervisor, &folder).args(["down", "-t", "1"]))?;
        quiet(self.at(&self.compose, &folder).args(["up", "-d"]))?;
        let their_ps = self.listing(&self.compose, &folder, runs)?;
        quiet(self.at(&self.compose, &folder).args(["down", "-t", "1"]))?;
        let name = |what: &str| format!("{what} of {services} services");
        row(&name("up with nothing to do, requests"), &ours.1.0.to_string(), "", "3", None, "3 at most");
        row(
            &name("up with nothing to do, CPU ms"),
            &format!("{:.1}", ms(ours.0.cpu)),
            "",
            "",
            None,
            "10 ms at most",
        );
        row(
            &name("up with nothing to do, memory MiB"),
            &format!("{:.1}", mib(ours.0.rss)),
            "",
            "",
            None,
            "20 MiB at most",
        );
        compare(&name("ps, CPU ms"), ms(our_ps.cpu), ms(their_ps.cpu), "", "0.05 at most");
        Ok(())
    }

    /// A table of the stack's containers, again and again; the median.
    fn listing(&self, program: &Path, folder: &Path, runs: usize) -> Result<Usage> {
        let samples: Result<Vec<Usage>> =
            (0..runs).map(|_| measure(self.at(program, folder).arg("ps"))).collect();
        Ok(median(&samples?))
    }

    /// Brings the stack up, then does so again and again; the median, and what the last run asked the engine.
    fn repeat(
        &self,
        program: &Path,
        folder: &Path,
        arguments: &[&str],
        runs: usize,
    ) -> Result<(Usage, (u64, u64))> {
        quiet(self.at(program, folder).args(arguments))?;
        sleep(Duration::from_secs(3));
        let samples: Result<Vec<Usage>> =
            (0..runs).map(|_| measure(self.at(program, folder).args(arguments))).collect();
        self.proxy.take();
        quiet(self.at(program, folder).args(arguments).env("DOCKER_HOST", self.proxy.host()))?;
        Ok((median(&samples?), self.proxy.take()))
    }

    /// `supervisor run` over one service that it probes every 2 s.
    fn resident(&self) -> Result<()> {
        let probed = self.folder.join("probed");
        let mut run = command("nsenter", [format!("--net={}", self.engine.network().display())]);
        run.arg(&self.supervisor).args(["run", "--listen", "127.0.0.1:9180"]).current_dir(&probed);
        let log = fs::File::create(self.folder.join("run.log"))?;
        let child = run.env("DOCKER_HOST", self.api().host()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let daemon = Daemon(child);
        sleep(Duration::from_secs(15));
        say(format!("watching `supervisor run` for {} s", WATCH.as_secs()));
        let before = daemon.cpu()?;
        sleep(WATCH);
        let used = daemon.cpu()?.saturating_sub(before);
        let rss = daemon.memory()?;
        let all = daemon.proportional()?;
        drop(daemon);
        quiet(self.at(&self.supervisor, &probed).arg("down"))?;
        let percent = used.as_secs_f64() / WATCH.as_secs_f64() * 100.0;
        row("resident run, memory MiB", &format!("{:.1}", mib(rss)), "", "", None, "10 MiB at most");
        let text = format!("{:.1}", mib(all));
        row("the same with its helpers, shared once, MiB", &text, "", "", None, "");
        row("resident run, % of a core at 2 s", &format!("{percent:.3}"), "", "", None, "0.2 % at most");
        Ok(())
    }

    fn at(&self, program: &Path, folder: &Path) -> Command {
        // Where the engine's bridges are, which the guard goes by.
        let mut there = command("nsenter", [format!("--net={}", self.engine.network().display())]);
        there.arg(program).current_dir(folder).env("DOCKER_HOST", self.api().host()).stdin(Stdio::null());
        there
    }

    const fn api(&self) -> &Api {
        &self.engine.api
    }
}

/// The resident supervisor; dropping it ends it.
struct Daemon(Child);

impl Daemon {
    /// Its process and those that it started.
    fn processes(&self) -> Result<Vec<PathBuf>> {
        let mut found = vec![PathBuf::from(format!("/proc/{}", self.0.id()))];
        let mut next = 0;
        while let Some(process) = found.get(next) {
            let mut children = Vec::new();
            for thread in fs::read_dir(process.join("task"))? {
                children.push(fs::read_to_string(thread?.path().join("children"))?);
            }
            found.extend(
                children
                    .iter()
                    .flat_map(|pids| pids.split_whitespace())
                    .map(|pid| Path::new("/proc").join(pid)),
            );
            next += 1;
        }
        Ok(found)
    }

    /// CPU time of all threads of all its processes, by the scheduler's own count.
    fn cpu(&self) -> Result<Duration> {
        let mut total = 0;
        for process in self.processes()? {
            for thread in fs::read_dir(process.join("task"))? {
                let text = fs::read_to_string(thread?.path().join("schedstat"))?;
                total += text
                    .split_whitespace()
                    .next()
                    .and_then(|n| n.parse::<u64>().ok())
                    .context("no schedstat")?;
            }
        }
        Ok(Duration::from_nanos(total))
    }

    /// Memory of all its processes, what they share counted once, in KiB (`Pss`, proc(5)).
    fn proportional(&self) -> Result<u64> {
        let mut total = 0;
        for process in self.processes()? {
            total += kib(&process.join("smaps_rollup"), "Pss")?;
        }
        Ok(total)
    }

    /// Resident set now, in KiB.
    fn memory(&self) -> Result<u64> {
        kib(&PathBuf::from(format!("/proc/{}/status", self.0.id())), "VmRSS")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = quiet(&mut command("kill", [self.0.id().to_string()]));
        let _ = self.0.wait();
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
