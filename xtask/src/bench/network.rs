//! What the network's own parts cost: the relay beside a published port, the egress proxy beside a direct connection and
//! beside tinyproxy and squid from Debian's packages, the guard's one transaction. Interleaved, over the same bridges.
//!
//! Deliberately absent: assertions, and any packet that leaves the machine.

mod proxies;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::measure::{measure, median as middle, middle_of, resident, wait};
use super::{mib, ms};
use crate::engine::unpack::unpacked;
use crate::engine::{Place, Private};
use crate::shell::{command, output, quiet, require_root};
use crate::{cache, images, product};
use proxies::Proxy;

const STACK: &str = include_str!("network.yaml");
const PROJECT: &str = "bench-network";
/// Stands for a server on the internet.
const SERVER: &str = "45.33.32.156";
/// Where the engine asks for names (`engine.rs`).
const RESOLVER: &str = "192.0.2.53";
/// The host's end of the link to both, and the other (TEST-NET-2, RFC 5737).
const LINK: [&str; 2] = ["198.51.100.1", "198.51.100.2"];
/// Gbit/s of a fast link.
const RATE: &str = "10";
/// MiB of one measured stream.
const MIB: &str = "1024";
/// Connections whose first byte is waited for, each run.
const FIRST: &str = "200";
/// Tunnels that are held.
const TUNNELS: &str = "2000";

/// A process of the measurement; dropping it ends it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What stands for the internet: a network namespace on a link with the engine's.
struct Outside(PathBuf);

/// Its name, and the link's, which has at most 15 characters.
const OUTSIDE: &str = "sv-bench";

impl Outside {
    fn new(host: &Path) -> Result<Self> {
        drop(Self(host.to_owned()));
        quiet(&mut command("ip", ["netns", "add", OUTSIDE]))?;
        let outside = Self(host.to_owned());
        let ip = |line: &str| quiet(within(host, "ip").args(line.split(' ')));
        ip(&format!("link add {OUTSIDE} type veth peer name eth0 netns {OUTSIDE}"))?;
        ip(&format!("address add {}/30 dev {OUTSIDE}", LINK[0]))?;
        ip(&format!("link set {OUTSIDE} up"))?;
        let there = |line: &str| quiet(within(&Self::network(), "ip").args(line.split(' ')));
        there("link set lo up")?;
        there(&format!("address add {}/30 dev eth0", LINK[1]))?;
        there("link set eth0 up")?;
        there(&format!("route add default via {}", LINK[0]))?;
        for address in [SERVER, RESOLVER] {
            there(&format!("address add {address}/32 dev lo"))?;
            ip(&format!("route replace {address}/32 via {}", LINK[1]))?;
        }
        Ok(outside)
    }

    fn network() -> PathBuf {
        Path::new("/run/netns").join(OUTSIDE)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // What is not there need not go.
        let _ = within(&self.0, "ip").args(["link", "delete", OUTSIDE]).stderr(Stdio::null()).status();
        let _ = command("ip", ["netns", "delete", OUTSIDE]).stderr(Stdio::null()).status();
    }
}

