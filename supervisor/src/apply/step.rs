//! One step of a plan: one arm each.
//!
//! Deliberately absent: the order of steps (`apply`), and waiting for a service (`wait`).

use futures_util::StreamExt as _;

use super::{Context, Ended, Machine, PrepareError, StepError, progress_of, wait};
use crate::decide::plan::Step;
use crate::decide::seen::State;
use crate::decide::spec::ContainerSpec;
use crate::engine::Engine;
use crate::progress::Phase;

/// From the stop signal to the kill of a container that must not run.
const NO_GRACE: std::time::Duration = std::time::Duration::ZERO;

pub(super) async fn run<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    index: usize,
    step: &Step,
) -> Result<Ended, StepError> {
    let engine = context.engine;
    match step {
        Step::Pull { image } => {
            let mut steps = engine.pull(image);
            while let Some(at) = steps.next().await {
                let at = at?;
                let _ = context.progress.send(progress_of(index, step, Phase::Note(at.to_string())));
            }
        }
        Step::CreateNetwork(spec) => drop(engine.create_network(spec).await?),
        Step::RemoveNetwork { id, .. } => engine.remove_network(id).await?,
        Step::CreateVolume(spec) => engine.create_volume(spec).await?,
        Step::RemoveVolume { name } => engine.remove_volume(name).await?,
        Step::Create(spec) => create(context, spec).await?,
        Step::Start { name, service } => return start(context, name, service).await,
        Step::Await(condition) => return wait::until(context, index, step, condition).await,
        Step::Stop { id, grace, .. } => engine.stop(id, *grace).await?,
        Step::Remove { id, .. } => engine.remove(id).await?,
        Step::Unpause { id, .. } => engine.unpause(id).await?,
        Step::SetRestart { id, restart, .. } => engine.set_restart(id, *restart).await?,
    }
    Ok(Ended::Well)
}

async fn create<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    spec: &ContainerSpec,
) -> Result<(), StepError> {
    let prepare = |source: PrepareError| StepError::Prepare { container: spec.name.clone(), source };
    let contents = context.machine.prepare(spec).map_err(prepare)?;
    let id = context.engine.create_container(spec, &contents).await?;
    tracing::info!(container = spec.name, id, "created");
    Ok(())
}

/// Starts a container and compares the kernel's word with its promise before anything else goes on.
async fn start<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    name: &str,
    service: &str,
) -> Result<Ended, StepError> {
    context.engine.start(name).await?;
    tracing::info!(container = name, "started");
    let specs = context.wanted.services.get(service).map(|service| &service.containers);
    let Some(spec) = specs.into_iter().flatten().find(|spec| spec.name == name) else {
        return Ok(Ended::Well);
    };
    let inspected = context.engine.inspect(name).await?;
    if inspected.pid.is_none() {
        let code = if let State::Exited(code) = inspected.state { code } else { inspected.exit_code };
        tracing::info!(container = name, code, "ended before it could be attested");
        return Ok(Ended::Well);
    }
    let Err(differences) = context.machine.attest(spec, &inspected) else { return Ok(Ended::Well) };
    tracing::error!(container = name, ?differences, "not as promised: stopped");
    context.engine.stop(&inspected.id, NO_GRACE).await?;
    Err(StepError::NotAsPromised { container: name.to_owned(), differences })
}
