//! One step of a plan: one arm each.
//!
//! Deliberately absent: the order of steps (`apply`), and waiting for a service (`wait`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Context, Ended, Machine, Occasion, StepError, hooks, progress_of, reload, wait};
use crate::decide::diagnose::{Symptoms, diagnose};
use crate::decide::guard::{self, GuardSpec, Ruleset};
use crate::decide::plan::Step;
use crate::decide::seen::ImageStart;
use crate::decide::spec::ContainerSpec;
use crate::decide::start::asks_the_image;
use crate::decide::{self, hash, labels, spare};
use crate::engine::{Engine, EngineError, Scope};
use crate::host::guard::GuardError;
use crate::progress::Phase;

/// From the stop signal to the kill of a container that must not run.
const NO_GRACE: Duration = Duration::ZERO;

pub(super) async fn run<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    index: usize,
    step: &Step,
) -> Result<Ended, StepError> {
    let engine = context.engine;
    match step {
        Step::Pull { image } => pull(context, index, step, image).await?,
        Step::CreateNetwork(shape) => {
            let id = engine.create_network(shape).await?;
            context.made_networks.borrow_mut().insert(shape.name.clone(), id);
        }
        Step::Guard(spec) => set_guard(context, spec).await?,
        Step::Reguard { project, ruleset, script, moved } => {
            let script = moved_by_now(context, script, moved).await?;
            context.machine.reguard(project, ruleset, &script)?;
        }
        Step::Unguard { project } => context.machine.unguard(project)?,
        Step::RemoveNetwork { id, .. } => {
            let made = context.made_networks.borrow().get(id).cloned();
            gone(engine.remove_network(made.as_ref().unwrap_or(id)).await)?;
        }
        Step::CreateVolume(spec) => engine.create_volume(spec).await?,
        Step::RemoveVolume { name } => gone(engine.remove_volume(name).await)?,
        Step::Create { spec, name } => create(context, spec, name).await?,
        Step::Delay { delay, .. } => tokio::time::sleep(*delay).await,
        Step::Start { id, name, service, owes } => {
            let id = id.clone().unwrap_or_else(|| context.id_of(name));
            if *owes {
                let noted = context.machine.owe(&id, true);
                noted.map_err(|source| StepError::unprepared(name, source))?;
            }
            return start(context, &id, name, service).await;
        }
        Step::PostStart { id, name, service, commands } => {
            let id = id.clone().unwrap_or_else(|| context.id_of(name));
            hooks::post_start(context, &id, (name, service), commands).await?;
        }
        Step::PreStop { id, name, commands, within } => {
            return Ok(hooks::pre_stop(context, (id, name), commands, *within).await);
        }
        Step::Await(condition) => return wait::until(context, index, step, condition).await,
        Step::Stop { id, grace, .. } => engine.stop(id, *grace).await?,
        Step::Remove { id, .. } => gone(engine.remove(id).await)?,
        Step::Unpause { id, .. } => engine.unpause(id).await?,
        Step::SetRestart { id, restart, .. } => engine.set_restart(id, *restart).await?,
        Step::SetBounds { id, bounds, .. } => engine.set_bounds(id, *bounds).await?,
        Step::Reload(told) => reload::reload(context, told).await?,
        Step::Unreload { reload, runs } => reload::unreload(context, reload, *runs).await?,
        Step::Settle { name, files } => reload::settle(context, name, files)?,
        Step::Connect { id, network, at, .. } => engine.connect(id, network, at).await?,
        Step::Rejoin { id, network, .. } => engine.rejoin(id, network).await?,
        Step::Disconnect { id, network, .. } => engine.disconnect(id, network).await?,
        Step::Rename { id, to, .. } => {
            let id = context.id_of(id);
            engine.rename(&id, to).await?;
            context.made.borrow_mut().insert(to.clone(), id);
        }
    }
    Ok(Ended::Well)
}

/// What is to be removed and is gone is as wanted: a request of one that was killed may have come first.
fn gone(outcome: Result<(), EngineError>) -> Result<(), EngineError> {
    match outcome {
        Err(EngineError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// Sets the guard over the networks that are there by now, those of this plan among them.
async fn set_guard<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    spec: &GuardSpec,
) -> Result<(), StepError> {
    let seen = context.engine.observe(&Scope::wanted(context.wanted)).await?;
    let ruleset = Ruleset::of(spec, &seen.networks).map_err(|odd| GuardError::Unusable(odd.join("; ")))?;
    context.machine.guard(&ruleset)?;
    tracing::info!(table = ruleset.table(), ruleset = ruleset.hash(), "guarded");
    Ok(())
}

/// A guard's script with the bridges as they are called by now.
async fn moved_by_now<'a, E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    script: &'a str,
    moved: &BTreeMap<String, String>,
) -> Result<Cow<'a, str>, StepError> {
    if moved.is_empty() {
        return Ok(script.into());
    }
    let seen = context.engine.observe(&Scope::wanted(context.wanted)).await?;
    let mut script = script.to_owned();
    for (from, network) in moved {
        if let Some(network) = seen.networks.iter().find(|there| there.name == *network) {
            script = guard::moved(&script, from, &guard::bridge(network));
        }
    }
    Ok(script.into())
}

