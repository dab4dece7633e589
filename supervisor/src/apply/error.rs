//! What can go wrong in a plan: each failed step with its place, its reason and the next step.
//!
//! Deliberately absent: exit codes; those are the command line's.

use std::fmt;
use std::time::Duration;

use crate::decide::diagnose::Diagnosis;
use crate::decide::plan::TOLD;
use crate::engine::EngineError;
use crate::host::contents::ContentsError;
use crate::host::guard::GuardError;
use crate::progress::Subject;

/// A plan that was not executed to its end.
#[derive(Debug)]
pub struct ApplyError {
    /// What failed, in the order of failing; at least one.
    pub failures: Vec<Failed>,
    /// Steps that ended well.
    pub done: usize,
    /// What was not begun.
    pub left: Vec<Subject>,
    /// What became of what it had changed.
    pub back: Back,
}

/// What became of the changes of a plan that failed.
#[derive(Debug)]
pub enum Back {
    /// They stay: there was nothing to go back to, or the file wants it so.
    No,
    /// They were taken back.
    Done,
    /// They could not be taken back either; the next plan goes on from there.
    Failed(Box<ApplyError>),
    /// The engine is away: nobody knows how far it came.
    Away(EngineError),
}

/// A step that failed.
#[derive(Debug)]
pub struct Failed {
    /// Which of the plan's steps.
    pub step: usize,
    /// What it was about.
    pub subject: Subject,
    /// Why.
    pub error: StepError,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A container could not be prepared.
    #[error("cannot prepare container `{container}`")]
    Prepare {
        /// Engine name.
        container: String,
        /// Why.
        source: PrepareError,
    },
    /// What runs is not what was promised; it was stopped.
    #[error("container `{container}` is not confined as promised, and was stopped: {}", .differences.join("; "))]
    NotAsPromised {
        /// Engine name.
        container: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// It did not become healthy in time.
    #[error("service `{service}` did not become healthy within {} s{}", .after.as_secs(), because(.last.as_deref()))]
    NotHealthy {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// Its budget.
        after: Duration,
        /// What its check said last.
        last: Option<String>,
        /// The last lines of its output, neutralised.
        output: Vec<String>,
        /// Why, if that is understood.
        diagnosis: Option<Box<Diagnosis>>,
    },
    /// It was as it should be, and did not stay so.
    #[error("service `{service}` did not stay well for {} s{}", .after.as_secs_f64(), because(.last.as_deref()))]
    NotStayed {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// How long it should have.
        after: Duration,
        /// What its check said last.
        last: Option<String>,
        /// The last lines of its output, neutralised.
        output: Vec<String>,
    },
    /// It ended while it was waited for.
    #[error("container `{container}` of service `{service}` {}", end(*.code, *.oom_killed))]
    Died {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// Exit code.
        code: i64,
        /// The kernel killed it for its memory.
        oom_killed: bool,
        /// The last lines of its output, neutralised.
        output: Vec<String>,
        /// Why, if that is understood.
        diagnosis: Option<Box<Diagnosis>>,
    },
    /// The engine could not start it, and it is understood why.
    #[error("{error}")]
    NotStarted {
        /// The engine's word.
        error: EngineError,
        /// Why.
        diagnosis: Box<Diagnosis>,
    },
    /// It does not take its new configs, by the word of the command that judges them; it goes on with the old ones.
    #[error("service `{service}` does not take its new configs: `{command}` ended with code {code}")]
    ConfigsRefused {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// The command.
        command: String,
        /// Its exit code.
        code: i64,
        /// The last lines of its output, neutralised.
        output: Vec<String>,
    },
    /// It was told of its new configs, and did not say that it took them.
    #[error("service `{service}` did not say `{logs}` within {} s of being told of its new configs", TOLD.as_secs())]
    NotReloaded {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// What its output should have said.
        logs: String,
        /// What it said since, neutralised.
        output: Vec<String>,
    },
    /// A command after its start did not end well.
    #[error("`post_start` of service `{service}` failed: `{command}` {}", ended(*.code))]
    HookFailed {
        /// Service.
        service: String,
        /// Container.
        container: String,
        /// The command.
        command: String,
        /// Its exit code; `None`: it did not end in time.
        code: Option<i64>,
        /// The last lines of its output, neutralised.
        output: Vec<String>,
    },
    /// Nothing says whether it is healthy.
    #[error("service `{service}` is to be waited for until it is healthy, and has no check that says so")]
    NoCheck {
        /// Service.
        service: String,
    },
    /// It runs on when it should have ended.
    #[error("service `{service}` did not end within {} s", .after.as_secs())]
    NotCompleted {
        /// Service.
        service: String,
        /// Its budget.
        after: Duration,
    },
}

/// Why a container could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A secret or config.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// Its hooks.
    #[error("its hooks cannot be kept in the state folder")]
    Hooks(#[source] std::io::Error),
    /// Its AppArmor profile.
    #[error("the AppArmor profile `{name}` does not load: {reason}")]
    AppArmor {
        /// The profile.
        name: String,
        /// The parser's word.
        reason: String,
    },
}

/// How a command ended that did not end well.
pub(super) fn ended(code: Option<i64>) -> String {
    match code {
        Some(code) => format!("ended with code {code}"),
        None => "did not end in time".to_owned(),
    }
}

impl StepError {
    /// This container could not be prepared.
    pub(super) fn unprepared(container: &str, source: PrepareError) -> Self {
        Self::Prepare { container: container.to_owned(), source }
    }

