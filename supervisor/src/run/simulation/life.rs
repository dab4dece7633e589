//! One life of the loop on simulated time: the real decisions, the real executor, and a simulated engine.
//!
//! The shell's own loop in small: it carries out effects and brings back what comes of them. Deliberately absent: anything
//! that decides.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::super::effects::{self, Around};
use super::super::event::{Answering, Effect, Event, Fault, FaultKind, Now, ProbeEffect, Signal};
use super::super::journal::Memory;
use super::super::keep::Keep;
use super::super::tests::stack;
use super::super::touch::with_followers;
use super::super::watch::Watch;
use super::port::{Port, SimulatedMachine, answer, word};
use super::stacks::Mode;
use super::world::{Container, World};
use crate::apply::{self, Back};
use crate::decide::heal::{Phase, Silence};
use crate::decide::plan::Plan;
use crate::decide::seen::{Seen, SeenContainer, State};
use crate::decide::spare;
use crate::decide::spec::Wanted;
use crate::engine::{Engine as _, EngineEvent, EngineStream, EngineVersion};
use crate::serve::snapshot::Attestation;

/// Everything as it should be for so long is the end of a run.
const SETTLED: Duration = Duration::from_secs(95);

/// What outlives the process.
pub(super) struct Host {
    pub(super) world: Rc<RefCell<World>>,
    /// The stack's file.
    pub(super) text: RefCell<String>,
    pub(super) journal: RefCell<Memory>,
    pub(super) orders: Notify,
    pub(super) kill: Cell<bool>,
    pub(super) reload: Cell<bool>,
    /// Turns of the loop so far.
    pub(super) turns: Cell<u64>,
}

/// How a life ended.
pub(super) enum End {
    Killed,
    /// Everything is as it should be, and stays so.
    Settled(Box<Watch>),
    /// Time is over.
    Late(Box<Watch>),
}

impl Host {
    fn now(&self) -> Now {
        let mut world = self.world.borrow_mut();
        let jitter = world.dice.number();
        Now { boot: Duration::from_secs(1000) + world.now(), wall: world.wall(), jitter }
    }

    /// What it has refused and is down it may never start again.
    fn tell_of_refusals(&self, watch: &Watch) {
        let mut world = self.world.borrow_mut();
        for keep in watch.keeps.values().filter(|keep| matches!(keep.heal.phase, Phase::Refused { .. })) {
            if let Some(container) = keep.id().and_then(|id| world.find_mut(id)) {
                container.refused = !container.runs();
            }
        }
    }

    /// Runs until it is killed, or all is quiet, or `until`.
    pub(super) async fn live(&self, until: Duration) -> End {
        self.world.borrow_mut().lives += 1;
        let mut life = Life {
            host: self,
            port: Port::new(&self.world),
            under_way: FuturesUnordered::new(),
            events: None,
            refused: Rc::default(),
        };
        let mut watch = Box::new(Watch::new(self.now()));
        let mut at_home = false;
        let mut settled_since = None;
        let mut event = Event::Tick;
        loop {
            if matches!(event, Event::Loaded(Ok(_))) && !at_home {
                at_home = true;
                watch.remember(self.journal.borrow().clone());
            }
            let now = self.now();
            self.turns.set(self.turns.get() + 1);
            let effects = watch.take(event, now);
            life.refused.replace(watch.refused_containers());
            for effect in effects {
                life.carry_out(effect, now);
            }
            self.tell_of_refusals(&watch);
            if at_home {
                *self.journal.borrow_mut() = watch.to_remember();
            }
            let time = self.world.borrow().now();
            if !self.world.borrow().violations.is_empty() || time >= until {
                return End::Late(watch);
            }
            if !self.world.borrow().faulty && !self.reload.get() && is_settled(&watch) {
                if time >= *settled_since.get_or_insert(time) + SETTLED {
                    return End::Settled(watch);
                }
            } else {
                settled_since = None;
            }
            let pause = watch.deadline(now).saturating_sub(now.boot).max(Duration::from_millis(1));
            event = tokio::select! {
                biased;
                () = self.orders.notified() => {
                    if self.kill.replace(false) {
                        return End::Killed;
                    }
                    if self.reload.replace(false) { Event::Signal(Signal::Reload) } else { Event::Tick }
                }
                outcome = life.under_way.next(), if !life.under_way.is_empty() => outcome.unwrap_or(Event::Tick),
                heard = hear(&mut life.events) => heard,
                () = tokio::time::sleep(pause) => Event::Tick,
            };
            if matches!(event, Event::Deaf(_)) {
                life.events = None;
            }
        }
    }
}

