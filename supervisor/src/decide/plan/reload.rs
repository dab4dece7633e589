//! Configs that a running container is given anew without a restart: which, and the steps for it.
//!
//! Deliberately absent: everything else that is changed in place (`in_place`), and what becomes of a container that does not
//! run well enough to be told anything: a new one is made in its place (`judge`).

use std::collections::BTreeSet;

use super::super::live::LiveFile;
use super::super::seen::{Health, SeenContainer, State};
use super::super::spec::ContainerSpec;
use super::choice::Recreate;
use super::draft::Draft;
use super::{Reload, Step};

/// Configs whose content in a container's files is not as wanted, or has not been made good yet.
pub(super) fn changed(spec: &ContainerSpec, found: &SeenContainer) -> BTreeSet<String> {
    let Some(live) = found.live.as_ref().filter(|_| spec.reload.is_some()) else { return BTreeSet::new() };
    let wanted = spec.live_contents();
    let differs = |name: &&String| live.contents.get(*name) != wanted.get(*name);
    let changed: BTreeSet<String> = wanted.keys().filter(differs).cloned().collect();
    if changed.is_empty() && live.unfinished { wanted.into_keys().collect() } else { changed }
}

/// Whether it can be told: it runs, and its files are there.
pub(super) fn can_be_told(spec: &ContainerSpec, found: &SeenContainer) -> bool {
    let has = |name: &String| found.live.as_ref().is_some_and(|live| live.contents.contains_key(name));
    let runs = found.state == State::Running && found.health != Some(Health::Unhealthy);
    runs && spec.live_contents().keys().all(has)
}

/// Whether a plan of this choice tells it of other contents.
pub(super) fn is_told(spec: &ContainerSpec, found: &SeenContainer, recreate: Recreate) -> bool {
    matches!(recreate, Recreate::Changed | Recreate::All)
        && can_be_told(spec, found)
        && !changed(spec, found).is_empty()
}

/// The step that gives a running container its configs anew.
pub(super) fn reload(
    spec: &ContainerSpec,
    found: &SeenContainer,
    first: &BTreeSet<usize>,
    draft: &mut Draft,
) -> Option<usize> {
    let changed = changed(spec, found);
    let reload = describe(spec, found)?;
    let names: Vec<String> = changed.iter().map(|name| format!("`{}`", name.replace('/', " "))).collect();
    let reason = if found.live.as_ref().is_some_and(|live| live.unfinished) {
        "an update was not finished that gave it its configs anew".to_owned()
    } else {
        format!("the content of its {} changed; it is told without a restart", names.join(", "))
    };
    Some(draft.step(Step::Reload(Box::new(reload)), &reason, first.iter().copied()))
}

/// The step that puts back what a container's files held before, and tells it.
pub(super) fn unreload(
    spec: &ContainerSpec,
    found: &SeenContainer,
    reason: &str,
    draft: &mut Draft,
) -> Option<usize> {
    let runs = found.state == State::Running;
    let reload = describe(spec, found)?;
    Some(draft.step(Step::Unreload { reload: Box::new(reload), runs }, reason, []))
}

/// The step that forgets what a container's files held before.
pub(super) fn settle(
    spec: &ContainerSpec,
    found: &SeenContainer,
    after: impl IntoIterator<Item = usize>,
    draft: &mut Draft,
) -> Option<usize> {
    let reload = describe(spec, found)?;
    let step = Step::Settle { name: reload.name, files: reload.files };
    Some(draft.step(step, "its new configs have proved themselves", after))
}

fn describe(spec: &ContainerSpec, found: &SeenContainer) -> Option<Reload> {
    let told = spec.reload.as_ref()?;
    let generation = found.generation?;
    let files: Vec<LiveFile> = ContainerSpec { generation, ..spec.clone() }.live_files();
    Some(Reload {
        id: found.id.clone(),
        name: found.name.clone(),
        service: spec.service.clone(),
        files,
        contents: spec.live_contents(),
        signal: told.signal.clone(),
        check: told.check.clone(),
        logs: told.logs.clone(),
    })
}
