//! What each operation's error means to the shell: its exit code, and its next step.
//!
//! Deliberately absent: the codes themselves (`exit`) and the texts (each error has its own).

use crate::apply::{ApplyError, Back, StepError};
use crate::engine::EngineError;
use crate::exit::{Exit, Failure};
use crate::host::contents::ContentsError;
use crate::host::lent::LentError;
use crate::host::lock::LockError;
use crate::host::state::StateError;
use crate::pipeline::{PrepareError, StackError};

/// The exit code of an error of the engine.
pub const fn engine_exit(error: &EngineError) -> Exit {
    match error {
        EngineError::Unreachable { .. } | EngineError::NotLocal { .. } => Exit::EngineUnreachable,
        EngineError::TooOld { .. } => Exit::EngineTooOld,
        EngineError::ImageMissing { .. } | EngineError::PullFailed { .. } => Exit::ImageMissing,
        EngineError::PortTaken { .. } => Exit::PortTaken,
        EngineError::NameTaken { .. }
        | EngineError::AddressesTaken { .. }
        | EngineError::ProcessKept { .. }
        | EngineError::Conflict { .. }
        | EngineError::NotFound { .. }
        | EngineError::Slow { .. }
        | EngineError::Refused { .. }
        | EngineError::Broken { .. } => Exit::Failed,
    }
}

/// The exit code of a failed step.
pub const fn step_exit(error: &StepError) -> Exit {
    match error {
        StepError::Engine(error) | StepError::NotStarted { error, .. } => engine_exit(error),
        StepError::NotHealthy { .. } | StepError::NotStayed { .. } => Exit::NotHealthy,
        StepError::NotAsPromised { .. } => Exit::NotAsPromised,
        StepError::Guard(_)
        | StepError::Prepare { .. }
        | StepError::ConfigsRefused { .. }
        | StepError::NotReloaded { .. }
        | StepError::HookFailed { .. }
        | StepError::Died { .. }
        | StepError::NoCheck { .. }
        | StepError::NotCompleted { .. } => Exit::Failed,
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let (exit, help) = (engine_exit(&error), error.help());
        Self::new(exit, error).help(help)
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Engine(error) => error.into(),
            PrepareError::Stack(StackError::Contents(error)) => error.into(),
            PrepareError::Stack(error @ StackError::Lacking { .. }) => Self::new(Exit::Failed, error)
                .help("run it where that is there, or remove `landlock: required` and accept less; nothing was changed"),
            PrepareError::Stack(error @ StackError::Misfits(_)) => {
                Self::new(Exit::Failed, error).help("or run it on a machine that has it; nothing was changed")
            }
            PrepareError::Wanted(error) => Self::new(Exit::Failed, error),
        }
    }
}

impl From<ContentsError> for Failure {
    fn from(error: ContentsError) -> Self {
        let help = error.help();
        Self::new(Exit::Failed, error).help(help)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let help = error.help();
        Self::new(Exit::Failed, error).help(help)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let help = error.help();
        Self::new(Exit::Failed, error).help(help)
    }
}

impl From<LentError> for Failure {
    fn from(error: LentError) -> Self {
        let help = match &error {
            LentError::Lock(error) => error.help(),
            LentError::Failed { .. } => {
                "run as root, or choose a folder of your own with `--state-dir`".to_owned()
            }
            LentError::Ended => "run this again; its containers stay".to_owned(),
        };
        Self::new(Exit::Failed, error).help(help)
    }
}

/// The first failure, which the others often follow from; the others are said on standard error.
impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        for other in error.failures.iter().skip(1) {
            eprintln!("error: {}", crate::render::plain(&other.error.to_string()));
        }
        for subject in &error.left {
            eprintln!("not begun: {subject}");
        }
        let Some(first) = error.failures.first() else { return Self::new(Exit::Failed, error) };
        for (container, output) in error.failures.iter().filter_map(|failed| failed.error.output()) {
            for line in output {
                eprintln!("{container} | {line}");
            }
        }
        let (exit, mut help) = (step_exit(&first.error), first.error.help());
        match &error.back {
            Back::No => {}
            Back::Done => help = format!("the update was taken back, and what ran before runs; {help}"),
            Back::Failed(why) => {
                eprintln!(
                    "error: the update could not be taken back: {}",
                    crate::render::plain(&why.to_string())
                );
                help = format!("`up` goes on from there; {help}");
            }
            Back::Away(why) => {
                eprintln!(
                    "error: the update could not be taken back: {}",
                    crate::render::plain(&why.to_string())
                );
                help = format!("once the engine answers, `up` goes on from there; {help}");
            }
        }
        Self::new(exit, error).help(help)
    }
}
