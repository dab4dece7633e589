//! Loading AppArmor profiles into the kernel, through `apparmor_parser`.
//!
//! Deliberately absent: unloading. A profile that is removed leaves the containers that run under it unconfined; one
//! that is no longer wanted does no harm, and is gone after the next boot.

use std::fs;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// A profile that did not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The parser cannot be run.
    #[error("cannot run `apparmor_parser`")]
    Run(#[source] io::Error),
    /// It, or the kernel, refused the text.
    #[error("`apparmor_parser` says: {0}")]
    Refused(String),
}

impl LoadError {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Run(_) => {
                "this kernel has AppArmor, so containers are not started without their profiles: install the package \
                 `apparmor`"
            }
            Self::Refused(_) => {
                "run as root outside of containers; `aa-status` says what the kernel has loaded, and \
                 `supervisor profile show SERVICE --format apparmor` prints the profile"
            }
        }
    }
}

/// Whether the kernel enforces AppArmor, by Documentation/admin-guide/LSM/apparmor.rst.
pub fn enabled() -> bool {
    fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|word| word.starts_with(b"Y"))
}

/// Loads a profile, or replaces the one of its name, which containers may be using. The text goes by standard input,
/// so that no file can be exchanged on the way.
///
/// # Errors
/// The parser is missing, or it or the kernel refuses the text.
pub fn load(text: &str) -> Result<(), LoadError> {
    parse(text, &["--replace", "--skip-cache"])
}

/// Runs the parser over a profile.
fn parse(text: &str, options: &[&str]) -> Result<(), LoadError> {
    let mut parser = Command::new("apparmor_parser")
        .args(options)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LoadError::Run)?;
    // A parser that stops reading has a reason, and says it on standard error.
    let fed = parser.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
    let output = parser.wait_with_output().map_err(LoadError::Run)?;
    match (output.status.success(), fed) {
        (true, Ok(())) => Ok(()),
        (true, Err(error)) => Err(LoadError::Run(error)),
        (false, _) => Err(LoadError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{LoadError, parse};

    /// The parser without the kernel.
    const DRY: [&str; 2] = ["--skip-kernel-load", "--skip-cache"];

    #[test]
    fn a_profile_in_the_language_is_accepted() {
        parse("profile \"a\" {\n  / r,\n}\n", &DRY).unwrap();
    }

    #[test]
    fn the_parsers_reason_is_kept() {
        let Err(LoadError::Refused(reason)) = parse("profile \"a\" {\n  / nonsense,\n}\n", &DRY) else {
            panic!("a profile that is none was accepted");
        };
        assert!(reason.contains("line 2"), "{reason}");
    }
}
