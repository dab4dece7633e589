//! The way from an admitted stack to what is wanted beside what is seen: the same for `plan`, `up`, `run`, `attest`.
//!
//! Confinements and contents first, then the engine: a service without a promise stops everything before a request
//! is made. Deliberately absent: deciding (`decide`) and doing (`apply`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use compose::{Admitted, Host};
use profiles::confinement::Kernel;
use profiles::{Confinement, Landlock};
use serde::{Deserialize, Serialize};

use crate::decide::guard::bridge;
use crate::decide::machine::{Machine, misfits};
use crate::decide::seen::{Seen, SeenContainer, SeenImage};
use crate::decide::spare;
use crate::decide::spec::{ContainerSpec, Wanted};
use crate::decide::wanted::{Given, Restarts, WantedError, is_active, wanted};
use crate::decide::{hooks, live};
use crate::engine::{Engine, EngineError, Scope};
use crate::host::contents::{Contents, ContentsError};
use crate::host::files::Files;
use crate::host::kernel::online;
use crate::host::{self, state};

/// What a command or the loop wants of a stack, besides the file.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What this machine's kernel offers.
    pub kernel: Kernel,
    /// Active Compose profiles.
    pub profiles: BTreeSet<String>,
    /// Who starts containers again after an exit.
    pub restarts: Restarts,
    /// `--state-dir`: where what was set on this machine is kept.
    pub state_dir: Option<PathBuf>,
    /// Somebody of ours may have changed in place since what the containers' labels say of their making.
    pub restarts_unsure: bool,
    /// What the guard counted is of interest, too.
    pub counts: bool,
    /// The engine's process, where it is known: it says which resolvers it asks.
    pub engine: Option<u32>,
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
    /// What can be changed in place will not be as some container's labels say: the next look has to ask.
    pub labels_are_past: bool,
    /// What was looked for. `None` where containers were asked one by one besides: what was seen is more than a look shows.
    pub sought: Option<Sought>,
}

/// What is looked for on the engine: it follows from the stack and what the stack was judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    /// Images, as the file says them.
    pub images: BTreeSet<String>,
    /// The rest.
    pub scope: Scope,
}

/// A look at what was sought.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was sought.
    pub sought: Sought,
    /// What was seen.
    pub seen: Seen,
}

/// Why a stack could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What the services need besides the engine.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The model and its promises do not fit: a mistake of ours.
    #[error(transparent)]
    Wanted(#[from] WantedError),
}

/// Why a stack that was admitted is not run all the same.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A secret or config.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// A service requires what cannot be had here.
    #[error("service `{service}` requires Landlock, and {why}")]
    Lacking {
        /// Service.
        service: String,
        /// What is missing.
        why: String,
    },
    /// Services ask for what this machine does not have: a sentence each.
    #[error("{}", .0.join("; "))]
    Misfits(Vec<String>),
}

/// A stack that may run, with everything that does not come from the engine: its promises, and what it is given.
#[derive(Debug)]
pub struct Stack {
    admitted: Admitted,
    confinements: BTreeMap<String, Confinement>,
    contents: Contents,
    hashes: BTreeMap<String, String>,
    profiles: BTreeSet<String>,
}

impl Stack {
    /// Makes the promise for every service, and reads what they are given.
    ///
    /// # Errors
    /// A secret's or config's file is not to be read, or a service requires what this machine does not have.
    pub fn read(
        host: &dyn Host,
        admitted: Admitted,
        kernel: &Kernel,
        profiles: BTreeSet<String>,
    ) -> Result<Self, StackError> {
        let contents = Contents::read(admitted.project(), host)?;
        let stack = Self::new(admitted, kernel, contents, profiles);
        stack.lacking().map_or(Ok(()), Err)?;
        let misfits = stack.misfits(&Machine { arch: kernel.arch, online: online() });
        if misfits.is_empty() { Ok(stack) } else { Err(StackError::Misfits(misfits)) }
    }

