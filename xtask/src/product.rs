//! The product's binary: for tests as it is developed, for everything else released and linked statically.
//!
//! Deliberately absent: running it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{command, loud, output, say};

/// Builds the development binary and every test; the binary's path.
///
/// Together, since what crates are built with depends on what is built: the runner then finds all of it done.
pub(crate) fn development() -> Result<PathBuf> {
    say("building the supervisor and its tests");
    loud(&mut command(cargo(), ["build", "--quiet", "--workspace", "--bins", "--tests"]))?;
    Ok(target()?.join("debug/supervisor"))
}

/// The program of the tests in `tests/tests/NAME`, which [`development`] has built.
pub(crate) fn test_program(name: &str) -> Result<PathBuf> {
    let mut build = command(cargo(), ["build", "--quiet", "--workspace", "--bins", "--tests"]);
    let artifacts = output(build.arg("--message-format=json").current_dir(workspace()))?;
    let program = artifacts.lines().find_map(|line| {
        let artifact: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = artifact.pointer("/target/name")? == name && artifact.pointer("/target/kind/0")? == "test";
        artifact.get("executable").filter(|_| ours)?.as_str().map(PathBuf::from)
    });
    program.with_context(|| format!("cargo built no test program `{name}`"))
}

/// Builds the development binary once more, linked statically, as the egress proxy's image needs it; its path.
pub(crate) fn development_static() -> Result<PathBuf> {
    let triple = triple();
    say("building the supervisor statically");
    loud(&mut statically(
        &["build", "--quiet", "--package", "supervisor", "--bins", "--target", &triple],
        &triple,
        "",
    ))?;
    Ok(target()?.join(triple).join("debug/supervisor"))
}

/// Compact relocations, a thirtieth of the binary otherwise; and no tables for unwinding, another tenth: a release ends at a panic.
///
/// The compiler runs in the workspace's folder; the whole path would make the bytes depend on where that is.
const SMALL: &str = " -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,--no-eh-frame-hdr \
    -C link-arg=-Wl,-T,supervisor/release.ld";
/// Functions of the same machine code become one, a fiftieth, where the compiler links by LLD, which can do that (by default
/// on `x86_64` since Rust 1.90). Nothing here compares functions by their address; the compiler warns of what does.
const FOLDED: &str = if cfg!(target_arch = "x86_64") { " -C link-arg=-Wl,--icf=all" } else { "" };

/// Builds the release binary: static, so that it runs on any Linux and in any image; its path.
pub(crate) fn release() -> Result<PathBuf> {
    let triple = triple();
    say("building supervisor for release (about two minutes from nothing)");
    let build = ["build", "--quiet", "--release", "--package", "supervisor", "--target", &triple];
    loud(&mut statically(&build, &triple, &format!("{SMALL}{FOLDED}")))?;
    Ok(target()?.join(triple).join("release/supervisor"))
}

fn triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// A call of cargo that links what it builds for this target statically. With a target of its own name, the flags do not
/// reach procedural macros, which cannot be linked so.
fn statically(arguments: &[&str], triple: &str, further: &str) -> Command {
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
    let mut build = command(cargo(), arguments);
    build.env(variable, format!("-C target-feature=+crt-static{further}"));
    build
}

/// The cargo that runs this.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The workspace's folder: what Cargo says now, since a target folder that several checkouts share may hold a program that
/// was built in another one.
pub(crate) fn workspace() -> PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    PathBuf::from(here).parent().map(PathBuf::from).unwrap_or_default()
}

fn target() -> Result<PathBuf> {
    let mut metadata = command(cargo(), ["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let text = output(metadata.current_dir(workspace()))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    target.map(PathBuf::from).context("cargo does not say where it builds to")
}

/// Builds the release binary as it is given out: from nothing, in a folder of its own, with no path of this machine in it;
/// its path.
pub(crate) fn reproducible(folder: &str) -> Result<PathBuf> {
    let triple = triple();
    say("building supervisor as it is given out (some minutes)");
    forget(folder)?;
    let place = target()?.join(folder);
    let build = [
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "supervisor",
        "--target",
        &triple,
        "--target-dir",
    ];
    let mut build = statically(&build, &triple, &format!("{SMALL}{FOLDED} {}", remap()?));
    loud(build.arg(&place).env("CARGO_INCREMENTAL", "0").current_dir(workspace()))?;
    Ok(place.join(triple).join("release/supervisor"))
}

/// Removes what [`reproducible`] built.
pub(crate) fn forget(folder: &str) -> Result<()> {
    let place = target()?.join(folder);
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    Ok(())
}

/// Names in place of this machine's folders, in what the compiler writes down of where code comes from.
fn remap() -> Result<String> {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    Ok(format!("--remap-path-prefix={home}=/cargo --remap-path-prefix={}=/supervisor", workspace().display()))
}
