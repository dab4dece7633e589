//! What goes wrong in the simulated world, by chance: one row a kind.
//!
//! Deliberately absent: refused and lost requests, which are the port's.

use std::time::Duration;

use jiff::SignedDuration;

use super::dice::Dice;
use super::world::{Who, World};
use crate::decide::seen::{Health, State};
use crate::decide::spec::{Bounds, Restart};
use crate::engine::{EngineEvent, EventKind};

/// Which kinds of faults a run has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    /// Requests are refused, lost and left without an answer.
    pub(super) requests: bool,
    /// Containers end, hang and run out of memory.
    pub(super) crashes: bool,
    /// Somebody stops, starts, freezes, renames, removes, changes.
    pub(super) somebody: bool,
    /// The engine restarts, with and without live-restore.
    pub(super) engine: bool,
    /// Its events are cut off, silent, or too many.
    pub(super) events: bool,
    /// The supervisor is killed.
    pub(super) kills: bool,
    /// The calendar is set.
    pub(super) clock: bool,
    /// The file changes.
    pub(super) files: bool,
    /// Somebody's containers take wanted names; ours lose their confinement.
    pub(super) strangers: bool,
}

impl Profile {
    pub(super) fn random(dice: &mut Dice) -> Self {
        let mut often = || dice.per_mille(600);
        Self {
            requests: often(),
            crashes: often(),
            somebody: often(),
            engine: often(),
            events: often(),
            kills: often(),
            clock: often(),
            files: often(),
            strangers: often(),
        }
    }

    /// The same without people who change containers: what they do to them is other runs' matter.
    pub(super) fn about_the_configs(self) -> Self {
        Self { somebody: false, files: true, kills: true, ..self }
    }

    /// The same without what a guard has nothing to do with.
    pub(super) fn about_the_guard(self) -> Self {
        Self { somebody: false, strangers: false, kills: false, requests: false, ..self }
    }

    /// Whether it can be known of every stop whose it was.
    pub(super) fn is_gentle(&self) -> bool {
        !(self.requests || self.engine || self.events || self.kills || self.files || self.strangers)
    }
}

/// What the process has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Kill,
    Change,
    ChangeForTheWorse,
}

/// Plans the next fault, and the one after it when it has happened.
pub(super) fn keep_coming(world: &mut World, order: impl Fn(&mut World, Order) + Clone + 'static) {
    let pause = world.millis(500, 12_000);
    world.after(pause, move |world| {
        if world.faulty {
            strike(world, &order);
            keep_coming(world, order);
        }
    });
}

fn strike(world: &mut World, order: &(impl Fn(&mut World, Order) + Clone)) {
    let kind = world.dice.roll(9);
    let profile = world.profile.clone();
    let ours: Vec<String> =
        world.containers.iter().filter(|c| c.is_ours()).map(|c| c.seen.id.clone()).collect();
    let target = world.dice.pick(&ours).cloned();
    match (kind, target) {
        (0..=1, Some(id)) if profile.crashes => crash(world, &id),
        (2..=3, Some(id)) if profile.somebody => somebody(world, &id),
        (4, _) if profile.engine && world.up => engine(world),
        (5, _) if profile.events => events(world),
        (6, _) if profile.kills => order(world, Order::Kill),
        (7, _) if profile.clock => {
            let seconds = i64::try_from(world.dice.roll(7200)).unwrap_or_default() - 3600;
            world.disturb(|| format!("the calendar is set by {seconds} s"));
            world.jump += SignedDuration::from_secs(seconds);
        }
        (8, target) => match world.dice.roll(3) {
            0 if profile.files => order(world, Order::Change),
            1 if profile.files => order(world, Order::ChangeForTheWorse),
            2 if profile.strangers => stranger(world, target),
            _ => {}
        },
        _ => {}
    }
}

