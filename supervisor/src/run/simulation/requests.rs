//! What can be asked of the simulated engine, by us or by somebody, and what must never be.
//!
//! What must never be asked is written down as a violation. Deliberately absent: requests that get lost (`port`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::sync::oneshot;

use super::stacks::Mode;
use super::world::{Answer, Container, Listener, Who, World};
use crate::decide::hooks::{Hooks, Kept};
use crate::decide::labels;
use crate::decide::live::LiveFile;
use crate::decide::plan::Reload;
use crate::decide::seen::{SeenContainer, SeenVolume, State};
use crate::decide::spec::{Bounds, ContainerSpec, NetworkShape, Restart, VolumeSpec};
use crate::decide::testing::{created, made};
use crate::engine::{EngineError, EventKind};
use crate::host::live::Deed as FileDeed;

/// A start of ours and a stop of somebody's that are so close did not know of each other.
const CROSSING: Duration = Duration::from_secs(5);

impl World {
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
        let mode = spec.environment.iter().find_map(|row| row.strip_prefix("MODE="));
        self.containers.push(Container {
            mode: Mode::parse(mode.unwrap_or_default()),
            checked: spec.healthcheck.as_ref().is_some_and(|check| !check.test.is_empty()),
            confined: true,
            restart: spec.restart,
            bounds: spec.bounds(),
            loaded: BTreeMap::new(),
            held: None,
            hung: false,
            out_of_memory: false,
            started_at: None,
            ready: Duration::ZERO,
            run: 0,
            stopped_by_somebody: None,
            refused: false,
            started_by_another: false,
            asked_to_end: false,
            stops: Vec::new(),
            seen: SeenContainer {
                id: id.clone(),
                name: name.to_owned(),
                created: self.wall().as_second(),
                ..created(spec, 0)
            },
        });
        self.tell(&id, EventKind::Create);
        Ok(id)
    }

    /// Notes whether a container's hooks are owed.
    pub(super) fn owe(&mut self, id: &str, owes: bool) {
        if let Some(container) = self.containers.iter_mut().find(|container| container.seen.id == id) {
            container.seen.owes = owes;
        }
    }

    /// The containers' hooks.
    pub(super) fn hooks(&self) -> Kept {
        let seen = || self.containers.iter().map(|container| &container.seen);
        Kept {
            hooks: seen().filter_map(|c| Some((c.hash.clone()?, c.hooks.clone()))).collect(),
            owed: seen().filter(|c| c.owes).map(|c| c.id.clone()).collect(),
        }
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
            generation: None,
            live: None,
            refused: false,
            hooks: Hooks::default(),
            owes: false,
            image_id: "sha256:foreign".to_owned(),
            state: State::Running,
            health: None,
            created: 0,
            networks: BTreeMap::new(),
            joined: BTreeMap::new(),
            fixed: BTreeSet::new(),
        };
        self.containers.push(Container {
            seen,
            mode: Mode::Good,
            checked: false,
            confined: false,
            restart: Restart::No,
            bounds: Bounds { memory: 0, nano_cpus: 0, pids: 0 },
            loaded: BTreeMap::new(),
            held: None,
            hung: false,
            out_of_memory: false,
            started_at: None,
            ready: Duration::ZERO,
            run: 0,
            stopped_by_somebody: None,
            refused: false,
            started_by_another: false,
            asked_to_end: false,
            stops: Vec::new(),
        });
    }

    pub(super) fn start(&mut self, key: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "start")?;
        let now = self.now();
        let unheard = self.listeners.iter().all(Listener::is_closed);
        let Some(container) = self.find_mut(&id) else { return Err(not_found("start", key)) };
        match container.seen.state {
            State::Running => return Ok(()),
            State::Paused => return Err(conflict("start a paused container")),
            _ => {}
        }
        let missing = container.seen.networks.keys().cloned().collect::<Vec<_>>();
        let joined = container.seen.joined.clone();
        let refused = std::mem::take(&mut container.refused);
        let against = container.stopped_by_somebody.filter(|_| who == Who::Us);
        // What crossed the stop is taken back soon, and of a start that nobody heard of nobody knows.
        if against.is_none_or(|at| now > at + CROSSING) && !(who == Who::Somebody && unheard) {
            container.stopped_by_somebody = None;
        }
        if let Some(network) =
            missing.iter().find(|network| !self.networks.iter().any(|n| n.name == **network))
        {
            return Err(not_found("start on network", network));
        }
        if let Some((network, _)) = joined.iter().find(|(_, id)| !self.networks.iter().any(|n| n.id == **id))
        {
            return Err(not_found("start on network that is gone", network));
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
        if who == Who::Us && refused {
            self.violation(format!("start `{key}`, which was refused"));
        }
        self.begin(&id);
        let by_another = who == Who::Somebody || self.asker_is_dead;
        if let Some(container) = self.find_mut(&id) {
            container.started_by_another = by_another;
        }
        if !by_another {
            self.never_more_than_wanted(&id);
        }
        Ok(())
    }

    fn never_more_than_wanted(&mut self, id: &str) {
        let Some(new) = self.find(id) else { return };
        let (service, number) = (new.seen.service.clone(), new.seen.number);
        let place = |c: &&Container| c.is_ours() && c.seen.service == service && c.seen.number == number;
        // What somebody renamed, started, or has the engine restart, is somebody's doing until the next plan; so is what a process
        // started that is no more.
        let untouched = |c: &&Container| {
            !c.seen.name.ends_with("-other") && c.restart == Restart::No && !c.started_by_another
        };
        let place = |c: &&Container| place(c) && untouched(c);
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

    pub(super) fn is_up(&self, key: &str) -> Answer<()> {
        let container = self.find(key).ok_or_else(|| not_found("exec in", key))?;
        let is_up = container.seen.state == State::Running;
        is_up.then_some(()).ok_or_else(|| conflict("exec in a container that does not run"))
    }

    /// A signal on which a process reads its configs anew, unless it hangs.
    pub(super) fn reload(&mut self, key: &str) -> Answer<()> {
        self.is_up(key)?;
        let id = self.guard(key, Who::Us, "signal")?;
        let Some(container) = self.find_mut(&id) else { return Err(not_found("signal", key)) };
        if !container.hung {
            container.loaded =
                container.seen.live.as_ref().map(|live| live.contents.clone()).unwrap_or_default();
        }
        self.tell(&id, EventKind::Kill(1));
        Ok(())
    }

    /// What is done to a container's files on the host, which the engine knows nothing of.
    pub(super) fn change(&mut self, reload: &Reload, deed: FileDeed) -> bool {
        let its = |c: &Container, file: &LiveFile| {
            (c.seen.service.as_ref(), c.seen.number) == (Some(&file.service), Some(file.number))
                && c.seen.generation == Some(file.generation)
        };
        let Some(file) = reload.files.first() else { return false };
        let Some(container) = self.containers.iter_mut().find(|c| c.is_ours() && its(c, file)) else {
            return false;
        };
        let Some(live) = &mut container.seen.live else { return false };
        match deed {
            FileDeed::Make | FileDeed::Ensure => return false,
            FileDeed::Rewrite if live.contents == reload.contents => return false,
            FileDeed::Rewrite => {
                let held = std::mem::replace(&mut live.contents, reload.contents.clone());
                container.held.get_or_insert(held);
                live.unfinished = true;
            }
            FileDeed::Restore => match &container.held {
                Some(held) => live.contents.clone_from(held),
                None => return false,
            },
            FileDeed::Settle => {
                container.held = None;
                live.unfinished = false;
            }
        }
        let (name, now) = (container.seen.name.clone(), live.contents.clone());
        self.say(|| format!("{deed:?} the configs of {name}: {now:?}"));
        true
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

    pub(super) fn rejoin(&mut self, key: &str, network: &str) -> Answer<()> {
        let id = self.guard(key, Who::Us, "connect")?;
        if !self.networks.iter().any(|n| n.name == network) {
            return Err(not_found("connect to", network));
        }
        let Some(container) = self.find_mut(&id) else { return Err(not_found("connect", key)) };
        if container.runs() {
            return Err(conflict("connect it twice"));
        }
        container.seen.joined.remove(network);
        container.seen.networks.entry(network.to_owned()).or_default();
        Ok(())
    }

    pub(super) fn disconnect(&mut self, key: &str, network: &str, who: Who) -> Answer<()> {
        let id = self.guard(key, who, "disconnect")?;
        let Some(container) = self.find_mut(&id) else { return Err(not_found("disconnect", key)) };
        container.seen.joined.remove(network);
        match container.seen.networks.remove(network) {
            Some(_) => Ok(()),
            None => Err(conflict("disconnect what is not connected")),
        }
    }

    pub(super) fn create_network(&mut self, shape: &NetworkShape) -> Answer<String> {
        if self.networks.iter().any(|network| network.name == shape.name) {
            return Err(conflict("create a network of that name"));
        }
        self.next += 1;
        let id = format!("n{}", self.next);
        self.networks.push(made(shape, id.clone()));
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
