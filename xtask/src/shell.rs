//! Running other programs, with their last words in the error when they fail.
//!
//! Deliberately absent: shells; every argument is its own.

use std::ffi::OsStr;
use std::fmt::Display;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// A program with its arguments.
pub(crate) fn command<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it quietly; its output is shown only if it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs it quietly and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start `{}`", name(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n");
    bail!("`{}` ended with {}; its last words:\n{last}", name(command), output.status)
}

/// Runs it with this program's own output and input.
pub(crate) fn loud(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start `{}`", name(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", name(command));
    }
    Ok(())
}

/// Whether a program is on `PATH`.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// One line of progress, with the seconds since the first.
pub(crate) fn say(text: impl Display) {
    static START: OnceLock<Instant> = OnceLock::new();
    let seconds = START.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("[{seconds:>4} s] {text}");
}

/// Fails unless this program runs as root.
pub(crate) fn require_root(why: &str) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "this needs root, {why}; run it again as root, such as `sudo env PATH=\"$PATH\" cargo xtask …`"
        );
    }
    Ok(())
}

fn name(command: &Command) -> String {
    let arguments = command.get_args().map(OsStr::to_string_lossy);
    [command.get_program().to_string_lossy()]
        .into_iter()
        .chain(arguments)
        .take(6)
        .collect::<Vec<_>>()
        .join(" ")
}