/// Whether nothing is left to do, as far as the loop knows.
fn is_settled(watch: &Watch) -> bool {
    let is_calm = |keep: &Keep| match keep.heal.phase {
        // What it would need may be part of what waits.
        _ if watch.waiting.contains_key(&keep.spec.service) => true,
        // There is nothing to go back to, and it is healing's.
        _ if watch.rejected.is_some() && keep.is_of_another_file => true,
        Phase::Up { .. } | Phase::Stopped | Phase::Paused | Phase::Refused { ended: true, .. } => true,
        _ => false,
    };
    watch.converged && !watch.applying && watch.keeps.values().all(is_calm)
}

struct Life<'a> {
    host: &'a Host,
    port: Port,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Event>>,
    events: Option<EngineStream<EngineEvent>>,
    refused: Rc<RefCell<BTreeSet<String>>>,
}

impl Life<'_> {
    fn start(&mut self, effect: impl Future<Output = Event> + 'static) {
        self.under_way.push(Box::pin(effect));
    }

    fn carry_out(&mut self, effect: Effect, now: Now) {
        let world = Rc::clone(&self.port.world);
        let port = Port::new(&world);
        match effect {
            Effect::Say(say) => world.borrow_mut().say(|| format!("{}: {}", say.service, say.message)),
            Effect::Ready | Effect::End => {}
            Effect::Load => {
                let stack = stack(&self.host.text.borrow());
                self.start(std::future::ready(Event::Loaded(Ok(stack))));
            }
            Effect::Connect => {
                self.events = None;
                self.start(async move {
                    let version: Result<EngineVersion, _> = port.version().await;
                    let answering = version.map(|version| Answering { version, life: Some(port.life()) });
                    Event::Connected(answering.map_err(|error| effects::fault(&error)))
                });
            }
            Effect::Listen { project, since } => self.events = Some(port.events(&project, since)),
            Effect::Look { scope, images, known } => {
                let began = now.boot;
                let around = async move {
                    let world = world.borrow();
                    // What files hold, the simulated engine says itself.
                    let guard = Some(world.filter.look(&world.networks));
                    Around { guard, live: None, hooks: world.hooks() }
                };
                self.start(async move {
                    let look = effects::look_at(&port, around, &scope, &images, &known).await;
                    let outcome = look.map(Box::new).map_err(|error| effects::fault(&error));
                    Event::Looked { began, outcome }
                });
            }
            Effect::Apply { plan, wanted, before } => {
                let refused = Rc::clone(&self.refused);
                let machine = SimulatedMachine { world, attested: RefCell::default(), refused };
                self.start(async move { update(port, machine, &plan, &wanted, &before).await });
            }
            Effect::Start { name, id, spec, owes } => self.start(async move {
                if owes {
                    world.borrow_mut().owe(&id, true);
                }
                let outcome = match port.start(&id).await {
                    Ok(()) => port.inspect(&id).await,
                    Err(error) => Err(error),
                };
                let outcome = match outcome {
                    Err(error) => Err(effects::fault(&error)),
                    Ok(seen) if seen.pid.is_none() => {
                        Err(Fault { message: "it ended at once".to_owned(), kind: FaultKind::Ended })
                    }
                    Ok(seen) => {
                        let world = world.borrow();
                        let word = spec.map_or(Attestation::Unknown, |spec| word(&world, &spec, &id));
                        Ok(Box::new(effects::up(&seen, word)))
                    }
                };
                Event::Started { name, outcome }
            }),
            Effect::Stop { name, id, grace, .. } => {
                self.start(async move { effects::stop(&port, name, &id, grace).await });
            }
            Effect::Attest { name, id, spec } => self.start(async move {
                let seen = port.inspect(&id).await.ok();
                let settings = seen.as_ref().map(|seen| (seen.restart, seen.bounds()));
                let attestation = seen.map_or(Attestation::Unknown, |_| word(&world.borrow(), &spec, &id));
                Event::Attested { name, id, attestation, settings }
            }),
            Effect::Diagnose { name, id, .. } => {
                self.start(std::future::ready(Event::Diagnosed { name, id, diagnosis: None }));
            }
            Effect::Probe(probe) => self.start(async move { ask(world, *probe).await }),
        }
    }
}

