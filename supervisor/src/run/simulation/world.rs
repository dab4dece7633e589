//! The simulated engine's own state: what an engine keeps, its events, and an agenda of what happens when.
//!
//! Deliberately absent: how processes live and die (`processes`), what can be asked (`requests`), what goes wrong
//! (`faults`), and the port (`port`).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::dice::Dice;
use super::faults::Profile;
use super::filter::PacketFilter;
use super::stacks::Mode;
use crate::decide::seen::{SeenContainer, SeenNetwork, SeenVolume, State};
use crate::decide::spec::{Bounds, Restart};
use crate::engine::{EngineError, EngineEvent, EventKind};

/// So many events are kept for those who ask later, as the real engine does.
const HISTORY: usize = 256;

pub(super) type Deed = Box<dyn FnOnce(&mut World)>;
pub(super) type Answer<T> = Result<T, EngineError>;
pub(super) type Listener = mpsc::UnboundedSender<Answer<EngineEvent>>;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The supervisor.
    Us,
    /// A person.
    Somebody,
}

/// One container and its process.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) seen: SeenContainer,
    pub(super) mode: Mode,
    /// The engine checks its health.
    pub(super) checked: bool,
    /// It has the rights of its promise and no more.
    pub(super) confined: bool,
    pub(super) restart: Restart,
    pub(super) bounds: Bounds,
    /// What its process has read: hashes by `config/KEY`.
    pub(super) loaded: BTreeMap<String, String>,
    /// What its files held before they were changed.
    pub(super) held: Option<BTreeMap<String, String>>,
    pub(super) hung: bool,
    pub(super) out_of_memory: bool,
    pub(super) started_at: Option<Timestamp>,
    /// From then on it answers.
    pub(super) ready: Duration,
    /// Counts its processes.
    pub(super) run: u64,
    /// Somebody stopped it, at this time, and nobody has started it since.
    pub(super) stopped_by_somebody: Option<Duration>,
    /// The supervisor knows that it is not confined, and nobody has started it since.
    pub(super) refused: bool,
    /// Somebody started it, or a process of ours did that was killed meanwhile: nobody who lives knew of it.
    pub(super) started_by_another: bool,
    /// The engine was asked to end it: its own policy does not start it again.
    pub(super) asked_to_end: bool,
    pub(super) stops: Vec<oneshot::Sender<Answer<()>>>,
}

impl Container {
    pub(super) fn is_ours(&self) -> bool {
        self.seen.project.as_deref() == Some("shop")
    }

    pub(super) fn runs(&self) -> bool {
        matches!(self.seen.state, State::Running | State::Paused)
    }

    /// Whether it would answer a probe.
    pub(super) fn answers(&self, now: Duration) -> bool {
        let alive = self.seen.state == State::Running && !self.hung;
        alive && self.mode != Mode::Deaf && now >= self.ready
    }
}

pub(super) struct World {
    pub(super) containers: Vec<Container>,
    pub(super) networks: Vec<SeenNetwork>,
    pub(super) volumes: Vec<SeenVolume>,
    pub(super) filter: PacketFilter,
    /// The stack is to be guarded.
    pub(super) guarded: bool,
    /// The engine answers.
    pub(super) up: bool,
    /// How often it ended with all that it ran.
    pub(super) ends: u32,
    pub(super) dice: Dice,
    pub(super) profile: Profile,
    /// Counts the supervisor's processes.
    pub(super) lives: u32,
    /// Who asked for what is done now was killed since.
    pub(super) asker_is_dead: bool,
    /// Things go wrong now.
    pub(super) faulty: bool,
    /// How often something went wrong so far.
    pub(super) disturbances: u64,
    /// What must never happen, and did.
    pub(super) violations: Vec<String>,
    /// Services of which two containers may run at a time, for a moment.
    pub(super) start_first: BTreeSet<String>,
    pub(super) trace: Option<Vec<String>>,
    /// There is something new on the agenda, or for the process.
    pub(super) news: Rc<Notify>,
    /// Calendar time was set.
    pub(super) jump: SignedDuration,
    pub(super) listeners: Vec<Listener>,
    /// Open, and never served again.
    pub(super) silent: Vec<Listener>,
    pub(super) history: Vec<EngineEvent>,
    last_event: Timestamp,
    agenda: BTreeMap<(Duration, u64), Deed>,
    began: Instant,
    pub(super) next: u64,
}