/// Measures everything and prints it.
pub(super) fn run(runs: usize, stream: Option<u32>) -> Result<()> {
    require_root("to start a container engine")?;
    let others = proxies::of_debian()?;
    let supervisor = product::release()?;
    let engine = Private::start("bench", Place::OwnNetwork)?;
    let image = images::caddy(&engine.api)?;
    let folder = cache::root()?.join("bench/network");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("compose.yaml"), STACK)?;
    fs::write(folder.join(".env"), format!("IMAGE={image}\n"))?;
    let host = engine.network();
    let outside = Outside::new(&host)?;
    let _server = pump(&Outside::network(), &["serve", &format!("{SERVER}:443")])?;
    let _names = pump(&Outside::network(), &["names", RESOLVER, SERVER])?;
    let at = |program: &Path| {
        let mut command = within(&host, &program.display().to_string());
        command.current_dir(&folder).env("DOCKER_HOST", engine.api.host()).stdin(Stdio::null());
        command
    };
    let state = folder.join("state");
    let log = fs::File::create(folder.join("run.log"))?;
    let mut daemon = at(&supervisor);
    daemon.args(["run", "--listen", "127.0.0.1:9180", "--state-dir"]).arg(&state);
    let daemon = Running(daemon.stdout(log.try_clone()?).stderr(log).spawn()?);
    let pid = |service: &str| pid(&engine, service);
    let is_up = || ["app", "published", "egress-proxy"].iter().all(|service| pid(service).is_ok());
    wait("the stack", || Ok(is_up().then_some(())))?;
    let network =
        |service: &str| Ok::<_, anyhow::Error>(PathBuf::from(format!("/proc/{}/ns/net", pid(service)?)));
    let (app, out) = (network("app")?, network("egress-proxy")?);
    let _inner = pump(&app, &["serve", "0.0.0.0:9000"])?;
    let _published = pump(&network("published")?, &["serve", "0.0.0.0:9000"])?;

    println!("{:<40} {:>12} {:>12} {:>12} {:>8}  aim", "", "supervisor", "beside", "without", "ratio");
    guard(&host, &state.join(PROJECT).join("guard.json"), runs)?;
    relay(&host, &address(&engine, "app")?, runs)?;
    let ours = proxies::ours(pid("egress-proxy")?, &address(&engine, "egress-proxy")?)?;
    wait("the egress proxy", || Ok(answers(&app, &ours.address).then_some(())))?;
    let tinyproxy = proxies::tinyproxy(&out, &folder, &others)?;
    let squid = proxies::squid(&out, &folder, &others)?;
    let proxy = ours.address.clone();
    egress(&app, &out, &[ours, tinyproxy, squid], runs)?;
    on_a_link(&app, &out, &proxy, runs)?;
    if let Some(seconds) = stream {
        hold_stream(&app, &proxy, seconds)?;
    }
    drop((daemon, outside));
    quiet(at(&supervisor).arg("down").arg("--state-dir").arg(&state))
}

/// What was set, set again, each time in one transaction: where there is none, and in place of one that is there.
fn guard(host: &Path, kept: &Path, runs: usize) -> Result<()> {
    let kept: Value = serde_json::from_slice(&fs::read(kept)?)?;
    let script = kept.get("script").and_then(Value::as_str).context("no script of the guard")?;
    // Two lines take away what is there, and the rest makes the new one.
    let body = script.split_inclusive('\n').take(2).map(str::len).sum();
    let (removal, first) = script.split_at_checked(body).context("not a guard's script")?;
    let folder = cache::root()?.join("bench/network");
    let nft = |name: &str, script: &str| -> Result<Command> {
        let file = folder.join(name);
        fs::write(&file, script)?;
        let mut nft = within(host, "nft");
        nft.arg("-f").arg(&file);
        Ok(nft)
    };
    let (mut remove, first, again) =
        (nft("removal.nft", removal)?, nft("first.nft", first)?, nft("again.nft", script)?);
    let (mut once, mut anew) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        quiet(&mut remove)?;
        once.push(measure(&first)?);
        anew.push(measure(&again)?);
    }
    for (what, used, aim) in [("at a start", once, "20 ms at most"), ("in place of another", anew, "")] {
        let what = format!("guard, one transaction, {what}, ms");
        super::row(&what, &format!("{:.1}", ms(middle(&used).wall)), "", "", None, aim);
    }
    Ok(())
}

