//! Executes a plan: one arm a step, in the order of the plan, independent steps at the same time.
//!
//! A step leaves nothing to choose. After a failure nothing more is started, what runs is finished, and what was made
//! stays for inspection. Deliberately absent: decisions, retries, printing.

mod command;
mod error;
mod hooks;
mod machine;
mod queue;
mod reload;
mod step;
mod update;
mod wait;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use compose::model::Probe;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

pub use error::{ApplyError, Back, Failed, PrepareError, StepError};
pub use machine::{Noted, ThisMachine};
use queue::{Queue, only_waits};
pub use update::update;

use crate::decide::guard::{GuardSpec, Ruleset};
use crate::decide::plan::{Plan, Reload, Step};
use crate::decide::seen::Seen;
use crate::decide::spec::{ContainerSpec, Wanted};
use crate::engine::{Engine, Inspected, Scope};
use crate::host::guard::GuardError;
use crate::host::live::Deed;
use crate::progress::{Phase, Progress, Subject};

/// At most so many steps at the same time; a step that waits for a service's health is not counted.
const AT_ONCE: usize = 16;

/// What a plan needs of this machine besides the engine.
#[allow(async_fn_in_trait, reason = "the shell is single-threaded: no future has to be Send")]
pub trait Machine {
    /// Loads a container's AppArmor profile and stages what it is given; the files by their path in the container.
    ///
    /// # Errors
    /// The profile does not load, or a file cannot be staged.
    fn prepare(
        &self,
        spec: &ContainerSpec,
        occasion: Occasion,
    ) -> Result<BTreeMap<String, PathBuf>, PrepareError>;

    /// Does this to the files of a container that it is given anew; whether that changed any.
    ///
    /// # Errors
    /// A file cannot be read or written.
    fn change(&self, reload: &Reload, deed: Deed) -> Result<bool, PrepareError>;

    /// Puts a guard into the host's packet filter in place of the one that is there, in one transaction.
    ///
    /// # Errors
    /// It cannot be set, or would guard nothing: the networks are elsewhere.
    fn guard(&self, ruleset: &Ruleset) -> Result<(), GuardError>;

    /// Puts a guard back by the script that set it.
    ///
    /// # Errors
    /// It cannot be set.
    fn reguard(&self, project: &str, ruleset: &str, script: &str) -> Result<(), GuardError>;

    /// Takes a project's guard out of the host's packet filter.
    ///
    /// # Errors
    /// It cannot be taken out.
    fn unguard(&self, project: &str) -> Result<(), GuardError>;

    /// Notes whether a container's `post_start` is owed.
    ///
    /// # Errors
    /// That cannot be noted.
    fn owe(&self, container: &str, owes: bool) -> Result<(), PrepareError>;

    /// Whether anything is taken away after a plan, so that somebody has to look what is there then.
    fn settles(&self) -> bool {
        true
    }

    /// Takes away what nothing uses any more now that all is as wanted; what cannot be taken away, in a sentence each.
    fn settle(&self, wanted: &Wanted, seen: &Seen) -> Vec<String>;

    /// Compares the kernel's word on a running container with its promise.
    ///
    /// # Errors
    /// What differs, one sentence each.
    async fn attest(&self, spec: &ContainerSpec, inspected: &Inspected) -> Result<(), Vec<String>>;

    /// The containers that must not be started, by engine id: they were refused, if need be while the plan is carried out.
    fn refused(&self) -> BTreeSet<String>;

    /// How often the kernel refused a process or thread to the container with this process 1 for its limit.
    fn pids_refused(&self, pid: u32) -> u64;

    /// Asks a service once, under this path of its probe.
    ///
    /// # Errors
    /// Why the answer is not the good one.
    async fn probe(&self, probe: &Probe, path: &str, address: IpAddr) -> Result<(), String>;
}

/// What a container is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It is about to be made.
    Creation,
    /// It was made before, and is about to be started.
    Start,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Steps that ended well.
    pub done: usize,
    /// What went wrong and does not matter enough to fail.
    pub warnings: Vec<String>,
}

/// How a step ended that did not fail.
pub(crate) enum Ended {
    /// As it should.
    Well,
    /// Well enough: said and passed over.
    Passed(String),
    /// Another step failed meanwhile.
    GivenUp,
}