impl World {
    pub(super) fn new(dice: Dice, profile: Profile, traced: bool) -> Self {
        Self {
            containers: Vec::new(),
            networks: Vec::new(),
            volumes: Vec::new(),
            filter: PacketFilter::default(),
            guarded: false,
            up: true,
            ends: 0,
            dice,
            profile,
            lives: 0,
            asker_is_dead: false,
            faulty: false,
            disturbances: 0,
            violations: Vec::new(),
            start_first: BTreeSet::new(),
            trace: traced.then(Vec::new),
            news: Rc::default(),
            jump: SignedDuration::ZERO,
            listeners: Vec::new(),
            silent: Vec::new(),
            history: Vec::new(),
            last_event: Timestamp::UNIX_EPOCH,
            agenda: BTreeMap::new(),
            began: Instant::now(),
            next: 0,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What the calendar on the wall says: far from today, so that no real clock is taken for it.
    pub(super) fn wall(&self) -> Timestamp {
        let epoch = Timestamp::from_second(4_102_444_800).unwrap_or_default();
        epoch + SignedDuration::try_from(self.now()).unwrap_or_default() + self.jump
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        let now = self.now().as_secs_f64();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:9.3} {}", what()));
        }
    }

    pub(super) fn violation(&mut self, what: String) {
        self.say(|| format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    /// Something went wrong.
    pub(super) fn disturb(&mut self, what: impl FnOnce() -> String) {
        self.disturbances += 1;
        self.say(|| format!("! {}", what()));
    }

    pub(super) fn after(&mut self, delay: Duration, deed: impl FnOnce(&mut Self) + 'static) {
        self.next += 1;
        self.agenda.insert((self.now() + delay, self.next), Box::new(deed));
        self.news.notify_one();
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|(at, _)| self.began + *at)
    }

    pub(super) fn run_due(&mut self) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > self.began.elapsed() {
                return;
            }
            let deed = entry.remove();
            deed(self);
        }
    }

    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.dice.roll(to - from + 1))
    }

    pub(super) fn tell(&mut self, id: &str, kind: EventKind) {
        let Some(container) = self.find(id) else { return };
        if !self.up || !container.is_ours() {
            return;
        }
        let (name, service) = (container.seen.name.clone(), container.seen.service.clone());
        self.tell_as(id, name, service, kind);
    }

    pub(super) fn tell_as(&mut self, id: &str, name: String, service: Option<String>, kind: EventKind) {
        self.say(|| format!("  event {name} {kind:?}"));
        let tick = SignedDuration::from_nanos(1);
        let wall = self.wall();
        let stepped_back = self.last_event.duration_since(wall) > SignedDuration::from_secs(1);
        let at = if stepped_back { wall } else { wall.max(self.last_event + tick) };
        self.last_event = at;
        let event = EngineEvent { at, id: id.to_owned(), name, service, kind };
        self.publish(event);
    }

    /// Tells all who listen, and those who ask later.
    pub(super) fn publish(&mut self, event: EngineEvent) {
        self.listeners.retain(|listener| listener.send(Ok(event.clone())).is_ok());
        self.history.push(event);
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
    }

    pub(super) fn listen(&mut self, since: Option<Timestamp>, listener: Listener) {
        if !self.up {
            return;
        }
        // Back to the first that is older, whatever the calendar said before (moby, `daemon/events/events.go`).
        let older = self.history.iter().rposition(|event| since.is_none_or(|since| event.at < since));
        for event in self.history.iter().skip(older.map_or(0, |older| older + 1)) {
            let _ = listener.send(Ok(event.clone()));
        }
        self.listeners.push(listener);
    }

    pub(super) fn find(&self, key: &str) -> Option<&Container> {
        self.containers.iter().find(|c| c.seen.id == key || c.seen.name == key)
    }

    pub(super) fn find_mut(&mut self, key: &str) -> Option<&mut Container> {
        self.containers.iter_mut().find(|c| c.seen.id == key || c.seen.name == key)
    }
}