    /// What services that are switched on ask of the machine and it does not have.
    fn misfits(&self, machine: &Machine) -> Vec<String> {
        let services = self.confinements.iter().filter_map(|(name, confinement)| {
            let service = self.admitted.project().services.get(name)?;
            let platform = service.platform.as_ref().map(|at| at.value.as_str());
            is_active(service, &self.profiles).then(|| misfits(name, platform, confinement.limits(), machine))
        });
        services.flatten().collect()
    }

    /// The first service that is switched on and requires what cannot be had.
    fn lacking(&self) -> Option<StackError> {
        self.confinements.iter().find_map(|(name, confinement)| {
            let service = self.admitted.project().services.get(name)?;
            match confinement.landlock() {
                Landlock::Absent { why, required: true } if is_active(service, &self.profiles) => {
                    Some(StackError::Lacking { service: name.clone(), why: why.clone() })
                }
                _ => None,
            }
        })
    }

    /// The same with contents that were read already.
    pub fn new(admitted: Admitted, kernel: &Kernel, contents: Contents, profiles: BTreeSet<String>) -> Self {
        let confinements = profiles::confine_all(&admitted, kernel);
        let hashes = contents.hashes();
        Self { admitted, confinements, contents, hashes, profiles }
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.admitted.project().name
    }

    /// The contents of its secrets and configs.
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Images of the services that are switched on, mounted ones too, as the file says them.
    pub fn images(&self) -> BTreeSet<String> {
        let services = self.admitted.project().services.values();
        let active = services.filter(|service| is_active(service, &self.profiles));
        active.flat_map(compose::Service::images).map(|image| image.value.clone()).collect()
    }

    /// The wanted state, with the ids of the images that are there.
    ///
    /// # Errors
    /// The model and its promises do not fit: a mistake of ours.
    pub fn wanted(
        &self,
        images: &BTreeMap<String, SeenImage>,
        restarts: Restarts,
    ) -> Result<Wanted, WantedError> {
        let given = Given {
            confinements: &self.confinements,
            images,
            contents: &self.hashes,
            profiles: &self.profiles,
            restarts,
        };
        wanted(&self.admitted, &given)
    }
}

/// Makes the wanted state and looks at the engine: four requests, besides the one for its version.
///
/// # Errors
/// The engine does not answer, or a secret's or config's file is not to be read.
pub async fn prepare<E: Engine>(
    engine: &E,
    admitted: Admitted,
    wish: &Wish,
) -> Result<Prepared, PrepareError> {
    prepare_by(&Files, engine, admitted, wish, None).await
}

/// The same with the files as somebody else reads them, and after a look that was taken before: where what it was about is what
/// this stack is about, there is no other.
///
/// # Errors
/// As of [`prepare`].
pub async fn prepare_by<E: Engine>(
    host: &dyn Host,
    engine: &E,
    admitted: Admitted,
    wish: &Wish,
    before: Option<Look>,
) -> Result<Prepared, PrepareError> {
    let stack = Stack::read(host, admitted, &wish.kernel, wish.profiles.clone())?;
    look(engine, stack, wish, before).await
}

/// The same with one service under another promise, for the time of a recording.
///
/// # Errors
/// As of [`prepare`].
pub async fn prepare_under<E: Engine>(
    engine: &E,
    admitted: Admitted,
    wish: &Wish,
    promise: Confinement,
) -> Result<Prepared, PrepareError> {
    let mut stack = Stack::read(&Files, admitted, &wish.kernel, wish.profiles.clone())?;
    stack.confinements.insert(promise.service().to_owned(), promise);
    look(engine, stack, wish, None).await
}

/// One look at a project's things, with the hooks that its containers have by its state folder.
///
/// # Errors
/// The engine does not answer.
pub async fn observe<E: Engine>(engine: &E, scope: &Scope, folder: &Path) -> Result<Seen, EngineError> {
    let mut seen = engine.observe(scope).await?;
    hooks::attribute(&mut seen, &host::hooks::read(folder));
    Ok(seen)
}

