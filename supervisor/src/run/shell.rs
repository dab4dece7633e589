//! The loop itself: brings events to `watch`, carries out its effects, and tells everyone how it is.
//!
//! One owner of everything under way: dropping the loop ends it all, and leaves the containers as they are.
//! Deliberately absent: decisions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use profiles::Kernel;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::watch as channel;

use super::control_plane::{ControlPlane, Recipient, Told};
use super::denials::Denials;
use super::egress::Egress;
use super::event::{Answering, Asked, Effect, Event, Fault, FaultKind, Level, Now, Say, Signal};
use super::journal::Journal;
use super::last_lines::{self, LastLines};
use super::notify::Notify;
use super::ports::Ports;
use super::stack;
use super::watch::Watch;
use super::{clock, effects, view};
use crate::args::GlobalArgs;
use crate::decide::egress::Counted;
use crate::engine::{Docker, EngineEvent, EngineStream};
use crate::host::contents::{self, Contents};
use crate::host::lent;
use crate::host::lock::{self, Lock, LockError};
use crate::host::state::{self, StateError};
use crate::observe::denials::Sources;
use crate::observe::egress::counts;
use crate::pipeline::Stack;
use crate::privileged::Rights;
use crate::serve::snapshot::Snapshot;

/// How often whoever has a service in hand is looked after.
const LENT_LOOK: Duration = Duration::from_millis(500);

/// What the loop is started with.
#[derive(Debug)]
pub struct Options<'a> {
    /// Which stack.
    pub global: &'a GlobalArgs,
    /// The engine's socket.
    pub socket: PathBuf,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// What this machine's kernel offers.
    pub kernel: Kernel,
    /// Who carries out what needs the machine's rights.
    pub rights: Rights,
    /// On which denials are heard.
    pub denials: Sources,
    /// To the endpoint, once a turn.
    pub snapshots: channel::Sender<Arc<Snapshot>>,
    /// Why the endpoint does not answer everywhere where it is to.
    pub unserved: channel::Receiver<Vec<String>>,
    /// Whom to tell of the stack, or why nobody can be.
    pub control_plane: Result<Option<Recipient>, String>,
}

/// Why the loop cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The project's state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process keeps the project.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Signals cannot be heard.
    #[error("cannot hear signals")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::State(error) => error.help(),
            Self::Lock(error) => error.help(),
            Self::Signals(_) => "the machine is out of file descriptors or memory".into(),
        }
    }
}

/// Keeps a stack until SIGTERM or SIGINT. The containers stay.
///
/// # Errors
/// Another process keeps the project, or its state folder cannot be used.
pub async fn run(mut options: Options<'_>) -> Result<(), RunError> {
    let control_plane = std::mem::replace(&mut options.control_plane, Ok(None));
    let sources = std::mem::take(&mut options.denials);
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let now = clock::now();
    let mut shell = Shell {
        watch: Watch::new(now),
        under_way: FuturesUnordered::new(),
        events: None,
        engine: None,
        home: None,
        contents: Rc::default(),
        refused: Rc::default(),
        notify: Notify::from_env(),
        last_lines: LastLines::default(),
        ports: Ports::new(options.rights.clone()),
        egress: Egress::default(),
        denials: Denials::hear(sources, options.kernel.arch, options.rights.clone()),
        control_plane: ControlPlane::new(control_plane),
        started_at: now.wall,
        longest_turn: Duration::ZERO,
        options,
    };
    shell.turn(Event::Tick)?;
    loop {
        let pause = shell.pause();
        let event = tokio::select! {
            biased;
            signal = signals.next() => Event::Signal(signal),
            outcome = shell.under_way.next(), if !shell.under_way.is_empty() => match outcome {
                Some(outcome) => shell.receive(outcome),
                None => Event::Tick,
            },
            heard = hear(&mut shell.events) => match heard {
                Ok(event) => {
                    if shell.last_lines.hear(&event) {
                        let service = event.service.clone().unwrap_or_default();
                        shell.ask_for_last_lines(event.name.clone(), service);
                    }
                    Event::Heard(event)
                }
                Err(fault) => {
                    shell.events = None;
                    Event::Deaf(fault)
                }
            },
            denied = shell.denials.next() => {
                shell.denials.take(&denied, &shell.watch);
                Event::Tick
            }
            () = tokio::time::sleep(pause) => Event::Tick,
        };
        if shell.turn(event)? {
            return Ok(());
        }
    }
}