async fn pull<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    index: usize,
    step: &Step,
    image: &str,
) -> Result<(), StepError> {
    let mut steps = context.engine.pull(image);
    while let Some(at) = steps.next().await {
        let note = Phase::Note(at?.to_string());
        let _ = context.progress.send(progress_of(index, step, note));
    }
    let found = context.engine.images(&BTreeSet::from([image.to_owned()])).await?;
    let Some(found) = found.get(image) else {
        return Err(EngineError::ImageMissing { image: image.to_owned() }.into());
    };
    context.pulled.borrow_mut().insert(image.to_owned(), found.id.clone());
    Ok(())
}

/// The spec with its images' ids, which are not known before a pull of this plan has ended.
fn resolved<'a, E, M>(context: &Context<'_, E, M>, spec: &'a ContainerSpec) -> Cow<'a, ContainerSpec> {
    if spec.images().all(|(_, id)| id.is_some()) {
        return Cow::Borrowed(spec);
    }
    Cow::Owned(spec.resolved(&context.pulled.borrow()))
}

async fn create<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    spec: &ContainerSpec,
    name: &str,
) -> Result<(), StepError> {
    let spec = resolved(context, spec);
    let contents = prepare(context, &spec, Occasion::Creation)?;
    let image = if asks_the_image(&spec) {
        let image = if spec.image_id.is_empty() { &spec.image } else { &spec.image_id };
        context.engine.image_start(image).await?
    } else {
        ImageStart::default()
    };
    let id =
        context.engine.create_container(&spec, name, &contents, &decide::start::start(&spec, &image)).await?;
    tracing::info!(container = name, id, "created");
    context.made.borrow_mut().insert(name.to_owned(), id);
    Ok(())
}

/// Loads the container's profile and stages what it is given.
fn prepare<E, M: Machine>(
    context: &Context<'_, E, M>,
    spec: &ContainerSpec,
    occasion: Occasion,
) -> Result<BTreeMap<String, PathBuf>, StepError> {
    let failed = |source| StepError::unprepared(&spec.name, source);
    let contents = context.machine.prepare(spec, occasion).map_err(failed)?;
    context.prepared.borrow_mut().insert(spec.name.clone());
    Ok(contents)
}

/// The engine's refusal to start a container, with the reason where it is understood.
fn not_started(spec: Option<&ContainerSpec>, error: EngineError) -> StepError {
    let text = error.to_string();
    let symptoms = Symptoms { error: &text, ..Symptoms::default() };
    match spec.and_then(|spec| diagnose(spec, &symptoms)) {
        Some(diagnosis) => StepError::NotStarted { error, diagnosis: Box::new(diagnosis) },
        None => error.into(),
    }
}

/// Starts a container and compares the kernel's word with its promise before anything else goes on. One that was
/// created by an earlier plan is prepared anew: after a boot the kernel has no profile of ours.
async fn start<E: Engine, M: Machine>(
    context: &Context<'_, E, M>,
    id: &str,
    name: &str,
    service: &str,
) -> Result<Ended, StepError> {
    let specs = context.wanted.services.get(service).map(|service| &service.containers);
    let spec = specs.into_iter().flatten().find(|spec| spec.name == spare::base(name));
    if let Some(spec) = spec.filter(|spec| !context.prepared.borrow().contains(&spec.name)) {
        // Which of its place it is, and so what its files are called, its labels say.
        let labels = match &spec.reload {
            Some(_) => context.engine.inspect(id).await?.labels,
            None => BTreeMap::new(),
        };
        prepare(context, &spec.of_generation(&labels), Occasion::Start)?;
    }
    context.engine.start(id).await.map_err(|error| not_started(spec, error))?;
    tracing::info!(container = name, "started");
    let Some(spec) = spec else {
        return Ok(Ended::Well);
    };
    let spec = resolved(context, spec);
    let inspected = context.engine.inspect(id).await?;
    if inspected.pid.is_none() {
        tracing::info!(container = name, code = inspected.exit_code, "ended before it could be attested");
        return Ok(Ended::Well);
    }
    if inspected.labels.get(labels::HASH).map(String::as_str) != Some(hash::container(&spec)) {
        return Ok(Ended::Passed(format!(
            "container `{name}` was made of another file than this one, and cannot be compared with its promise: `up` replaces it"
        )));
    }
    let Err(differences) = context.machine.attest(&spec, &inspected).await else { return Ok(Ended::Well) };
    tracing::error!(container = name, ?differences, "not as promised: stopped");
    context.engine.stop(&inspected.id, NO_GRACE).await?;
    Err(StepError::NotAsPromised { container: name.to_owned(), differences })
}
