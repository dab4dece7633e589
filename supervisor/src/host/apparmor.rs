//! Loading AppArmor profiles into the kernel through `apparmor_parser`.
//!
//! Deliberately absent: unloading. A profile that is removed leaves its running containers unconfined.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// A profile that did not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The parser cannot be run.
    #[error("cannot run `apparmor_parser`")]
    Run(#[source] io::Error),
    /// It refused the text.
    #[error("`apparmor_parser` says: {0}")]
    Refused(String),
}

/// Whether the kernel enforces AppArmor (Documentation/admin-guide/LSM/apparmor.rst).
pub fn enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

/// Loads a profile or replaces it; the text goes by standard input, so that no file can be exchanged on the way.
///
/// # Errors
/// The parser is missing, or refuses the text.
pub fn load(text: &str) -> Result<(), LoadError> {
    let mut parser = Command::new("apparmor_parser")
        .args(["--replace", "--write-cache=no"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LoadError::Run)?;
    if let Some(mut input) = parser.stdin.take() {
        input.write_all(text.as_bytes()).map_err(LoadError::Run)?;
    }
    let output = parser.wait_with_output().map_err(LoadError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    Err(LoadError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