/// The engine publishes by its own proxy, which is what it does by default, and here by the packet filter alone.
fn relay(host: &Path, inner: &str, runs: usize) -> Result<()> {
    let program = unpacked()?.join("root/usr/sbin/docker-proxy");
    let mut proxy = within(host, "sh");
    // It tells its parent over descriptor 3 that it listens.
    proxy.args(["-c", "exec \"$@\" 3>/dev/null", "sh"]).arg(program);
    proxy.args(["-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", "3002"]);
    proxy.args(["-container-ip", inner, "-container-port", "9000"]);
    let _proxy = Running(proxy.stdin(Stdio::null()).spawn()?);
    let ports = ["127.0.0.1:3000", "127.0.0.1:3002", "127.0.0.1:3001"];
    for port in ports {
        wait(port, || Ok(first(host, port, None).ok()))?;
    }
    let mut taken = [const { Taken::new() }; 3];
    for _ in 0..runs {
        for (port, taken) in ports.iter().zip(&mut taken) {
            taken.add(host, port, None)?;
        }
    }
    let [relayed, proxied, filtered] = &taken;
    let compare = super::compare;
    compare("relay / port by docker-proxy, MiB/s", relayed.rate(), proxied.rate(), "", "0.9 at least");
    compare("relay / port by packet filter, MiB/s", relayed.rate(), filtered.rate(), "", "");
    compare("relay / docker-proxy, first byte, us", relayed.first(), proxied.first(), "", "");
    Ok(())
}

fn egress(app: &Path, out: &Path, proxies: &[Proxy], runs: usize) -> Result<()> {
    let server = format!("{SERVER}:443");
    let mut direct = Taken::new();
    let mut through: Vec<Taken> = proxies.iter().map(|_| Taken::new()).collect();
    for _ in 0..runs {
        direct.add(out, &server, None)?;
        for (proxy, taken) in proxies.iter().zip(&mut through) {
            taken.add(app, &server, Some(&proxy.address))?;
        }
    }
    for (proxy, taken) in proxies.iter().zip(&through) {
        let aim = |text| if proxy.name == proxies::OURS { text } else { "" };
        let what = format!("{} / direct, MiB/s", proxy.name);
        super::compare(&what, taken.rate(), direct.rate(), "", aim("0.9 at least"));
        let added = format!("{:.2}", (taken.first() - direct.first()) / 1000.0);
        let what = format!("{}, added to the first byte, ms", proxy.name);
        super::row(&what, &added, "", "", None, aim("0.3 ms at most"));
    }
    for proxy in proxies {
        let before = mib(resident(proxy.pid)?);
        let held = hold(app, &server, &proxy.address);
        let said = match &held {
            Ok(_) => format!("{:.1}", mib(resident(proxy.pid)?)),
            Err(error) => format!("not held: {error}"),
        };
        let aim = if proxy.name == proxies::OURS { "12 MiB at most" } else { "" };
        let what = format!("{}, {TUNNELS} tunnels, MiB", proxy.name);
        super::row(&what, &said, "", &format!("{before:.1}"), None, aim);
    }
    Ok(())
}

/// The same over a link as fast as the fastest that a rented server has, where it is the link that gives the pace, and not
/// how fast two processors copy.
fn on_a_link(app: &Path, out: &Path, proxy: &str, runs: usize) -> Result<()> {
    let tc = |line: &str| quiet(within(&Outside::network(), "tc").args(line.split(' ')));
    tc(&format!("qdisc replace dev eth0 root tbf rate {RATE}gbit burst 1mb latency 20ms"))?;
    let server = format!("{SERVER}:443");
    let (mut direct, mut proxied) = (Taken::new(), Taken::new());
    for _ in 0..runs {
        direct.add(out, &server, None)?;
        proxied.add(app, &server, Some(proxy))?;
    }
    let what = format!("{}, on a link of {RATE} Gbit/s, MiB/s", proxies::OURS);
    super::compare(&what, proxied.rate(), direct.rate(), "", "0.9 at least");
    tc("qdisc delete dev eth0 root")
}

/// One stream that goes on for so many seconds, a MiB asked for and received four times in each.
fn hold_stream(app: &Path, via: &str, seconds: u32) -> Result<()> {
    let (server, seconds) = (format!("{SERVER}:443"), seconds.to_string());
    let said = output(&mut own(app, &["stream", &server, "--via", via, "--seconds", &seconds])?)?;
    let (mib, longest) = said.trim().split_once(' ').context("no figures")?;
    super::row(&format!("one stream of {seconds} s, MiB that came"), mib, "", "", None, "an hour");
    super::row("its longest wait for a MiB, ms", longest, "", "", None, "");
    Ok(())
}