/// What every step may use.
pub(crate) struct Context<'a, E, M> {
    pub(crate) engine: &'a E,
    pub(crate) machine: &'a M,
    pub(crate) wanted: &'a Wanted,
    /// When it began, so that no event after it is missed.
    pub(crate) began: Timestamp,
    pub(crate) progress: mpsc::UnboundedSender<Progress>,
    pub(crate) failed: watch::Receiver<bool>,
    /// Ids of images that were pulled in this plan, by the name in the file.
    pub(crate) pulled: RefCell<BTreeMap<String, String>>,
    /// Engine ids of containers that were made or renamed in this plan, by name: from then on a name may be another's.
    pub(crate) made: RefCell<BTreeMap<String, String>>,
    /// Engine ids of networks that were made in this plan, by name.
    pub(crate) made_networks: RefCell<BTreeMap<String, String>>,
    /// Containers whose profile is loaded and whose contents are staged.
    pub(crate) prepared: RefCell<BTreeSet<String>>,
}

impl<E, M> Context<'_, E, M> {
    /// The id of a container of this plan, by its name; an id, or a name that is not of this plan, is itself.
    pub(crate) fn id_of(&self, name: &str) -> String {
        self.made.borrow().get(name).map_or(name, String::as_str).to_owned()
    }
}

/// Executes a plan. An empty one makes no request.
///
/// # Errors
/// Every step that failed, with what was not begun for it.
pub async fn apply<E: Engine, M: Machine>(
    engine: &E,
    machine: &M,
    wanted: &Wanted,
    plan: &Plan,
    report: &mut dyn FnMut(Progress),
) -> Result<Applied, ApplyError> {
    let (progress, mut reports) = mpsc::unbounded_channel();
    let (fail, failed) = watch::channel(false);
    let context = Context {
        engine,
        machine,
        wanted,
        began: Timestamp::now(),
        progress,
        failed,
        prepared: RefCell::default(),
        pulled: RefCell::default(),
        made: RefCell::default(),
        made_networks: RefCell::default(),
    };
    let mut queue = Queue::new(plan);
    let mut applied = Applied::default();
    let mut failures = Vec::new();
    let mut running = FuturesUnordered::new();
    let mut working = 0;
    loop {
        let is_over = !failures.is_empty() && !plan.keeps_going;
        while !is_over && let Some(index) = queue.begin(working < AT_ONCE) {
            let Some(planned) = plan.steps.get(index) else { continue };
            let waits = only_waits(&planned.step);
            working += usize::from(!waits);
            report(progress_of(index, &planned.step, Phase::Working(words(&planned.step).1)));
            let context = &context;
            running.push(async move { (index, waits, step::run(context, index, &planned.step).await) });
        }
        let (index, waits, outcome) = tokio::select! {
            biased;
            Some(line) = reports.recv() => {
                report(line);
                continue;
            }
            ended = running.next() => match ended {
                Some(ended) => ended,
                None => break,
            },
        };
        working -= usize::from(!waits);
        let Some(planned) = plan.steps.get(index) else { continue };
        let phase = match outcome {
            Ok(Ended::Well) => {
                applied.done += 1;
                queue.ended_well(plan, index);
                Phase::Done(words(&planned.step).2)
            }
            Ok(Ended::Passed(why)) => {
                applied.done += 1;
                queue.ended_well(plan, index);
                applied.warnings.push(why.clone());
                Phase::Passed(why)
            }
            Ok(Ended::GivenUp) => Phase::Left,
            Err(error) => {
                let text = error.to_string();
                failures.push(Failed { step: index, subject: subject(&planned.step), error });
                let _ = fail.send(!plan.keeps_going);
                Phase::Failed(text)
            }
        };
        report(progress_of(index, &planned.step, phase));
    }
    while let Ok(line) = reports.try_recv() {
        report(line);
    }
    if failures.is_empty() {
        if !plan.steps.is_empty()
            && machine.settles()
            && let Some(seen) = all_is_wanted(engine, wanted).await
        {
            applied.warnings.extend(machine.settle(wanted, &seen));
        }
        return Ok(applied);
    }
    let left = queue.left().filter_map(|index| plan.steps.get(index)).map(|p| subject(&p.step)).collect();
    Err(ApplyError { failures, done: applied.done, left, back: Back::No })
}

