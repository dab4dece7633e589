//! The whole way through, on real software: Caddy and OpenClaw under `supervisor run`, and what it says of them.
//!
//! Deliberately absent: anything that only a demonstration could do; it calls the binary as a user does.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::Api;
use crate::shell::{command, loud, output, quiet, require_root, say};
use crate::{cache, debian, engine, images, netfilter, product, recipes};

/// The endpoint of `supervisor run`.
const ENDPOINT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9180);
/// OpenClaw boots in 15 seconds on an idle machine, and in two minutes on a busy one.
const READY: Duration = Duration::from_mins(6);

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove everything that an earlier demo started or wrote, but for downloads in the cache
    #[arg(long)]
    down: bool,
}

/// Starts it, or removes it.
pub(crate) fn run(args: &Args) -> Result<()> {
    require_root("to talk to a container engine and to look into containers")?;
    let demo = Demo { folder: cache::root()?.join("demo") };
    if args.down { demo.down() } else { demo.up() }
}

/// What a demo leaves on the machine, all of it under one folder.
struct Demo {
    folder: PathBuf,
}

impl Demo {
    fn up(&self) -> Result<()> {
        let found = self.engine_in_use().or_else(engine::of_the_machine);
        announce(found.is_none())?;
        self.stop_supervisor()?;
        let api = match found {
            Some(api) => api,
            None => self.start_engine()?,
        };
        // From here on there is something for --down, however this ends.
        self.write("engine", &api.host())?;
        let images = images::ensure(&api)?;
        self.install(&product::release()?)?;
        let address = self.write_stack(&images)?;
        self.start_supervisor(&api)?;
        self.wait_until_ready()?;
        self.show(&api, &address)
    }

    fn down(&self) -> Result<()> {
        let Some(host) = self.read("engine") else {
            println!("there is no demo on this machine");
            return Ok(());
        };
        let api = Api::new(host.trim_start_matches("unix://"));
        self.stop_supervisor()?;
        if api.version().is_ok() && self.binary().exists() {
            say("removing the stack's containers, networks and volumes");
            loud(self.supervisor(&api).args(["down", "--volumes"]))?;
        }
        if let Some(pid) = self.read("engine.pid") {
            say("stopping the private engine");
            stop(&pid, "dockerd")?;
            netfilter::restore(&self.folder.join("netfilter"))?;
            let data = cache::root()?.join("engine-data/demo");
            fs::remove_dir_all(&data).with_context(|| format!("could not remove `{}`", data.display()))?;
        }
        fs::remove_dir_all(&self.folder)?;
        say("the demo is gone; downloads stay in the cache");
        Ok(())
    }

    /// The engine of a demo that is up already.
    fn engine_in_use(&self) -> Option<Api> {
        let api = Api::new(self.read("engine")?.trim_start_matches("unix://"));
        api.version().is_ok().then_some(api)
    }

    fn start_engine(&self) -> Result<Api> {
        fs::create_dir_all(&self.folder)?;
        netfilter::save(&self.folder.join("netfilter"))?;
        let (api, pid) = engine::start_detached("demo")?;
        self.write("engine.pid", &pid.to_string())?;
        Ok(api)
    }

