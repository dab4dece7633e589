//! How the program ends: every exit code in one place, and the failure that a command hands up.
//!
//! Deliberately absent: `anyhow`. A failure is a code, a sentence, its causes and the next step.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::process::ExitCode;

/// How a command ended. Codes are part of the command line's contract and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; of `check`, admitted; of `plan`, nothing to do.
    Done,
    /// The file may not run.
    Refused,
    /// The file, or the command line, cannot be read.
    Unreadable,
    /// `plan`: `up` would change something.
    Changes,
    /// The engine or a service failed in a way that has no code of its own.
    Failed,
    /// `attest`: something runs with more rights than promised; `audit`: a row failed.
    NotAsPromised,
    /// No engine answers.
    EngineUnreachable,
    /// The engine is older than what is supported.
    EngineTooOld,
    /// An image is not there and could not be fetched.
    ImageMissing,
    /// A host port is taken.
    PortTaken,
    /// A service did not become healthy in its time.
    NotHealthy,
    /// `exec`: the code of the program that was run.
    Program(u8),
}

impl Exit {
    /// Every code with a fixed number, and what it says, for the documentation.
    pub const TABLE: &[(Self, &str)] = &[
        (Self::Done, "done; of `check`, admitted; of `plan`, nothing to do"),
        (Self::Refused, "the file may not run"),
        (Self::Unreadable, "the file, or the command line, cannot be read"),
        (Self::Changes, "`plan`: `up` would change something"),
        (Self::Failed, "the engine or a service failed"),
        (Self::NotAsPromised, "`attest`: something is not confined as promised; `audit`: a row failed"),
        (Self::EngineUnreachable, "no engine answers"),
        (Self::EngineTooOld, "the engine is older than what is supported"),
        (Self::ImageMissing, "an image is not there and could not be fetched"),
        (Self::PortTaken, "a host port is taken"),
        (Self::NotHealthy, "a service did not become healthy in its time"),
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Unreadable => 2,
            Self::Changes => 3,
            Self::Failed => 4,
            Self::NotAsPromised => 5,
            Self::EngineUnreachable => 10,
            Self::EngineTooOld => 11,
            Self::ImageMissing => 12,
            Self::PortTaken => 13,
            Self::NotHealthy => 14,
            Self::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work: printed once, by [`crate::commands::main`].
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: Option<Box<dyn Error + Send + Sync>>,
    help: Option<String>,
}

impl Failure {
    /// A failure with this error, which links its causes.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: Some(error.into()), help: None }
    }

    /// A failure whose explanation has been printed already.
    pub const fn explained(exit: Exit) -> Self {
        Self { exit, error: None, help: None }
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The code that the program ends with.
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(error) = &self.error else { return Ok(()) };
        let mut text = format!("error: {error}\n");
        let mut cause = error.source();
        while let Some(source) = cause {
            let _ = writeln!(text, "  because: {source}");
            cause = source.source();
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "help: {help}");
        }
        f.write_str(&crate::render::plain(&text))
    }
}

/// Errors of standard output, of which a closed pipe is a normal end.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::explained(Exit::Done)
        } else {
            Self::new(Exit::Failed, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_code_is_in_the_table_once() {
        let mut codes: Vec<u8> = Exit::TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.len(), 11);
        codes.dedup();
        assert_eq!(codes.len(), 11);
    }

    #[test]
    fn a_failure_prints_its_causes_and_the_next_step() {
        let cause = std::io::Error::other("connection refused");
        let failure = Failure::new(Exit::EngineUnreachable, cause).help("start the engine");
        assert_eq!(failure.to_string(), "error: connection refused\nhelp: start the engine\n");
    }
}
