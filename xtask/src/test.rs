//! Every test, the real engine's with the real images among them, inside the network of a private engine.
//!
//! Deliberately absent: choosing which tests need an engine; a test that needs one fails without it.

use anyhow::Result;

use crate::debian;
use crate::engine::unpack::{docker_compose, unpacked};
use crate::engine::{self, Place, Private};
use crate::images;
use crate::machine::tests::Beside;
use crate::npm;
use crate::product::{self, cargo, workspace};
use crate::sarif;
use crate::shell::{command, has, loud, require_root, say};

/// What tests need of the machine: program or file, and Debian package.
const NEEDS: [(&str, &str); 10] = [
    ("/bin/busybox", "busybox-static"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("kill", "procps"),
    ("script", "bsdutils"),
    ("cc", "gcc"),
    ("apparmor_parser", "apparmor"),
    ("systemd-analyze", "systemd"),
];
/// The runner, where the machine has none.
const NEXTEST: &str = "0.9.143";

/// Options of `test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Further arguments for `cargo nextest run`, such as names of tests or `-E FILTER`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    nextest: Vec<String>,
}

/// Runs them; the runner's own summary comes last.
pub(crate) fn run(args: &Args) -> Result<()> {
    on_a_private_engine(&args.nextest, &[])
}

/// Runs tests with these arguments for the runner and these variables, on an engine that is there for them alone, and
/// ends this process with their result.
pub(crate) fn on_a_private_engine(arguments: &[String], environment: &[(&str, &str)]) -> Result<()> {
    require_root("to start a container engine and look into containers")?;
    debian::install(&[&NEEDS[..], &engine::unpack::NEEDS[..]].concat())?;
    let path = runner()?;
    let binary = product::development()?;
    let static_binary = product::development_static()?;
    let engine = Private::start("test", Place::OwnNetwork)?;
    let images = images::ensure(&engine.api)?;
    let registry = debian::own_program(debian::REGISTRY)?;
    // Whoever runs some tests by name waits for the machine only if one of them wants it.
    let machine = Beside::start(binary.clone(), arguments.is_empty())?;

    say("running the tests");
    let mut nextest = command("nsenter", [format!("--net={}", engine.network().display())]);
    nextest.arg(cargo()).args(["nextest", "run", "--workspace"]).args(arguments).current_dir(workspace());
    nextest
        .envs(environment.iter().copied())
        .env("PATH", path)
        .env("DOCKER_HOST", engine.api.host())
        .env("DOCKER_COMPOSE", docker_compose()?)
        .env("SUPERVISOR_BIN", binary)
        .env("SUPERVISOR_ENGINE_ROOT", unpacked()?.join("root"))
        .env("SUPERVISOR_REGISTRY_BIN", registry)
        .env("SUPERVISOR_PROMTOOL", debian::own_program(debian::PROMTOOL)?)
        .env("SUPERVISOR_SARIF_SCHEMA", sarif::schema()?)
        .env("SUPERVISOR_NPM", npm::folder()?)
        .env(machine.variable().0, machine.variable().1)
        .env("SUPERVISOR_STATIC_BIN", static_binary)
        .env("SUPERVISOR_IMAGE_CADDY", images.caddy)
        .env("SUPERVISOR_IMAGE_OPENCLAW", images.openclaw);
    let status = nextest.status()?;
    drop(engine);
    machine.end();
    // Nothing comes after the runner's summary.
    std::process::exit(status.code().unwrap_or(1))
}

/// A `PATH` on which `cargo nextest` is.
fn runner() -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if has("cargo-nextest") {
        return Ok(path);
    }
    let folder = crate::cache::entry(&format!("tools/cargo-nextest-{NEXTEST}"), |folder| {
        say(format!("building cargo-nextest {NEXTEST}, once (some minutes)"));
        let install = ["install", "cargo-nextest", "--version", NEXTEST, "--locked", "--quiet", "--root"];
        loud(command(cargo(), install).arg(folder).env_remove("CARGO_TARGET_DIR"))
    })?;
    let mut paths = vec![folder.join("bin")];
    paths.extend(std::env::split_paths(&path));
    Ok(std::env::join_paths(paths)?)
}
