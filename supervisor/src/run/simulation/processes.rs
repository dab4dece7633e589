//! How the simulated engine's processes live and die, by themselves and with the engine.
//!
//! Deliberately absent: what is asked of the engine (`requests`), and by chance (`faults`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::stacks::Mode;
use super::world::{Container, World};
use crate::decide::seen::{Health, State};
use crate::decide::spec::Restart;
use crate::engine::EventKind;

/// From the end of a container to its start by the engine's own policy.
const ENGINE_RESTART: Duration = Duration::from_millis(100);

impl World {
    pub(super) fn begin(&mut self, id: &str) {
        let (now, wall) = (self.now(), self.wall());
        let ready = now + self.millis(200, 2000);
        self.next += 1;
        let host = u32::try_from(self.next).unwrap_or_default();
        let (ends, deaf) = (self.millis(100, 900), self.millis(20_000, 30_000));
        let ids: BTreeMap<String, String> =
            self.networks.iter().map(|network| (network.name.clone(), network.id.clone())).collect();
        let Some(container) = self.find_mut(id) else { return };
        for network in container.seen.networks.keys() {
            if let Some(id) = ids.get(network) {
                container.seen.joined.entry(network.clone()).or_insert_with(|| id.clone());
            }
        }
        container.run += 1;
        container.hung = false;
        container.asked_to_end = false;
        container.out_of_memory = false;
        // Whoever began it, the engine after a restart of its own among them: the kernel is asked anew.
        container.refused = false;
        container.started_at = Some(wall);
        container.loaded = container.seen.live.as_ref().map(|live| live.contents.clone()).unwrap_or_default();
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
        let now = self.now();
        let Some(container) = self.find_mut(id) else { return };
        if container.run != run || !container.runs() {
            return;
        }
        container.seen.state = State::Exited(code);
        container.seen.health = None;
        container.out_of_memory = out_of_memory;
        container.seen.networks.values_mut().for_each(|address| *address = None);
        // Whose stop it was is known when it has ended.
        container.stopped_by_somebody = container.stopped_by_somebody.map(|_| now);
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
        self.ends += u32::from(!live_restore);
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
}
