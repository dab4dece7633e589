//! What can happen to the loop, and what the loop can ask for. Both closed: nothing else reaches it or leaves it.
//!
//! Deliberately absent: how an effect is brought about (`shell`), and what follows from an event (`watch`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::diagnose::Diagnosis;
use crate::decide::heal::Silence;
use crate::decide::plan::Plan;
use crate::decide::seen::{Seen, SeenImage};
use crate::decide::spec::{Bounds, ContainerSpec, Restart, Wanted};
use crate::engine::{EngineEvent, EngineVersion, Scope};
use crate::pipeline::Stack;
use crate::serve::snapshot::{Attestation, Refusal};

/// The time of a turn, and a number that nobody can foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since the machine booted: never jumps, and outlives the process.
    pub boot: Duration,
    /// By the calendar, for people alone.
    pub wall: Timestamp,
    /// For the jitter of back-offs.
    pub jitter: u64,
}

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Answering {
    /// Who it is.
    pub version: EngineVersion,
    /// What each of its runs has of its own, where it tells.
    pub life: Option<String>,
}

/// The kernel's word on a container, and the bounds on both sides of the comparison.
#[derive(Clone, Debug)]
pub struct Word {
    /// Engine id.
    pub id: String,
    /// The word.
    pub attestation: Attestation,
    /// The bounds that it was compared with.
    pub promised: Bounds,
    /// Those that the engine told of it; `None`: nobody asked.
    pub seen: Option<Bounds>,
}

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// The stack's file was read.
    Loaded(Result<Box<Stack>, Refusal>),
    /// The engine was called.
    Connected(Result<Answering, Fault>),
    /// A full look at the engine ended.
    Looked {
        /// When it began: whatever happened since is newer than what it saw.
        began: Duration,
        /// What it saw.
        outcome: Result<Box<Look>, Fault>,
    },
    /// The engine tells of a container.
    Heard(EngineEvent),
    /// The engine's event stream ended.
    Deaf(Fault),
    /// A plan ended.
    Applied {
        /// The kernel's word on each container that it started, by engine name.
        attested: BTreeMap<String, Word>,
        /// Why it stopped before its end.
        outcome: Result<(), Fault>,
        /// It was an update, and what it led to does not work: it was taken back, or is to be.
        rejected: bool,
    },
    /// A container was started by [`Effect::Start`].
    Started {
        /// Engine name.
        name: String,
        /// The running container.
        outcome: Result<Box<Up>, Fault>,
    },
    /// A container was stopped by [`Effect::Stop`].
    Stopped {
        /// Engine name.
        name: String,
        /// Why it was not.
        outcome: Result<(), Fault>,
    },
    /// A running container that was met was compared with its promise.
    Attested {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// The kernel's word.
        attestation: Attestation,
        /// What the engine says now of what can be changed in place, if it was asked.
        settings: Option<(Restart, Bounds)>,
    },
    /// A container that ended was looked at by [`Effect::Diagnose`].
    Diagnosed {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// Why it ended, if that is understood.
        diagnosis: Option<Diagnosis>,
    },
    /// A probe was answered, or not.
    Probed {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// Whether it was the probe's `startup` path.
        startup: bool,
        /// What came instead, and how dead it looked.
        failure: Option<(String, Silence)>,
        /// How long it took.
        took: Duration,
    },
    /// Who asks for a service for himself now, if anybody does.
    Asked(Option<Asked>),
    /// A signal to this process.
    Signal(Signal),
    /// Time has passed.
    Tick,
}

/// Somebody who wants a service for himself, such as a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In words: his process and command.
    pub holder: String,
    /// Which service.
    pub service: String,
}

/// Signals that mean something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the file again.
    Reload,
    /// SIGTERM or SIGINT: end, and leave the containers running.
    End,
}

/// What the outside world refused, in words, and whether the engine itself is out of reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// For people: the error and its causes.
    pub message: String,
    /// What it means for the loop.
    pub kind: FaultKind,
}

