//! The endpoint of a real `run`: held to its description by schemathesis, then flooded and fuzzed while its owner asks.
//!
//! The first needs no engine: an endpoint says 503 and why. The second has a stack that is well on a private one, so that
//! there is a loop that could notice. Deliberately absent: the attacks (`tests::flood`).

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::product::{self, workspace};
use crate::shell::{command, loud, quiet, say};
use crate::{cache, debian, long};

/// The tester of descriptions, from the Python package index that the machine is configured with.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Long enough for anybody.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Options of `endpoint`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Connections that say nothing, and as many that never end their headers
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    connections: usize,
    /// How long malformed requests are sent
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// How many of them a second, at most
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    per_second: u32,
    /// What they are made up from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Runs both; the first that finds something ends it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (binary, tester) = (product::development()?, schemathesis()?);
    let folder = cache::root()?.join("endpoint").join(std::process::id().to_string());
    fs::create_dir_all(&folder)?;
    let outcome = described(&folder, &binary, &tester);
    fs::remove_dir_all(&folder)?;
    outcome?;
    let Args { connections, seconds, per_second, seed } = args;
    say(format!("{connections} idle connections, as many slow ones, and {seconds} s of malformed requests"));
    let words = [connections.to_string(), seconds.to_string(), per_second.to_string(), seed.to_string()];
    long::played("flood", &words)
}

fn described(folder: &Path, binary: &Path, tester: &Path) -> Result<()> {
    let running = Running::start(folder, binary)?;
    say("holding it to docs/openapi.json");
    let url = format!("http://{}", running.address);
    let mut test = command(tester, ["run", "--url", &url, "--header"]);
    // A 503 is an answer here, and is described as one.
    let options = ["--exclude-checks", "not_a_server_error", "--max-examples", "200", "--seed", "1"];
    test.arg(format!("Authorization: Bearer {TOKEN}")).args(options);
    loud(test.arg(workspace().join("docs/openapi.json")).current_dir(folder))
}

/// A `run` that waits for an engine that never comes; dropping it ends it.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(folder: &Path, binary: &Path) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(folder.join("compose.yaml"), "name: endpoint\nservices: {}\n")?;
        let token = folder.join("token");
        fs::write(&token, TOKEN)?;
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
        // The port is free a moment before it is bound: the kernel does not give it to others in between.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut run =
            command(binary, ["run", "--host", "unix:///nonexistent/docker.sock", "--listen", &address]);
        run.arg("--token-file").arg(&token).arg("--state-dir").arg(folder.join("state")).current_dir(folder);
        // Under a service manager a file that is refused is waited for, too.
        run.env("NOTIFY_SOCKET", folder.join("nobody")).stderr(Stdio::null());
        let child = run.spawn().context("could not start the supervisor")?;
        let running = Self { child, address };
        for _ in 0..200 {
            if std::net::TcpStream::connect(&running.address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tester's program, in an environment of its own.
fn schemathesis() -> Result<PathBuf> {
    let name = format!("tools/schemathesis-{}", cache::key(&[SCHEMATHESIS]));
    // The environment names its own place, and is not moved.
    let folder = cache::root()?.join(name);
    let program = folder.join("bin/schemathesis");
    let _lock = cache::lock("schemathesis")?;
    if !program.exists() {
        debian::install(&[("python3", "python3"), ("/usr/share/doc/python3-venv", "python3-venv")])?;
        say(format!("installing {SCHEMATHESIS} into the cache"));
        quiet(command("python3", ["-m", "venv", "--clear"]).arg(&folder))?;
        quiet(&mut command(folder.join("bin/pip"), ["install", "--quiet", "--no-input", SCHEMATHESIS]))?;
    }
    Ok(program)
}