/// What is there, if every container of the project is as wanted. Another one may wait, stopped, to come back if its successor
/// fails: what it was given has to stay.
async fn all_is_wanted<E: Engine>(engine: &E, wanted: &Wanted) -> Option<Seen> {
    let seen = engine.observe(&Scope::project(&wanted.project)).await.ok()?;
    let specs = wanted.services.values().flat_map(|service| &service.containers);
    let names: BTreeSet<&str> = specs.map(|spec| spec.name.as_str()).collect();
    let ours = seen.containers.iter().filter(|c| c.project.as_ref() == Some(&wanted.project));
    let all = ours.into_iter().all(|container| names.contains(container.name.as_str()));
    all.then_some(seen)
}

pub(crate) fn progress_of(step: usize, of: &Step, phase: Phase) -> Progress {
    Progress { step, subject: subject(of), phase }
}

pub(crate) fn subject(step: &Step) -> Subject {
    let (kind, name) = match step {
        Step::Pull { image } => ("image", image),
        Step::CreateNetwork(shape) => ("network", &shape.name),
        Step::RemoveNetwork { name, .. } => ("network", name),
        Step::Guard(GuardSpec { project, .. })
        | Step::Reguard { project, .. }
        | Step::Unguard { project } => ("guard", project),
        Step::CreateVolume(spec) => ("volume", &spec.name),
        Step::RemoveVolume { name } => ("volume", name),
        Step::Delay { service, .. } => ("service", service),
        Step::Reload(reload) | Step::Unreload { reload, .. } => ("container", &reload.name),
        Step::Await(wait) => ("service", &wait.service),
        Step::Create { name, .. }
        | Step::Start { name, .. }
        | Step::PostStart { name, .. }
        | Step::PreStop { name, .. }
        | Step::Stop { name, .. }
        | Step::Remove { name, .. }
        | Step::Unpause { name, .. }
        | Step::SetRestart { name, .. }
        | Step::SetBounds { name, .. }
        | Step::Settle { name, .. }
        | Step::Connect { name, .. }
        | Step::Rejoin { name, .. }
        | Step::Disconnect { name, .. }
        | Step::Rename { name, .. } => ("container", name),
    };
    Subject { kind, name: name.clone() }
}

/// What a step is called: in the plan, while it goes on, and when it is done.
pub(crate) fn words(step: &Step) -> (&'static str, &'static str, &'static str) {
    use compose::model::Condition;
    match step {
        Step::Pull { .. } => ("pull", "Pulling", "Pulled"),
        Step::CreateNetwork(_) | Step::CreateVolume(_) | Step::Create { .. } => {
            ("create", "Creating", "Created")
        }
        Step::Delay { .. } => ("rest after", "Resting", "Rested"),
        Step::Guard(_) | Step::Reguard { .. } => ("set", "Setting", "Set"),
        Step::RemoveNetwork { .. }
        | Step::RemoveVolume { .. }
        | Step::Remove { .. }
        | Step::Unguard { .. } => ("remove", "Removing", "Removed"),
        Step::Start { .. } => ("start", "Starting", "Started"),
        Step::PostStart { .. } => ("run `post_start` of", "Running `post_start`", "Ran `post_start`"),
        Step::PreStop { .. } => ("run `pre_stop` of", "Running `pre_stop`", "Ran `pre_stop`"),
        Step::Await(wait) => match wait.condition {
            Condition::Started => ("wait for", "Waiting", "Running"),
            Condition::Healthy => ("wait for", "Waiting", "Healthy"),
            Condition::Completed => ("wait for", "Waiting", "Completed"),
        },
        Step::Stop { .. } => ("stop", "Stopping", "Stopped"),
        Step::Unpause { .. } => ("unpause", "Unpausing", "Unpaused"),
        Step::SetRestart { .. } | Step::SetBounds { .. } => ("change", "Changing", "Changed"),
        Step::Reload(_) => ("reload", "Reloading", "Reloaded"),
        Step::Unreload { .. } => {
            ("put back the configs of", "Putting back the configs of", "Configs put back of")
        }
        Step::Settle { .. } => ("settle the configs of", "Settling the configs of", "Configs settled of"),
        Step::Connect { .. } | Step::Rejoin { .. } => ("connect", "Connecting", "Connected"),
        Step::Disconnect { .. } => ("disconnect", "Disconnecting", "Disconnected"),
        Step::Rename { .. } => ("rename", "Renaming", "Renamed"),
    }
}

/// A step in a sentence: `create container shop-web-1: it is not there`.
pub fn sentence(planned: &crate::decide::plan::Planned) -> String {
    format!("{} {}: {}", words(&planned.step).0, subject(&planned.step), planned.reason)
}