    /// The container that failed and the last lines of its output, where it is about one.
    pub fn output(&self) -> Option<(&str, &[String])> {
        match self {
            Self::Died { container, output, .. }
            | Self::NotHealthy { container, output, .. }
            | Self::ConfigsRefused { container, output, .. }
            | Self::NotReloaded { container, output, .. }
            | Self::HookFailed { container, output, .. }
            | Self::NotStayed { container, output, .. } => Some((container, output)),
            _ => None,
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Engine(error) => error.help(),
            Self::Guard(error) => error.help().into(),
            Self::Prepare { source: PrepareError::Contents(error), .. } => error.help(),
            Self::Prepare { source: PrepareError::Hooks(_), .. } => {
                "see that the state folder can be written: `--state-dir` names another".into()
            }
            Self::Prepare { source: PrepareError::AppArmor { .. }, .. } => {
                "run as root with `apparmor_parser` installed; `aa-status` says what the kernel has".into()
            }
            Self::NotAsPromised { container, .. } => format!(
                "the engine or its runtime did not do what it was told, or somebody changed it: see `docker inspect {container}` and \
                 `supervisor attest`; do not run it before the difference is understood"
            ),
            Self::NotHealthy { diagnosis: Some(diagnosis), .. }
            | Self::Died { diagnosis: Some(diagnosis), .. }
            | Self::NotStarted { diagnosis, .. } => diagnosis.to_string(),
            Self::NotStayed { service, .. } => format!(
                "see `supervisor logs {service}`; `deploy.update_config.monitor` says how long a new container is watched"
            ),
            Self::NotHealthy { service, .. } => format!(
                "it is left as it is: see `supervisor logs {service}`; if it only needs longer, raise `start_period` of its \
                 `x-supervisor.probe` or `healthcheck`"
            ),
            Self::Died { service, oom_killed: true, .. } => {
                format!(
                    "raise the memory limit of `{service}` (`mem_limit`), or let it use less; its output is in `supervisor logs {service}`"
                )
            }
            Self::Died { service, .. } => {
                format!(
                    "it is left as it is: see `supervisor logs {service}`, mend the cause and run `up` again"
                )
            }
            Self::ConfigsRefused { service, .. } => {
                format!("`{service}` runs on with the configs that it had; mend them and run `up` again")
            }
            Self::NotReloaded { service, .. } => format!(
                "see `supervisor logs {service}`; `logs` of its `x-supervisor.reload` is what its output says once it has taken \
                 its configs"
            ),
            Self::HookFailed { service, .. } => format!(
                "mend the command, or try it with `supervisor exec {service}`; until it ends well the service has not started, \
                 and `up` runs it again"
            ),
            Self::NoCheck { service } => format!(
                "give `{service}` an `x-supervisor.probe` or a `healthcheck`, or depend on it with `condition: service_started`"
            ),
            Self::NotCompleted { service, .. } => {
                format!(
                    "see `supervisor logs {service}`; a service that runs on is waited for with `service_started` or `service_healthy`"
                )
            }
        }
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures.first() {
            Some(first) => first.error.fmt(f),
            None => f.write_str("the plan was not executed to its end"),
        }
    }
}

impl std::error::Error for ApplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failures.first().and_then(|first| std::error::Error::source(&first.error))
    }
}

fn because(last: Option<&str>) -> String {
    last.map(|last| format!(": {last}")).unwrap_or_default()
}

fn end(code: i64, oom_killed: bool) -> String {
    if oom_killed {
        return "was killed by the kernel: it used more memory than its limit".into();
    }
    format!("ended with code {code}")
}