async fn ask(world: Rc<RefCell<World>>, probe: ProbeEffect) -> Event {
    let failure = answer(&world, probe.address.ip(), probe.timeout).await.err();
    let ProbeEffect { name, id, startup, .. } = probe;
    let failure = failure.map(|reason| (reason, Silence::Silent));
    Event::Probed { name, id, startup, failure, took: Duration::from_millis(5) }
}

/// Carries out a plan; one that goes back on a quiet engine has to lead to what was there.
async fn update(port: Port, machine: SimulatedMachine, plan: &Plan, wanted: &Wanted, before: &Seen) -> Event {
    let world = Rc::clone(&machine.world);
    let disturbances = world.borrow().disturbances;
    let well: BTreeSet<String> = well(&world.borrow());
    let outcome = apply::update(&port, &machine, wanted, before, plan, &mut |_| {}).await;
    let mut world = world.borrow_mut();
    let went_back = outcome.as_ref().is_err_and(|error| matches!(error.back, Back::Done));
    world.say(|| {
        format!(
            "the plan ended: went back {went_back}, {:?}",
            outcome.as_ref().err().map(ToString::to_string)
        )
    });
    if went_back && world.disturbances == disturbances {
        // What it did not touch is healing's.
        let touched = with_followers(wanted, plan);
        let is_at_stake = |old: &&SeenContainer| touched.contains(spare::base(&old.name));
        // What an update that was not finished made goes with it, for what it put aside.
        let is_new = |old: &SeenContainer| {
            let aside = spare::previous(&old.name);
            before.containers.iter().any(|other| other.name == aside)
        };
        let ran = before.containers.iter().filter(|old| well.contains(&old.id) && !is_new(old));
        for old in ran.filter(is_at_stake) {
            let is_same = |c: &&Container| (&c.seen.service, c.seen.number) == (&old.service, old.number);
            // What was put aside because it is not confined stays down.
            let runs = world.containers.iter().filter(is_same).any(|c| c.runs() || c.refused);
            if old.project.as_deref() == Some("shop") && !runs {
                world.violation(format!("`{}` ran before an update that went back, and is down", old.name));
            }
        }
    }
    drop(world);
    effects::applied(outcome, machine.attested.into_inner())
}

/// What runs well, and does so until something happens to it.
fn well(world: &World) -> BTreeSet<String> {
    let is_well = |c: &&Container| c.seen.state == State::Running && c.mode == Mode::Good && !c.hung;
    world.containers.iter().filter(is_well).map(|c| c.seen.id.clone()).collect()
}

/// The next word of the engine; never, while nobody listens.
async fn hear(events: &mut Option<EngineStream<EngineEvent>>) -> Event {
    let Some(events) = events else { return std::future::pending().await };
    match Pin::new(events).next().await {
        Some(Ok(event)) => Event::Heard(event),
        Some(Err(error)) => Event::Deaf(effects::fault(&error)),
        None => Event::Deaf(Fault { message: "the engine hung up".to_owned(), kind: FaultKind::EngineAway }),
    }
}