/// What a fault means for the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The engine does not answer: everything waits for it.
    EngineAway,
    /// The container is not there any more.
    Gone,
    /// The container ended before anything could be said of it; the engine's events tell how.
    Ended,
    /// Anything else.
    Other,
}

/// One full look at the engine.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What is there.
    pub seen: Seen,
    /// Of running containers that were not known yet, by engine id.
    pub met: BTreeMap<String, Up>,
    /// How long it took.
    pub took: Duration,
}

/// A running container, closer than a look shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Up {
    /// Engine id.
    pub id: String,
    /// When process 1 began.
    pub started_at: Timestamp,
    /// Process 1, as the host numbers it.
    pub pid: Option<u32>,
    /// Where a probe reaches it.
    pub address: Option<std::net::IpAddr>,
    /// The engine's restart policy, which its list does not tell.
    pub restart: Restart,
    /// Its bounds, which it does not tell either.
    pub bounds: Bounds,
    /// The kernel's word, where it was asked.
    pub attestation: Attestation,
}

/// Something to bring about. All but the last three end in an [`Event`].
#[derive(Clone, Debug)]
pub enum Effect {
    /// Read the stack's file: [`Event::Loaded`].
    Load,
    /// Call the engine, anew if need be: [`Event::Connected`].
    Connect,
    /// Hear its events from then on, in place of any stream before: [`Event::Heard`] and [`Event::Deaf`].
    Listen {
        /// Of this project.
        project: String,
        /// `None`: from now on.
        since: Option<Timestamp>,
    },
    /// Look at everything: [`Event::Looked`].
    Look {
        /// What it is about.
        scope: Scope,
        /// Images whose ids are not known.
        images: BTreeSet<String>,
        /// Running containers that are known already, by engine id.
        known: BTreeSet<String>,
    },
    /// Carry out a plan: [`Event::Applied`].
    Apply {
        /// The steps.
        plan: Rc<Plan>,
        /// What it leads to.
        wanted: Rc<Wanted>,
        /// What it was made of.
        before: Rc<Seen>,
    },
    /// Start a container and attest it: [`Event::Started`].
    Start {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// Its promise; `None` where it was made of another file than the one that is read.
        spec: Option<Rc<ContainerSpec>>,
        /// Its `post_start` is owed from then on: the next plan runs it.
        owes: bool,
    },
    /// Stop a container: [`Event::Stopped`].
    Stop {
        /// Engine name.
        name: String,
        /// Service.
        service: String,
        /// Engine id.
        id: String,
        /// From the signal to the kill.
        grace: Duration,
    },
    /// Compare a running container with its promise: [`Event::Attested`].
    Attest {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// Its promise.
        spec: Rc<ContainerSpec>,
    },
    /// Find out why a container ended: [`Event::Diagnosed`].
    Diagnose {
        /// Engine name.
        name: String,
        /// Engine id.
        id: String,
        /// Its promise.
        spec: Rc<ContainerSpec>,
        /// The code that it ended with.
        code: i64,
        /// The kernel killed it for its memory.
        out_of_memory: bool,
    },
    /// Ask a container how it is: [`Event::Probed`].
    Probe(Box<ProbeEffect>),
    /// Tell people.
    Say(Say),
    /// The stack is as wanted, for the first time.
    Ready,
    /// End the process.
    End,
}

/// One probe to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEffect {
    /// Engine name.
    pub name: String,
    /// Engine id.
    pub id: String,
    /// Process 1, to tell a frozen container from a silent one.
    pub pid: Option<u32>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Path.
    pub path: Rc<str>,
    /// Whether that is the probe's `startup` path.
    pub startup: bool,
    /// The body has to contain it.
    pub body: Option<Rc<str>>,
    /// For the whole answer.
    pub timeout: Duration,
}

/// One line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// How much it weighs.
    pub level: Level,
    /// The service that it is about; empty for the stack.
    pub service: String,
    /// In a sentence.
    pub message: String,
}

/// How much a line weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Something is wrong and dealt with.
    Warn,
    /// Something is wrong and needs a hand.
    Error,
}

/// Of the images of a look, those that were there.
pub type Images = BTreeMap<String, SeenImage>;
