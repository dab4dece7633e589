//! The way from an admitted stack to what is wanted beside what is seen: the same for `plan`, `up`, `run`, `attest`.
//!
//! Confinements and contents first, then the engine: a service without a promise stops everything before a request
//! is made. Deliberately absent: deciding (`decide`) and doing (`apply`).

use std::collections::{BTreeMap, BTreeSet};

use compose::Admitted;
use profiles::Confinement;
use profiles::confinement::Kernel;

use crate::decide::seen::{Seen, SeenContainer, SeenImage};
use crate::decide::spec::{Restart, Wanted};
use crate::decide::wanted::{Given, Restarts, WantedError, is_active, wanted};
use crate::engine::{Engine, EngineError, Scope};
use crate::host::contents::{Contents, ContentsError};
use crate::host::files::Files;

/// What a command or the loop wants of a stack, besides the file.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What this machine's kernel offers.
    pub kernel: Kernel,
    /// Active Compose profiles.
    pub profiles: BTreeSet<String>,
    /// Who starts containers again after an exit.
    pub restarts: Restarts,
    /// A supervisor may have changed the engine's restart policies since the containers were made.
    pub restarts_unsure: bool,
}

/// A stack as it is wanted and as it is.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is wanted.
    pub wanted: Wanted,
    /// What is there.
    pub seen: Seen,
    /// What secrets and configs hold.
    pub contents: Contents,
}

/// Why a stack could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A secret or config.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// The model and its promises do not fit: a mistake of ours.
    #[error(transparent)]
    Wanted(#[from] WantedError),
}

/// Makes the wanted state and looks at the engine: four requests, besides the one for its version.
///
/// # Errors
/// The engine does not answer, or a secret's or config's file is not to be read.
pub async fn prepare<E: Engine>(engine: &E, stack: &Admitted, wish: &Wish) -> Result<Prepared, PrepareError> {
    let confinements = confinements(stack, wish);
    let contents = Contents::read(stack.project(), &Files)?;
    let images = engine.images(&image_names(stack, &wish.profiles)).await?;
    let wanted = want(stack, wish, &confinements, &contents, &images)?;
    let mut seen = engine.observe(&Scope::wanted(&wanted)).await?;
    seen.images = images;
    let restarts = wanted_restarts(&wanted);
    for container in seen.containers.iter_mut().filter(|c| asks_for_restart(c, &restarts, wish)) {
        container.restart = Some(engine.inspect(&container.id).await?.restart);
    }
    Ok(Prepared { wanted, seen, contents })
}

/// The wanted state for the order of its services and their graces alone: without images, and without contents
/// where those cannot be read.
pub fn order_only(stack: &Admitted, wish: &Wish) -> Option<Wanted> {
    let profiles = BTreeSet::from(["*".to_owned()]);
    let wish = Wish { profiles, ..wish.clone() };
    want(stack, &wish, &confinements(stack, &wish), &Contents::default(), &BTreeMap::new()).ok()
}

/// The images of the active services, as the file says them.
pub fn image_names(stack: &Admitted, profiles: &BTreeSet<String>) -> BTreeSet<String> {
    let active = stack.project().services.values().filter(|service| is_active(service, profiles));
    active.filter_map(|service| Some(service.image.as_ref()?.value.clone())).collect()
}

fn confinements(stack: &Admitted, wish: &Wish) -> BTreeMap<String, Confinement> {
    let active = stack.project().services.values().filter(|service| is_active(service, &wish.profiles));
    let confinements = active.filter_map(|service| {
        Some((service.name.clone(), profiles::confine(stack, &service.name, &wish.kernel)?))
    });
    confinements.collect()
}

fn want(
    stack: &Admitted,
    wish: &Wish,
    confinements: &BTreeMap<String, Confinement>,
    contents: &Contents,
    images: &BTreeMap<String, SeenImage>,
) -> Result<Wanted, WantedError> {
    let contents = contents.hashes();
    let given = Given {
        confinements,
        images,
        contents: &contents,
        profiles: &wish.profiles,
        restarts: wish.restarts,
    };
    wanted(stack, &given)
}

fn wanted_restarts(wanted: &Wanted) -> BTreeMap<String, Restart> {
    let containers = wanted.services.values().flat_map(|service| &service.containers);
    containers.map(|spec| (spec.name.clone(), spec.restart)).collect()
}

/// The engine's list does not tell restart policies, and a request a container is too many: only where the label
/// says another policy than is wanted, or somebody may have changed it, is the engine asked.
fn asks_for_restart(seen: &SeenContainer, wanted: &BTreeMap<String, Restart>, wish: &Wish) -> bool {
    match (wanted.get(&seen.name), seen.restart) {
        (Some(wanted), labelled) => wish.restarts_unsure || labelled != Some(*wanted),
        (None, _) => false,
    }
}
