//! The engine that demonstrations, tests and measurements run on: the machine's own where one answers that is new enough,
//! else a private modern one, unpacked from Debian's packages and not installed.
//!
//! Deliberately absent: changing or stopping an engine that was not started here.

pub(crate) mod unpack;

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::api::{Api, OLDEST};
use crate::cache;
use crate::debian;
use crate::shell::{command, require_root, say};

use unpack::{NEEDS, unpacked};

/// By which the supervisor guards what it starts, on whichever engine: program and Debian package.
pub(crate) const PACKET_FILTER: (&str, &str) = ("nft", "nftables");

/// How long it may take until it answers.
const START: Duration = Duration::from_mins(1);

/// Options of `engine`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// In a network namespace of its own, as the tests use it
    #[arg(long)]
    netns: bool,
}

/// Starts a private engine and waits for Ctrl-C.
pub(crate) fn run(args: &Args) -> Result<()> {
    let place = if args.netns { Place::OwnNetwork } else { Place::Machine };
    let mut engine = Private::start("desk", place)?;
    println!("export DOCKER_HOST={}", engine.api.host());
    if args.netns {
        println!(
            "# its addresses and ports are reached by: nsenter --net={} COMMAND",
            engine.network().display()
        );
    }
    engine.child.wait()?;
    Ok(())
}

/// The machine's own engine, if one answers that is new enough; an older one is said.
pub(crate) fn of_the_machine() -> Option<Api> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let api = Api::new(host.strip_prefix("unix://")?);
    let (version, number) = api.version().ok()?;
    if number < OLDEST {
        say(format!(
            "the machine's Docker Engine {version} is too old (API {}.{} is needed)",
            OLDEST.0, OLDEST.1
        ));
        return None;
    }
    say(format!("using the machine's Docker Engine {version}"));
    Some(api)
}

/// Where a private engine's networks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a network and mount namespace of its own: nothing of the machine is touched, and several coexist.
    OwnNetwork,
    /// In the machine's namespaces: its published ports answer in a browser.
    Machine,
    /// There too, and it outlives this process.
    Detached,
}

/// A private engine that was started here. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Private {
    /// Its API.
    pub(crate) api: Api,
    child: Child,
    /// Held for as long as its data folder is in use.
    _lock: File,
}

impl Private {
    /// Starts one whose images and containers are kept under `name`, and removes what an earlier run left.
    pub(crate) fn start(name: &str, place: Place) -> Result<Self> {
        require_root("to start a container engine")?;
        let lock = cache::lock(&format!("engine-{name}"))?;
        let log = cache::root()?.join(format!("engine-{name}.log"));
        let (mut command, api) = dockerd(name, place)?;
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let child = command.spawn().context("could not start `dockerd`")?;
        let mut engine = Self { api, child, _lock: lock };
        wait_for(&engine.api, &log, || engine.child.try_wait().is_ok_and(|ended| ended.is_none()))?;
        remove_everything(&engine.api)?;
        Ok(engine)
    }

    /// The file of its network namespace.
    pub(crate) fn network(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.child.id()))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = remove_everything(&self.api);
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Starts one in the machine's namespaces that outlives this process; its API and process id.
pub(crate) fn start_detached(name: &str) -> Result<(Api, u32)> {
    require_root("to start a container engine")?;
    let log = cache::root()?.join(format!("engine-{name}.log"));
    let (mut command, api) = dockerd(name, Place::Detached)?;
    command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?).process_group(0);
    let mut child = command.spawn().context("could not start `dockerd`")?;
    wait_for(&api, &log, || child.try_wait().is_ok_and(|ended| ended.is_none()))?;
    Ok((api, child.id()))
}

fn dockerd(name: &str, place: Place) -> Result<(Command, Api)> {
    debian::install(&[&NEEDS[..], &[PACKET_FILTER]].concat())?;
    let root = unpacked()?.join("root");
    // Short: the path of a unix socket has at most 107 bytes.
    let run = PathBuf::from("/run/supervisor-xtask").join(name);
    fs::create_dir_all(&run)?;
    let api = Api::new(run.join("docker.sock"));
    // Under `nohup` nobody could hang up on a container: what is ignored is handed down, and a shell cannot trap it (POSIX, `trap`).
    let mut arguments = ["env", "--default-signal=HUP"].map(String::from).to_vec();
    if place != Place::Detached {
        // It ends with this process, however that ends.
        arguments.extend(["setpriv", "--pdeathsig", "TERM"].map(String::from));
    }
    if place == Place::OwnNetwork {
        arguments.extend(["unshare", "--net", "--mount", "--propagation", "private"].map(String::from));
        arguments.extend(["sh", "-c", "ip link set lo up; exec \"$@\"", "sh"].map(String::from));
    }
    arguments.push(root.join("usr/sbin/dockerd").display().to_string());
    let option = |name: &str, value: String| [format!("--{name}"), value];
    arguments.extend(option("host", api.host()));
    arguments
        .extend(option("data-root", cache::root()?.join("engine-data").join(name).display().to_string()));
    arguments.extend(option("exec-root", run.join("exec").display().to_string()));
    arguments.extend(option("pidfile", run.join("pid").display().to_string()));
    arguments.extend(option("exec-opt", "native.cgroupdriver=cgroupfs".to_owned()));
    arguments.extend(option("cgroup-parent", format!("/supervisor-{name}")));
    arguments.extend(option("default-address-pool", "base=10.77.0.0/16,size=24".to_owned()));
    arguments.extend(option("default-address-pool", "base=10.78.0.0/16,size=24".to_owned()));
    arguments.push("--userland-proxy=false".to_owned());
    if place == Place::OwnNetwork {
        // Nobody is asked outside of that network: a test that needs names answers there (TEST-NET-1, RFC 5737).
        arguments.extend(option("dns", "192.0.2.53".to_owned()));
    }

    let mut paths = vec![root.join("usr/sbin"), root.join("usr/bin")];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let program = arguments.remove(0);
    let mut command = command(program, arguments);
    command.env("PATH", std::env::join_paths(paths)?).env_remove("DOCKER_HOST").stdin(Stdio::null());
    Ok((command, api))
}

fn wait_for(api: &Api, log: &Path, mut runs: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    loop {
        if let Ok((version, _)) = api.version() {
            say(format!("a private Docker Engine {version} answers"));
            return Ok(());
        }
        if !runs() || start.elapsed() > START {
            let text = fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n");
            bail!("the private engine does not answer; the end of `{}`:\n{last}", log.display());
        }
        sleep(Duration::from_millis(100));
    }
}

/// Everything but images, of an engine that is ours alone.
fn remove_everything(api: &Api) -> Result<()> {
    for container in api.get("/containers/json?all=1")?.as_array().into_iter().flatten() {
        if let Some(id) = container.get("Id").and_then(Value::as_str) {
            api.delete(&format!("/containers/{id}?force=1&v=1"))?;
        }
    }
    api.post("/networks/prune", &Value::Null)?;
    api.post("/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D", &Value::Null)?;
    Ok(())
}
