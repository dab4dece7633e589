//! The plan's shape: steps, each complete, with its reason and what it waits for.
//!
//! Deliberately absent: how a plan is made (`up`, `down`, `existing`), and carrying it out.

mod again;
mod choice;
mod down;
mod draft;
mod existing;
mod ground;
mod guard;
mod in_place;
mod judge;
mod networks;
mod order;
#[cfg(test)]
mod properties;
mod reload;
mod rollback;
mod slot;
#[cfg(test)]
mod tests;
mod up;
mod update;

use std::collections::BTreeMap;
use std::time::Duration;

pub use again::{Again, FULL_LOOK, again};
pub use choice::{Choice, Dependencies, Orphans, Recreate, Standing};
pub use down::{Volumes, down};
pub use existing::{restart, restart_alone, start, stop};
pub use guard::guard_alone;
pub use judge::runs_to_its_end;
pub use rollback::{back, goes_back, promised_before};
pub use up::{plan, plan_with, readiness};

use serde::Serialize;

use super::guard::GuardSpec;
use super::hooks::Hook;
use super::live::LiveFile;
use super::spec::{AttachSpec, Await, Bounds, ContainerSpec, NetworkShape, Restart, VolumeSpec};

/// What to do, in an order that is safe to follow one by one, and what is left as it is.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// The steps. A step runs once those named in `after` have ended well.
    pub steps: Vec<Planned>,
    /// What stays, and why.
    pub kept: Vec<Kept>,
    /// Services that are left as they are until something that is in nobody's plan has come true, and what that is.
    pub waiting: BTreeMap<String, String>,
    /// What was seen and is not ours to change, or cannot be put right.
    pub warnings: Vec<String>,
    /// What makes the plan impossible. Then there are no steps: nothing is begun that cannot be finished.
    pub blocked: Vec<String>,
    /// The plan is an update: a failure before this step takes back what it changed. From it on, everything is proved,
    /// and what was kept for the way back is removed.
    pub tidy_from: Option<usize>,
    /// What becomes, on the way back, of what the plan changes in place.
    pub standing: Standing,
    /// A failed step holds up those alone that come after it.
    pub keeps_going: bool,
}

impl Plan {
    /// Whether there is nothing to do, and nothing in the way.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.blocked.is_empty()
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What is done.
    pub step: Step,
    /// Why, in a sentence for people.
    pub reason: String,
    /// Indices of steps that come first, all smaller than its own.
    pub after: Vec<usize>,
}