fn crash(world: &mut World, id: &str) {
    let Some(container) = world.find(id).filter(|c| c.seen.state == State::Running) else { return };
    let (run, name) = (container.run, container.seen.name.clone());
    match world.dice.roll(4) {
        0 => {
            world.disturb(|| format!("{name} hangs"));
            world.hang(id);
        }
        1 => {
            world.disturb(|| format!("{name} runs out of memory"));
            world.end(id, run, 137, true);
        }
        _ => {
            world.disturb(|| format!("{name} crashes"));
            world.end(id, run, 1, false);
        }
    }
}

fn somebody(world: &mut World, id: &str) {
    let what = world.dice.roll(10);
    let Some(container) = world.find(id) else { return };
    let (name, state) = (container.seen.name.clone(), container.seen.state);
    let network = container.seen.networks.keys().next().cloned();
    let spare = name.contains(".next") || name.contains(".previous");
    if !world.up || spare {
        return;
    }
    world.disturb(|| format!("somebody does {what} to {name}"));
    match what {
        0..=1 => {
            let grace = Duration::from_secs(*world.dice.pick(&[0, 1, 10, 200]).unwrap_or(&1));
            let (answer, _) = tokio::sync::oneshot::channel();
            world.stop(id, grace, Who::Somebody, answer);
        }
        2..=3 if matches!(state, State::Exited(_)) => drop(world.start(id, Who::Somebody)),
        4 => world.pause(id),
        5 if state == State::Paused => drop(world.unpause(id, Who::Somebody)),
        6 => drop(world.rename(id, &format!("{name}-other"), Who::Somebody)),
        7 => drop(world.remove(id, Who::Somebody)),
        8 => {
            let restart =
                *world.dice.pick(&[Restart::Always, Restart::UnlessStopped]).unwrap_or(&Restart::No);
            let bounds = Bounds { memory: 1 << 30, nano_cpus: 1, pids: 7 };
            let change = |c: &mut super::world::Container| (c.restart, c.bounds) = (restart, bounds);
            drop(world.update(id, Who::Somebody, change));
        }
        9 => {
            if let Some(network) = network {
                drop(world.disconnect(id, &network, Who::Somebody));
            }
        }
        _ => {}
    }
}

fn engine(world: &mut World) {
    let live_restore = world.dice.roll(2) == 0;
    world.disturb(|| format!("the engine ends, live-restore {live_restore}"));
    world.engine_ends(live_restore);
    let away = world.millis(100, 60_000);
    world.after(away, |world| {
        world.say(|| "the engine is back".to_owned());
        world.engine_begins();
    });
}

fn events(world: &mut World) {
    match world.dice.roll(3) {
        0 => {
            world.disturb(|| "the events are cut off".to_owned());
            world.listeners.clear();
        }
        1 => {
            world.disturb(|| "the events fall silent".to_owned());
            let listeners = std::mem::take(&mut world.listeners);
            world.silent.extend(listeners);
        }
        _ => {
            world.disturb(|| "a flood of events".to_owned());
            let at = world.wall();
            for number in 0..200 {
                let event = EngineEvent {
                    at,
                    id: format!("x{number}"),
                    name: format!("shop-flood-{number}"),
                    service: None,
                    kind: EventKind::Health(Health::Healthy),
                };
                world.publish(event);
            }
        }
    }
}

fn stranger(world: &mut World, target: Option<String>) {
    let Some(id) = target else { return };
    let Some(container) = world.find_mut(&id) else { return };
    let name = container.seen.name.clone();
    if container.seen.state == State::Running && container.run % 2 == 0 {
        container.confined = false;
        world.disturb(|| format!("{name} loses its confinement"));
        return;
    }
    if world.up {
        world.disturb(|| format!("{name} is removed, and a stranger takes its name"));
        drop(world.remove(&id, Who::Somebody));
        world.stranger(&name, None);
        let stays = world.millis(1000, 40_000);
        world.after(stays, move |world| {
            world.say(|| format!("the stranger {name} leaves"));
            world.containers.retain(|c| c.seen.name != name || c.is_ours());
        });
    }
}
