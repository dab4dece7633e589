//! Running a container's hooks, under the same confinement as the container.
//!
//! Deliberately absent: which, and when (`decide::plan`).

use std::time::{Duration, Instant};

use super::error::ended;
use super::{Context, Ended, Machine, StepError, command};
use crate::decide::hooks::{Hook, LONGEST};
use crate::engine::{Engine, ExecSpec};

/// What is to run after the start: the first that does not end well is the last. Only then is nothing owed any more.
pub(super) async fn post_start<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    id: &str,
    (container, service): (&str, &str),
    hooks: &[Hook],
) -> Result<(), StepError> {
    for hook in hooks {
        let end = command::run(context.engine, id, &spec(hook), LONGEST).await?;
        if end.code != Some(0) {
            return Err(StepError::HookFailed {
                service: service.to_owned(),
                container: container.to_owned(),
                command: hook.command.join(" "),
                code: end.code,
                output: end.last_lines(),
            });
        }
        tracing::info!(container, command = hook.command.first(), "ran a command of `post_start`");
    }
    let noted = context.machine.owe(id, false);
    noted.map_err(|source| StepError::unprepared(container, source))
}

/// What is to run before the stop, all in this time. A container that is to end ends, whatever becomes of its hooks.
pub(super) async fn pre_stop<E: Engine, M>(
    context: &Context<'_, E, M>,
    (id, container): (&str, &str),
    hooks: &[Hook],
    within: Duration,
) -> Ended {
    let began = Instant::now();
    for hook in hooks {
        let left = within.saturating_sub(began.elapsed());
        let how = match command::run(context.engine, id, &spec(hook), left).await {
            Ok(end) if end.code == Some(0) => continue,
            Ok(end) => ended(end.code),
            Err(error) => format!("could not be run: {error}"),
        };
        let command = hook.command.join(" ");
        return Ended::Passed(format!("`pre_stop` of container `{container}`: `{command}` {how}"));
    }
    Ended::Well
}

fn spec(hook: &Hook) -> ExecSpec {
    ExecSpec {
        command: hook.words(),
        user: hook.user.clone(),
        working_dir: hook.working_dir.clone(),
        environment: hook.environment.clone(),
        ..ExecSpec::default()
    }
}