    /// A copy, so that a later build does not change what runs.
    fn install(&self, binary: &Path) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join("supervisor.new");
        fs::copy(binary, &new)?;
        fs::rename(new, self.binary())?;
        Ok(())
    }

    /// The stack's files as `supervisor init` writes them; the address under which the site will answer.
    fn write_stack(&self, images: &images::Images) -> Result<String> {
        let stack = self.stack();
        // The token and the certificates stay; the rest may come from another version.
        for file in ["compose.yaml", "Caddyfile", "openclaw.json", ".env"] {
            let _ = fs::remove_file(stack.join(file));
        }
        let (http, https) = (free_port(8080)?, free_port(8443)?);
        let origin = format!("https://localhost:{https}");
        let mut init = command(self.binary(), ["init"]);
        init.arg(&stack).args(["--site", "localhost", "--tls", "internal"]);
        for (name, value) in [
            ("CADDY_IMAGE", images.caddy.clone()),
            ("OPENCLAW_IMAGE", images.openclaw.clone()),
            ("HTTP_BIND", format!("127.0.0.1:{http}")),
            ("HTTPS_BIND", format!("127.0.0.1:{https}")),
            ("ORIGIN", origin.clone()),
        ] {
            init.arg("--set").arg(format!("{name}={value}"));
        }
        quiet(&mut init)?;
        Ok(origin)
    }

    fn start_supervisor(&self, api: &Api) -> Result<()> {
        let log = self.folder.join("supervisor.log");
        let file = File::create(&log)?;
        let mut run = self.supervisor(api);
        run.args(["run", "--listen", &format!("{}:{}", ENDPOINT.0, ENDPOINT.1)]);
        let child = run.stdout(file.try_clone()?).stderr(file).process_group(0).spawn()?;
        self.write("supervisor.pid", &child.id().to_string())?;
        say(format!("started `supervisor run`, process {}, log `{}`", child.id(), log.display()));
        Ok(())
    }

    /// Shows what the supervisor logs until its endpoint says that all is healthy and attested.
    fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        let mut log = File::open(self.folder.join("supervisor.log"))?;
        let mut read = 0;
        loop {
            log.seek(SeekFrom::Start(read))?;
            let mut text = String::new();
            read += log.read_to_string(&mut text)? as u64;
            for line in text.lines() {
                say(line);
            }
            if ask("/readyz").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            let runs = self.read("supervisor.pid").is_some_and(|pid| is_program(&pid, "supervisor"));
            if !runs || start.elapsed() > READY {
                let why = if runs { "is not ready in its time" } else { "ended" };
                bail!(
                    "`supervisor run` {why}; its log is above; `cargo xtask demo --down` removes what it left"
                );
            }
            sleep(Duration::from_millis(500));
        }
    }

    fn show(&self, api: &Api, address: &str) -> Result<()> {
        // Caddy asks OpenClaw every two seconds, and answers 503 until it has heard that it is there.
        let again = ["--fail", "--retry", "15", "--retry-delay", "1"];
        let curl = ["--silent", "--show-error", "--insecure", "--max-time", "10"].into_iter().chain(again);
        let answer = output(command("curl", curl).arg(format!("{address}/healthz")))?;
        println!("\n$ supervisor attest");
        loud(self.supervisor(api).arg("attest"))?;
        let (status, health) = ask("/healthz")?;
        println!("\naddress      {address}/   (a certificate of its own: the browser asks once)");
        println!("it answers   {} at /healthz", answer.trim());
        println!("token        {}", self.stack().join("secrets/gateway-token").display());
        println!(
            "endpoint     http://{}:{}/healthz answers {status}: {}",
            ENDPOINT.0,
            ENDPOINT.1,
            health.trim()
        );
        println!("stack        {}", self.stack().display());
        println!("log          {}", self.folder.join("supervisor.log").display());
        println!(
            "commands     cd {} && DOCKER_HOST={} {} ps",
            self.stack().display(),
            api.host(),
            self.binary().display()
        );
        println!("to end it    cargo xtask demo --down");
        Ok(())
    }

    fn stop_supervisor(&self) -> Result<()> {
        let Some(pid) = self.read("supervisor.pid") else { return Ok(()) };
        stop(&pid, "supervisor")?;
        fs::remove_file(self.folder.join("supervisor.pid"))?;
        Ok(())
    }

    /// The binary, in the stack's folder and for its engine.
    fn supervisor(&self, api: &Api) -> Command {
        let mut command = Command::new(self.binary());
        command.current_dir(self.stack()).env("DOCKER_HOST", api.host()).stdin(Stdio::null());
        command
    }

    fn binary(&self) -> PathBuf {
        self.folder.join("supervisor")
    }

    fn stack(&self) -> PathBuf {
        self.folder.join("stack")
    }

    fn read(&self, name: &str) -> Option<String> {
        Some(fs::read_to_string(self.folder.join(name)).ok()?.trim().to_owned())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        Ok(fs::write(self.folder.join(name), text)?)
    }
}

/// Says what will be put on the machine before anything is.
fn announce(private_engine: bool) -> Result<()> {
    let mut needs = recipes::NEEDS.to_vec();
    needs.push(("cc", "gcc"));
    needs.push(("curl", "curl"));
    needs.push(engine::PACKET_FILTER);
    if private_engine {
        needs.extend(engine::unpack::NEEDS);
    }
    let missing = debian::missing(&needs);
    println!("This demo will");
    match missing.as_slice() {
        [] => println!("  - install nothing: every Debian package that it needs is there"),
        some => println!("  - install these Debian packages: {}", some.join(" ")),
    }
    if private_engine {
        println!(
            "  - unpack a Docker Engine from Debian's packages and run it beside the machine, since none answers"
        );
    }
    println!(
        "  - build images of Caddy and OpenClaw from package registries, and the supervisor, unless cached"
    );
    println!("  - keep all that in `{}`, and take it away again with --down", cache::root()?.display());
    std::io::stdout().flush()?;
    debian::install(&needs)
}

/// This loopback port or one of the next ten.
fn free_port(from: u16) -> Result<u16> {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (from..from + 10).find(free).with_context(|| format!("no port is free between {from} and {}", from + 9))
}

/// Status and body of the endpoint's answer.
fn ask(path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(ENDPOINT)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status =
        answer.split_whitespace().nth(1).and_then(|s| s.parse().ok()).context("not an HTTP answer")?;
    Ok((status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned())))
}

/// Ends a process of ours: one of that id that is still that program.
fn stop(pid: &str, program: &str) -> Result<()> {
    if !is_program(pid, program) {
        return Ok(());
    }
    let id = pid.parse().ok().and_then(Pid::from_raw).context("not a process id")?;
    kill_process(id, Signal::TERM)?;
    let start = Instant::now();
    while is_program(pid, program) {
        if start.elapsed() > Duration::from_secs(30) {
            bail!("process {pid} ({program}) does not end");
        }
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn is_program(pid: &str, program: &str) -> bool {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.trim_end_matches(" (deleted)") == program
}
