//! The simulated engine's own state: containers whose processes live and die, networks, volumes, events, and an agenda of
//! what happens when.
//!
//! Everything that an engine would keep is kept, and everything that must never be asked of it is written down as a
//! violation. Deliberately absent: what goes wrong (`faults`), and the port (`port`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::dice::Dice;
use super::faults::Profile;
use super::filter::PacketFilter;
use super::stacks::Mode;
use crate::decide::labels;
use crate::decide::seen::{Health, SeenContainer, SeenNetwork, SeenVolume, State};
use crate::decide::spec::{Bounds, ContainerSpec, NetworkSpec, Restart, VolumeSpec};
use crate::engine::{EngineError, EngineEvent, EventKind};

/// So many events are kept for those who ask later, as the real engine does.
const HISTORY: usize = 256;
/// From the end of a container to its start by the engine's own policy.
const ENGINE_RESTART: Duration = Duration::from_millis(100);
/// A start of ours and a stop of somebody's that are so close did not know of each other.
const CROSSING: Duration = Duration::from_secs(5);

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
    pub(super) hung: bool,
    pub(super) out_of_memory: bool,
    pub(super) started_at: Option<Timestamp>,
    /// From then on it answers.
    pub(super) ready: Duration,
    /// Counts its processes.
    pub(super) run: u64,
    /// Somebody stopped it, at this time, and nobody has started it since.
    pub(super) stopped_by_somebody: Option<Duration>,
    /// The engine was asked to end it: its own policy does not start it again.
    asked_to_end: bool,
    stops: Vec<oneshot::Sender<Answer<()>>>,
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
    pub(super) dice: Dice,
    pub(super) profile: Profile,
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
    history: Vec<EngineEvent>,
    last_event: Timestamp,
    agenda: BTreeMap<(Duration, u64), Deed>,
    began: Instant,
    next: u64,
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
            dice,
            profile,
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

    // The agenda.

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

    // Events.

    fn tell(&mut self, id: &str, kind: EventKind) {
        let Some(container) = self.find(id) else { return };
        if !self.up || !container.is_ours() {
            return;
        }
        let (name, service) = (container.seen.name.clone(), container.seen.service.clone());
        self.tell_as(id, name, service, kind);
    }

    fn tell_as(&mut self, id: &str, name: String, service: Option<String>, kind: EventKind) {
        self.say(|| format!("  event {name} {kind:?}"));
        let tick = SignedDuration::from_nanos(1);
        let wall = self.wall();
        let stepped_back = self.last_event.duration_since(wall) > SignedDuration::from_secs(1);
        let at = if stepped_back { wall } else { wall.max(self.last_event + tick) };
        self.last_event = at;
        let event = EngineEvent { at, id: id.to_owned(), name, service, kind };
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
        for event in self.history.iter().filter(|event| since.is_some_and(|since| event.at >= since)) {
            let _ = listener.send(Ok(event.clone()));
        }
        self.listeners.push(listener);
    }

    // Processes.

    pub(super) fn find(&self, key: &str) -> Option<&Container> {
        self.containers.iter().find(|c| c.seen.id == key || c.seen.name == key)
    }

    pub(super) fn find_mut(&mut self, key: &str) -> Option<&mut Container> {
        self.containers.iter_mut().find(|c| c.seen.id == key || c.seen.name == key)
    }

    fn begin(&mut self, id: &str) {
        let (now, wall) = (self.now(), self.wall());
        let ready = now + self.millis(200, 2000);
        self.next += 1;
        let host = u32::try_from(self.next).unwrap_or_default();
        let (ends, deaf) = (self.millis(100, 900), self.millis(20_000, 30_000));
        let Some(container) = self.find_mut(id) else { return };
        container.run += 1;
        container.hung = false;
        container.asked_to_end = false;
        container.out_of_memory = false;
        container.started_at = Some(wall);
        container.ready = ready;
        container.seen.state = State::Running;
        container.seen.health = container.checked.then_some(Health::Starting);
        for (index, address) in container.seen.networks.values_mut().enumerate() {
            let network = u32::try_from(index).unwrap_or_default() << 20;
            *address = Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + network + host)));
        }
        let (run, mode, checked, id) = (container.run, container.mode, container.checked, id.to_owned());
        self.tell(&id, EventKind::Start);
        let end = |world: &mut Self, after: Duration, code: i64, memory: bool| {
            let id = id.clone();
            world.after(after, move |world| world.end(&id, run, code, memory));
        };
        match mode {
            Mode::Good | Mode::Deaf => {}
            Mode::Crash => end(self, ends, 1, false),
            Mode::Memory => end(self, ends, 137, true),
            Mode::Late => end(self, ready.saturating_sub(now) + ends, 9, false),
        }
        if checked {
            let good = mode != Mode::Deaf;
            let (at, health) =
                if good { (ready.saturating_sub(now), Health::Healthy) } else { (deaf, Health::Unhealthy) };
            self.after(at, move |world| world.check(&id, run, health));
        }
    }

    /// The engine's own check of its health.
    fn check(&mut self, id: &str, run: u64, health: Health) {
        let Some(container) = self.find_mut(id) else { return };
        let is_it = container.run == run && container.seen.state == State::Running;
        if !is_it || (container.hung && health == Health::Healthy) {
            return;
        }
        container.seen.health = Some(health);
        self.tell(id, EventKind::Health(health));
    }

    /// Its process ends, if it is still the same.
    pub(super) fn end(&mut self, id: &str, run: u64, code: i64, out_of_memory: bool) {
        let Some(container) = self.find_mut(id) else { return };
        if container.run != run || !container.runs() {
            return;
        }
        container.seen.state = State::Exited(code);
        container.seen.health = None;
        container.out_of_memory = out_of_memory;
        container.seen.networks.values_mut().for_each(|address| *address = None);
        let restarts = !container.asked_to_end
            && match container.restart {
                Restart::Always | Restart::UnlessStopped => true,
                Restart::OnFailure(_) => code != 0,
                Restart::No => false,
            };
        let stops = std::mem::take(&mut container.stops);
        if out_of_memory {
            self.tell(id, EventKind::OutOfMemory);
        }
        self.tell(id, EventKind::Die(code));
        for stop in stops {
            self.tell(id, EventKind::Stop);
            let _ = stop.send(Ok(()));
        }
        if restarts && self.up {
            let id = id.to_owned();
            self.after(ENGINE_RESTART, move |world| {
                let same = world.find(&id).is_some_and(|c| c.run == run && !c.asked_to_end && !c.runs());
                if world.up && same {
                    world.begin(&id);
                }
            });
        }
    }

    pub(super) fn hang(&mut self, id: &str) {
        let Some(container) = self.find_mut(id) else { return };
        container.hung = true;
        let (run, id) = (container.run, id.to_owned());
        if container.checked {
            self.after(Duration::from_secs(10), move |world| world.check(&id, run, Health::Unhealthy));
        }
    }

    /// The engine ends, its containers with it or not; what was asked of it and is not answered never will be.
    pub(super) fn engine_ends(&mut self, live_restore: bool) {
        self.up = false;
        self.listeners.clear();
        self.silent.clear();
        self.history.clear();
        for container in &mut self.containers {
            container.stops.clear();
            if !live_restore && container.runs() && container.is_ours() {
                container.seen.state = State::Exited(137);
                container.seen.health = None;
            }
        }
    }

    pub(super) fn engine_begins(&mut self) {
        self.up = true;
        let again = |container: &&Container| {
            !container.runs()
                && container.seen.state != State::Created
                && match container.restart {
                    Restart::Always => true,
                    Restart::UnlessStopped | Restart::OnFailure(_) => !container.asked_to_end,
                    Restart::No => false,
                }
        };
        let again: Vec<String> =
            self.containers.iter().filter(again).map(|container| container.seen.id.clone()).collect();
        for id in again {
            self.begin(&id);
        }
    }

    // What is asked of it.

    /// Only what is ours is ever changed by us.
    fn guard(&mut self, key: &str, who: Who, action: &str) -> Answer<String> {
        let Some(container) = self.find(key) else { return Err(not_found(action, key)) };
        let (id, ours) = (container.seen.id.clone(), container.is_ours());
        if who == Who::Us && !ours {
            self.violation(format!("{action} `{key}`, which is somebody else's"));
        }
        Ok(id)
    }

    pub(super) fn create(&mut self, spec: &ContainerSpec, name: &str) -> Answer<String> {
        if let Some(by) = self.find(name) {
            return Err(EngineError::NameTaken { name: name.to_owned(), by: by.seen.id.clone() });
        }
        if let Some(network) =
            spec.networks.keys().find(|network| !self.networks.iter().any(|n| n.name == **network))
        {
            return Err(not_found("create on network", network));
        }
        self.next += 1;
        let id = format!("c{}", self.next);
        let labels = spec.labels();
        let ours = labels::parse(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let mode = spec.environment.iter().find_map(|row| row.strip_prefix("MODE="));
        self.containers.push(Container {
            mode: Mode::parse(mode.unwrap_or_default()),
            checked: spec.healthcheck.as_ref().is_some_and(|check| !check.test.is_empty()),
            confined: true,
            restart: spec.restart,
            bounds: spec.bounds(),
            hung: false,
            out_of_memory: false,
            started_at: None,
            ready: Duration::ZERO,
            run: 0,
            stopped_by_somebody: None,
            asked_to_end: false,
            stops: Vec::new(),
            seen: SeenContainer {
                id: id.clone(),
                name: name.to_owned(),
                project: ours.project,
                service: ours.service,
                number: ours.number,
                hash: ours.hash,
                parts: ours.parts,
                restart: ours.restart,
                bounds: ours.bounds,
                image_id: spec.image_id.clone(),
                state: State::Created,
                health: None,
                created: self.wall().as_second(),
                networks: spec.networks.keys().map(|name| (name.clone(), None)).collect(),
            },
        });
        self.tell(&id, EventKind::Create);
        Ok(id)
    }

    /// Somebody else's container.
    pub(super) fn stranger(&mut self, name: &str, project: Option<&str>) {
        self.next += 1;
        let seen = SeenContainer {
            id: format!("f{}", self.next),
            name: name.to_owned(),
            project: project.map(str::to_owned),
            service: None,
            number: None,
            hash: None,
            parts: None,
            restart: None,
            bounds: None,
            image_id: "sha256:foreign".to_owned(),
            state: State::Running,
            health: None,
            created: 0,
            networks: BTreeMap::new(),
        };
        self.containers.push(Container {
            seen,
            mode: Mode::Good,
            checked: false,
            confined: false,
            restart: Restart::No,
            bounds: Bounds { memory: 0, nano_cpus: 0, pids: 0 },
            hung: false,
            out_of_memory: false,
            started_at: None,
            ready: Duration::ZERO,
            run: 0,
            stopped_by_somebody: None,
            asked_to_end: false,
            stops: Vec::new(),
        });
    }

    pub(super) fn start(&mut self, key: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "start")?;
        let now = self.now();
        let Some(container) = self.find_mut(&id) else { return Err(not_found("start", key)) };
        match container.seen.state {
            State::Running => return Ok(()),
            State::Paused => return Err(conflict("start a paused container")),
            _ => {}
        }
        let missing = container.seen.networks.keys().cloned().collect::<Vec<_>>();
        let against = container.stopped_by_somebody.filter(|_| who == Who::Us);
        // What crossed the stop is taken back soon.
        if against.is_none_or(|at| now > at + CROSSING) {
            container.stopped_by_somebody = None;
        }
        if let Some(network) =
            missing.iter().find(|network| !self.networks.iter().any(|n| n.name == **network))
        {
            return Err(not_found("start on network", network));
        }
        if let Some(at) = against
            && self.profile.is_gentle()
            && now > at + CROSSING
        {
            self.violation(format!("start `{key}`, which somebody stopped at {} s", at.as_secs()));
        }
        if who == Who::Us && self.guarded && !self.filter.touched && !self.is_guarded(&id) {
            self.violation(format!("start `{key}` before its networks are guarded"));
        }
        self.begin(&id);
        if who == Who::Us {
            self.never_more_than_wanted(&id);
        }
        Ok(())
    }

    fn never_more_than_wanted(&mut self, id: &str) {
        let Some(new) = self.find(id) else { return };
        let (service, number) = (new.seen.service.clone(), new.seen.number);
        let place = |c: &&Container| c.is_ours() && c.seen.service == service && c.seen.number == number;
        // What somebody renamed is somebody's doing until the next plan.
        let place = |c: &&Container| place(c) && !c.seen.name.ends_with("-other");
        let running = self.containers.iter().filter(place).filter(|c| c.runs()).count();
        let all = self.containers.iter().filter(place).count();
        let may = 1 + usize::from(service.as_ref().is_some_and(|name| self.start_first.contains(name)));
        if running > may || all > 3 {
            self.violation(format!("{running} of {all} containers of {service:?} {number:?} run"));
        }
    }

    /// Signals it; the answer comes when it has ended.
    pub(super) fn stop(&mut self, key: &str, grace: Duration, who: Who, answer: oneshot::Sender<Answer<()>>) {
        let id = match self.guard(key, who, "stop") {
            Ok(id) => id,
            Err(error) => return drop(answer.send(Err(error))),
        };
        let now = self.now();
        let soon = self.millis(10, 1500);
        let most = u64::try_from(grace.as_millis()).unwrap_or_default();
        let late = self.millis(0, most);
        let slow = self.dice.roll(4) == 0;
        let Some(container) = self.find_mut(&id) else { return };
        if !container.runs() {
            return drop(answer.send(Ok(())));
        }
        container.stops.push(answer);
        container.asked_to_end = true;
        if who == Who::Somebody {
            container.stopped_by_somebody = Some(now);
        }
        let hears = container.seen.state == State::Running && !container.hung;
        let run = container.run;
        self.tell(&id, EventKind::Kill(15));
        let takes = if slow { late } else { soon };
        if hears && takes < grace {
            self.after(takes, move |world| world.end(&id, run, 143, false));
        } else {
            self.after(grace, move |world| {
                if world.find(&id).is_some_and(|c| c.run == run && c.runs()) {
                    world.tell(&id, EventKind::Kill(9));
                    world.end(&id, run, 137, false);
                }
            });
        }
    }

    pub(super) fn remove(&mut self, key: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "remove")?;
        let Some(container) = self.find(&id) else { return Err(not_found("remove", key)) };
        if container.runs() && who == Who::Us {
            return Err(conflict("remove a running container"));
        }
        let (name, service) = (container.seen.name.clone(), container.seen.service.clone());
        let (ours, run) = (container.is_ours(), container.run);
        self.end(&id, run, 137, false);
        self.containers.retain(|container| container.seen.id != id);
        if ours && self.up {
            self.tell_as(&id, name, service, EventKind::Destroy);
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, id: &str) {
        let Some(container) = self.find_mut(id) else { return };
        if container.seen.state == State::Running {
            container.seen.state = State::Paused;
            self.tell(id, EventKind::Pause);
        }
    }

    pub(super) fn unpause(&mut self, key: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "unpause")?;
        let Some(container) = self.find_mut(&id) else { return Err(not_found("unpause", key)) };
        if container.seen.state != State::Paused {
            return Err(conflict("unpause what is not paused"));
        }
        container.seen.state = State::Running;
        self.tell(&id, EventKind::Unpause);
        Ok(())
    }

    pub(super) fn update(&mut self, key: &str, who: Who, change: impl FnOnce(&mut Container)) -> Answer<()> {
        let id = self.guard(key, who, "update")?;
        let Some(container) = self.find_mut(&id) else { return Err(not_found("update", key)) };
        change(container);
        self.tell(&id, EventKind::Update);
        Ok(())
    }

    pub(super) fn rename(&mut self, key: &str, to: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "rename")?;
        if let Some(by) = self.find(to) {
            return Err(EngineError::NameTaken { name: to.to_owned(), by: by.seen.id.clone() });
        }
        let Some(container) = self.find_mut(&id) else { return Err(not_found("rename", key)) };
        to.clone_into(&mut container.seen.name);
        self.tell(&id, EventKind::Rename);
        Ok(())
    }

    pub(super) fn connect(&mut self, key: &str, network: &str) -> Answer<()> {
        let id = self.guard(key, Who::Us, "connect")?;
        if !self.networks.iter().any(|n| n.name == network) {
            return Err(not_found("connect to", network));
        }
        self.next += 1;
        let host = u32::try_from(self.next).unwrap_or_default();
        let Some(container) = self.find_mut(&id) else { return Err(not_found("connect", key)) };
        if container.seen.networks.contains_key(network) {
            return Err(conflict("connect it twice"));
        }
        let address = container.runs().then(|| IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + host)));
        container.seen.networks.insert(network.to_owned(), address);
        Ok(())
    }

    pub(super) fn disconnect(&mut self, key: &str, network: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "disconnect")?;
        let Some(container) = self.find_mut(&id) else { return Err(not_found("disconnect", key)) };
        match container.seen.networks.remove(network) {
            Some(_) => Ok(()),
            None => Err(conflict("disconnect what is not connected")),
        }
    }

    pub(super) fn create_network(&mut self, spec: &NetworkSpec) -> Answer<String> {
        if self.networks.iter().any(|network| network.name == spec.name) {
            return Err(conflict("create a network of that name"));
        }
        self.next += 1;
        let id = format!("n{}", self.next);
        let labels = spec.labels();
        let ours = labels::parse(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        self.networks.push(SeenNetwork {
            id: id.clone(),
            name: spec.name.clone(),
            project: ours.project,
            hash: ours.hash,
            internal: spec.internal,
            driver: "bridge".to_owned(),
            options: spec.options.clone(),
        });
        Ok(id)
    }

    pub(super) fn remove_network(&mut self, id: &str) -> Answer<()> {
        let Some(network) = self.networks.iter().find(|network| network.id == id) else {
            return Err(not_found("remove network", id));
        };
        let (name, ours) = (network.name.clone(), network.project.as_deref() == Some("shop"));
        if !ours {
            self.violation(format!("remove network `{name}`, which is somebody else's"));
        }
        if self.containers.iter().any(|c| c.runs() && c.seen.networks.contains_key(&name)) {
            return Err(conflict("remove a network in use"));
        }
        self.networks.retain(|network| network.id != id);
        Ok(())
    }

    pub(super) fn create_volume(&mut self, spec: &VolumeSpec) {
        if self.volumes.iter().any(|volume| volume.name == spec.name) {
            return;
        }
        let labels = spec.labels();
        let ours = labels::parse(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        self.volumes.push(SeenVolume {
            name: spec.name.clone(),
            project: ours.project,
            hash: ours.hash,
            driver: "local".to_owned(),
            options: spec.options.clone(),
        });
    }
}

pub(super) fn not_found(action: &str, what: &str) -> EngineError {
    EngineError::NotFound { action: format!("{action} `{what}`") }
}

fn conflict(action: &str) -> EngineError {
    EngineError::Conflict { action: action.to_owned(), message: "the simulated engine says no".to_owned() }
}