/// What was measured over one way.
struct Taken {
    seconds: Vec<f64>,
    microseconds: Vec<f64>,
}

impl Taken {
    const fn new() -> Self {
        Self { seconds: Vec::new(), microseconds: Vec::new() }
    }

    fn add(&mut self, network: &Path, address: &str, via: Option<&str>) -> Result<()> {
        let via: Vec<&str> = via.iter().flat_map(|via| ["--via", via]).collect();
        let text = output(own(network, &["pull", address, "--mib", MIB])?.args(&via))?;
        self.seconds.push(text.trim().parse()?);
        self.microseconds.push(first(network, address, via.get(1).copied())?);
        Ok(())
    }

    /// In MiB a second.
    fn rate(&self) -> f64 {
        MIB.parse::<f64>().unwrap_or_default() / middle_of(&self.seconds)
    }

    /// Until the first byte, in microseconds.
    fn first(&self) -> f64 {
        middle_of(&self.microseconds)
    }
}

/// The median of the first bytes, in microseconds.
fn first(network: &Path, address: &str, via: Option<&str>) -> Result<f64> {
    let via: Vec<&str> = via.iter().flat_map(|via| ["--via", via]).collect();
    let text = output(own(network, &["first", address, "--count", FIRST])?.args(via).stderr(Stdio::null()))?;
    let times: Result<Vec<f64>, _> = text.lines().map(str::parse).collect();
    Ok(middle_of(&times?))
}

fn hold(network: &Path, address: &str, via: &str) -> Result<Running> {
    let mut hold = own(network, &["hold", address, "--via", via, "--count", TUNNELS])?;
    let mut holder =
        Running(hold.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let mut line = String::new();
    BufReader::new(holder.0.stdout.take().context("no output")?).read_line(&mut line)?;
    ensure!(line.trim() == TUNNELS, "fewer than {TUNNELS} tunnels");
    sleep(Duration::from_secs(1));
    Ok(holder)
}

/// A service's address on the internal network.
fn address(engine: &Private, service: &str) -> Result<String> {
    let inspected = engine.api.get(&format!("/containers/{PROJECT}-{service}-1/json"))?;
    let address = inspected.pointer(&format!("/NetworkSettings/Networks/{PROJECT}_back/IPAddress"));
    Ok(address.and_then(Value::as_str).context("it has no address")?.to_owned())
}

/// Process 1 of a service's container, once it runs.
fn pid(engine: &Private, service: &str) -> Result<u32> {
    let inspected = engine.api.get(&format!("/containers/{PROJECT}-{service}-1/json"))?;
    let pid = inspected.pointer("/State/Pid").and_then(Value::as_u64).unwrap_or_default();
    u32::try_from(pid).ok().filter(|pid| *pid != 0).context("it does not run")
}

/// Whether somebody takes connections there.
fn answers(network: &Path, address: &str) -> bool {
    let probe = ["-c", "exec 3<>/dev/tcp/${0%:*}/${0#*:}", address];
    within(network, "bash").args(probe).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A program in a network namespace, with descriptors for every tunnel.
fn within(network: &Path, program: &str) -> Command {
    let network = format!("--net={}", network.display());
    command("nsenter", [network.as_str(), "--", "prlimit", "--nofile=20000:20000", program])
}

/// This program's other end there.
fn own(network: &Path, arguments: &[&str]) -> Result<Command> {
    let program = std::env::current_exe()?.display().to_string();
    let mut command = within(network, &program);
    command.arg("pump").args(arguments);
    Ok(command)
}

fn pump(network: &Path, arguments: &[&str]) -> Result<Running> {
    Ok(Running(own(network, arguments)?.stdin(Stdio::null()).spawn()?))
}