/// Looks at what is sought, and at the guard and the files of the project.
///
/// # Errors
/// The engine does not answer.
pub async fn seek<E: Engine>(engine: &E, sought: Sought, wish: &Wish) -> Result<Look, EngineError> {
    let images = engine.images(&sought.images).await?;
    let seen = see(engine, &sought.scope, images, wish).await?;
    Ok(Look { sought, seen })
}

async fn see<E: Engine>(
    engine: &E,
    scope: &Scope,
    images: BTreeMap<String, SeenImage>,
    wish: &Wish,
) -> Result<Seen, EngineError> {
    let folder = state::place(wish.state_dir.as_deref(), &scope.project);
    let mut seen = observe(engine, scope, &folder).await?;
    seen.images = images;
    let look = if wish.counts { host::guard::look } else { host::guard::glance };
    let mut guard = look(&folder, &scope.project, wish.engine);
    // Of what is there besides, a look says no more than is gone by: links of others come and go.
    guard.links = seen.networks.iter().map(bridge).filter(|link| host::guard::is_link(link)).collect();
    if !wish.counts {
        guard.counters.clear();
    }
    seen.guard = Some(guard);
    // Where nobody can tell, nothing is planned about it.
    if let Ok(files) = host::live::list(&folder) {
        live::attribute(&mut seen, &files);
    }
    Ok(seen)
}

async fn look<E: Engine>(
    engine: &E,
    stack: Stack,
    wish: &Wish,
    before: Option<Look>,
) -> Result<Prepared, PrepareError> {
    let sought = stack.images();
    let before = before.filter(|before| before.sought.images == sought);
    let images = match &before {
        Some(before) => before.seen.images.clone(),
        None => engine.images(&sought).await?,
    };
    let wanted = stack.wanted(&images, wish.restarts)?;
    let sought = Sought { images: sought, scope: Scope::wanted(&wanted) };
    let mut seen = match before.filter(|before| before.sought == sought) {
        Some(before) => before.seen,
        None => see(engine, &sought.scope, images, wish).await?,
    };
    let specs = wanted.services.values().flat_map(|service| &service.containers);
    let specs: BTreeMap<&str, &ContainerSpec> = specs.map(|spec| (spec.name.as_str(), spec)).collect();
    let unsure = |container: &&mut SeenContainer| {
        specs.get(spare::base(&container.name)).is_some_and(|spec| is_unsure(container, spec, wish))
    };
    let (mut labels_are_past, mut asked) = (false, false);
    for container in seen.containers.iter_mut().filter(unsure) {
        let inspected = engine.inspect(&container.id).await?;
        asked = true;
        let wanted =
            specs.get(spare::base(&container.name)).map(|spec| (spec.restart, spec.bounds())).unzip();
        labels_are_past |= (container.restart, container.bounds) != wanted;
        (container.restart, container.bounds) = (Some(inspected.restart), Some(inspected.bounds()));
    }
    let sought = (!asked).then_some(sought);
    Ok(Prepared { wanted, seen, contents: stack.contents, labels_are_past, sought })
}

/// The wanted state for the order of its services and their graces alone: all of them, without images and contents.
pub fn order_only(admitted: Admitted, wish: &Wish) -> Option<Wanted> {
    let profiles = BTreeSet::from(["*".to_owned()]);
    let stack = Stack::new(admitted, &wish.kernel, Contents::default(), profiles);
    stack.wanted(&BTreeMap::new(), wish.restarts).ok()
}

/// The engine's list does not tell what can be changed in place, and a request a container is too many: only where a
/// label says something else than is wanted, or somebody may have changed it, is the engine asked.
fn is_unsure(seen: &SeenContainer, spec: &ContainerSpec, wish: &Wish) -> bool {
    wish.restarts_unsure || seen.restart != Some(spec.restart) || seen.bounds != Some(spec.bounds())
}