/// Something that is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// `container`, `network` or `volume`.
    pub kind: &'static str,
    /// Engine name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// One action, with nothing left to choose.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Fetch an image that is not on the engine. The specs that wait for it have no image id yet: it is taken from
    /// the engine's answer before they are created, so that their hash covers what they really run.
    Pull {
        /// Image as the file says it.
        image: String,
    },
    /// Create a network.
    CreateNetwork(NetworkShape),
    /// Remove a network of ours, or one of Docker Compose that ours takes the place of.
    RemoveNetwork {
        /// Engine id, or its name where this plan makes it.
        id: String,
        /// Engine name.
        name: String,
    },
    /// Put the guard of this stack into the host's packet filter, over the networks that are there then.
    Guard(GuardSpec),
    /// Put a guard back as it was.
    Reguard {
        /// Project name.
        project: String,
        /// What its table says that it was made of.
        ruleset: String,
        /// The script that sets it.
        script: String,
        /// Bridges that are called otherwise by now, with the network of each: it was made again.
        moved: BTreeMap<String, String>,
    },
    /// Take the project's guard out of the host's packet filter.
    Unguard {
        /// Project name.
        project: String,
    },
    /// Create a volume.
    CreateVolume(VolumeSpec),
    /// Remove a volume of ours; only ever asked for by `down --volumes`.
    RemoveVolume {
        /// Engine name.
        name: String,
    },
    /// Load the AppArmor profile, stage contents, create the container.
    Create {
        /// What it is.
        spec: Box<ContainerSpec>,
        /// Engine name: its own, or that of a successor that has not taken over.
        name: String,
    },
    /// Start a container, then attest it against its promise.
    Start {
        /// Engine id; `None` where this plan makes it. A name may be somebody else's by then.
        id: Option<String>,
        /// Engine name.
        name: String,
        /// Service.
        service: String,
        /// Its `post_start` is owed from here on.
        owes: bool,
    },
    /// Run a container's `post_start`, one after the other, each with [`LONGEST`](super::hooks::LONGEST). One that fails
    /// is a failed start.
    PostStart {
        /// Engine id; `None` where this plan makes it.
        id: Option<String>,
        /// Engine name.
        name: String,
        /// Service.
        service: String,
        /// What is run.
        commands: Vec<Hook>,
    },
    /// Run a container's `pre_stop`, one after the other. It is stopped whatever becomes of them.
    PreStop {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// What is run.
        commands: Vec<Hook>,
        /// For all of them.
        within: Duration,
    },
    /// Wait until a service is as wanted.
    Await(Await),
    /// Let time pass between two batches of an update.
    Delay {
        /// Service.
        service: String,
        /// How long.
        delay: Duration,
    },
    /// Signal, wait, kill.
    Stop {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// From the signal to the kill.
        grace: Duration,
    },
    /// Remove a stopped container of ours, its anonymous volumes kept.
    Remove {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
    },
    /// Let a frozen container go on.
    Unpause {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
    },
    /// Change the engine's restart policy in place.
    SetRestart {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// The policy.
        restart: Restart,
    },
    /// Change bounds in place.
    SetBounds {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// The bounds.
        bounds: Bounds,
    },
    /// Write other contents into the files of a running container, and tell it so, without a restart.
    Reload(Box<Reload>),
    /// Put back what its files held before, where that is kept, and tell it if it runs.
    Unreload {
        /// Whom, and how.
        reload: Box<Reload>,
        /// It runs.
        runs: bool,
    },
    /// Forget what a container's files held before.
    Settle {
        /// Engine name.
        name: String,
        /// Its files.
        files: Vec<LiveFile>,
    },
    /// Put a container on a network.
    Connect {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// The network's engine name.
        network: String,
        /// Its place there.
        at: AttachSpec,
    },
    /// Put a container that is down on the network of this name in the place of one of that name that is gone, as it was
    /// on that.
    Rejoin {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// The network's engine name.
        network: String,
    },
    /// Take a container off a network.
    Disconnect {
        /// Engine id.
        id: String,
        /// Engine name.
        name: String,
        /// The network's engine name.
        network: String,
    },
    /// Give a container another name.
    Rename {
        /// Engine id, or its name where this plan makes it.
        id: String,
        /// Engine name.
        name: String,
        /// Its name from then on.
        to: String,
    },
}

/// How a running container is told that its configs have other contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Engine id.
    pub id: String,
    /// Engine name.
    pub name: String,
    /// Service.
    pub service: String,
    /// Its files.
    pub files: Vec<LiveFile>,
    /// What they are to hold: SHA-256 by `config/KEY`.
    pub contents: BTreeMap<String, String>,
    /// Signal name.
    pub signal: String,
    /// A command in the container that ends with 0 where it can take them, before the signal; empty: none.
    pub check: Vec<String>,
    /// What its output says once it has taken them.
    pub logs: Option<String>,
}

/// How long the command that judges new contents may take.
pub const CHECK: Duration = Duration::from_secs(30);
/// From the signal to what a program's output says once it has taken them.
pub const TOLD: Duration = Duration::from_secs(10);

impl Reload {
    /// How long it may take.
    pub fn most(&self) -> Duration {
        let check = if self.check.is_empty() { Duration::ZERO } else { CHECK };
        check + if self.logs.is_some() { TOLD } else { Duration::ZERO }
    }
}
