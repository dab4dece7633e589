//! Telling a running container of its new configs: written into its files, judged, signalled, and heard to have been taken.
//!
//! Deliberately absent: when (`decide::plan::reload`), and what becomes of it where it fails later (`decide::plan::rollback`).

use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::{Context, Machine, StepError, command};
use crate::decide::live::LiveFile;
use crate::decide::plan::{CHECK, Reload, TOLD};
use crate::engine::{Engine, EngineError, ExecSpec, LogQuery};
use crate::host::live::Deed;

/// Gives a container its configs anew. One that does not take them has the old ones when this ends.
pub(super) async fn reload<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    reload: &Reload,
) -> Result<(), StepError> {
    context
        .machine
        .change(reload, Deed::Rewrite)
        .map_err(|source| StepError::unprepared(&reload.name, source))?;
    if let Err(error) = check(context, reload).await {
        // It was not told yet: nothing has to be taken back but the files.
        context
            .machine
            .change(reload, Deed::Restore)
            .map_err(|source| StepError::unprepared(&reload.name, source))?;
        context
            .machine
            .change(reload, Deed::Settle)
            .map_err(|source| StepError::unprepared(&reload.name, source))?;
        return Err(error);
    }
    let told = Timestamp::now();
    context.engine.kill(&reload.id, &reload.signal).await?;
    heard(context, reload, told).await?;
    tracing::info!(container = reload.name, signal = reload.signal, "reloaded");
    Ok(())
}

/// Puts back what was there before, where that is kept, and tells it.
pub(super) async fn unreload<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    reload: &Reload,
    runs: bool,
) -> Result<(), StepError> {
    let back = context
        .machine
        .change(reload, Deed::Restore)
        .map_err(|source| StepError::unprepared(&reload.name, source))?;
    if back && runs {
        context.engine.kill(&reload.id, &reload.signal).await?;
        tracing::info!(
            container = reload.name,
            signal = reload.signal,
            "told of the configs that it had before"
        );
    }
    context
        .machine
        .change(reload, Deed::Settle)
        .map_err(|source| StepError::unprepared(&reload.name, source))?;
    Ok(())
}

/// Forgets what was there before.
pub(super) fn settle<E, M: Machine>(
    context: &Context<'_, E, M>,
    name: &str,
    files: &[LiveFile],
) -> Result<(), StepError> {
    let reload = Reload { name: name.to_owned(), files: files.to_vec(), ..Reload::default() };
    context.machine.change(&reload, Deed::Settle).map_err(|source| StepError::unprepared(name, source))?;
    Ok(())
}

/// Has the new configs judged inside the container, by the program that will read them.
async fn check<E: Engine, M>(context: &Context<'_, E, M>, reload: &Reload) -> Result<(), StepError> {
    if reload.check.is_empty() {
        return Ok(());
    }
    let spec = ExecSpec { command: reload.check.clone(), ..ExecSpec::default() };
    let end = command::run(context.engine, &reload.id, &spec, CHECK).await?;
    if end.code == Some(0) {
        return Ok(());
    }
    Err(StepError::ConfigsRefused {
        service: reload.service.clone(),
        container: reload.name.clone(),
        command: reload.check.join(" "),
        // `timeout` says so with 124 (coreutils).
        code: end.code.unwrap_or(124),
        output: end.last_lines(),
    })
}

/// Waits until its output says that it took them.
async fn heard<E: Engine, M>(
    context: &Context<'_, E, M>,
    reload: &Reload,
    told: Timestamp,
) -> Result<(), StepError> {
    let Some(logs) = &reload.logs else { return Ok(()) };
    let query = LogQuery { follow: true, since: Some(told), ..LogQuery::default() };
    let mut chunks = context.engine.logs(&reload.id, &query);
    let mut bytes = Vec::new();
    let said = tokio::time::timeout(TOLD, async {
        while let Some(chunk) = chunks.next().await {
            bytes.extend(chunk?.bytes);
            if String::from_utf8_lossy(&bytes).contains(logs.as_str()) {
                return Ok::<bool, EngineError>(true);
            }
        }
        // It ended: whoever waits for its health says why.
        Ok(false)
    });
    if said.await.unwrap_or(Ok(false))? {
        return Ok(());
    }
    Err(StepError::NotReloaded {
        service: reload.service.clone(),
        container: reload.name.clone(),
        logs: logs.clone(),
        output: command::last_lines(&bytes),
    })
}