struct Shell<'a> {
    options: Options<'a>,
    watch: Watch,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Outcome>>,
    events: Option<EngineStream<EngineEvent>>,
    engine: Option<Rc<Docker>>,
    home: Option<Home>,
    contents: Rc<Contents>,
    /// The containers that are refused by now, for plans that are under way.
    refused: Rc<RefCell<BTreeSet<String>>>,
    notify: Notify,
    last_lines: LastLines,
    ports: Ports,
    egress: Egress,
    denials: Denials,
    control_plane: ControlPlane,
    started_at: Timestamp,
    longest_turn: Duration,
}

/// The project's folder, held while this process keeps the project.
struct Home {
    folder: Rc<PathBuf>,
    /// Who was told last that he has a service in hand.
    answered: Option<String>,
    /// Something was told since this process started.
    has_answered: bool,
    journal: Journal,
    _lock: Lock,
}

/// What came of an effect.
enum Outcome {
    Event(Event),
    /// What a container wrote last: its name, its service, the lines.
    LastLines(String, String, Vec<String>),
    /// What the egress proxy counted.
    Counts(Option<Counted>),
    /// What the control plane said.
    Told(Told),
    Connected(Rc<Docker>, Answering),
}

impl Shell<'_> {
    /// One turn, to its end. `true` is the last one.
    fn turn(&mut self, event: Event) -> Result<bool, RunError> {
        if let Event::Loaded(Ok(stack)) = &event {
            self.settle(stack)?;
        }
        if let Event::Signal(Signal::Reload) = event {
            self.notify.reloading();
        }
        let loaded = matches!(event, Event::Loaded(_));
        let applied = matches!(event, Event::Applied { .. });
        let (now, began) = (clock::now(), Instant::now());
        let mut last = false;
        let mut effects = self.asked(now);
        effects.extend(self.watch.take(event, now));
        self.refused.replace(self.watch.refused_containers());
        for effect in effects {
            last |= matches!(effect, Effect::End);
            self.carry_out(effect);
        }
        if loaded {
            self.notify.reloaded();
        }
        if loaded || applied {
            self.take_contents();
        }
        if let Some(proxy) = self.egress.due(&self.watch, now.boot) {
            self.under_way.push(Box::pin(async move { Outcome::Counts(counts(proxy).await.ok()) }));
        }
        self.answer();
        self.publish(now, began, last);
        Ok(last)
    }

    /// Somebody may ask for a service, or have ended.
    fn asked(&mut self, now: Now) -> Vec<Effect> {
        let asked = self.home.as_ref().and_then(|home| lent::asked(&home.folder));
        let asked = asked.map(|(holder, service)| Asked { holder, service });
        if asked == self.watch.lend.asked { Vec::new() } else { self.watch.take(Event::Asked(asked), now) }
    }

    /// Whoever has asked for a service is told that it is his; whoever gave it back, that all is as wanted again.
    fn answer(&mut self) {
        let Some(home) = &mut self.home else { return };
        let holder = match &self.watch.lend.lent {
            Some(lent) => Some(lent.holder.clone()),
            None if self.watch.converged => None,
            None => return,
        };
        if home.has_answered && home.answered == holder {
            return;
        }
        match lent::answer(&home.folder, holder.as_deref()) {
            Ok(()) => (home.answered, home.has_answered) = (holder, true),
            Err(error) => tracing::warn!(%error, "the answer to who asked for a service cannot be written"),
        }
    }

    /// The first stack that is read names the project: its folder is taken, and what was remembered is recalled.
    fn settle(&mut self, stack: &Stack) -> Result<(), RunError> {
        if self.home.is_some() {
            return Ok(());
        }
        let folder = state::project(self.options.state_dir.as_deref(), stack.project())?;
        let lock = lock::take(&folder, stack.project(), "run")?;
        // What `up` remembers of the engine is past once this changes it.
        if let Err(error) = crate::host::ground::write(&folder, None) {
            tracing::warn!(%error, "cannot forget what the stack stood on");
        }
        let (journal, remembered, error) = Journal::open(&folder, clock::boot_id());
        if let Some(error) = error {
            tracing::warn!(%error, "the journal cannot be read, and is begun anew");
        }
        self.watch.remember(remembered);
        self.control_plane.settle(&folder, clock::now());
        self.home =
            Some(Home { folder: Rc::new(folder), answered: None, has_answered: false, journal, _lock: lock });
        Ok(())
    }

    /// The stack in force may be another than before.
    fn take_contents(&mut self) {
        if let Some(stack) = &self.watch.stack {
            self.contents = Rc::new(stack.contents().clone());
        }
    }

    fn publish(&mut self, now: Now, began: Instant, last: bool) {
        if let Some(home) = &mut self.home
            && let Err(error) = home.journal.write(self.watch.to_remember())
        {
            tracing::warn!(%error, "the journal cannot be written");
        }
        let mut snapshot = view::snapshot(&self.watch, self.started_at, now);
        snapshot.kernel = Some(self.options.kernel.into());
        self.last_lines.show(&mut snapshot);
        snapshot.reasons.extend(self.options.unserved.borrow().iter().cloned());
        self.ports.turn(&self.watch, &mut snapshot);
        self.egress.show(&mut snapshot);
        self.denials.show(&mut snapshot);
        for call in self.control_plane.turn(&self.watch, &snapshot, now) {
            self.under_way.push(Box::pin(async move { Outcome::Told(call.await) }));
        }
        self.control_plane.show(&mut snapshot, now);
        self.notify.status(view::status_line(&snapshot));
        let took = began.elapsed();
        self.longest_turn = self.longest_turn.max(took);
        snapshot.turn_seconds = took.as_secs_f64();
        snapshot.longest_turn_seconds = self.longest_turn.as_secs_f64();
        self.options.snapshots.send_replace(Arc::new(snapshot));
        if last {
            return Notify::stopping();
        }
        self.notify.turned(Instant::now());
    }

    /// How long to wait if nothing happens. Never nothing at all: a mistake in a deadline must not burn a core.
    fn pause(&self) -> Duration {
        let now = clock::now();
        let due = self.watch.deadline(now).saturating_sub(now.boot).max(Duration::from_millis(1));
        // Whoever has a service in hand may end at any time without a word.
        let due = if self.watch.lend.lent.is_some() { due.min(LENT_LOOK) } else { due };
        self.notify.pause().map_or(due, |pause| due.min(pause))
    }

    fn receive(&mut self, outcome: Outcome) -> Event {
        match outcome {
            Outcome::Event(event) => event,
            Outcome::LastLines(container, service, lines) => {
                for line in &lines {
                    tracing::warn!(service, "`{container}` wrote: {line}");
                }
                self.last_lines.keep(container, lines);
                Event::Tick
            }
            Outcome::Counts(counted) => {
                self.egress.heard(counted);
                Event::Tick
            }
            Outcome::Told(told) => {
                self.control_plane.told(told, clock::now());
                Event::Tick
            }
            Outcome::Connected(engine, answering) => {
                self.engine = Some(engine);
                Event::Connected(Ok(answering))
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Say(line) => return say(&line),
            Effect::Ready => return self.ready(),
            Effect::End => return,
            Effect::Load => {
                let loaded = Event::Loaded(stack::load(
                    self.options.global,
                    self.options.kernel,
                    &self.options.rights,
                ));
                return self.start(std::future::ready(loaded));
            }
            Effect::Connect => return self.connect(),
            Effect::Probe(probe) => {
                let rights = self.options.rights.clone();
                return self.start(async move { effects::ask(&rights, *probe).await });
            }
            _ => {}
        }
        let (Some(engine), Some(home)) = (self.engine.clone(), &self.home) else { return };
        let place = effects::Place {
            rights: self.options.rights.clone(),
            socket: Rc::new(self.options.socket.clone()),
            folder: Rc::clone(&home.folder),
            contents: Rc::clone(&self.contents),
            refused: Rc::clone(&self.refused),
        };
        match effect {
            Effect::Listen { project, since } => {
                use crate::engine::Engine as _;
                self.events = Some(engine.events(&project, since));
            }
            Effect::Look { scope, images, known } => {
                self.start(async move { effects::look(&*engine, &place, &scope, &images, &known).await });
            }
            Effect::Apply { plan, wanted, before } => {
                self.start(async move { effects::apply(&*engine, place, &plan, &wanted, &before).await });
            }
            Effect::Start { name, id, spec, owes } => {
                self.start(async move {
                    effects::start(&*engine, place, (name, &id), spec.as_deref(), owes).await
                });
            }
            Effect::Stop { name, service, id, grace } => {
                // Whoever hangs or is not as promised is stopped, and says no more after that.
                self.ask_for_last_lines(name.clone(), service);
                self.start(async move { effects::stop(&*engine, name, &id, grace).await });
            }
            Effect::Attest { name, id, spec } => {
                self.start(async move { effects::attest(&*engine, place, name, id, &spec).await });
            }
            Effect::Diagnose { name, id, spec, code, out_of_memory } => {
                let end = (code, out_of_memory);
                self.start(async move { effects::diagnose(&*engine, name, id, &spec, end).await });
            }
            Effect::Say(_)
            | Effect::Ready
            | Effect::End
            | Effect::Load
            | Effect::Connect
            | Effect::Probe(_) => {}
        }
    }

    fn start(&mut self, effect: impl Future<Output = Event> + 'static) {
        self.under_way.push(Box::pin(async move { Outcome::Event(effect.await) }));
    }

    fn ask_for_last_lines(&mut self, container: String, service: String) {
        let Some(engine) = self.engine.clone() else { return };
        self.under_way.push(Box::pin(async move {
            let lines = last_lines::read(&*engine, &container).await;
            Outcome::LastLines(container, service, lines)
        }));
    }

    fn connect(&mut self) {
        self.events = None;
        let socket = self.options.socket.clone();
        self.under_way.push(Box::pin(async move {
            match Docker::connect(&socket).await {
                Ok((engine, version)) => {
                    let life = engine.life().await;
                    Outcome::Connected(Rc::new(engine), Answering { version, life })
                }
                Err(error) => Outcome::Event(Event::Connected(Err(effects::fault(&error)))),
            }
        }));
    }

    fn ready(&mut self) {
        self.notify.ready();
        let (Some(home), Some(wanted)) = (&self.home, &self.watch.wanted) else { return };
        let specs = wanted.services.values().flat_map(|service| &service.containers);
        contents::sweep(&home.folder, &self.contents, specs);
    }
}

/// The next word of the engine; never, while nobody listens.
async fn hear(events: &mut Option<EngineStream<EngineEvent>>) -> Result<EngineEvent, Fault> {
    let Some(events) = events else { return std::future::pending().await };
    match Pin::new(events).next().await {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => Err(effects::fault(&error)),
        None => Err(Fault { message: "the engine hung up".to_owned(), kind: FaultKind::EngineAway }),
    }
}

fn say(line: &Say) {
    let Say { level, service, message } = line;
    match (level, service.is_empty()) {
        (Level::Info, true) => tracing::info!("{message}"),
        (Level::Info, false) => tracing::info!(service, "{message}"),
        (Level::Warn, true) => tracing::warn!("{message}"),
        (Level::Warn, false) => tracing::warn!(service, "{message}"),
        (Level::Error, true) => tracing::error!("{message}"),
        (Level::Error, false) => tracing::error!(service, "{message}"),
    }
}

/// The signals that mean something.
struct Signals {
    hangup: SignalStream,
    terminate: SignalStream,
    interrupt: SignalStream,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => Signal::End,
            Some(()) = self.interrupt.recv() => Signal::End,
            Some(()) = self.hangup.recv() => Signal::Reload,
            else => std::future::pending().await,
        }
    }
}
