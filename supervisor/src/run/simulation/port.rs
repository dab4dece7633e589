//! The port to the simulated engine: every request takes its time, and may be refused, lost or left without an answer.
//!
//! What was asked for happens whether or not who asked is still there. Deliberately absent: what the engine does (`world`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use compose::model::Probe;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::super::event::Word;
use super::requests::not_found;
use super::world::{Answer, Container, Who, World};
use crate::apply::{Machine, Occasion, PrepareError};
use crate::decide::guard::Ruleset;
use crate::decide::labels;
use crate::decide::plan::Reload;
use crate::decide::seen::{ImageStart, Seen, SeenImage, State};
use crate::decide::spec::{AttachSpec, Bounds, ContainerSpec, NetworkShape, Restart, VolumeSpec, Wanted};
use crate::decide::start::Start;
use crate::engine::error::Unreachable;
use crate::engine::{
    Engine, EngineError, EngineEvent, EngineStream, EngineVersion, ExecIo, ExecSpec, Inspected, Joined,
    LogChunk, LogQuery, ProcessTable, PullProgress, Scope, Usage,
};
use crate::host::guard::GuardError;
use crate::host::live::Deed;
use crate::serve::snapshot::Attestation;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    Refused(u16),
    Missing,
    Lost,
    Never,
}

/// A connection.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) world: Rc<RefCell<World>>,
    /// When whoever holds it began.
    pub(super) since: Timestamp,
}

impl Port {
    pub(super) fn new(world: &Rc<RefCell<World>>) -> Self {
        let since = world.borrow().wall();
        Self { world: Rc::clone(world), since }
    }

    /// Asks; the deed is given the way to answer.
    async fn ask<T: 'static>(
        &self,
        action: String,
        deed: impl FnOnce(&mut World, oneshot::Sender<Answer<T>>) + 'static,
    ) -> Answer<T> {
        let (send, answer) = oneshot::channel();
        let (way, fate) = {
            let mut world = self.world.borrow_mut();
            let way = if world.dice.per_mille(20) { world.millis(100, 3000) } else { world.millis(0, 20) };
            let fate = match world.dice.roll(200) {
                _ if !world.faulty || !world.profile.requests => Fate::Done,
                0..=1 => Fate::Refused(500),
                2 => Fate::Refused(409),
                3 => Fate::Missing,
                4..=6 => Fate::Lost,
                7 => Fate::Never,
                _ => Fate::Done,
            };
            if !matches!(fate, Fate::Done) {
                world.disturb(|| format!("{fate:?}: {action}"));
            }
            world.say(|| format!("  ask {action}"));
            if matches!(fate, Fate::Done | Fate::Lost | Fate::Never) {
                let life = world.lives;
                world.after(way, move |world| {
                    if world.up {
                        world.asker_is_dead = world.lives != life;
                        deed(world, send);
                        world.asker_is_dead = false;
                    }
                });
            }
            (way, fate)
        };
        match fate {
            Fate::Done => match tokio::time::timeout(PATIENCE * 20, answer).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(self.away()),
                Err(_) => Err(EngineError::Slow { action, after: PATIENCE }),
            },
            Fate::Refused(status) => {
                tokio::time::sleep(way).await;
                Err(EngineError::Refused { action, status, message: "a fault".to_owned() })
            }
            Fate::Missing => {
                tokio::time::sleep(way).await;
                Err(EngineError::NotFound { action })
            }
            Fate::Lost => {
                tokio::time::sleep(way + Duration::from_millis(1)).await;
                Err(EngineError::Broken { action, message: "the connection broke".to_owned() })
            }
            Fate::Never => {
                tokio::time::sleep(PATIENCE).await;
                Err(EngineError::Slow { action, after: PATIENCE })
            }
        }
    }

    async fn tell<T: 'static>(
        &self,
        action: String,
        deed: impl FnOnce(&mut World) -> Answer<T> + 'static,
    ) -> Answer<T> {
        self.ask(action, |world, answer| drop(answer.send(deed(world)))).await
    }

    #[allow(clippy::unused_self, reason = "reads as the port's word")]
    fn away(&self) -> EngineError {
        EngineError::Unreachable { address: "unix:///simulated".to_owned(), reason: Unreachable::Refused }
    }
}

impl Port {
    /// As the real engine's default network tells it.
    pub(super) fn life(&self) -> String {
        self.world.borrow().ends.to_string()
    }
}

impl Engine for Port {
    async fn version(&self) -> Answer<EngineVersion> {
        let version = EngineVersion { engine: "28.5.2".to_owned(), runc: None };
        self.tell("version".to_owned(), move |_| Ok(version)).await
    }

    async fn images(&self, names: &BTreeSet<String>) -> Answer<BTreeMap<String, SeenImage>> {
        let image = |name: &String| (name.clone(), SeenImage { id: format!("sha256:{}", "cd".repeat(32)) });
        let images = names.iter().map(image).collect();
        self.tell("images".to_owned(), move |_| Ok(images)).await
    }

    async fn observe(&self, scope: &Scope) -> Answer<Seen> {
        let scope = scope.clone();
        self.tell("observe".to_owned(), move |world| {
            let ours = |project: &Option<String>| project.as_ref() == Some(&scope.project);
            let container = |c: &&Container| ours(&c.seen.project) || scope.containers.contains(&c.seen.name);
            Ok(Seen {
                networks: world
                    .networks
                    .iter()
                    .filter(|n| ours(&n.project) || scope.networks.contains(&n.name))
                    .cloned()
                    .collect(),
                volumes: world
                    .volumes
                    .iter()
                    .filter(|v| ours(&v.project) || scope.volumes.contains(&v.name))
                    .cloned()
                    .collect(),
                containers: world.containers.iter().filter(container).map(|c| c.seen.clone()).collect(),
                images: BTreeMap::new(),
                api: Some((1, 51)),
                guard: None,
            })
        })
        .await
    }

    async fn create_network(&self, shape: &NetworkShape) -> Answer<String> {
        let shape = shape.clone();
        self.tell(format!("create network {}", shape.name), move |world| world.create_network(&shape)).await
    }

    async fn remove_network(&self, id: &str) -> Answer<()> {
        let id = id.to_owned();
        self.tell(format!("remove network {id}"), move |world| world.remove_network(&id)).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Answer<()> {
        let spec = spec.clone();
        let create = move |world: &mut World| {
            world.create_volume(&spec);
            Ok(())
        };
        self.tell("create volume".to_owned(), create).await
    }

    async fn remove_volume(&self, name: &str) -> Answer<()> {
        self.world.borrow_mut().violation(format!("remove volume `{name}`"));
        Ok(())
    }

    async fn image_start(&self, _: &str) -> Answer<ImageStart> {
        self.tell("image".to_owned(), |_| Ok(ImageStart::default())).await
    }

    async fn create_container(
        &self,
        spec: &ContainerSpec,
        name: &str,
        _: &BTreeMap<String, PathBuf>,
        _: &Start,
    ) -> Answer<String> {
        let (spec, name) = (spec.clone(), name.to_owned());
        self.tell(format!("create {name}"), move |world| world.create(&spec, &name)).await
    }

    async fn start(&self, container: &str) -> Answer<()> {
        let key = container.to_owned();
        self.tell(format!("start {key}"), move |world| world.start(&key, Who::Us)).await
    }

    async fn stop(&self, container: &str, grace: Duration) -> Answer<()> {
        let key = container.to_owned();
        let action = format!("stop {key} within {} s", grace.as_secs());
        self.ask(action, move |world, answer| world.stop(&key, grace, Who::Us, answer)).await
    }

    async fn kill(&self, container: &str, signal: &str) -> Answer<()> {
        let key = container.to_owned();
        self.tell(format!("send {signal} to {key}"), move |world| world.reload(&key)).await
    }

    async fn unpause(&self, container: &str) -> Answer<()> {
        let key = container.to_owned();
        self.tell(format!("unpause {key}"), move |world| world.unpause(&key, Who::Us)).await
    }

    async fn remove(&self, container: &str) -> Answer<()> {
        let key = container.to_owned();
        self.tell(format!("remove {key}"), move |world| world.remove(&key, Who::Us)).await
    }

    async fn set_restart(&self, container: &str, restart: Restart) -> Answer<()> {
        let key = container.to_owned();
        let change = move |world: &mut World| world.update(&key, Who::Us, |c| c.restart = restart);
        self.tell(format!("set restart of {container} to {restart:?}"), change).await
    }

    async fn set_bounds(&self, container: &str, bounds: Bounds) -> Answer<()> {
        let key = container.to_owned();
        let change = move |world: &mut World| world.update(&key, Who::Us, |c| c.bounds = bounds);
        self.tell(format!("set bounds of {container}"), change).await
    }

    async fn connect(&self, container: &str, network: &str, _: &AttachSpec) -> Answer<()> {
        let (key, network) = (container.to_owned(), network.to_owned());
        self.tell(format!("connect {key} {network}"), move |world| world.connect(&key, &network)).await
    }

    async fn rejoin(&self, container: &str, network: &str) -> Answer<()> {
        let (key, network) = (container.to_owned(), network.to_owned());
        self.tell(format!("connect {key} {network} again"), move |world| world.rejoin(&key, &network)).await
    }

    async fn disconnect(&self, container: &str, network: &str) -> Answer<()> {
        let (key, network) = (container.to_owned(), network.to_owned());
        let action = format!("disconnect {key} {network}");
        self.tell(action, move |world| world.disconnect(&key, &network, Who::Us)).await
    }

    async fn rename(&self, container: &str, to: &str) -> Answer<()> {
        let (key, to) = (container.to_owned(), to.to_owned());
        self.tell(format!("rename {key} to {to}"), move |world| world.rename(&key, &to, Who::Us)).await
    }

    fn pull(&self, _: &str) -> EngineStream<PullProgress> {
        Box::pin(futures_util::stream::empty())
    }

    async fn inspect(&self, container: &str) -> Answer<Inspected> {
        let key = container.to_owned();
        let look = move |world: &mut World| {
            world.find(&key).map(inspected).ok_or_else(|| not_found("inspect", &key))
        };
        self.tell(format!("inspect {container}"), look).await
    }

    fn events(&self, _: &str, since: Option<Timestamp>) -> EngineStream<EngineEvent> {
        let (send, receive) = mpsc::unbounded_channel();
        // Who asks on the real clock means when it began.
        let today = |since: Timestamp| since < Timestamp::from_second(4_000_000_000).unwrap_or_default();
        let since = since.map(|since| if today(since) { self.since } else { since });
        let mut world = self.world.borrow_mut();
        let up = world.up;
        world.listen(since, send);
        if !up {
            return Box::pin(futures_util::stream::once(std::future::ready(Err(self.away()))));
        }
        let next = async |mut receive: mpsc::UnboundedReceiver<Answer<EngineEvent>>| {
            receive.recv().await.map(|event| (event, receive))
        };
        Box::pin(futures_util::stream::unfold(receive, next))
    }

    fn logs(&self, _: &str, _: &LogQuery) -> EngineStream<LogChunk> {
        Box::pin(futures_util::stream::empty())
    }

    async fn exec(&self, container: &str, _: &ExecSpec) -> Answer<ExecIo> {
        let key = container.to_owned();
        self.tell(format!("run a command in {key}"), move |world| world.is_up(&key)).await?;
        let output = Box::pin(futures_util::stream::empty());
        Ok(ExecIo { id: "exec".to_owned(), output, input: Box::pin(tokio::io::sink()) })
    }

    async fn exec_exit_code(&self, _: &str) -> Answer<Option<i64>> {
        Ok(Some(0))
    }

    async fn exec_resize(&self, _: &str, _: u16, _: u16) -> Answer<()> {
        Ok(())
    }

    async fn top(&self, _: &str) -> Answer<ProcessTable> {
        Ok(ProcessTable::default())
    }

    fn stats(&self, _: &str, _: bool) -> EngineStream<Usage> {
        Box::pin(futures_util::stream::empty())
    }
}

fn inspected(container: &Container) -> Inspected {
    let seen = &container.seen;
    let label = |key: &str, value: &Option<String>| value.clone().map(|value| (key.to_owned(), value));
    Inspected {
        id: seen.id.clone(),
        name: seen.name.clone(),
        state: seen.state,
        pid: container.runs().then_some(4711),
        started_at: container.started_at,
        finished_at: None,
        exit_code: if let State::Exited(code) = seen.state { code } else { 0 },
        oom_killed: container.out_of_memory,
        error: String::new(),
        health: seen.health,
        health_output: None,
        restart_count: 0,
        image_id: seen.image_id.clone(),
        executes: Vec::new(),
        labels: label(labels::HASH, &seen.hash).into_iter().collect(),
        hostname: String::new(),
        user: String::new(),
        init: true,
        privileged: false,
        read_only_root: true,
        cap_add: BTreeSet::new(),
        cap_drop: BTreeSet::new(),
        security_opt: Vec::new(),
        apparmor: String::new(),
        ipc_mode: String::new(),
        pid_mode: String::new(),
        uts_mode: String::new(),
        userns_mode: String::new(),
        cgroupns_mode: String::new(),
        network_mode: String::new(),
        memory: i64::try_from(container.bounds.memory).unwrap_or_default(),
        memory_swap: i64::try_from(container.bounds.memory).unwrap_or_default() + 1,
        nano_cpus: i64::try_from(container.bounds.nano_cpus).unwrap_or_default(),
        pids_limit: i64::from(container.bounds.pids),
        cgroup_parent: String::new(),
        networks: seen
            .networks
            .iter()
            .map(|(name, address)| (name.clone(), Joined { ipv4: *address, ..Joined::default() }))
            .collect(),
        mounts: Vec::new(),
        tmpfs: BTreeMap::new(),
        ports: BTreeSet::new(),
        devices: Vec::new(),
        runtime: String::new(),
        restart: container.restart,
    }
}

/// The kernel's word on a container, beside its promise.
pub(super) fn word(world: &World, spec: &ContainerSpec, id: &str) -> Attestation {
    let at = world.wall();
    let Some(container) = world.find(id).filter(|container| container.runs()) else {
        return Attestation::Unknown;
    };
    let seccomp = (!container.confined).then(|| "seccomp: promised on, seen off".to_owned());
    let limits = (container.bounds != spec.bounds()).then(|| "limits: not as promised".to_owned());
    let differences: Vec<String> = seccomp.into_iter().chain(limits).collect();
    if differences.is_empty() {
        Attestation::Passed { at, checks: 2 }
    } else {
        Attestation::Failed { at, differences }
    }
}

/// The machine around the simulated engine, and a record of what was attested.
pub(super) struct SimulatedMachine {
    pub(super) world: Rc<RefCell<World>>,
    pub(super) attested: RefCell<BTreeMap<String, Word>>,
    pub(super) refused: Rc<RefCell<BTreeSet<String>>>,
}

impl Machine for SimulatedMachine {
    fn prepare(&self, _: &ContainerSpec, _: Occasion) -> Result<BTreeMap<String, PathBuf>, PrepareError> {
        Ok(BTreeMap::new())
    }

    fn change(&self, reload: &Reload, deed: Deed) -> Result<bool, PrepareError> {
        Ok(self.world.borrow_mut().change(reload, deed))
    }

    fn guard(&self, ruleset: &Ruleset) -> Result<(), GuardError> {
        self.world.borrow_mut().say(|| "the guard is set".to_owned());
        self.world.borrow_mut().filter.set(ruleset);
        Ok(())
    }

    fn reguard(&self, _: &str, ruleset: &str, script: &str) -> Result<(), GuardError> {
        self.world.borrow_mut().say(|| "the guard is set as before".to_owned());
        self.world.borrow_mut().filter.set_as_before(ruleset, script);
        Ok(())
    }

    fn unguard(&self, _: &str) -> Result<(), GuardError> {
        self.world.borrow_mut().filter.remove();
        Ok(())
    }

    fn owe(&self, container: &str, owes: bool) -> Result<(), PrepareError> {
        self.world.borrow_mut().owe(container, owes);
        Ok(())
    }

    fn settle(&self, _: &Wanted, _: &Seen) -> Vec<String> {
        Vec::new()
    }

    async fn attest(&self, spec: &ContainerSpec, inspected: &Inspected) -> Result<(), Vec<String>> {
        let word = word(&self.world.borrow(), spec, &inspected.id);
        let said = Word {
            id: inspected.id.clone(),
            attestation: word.clone(),
            promised: spec.bounds(),
            seen: Some(inspected.bounds()),
        };
        self.attested.borrow_mut().insert(spec.name.clone(), said);
        match word {
            Attestation::Failed { differences, .. } => Err(differences),
            _ => Ok(()),
        }
    }

    fn refused(&self) -> BTreeSet<String> {
        self.refused.borrow().clone()
    }

    fn pids_refused(&self, _: u32) -> u64 {
        0
    }

    async fn probe(&self, probe: &Probe, _: &str, address: IpAddr) -> Result<(), String> {
        answer(&self.world, address, probe.timeout).await
    }
}

/// One probe, from the host over the bridge.
pub(super) async fn answer(
    world: &Rc<RefCell<World>>,
    address: IpAddr,
    timeout: Duration,
) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    let (there, answers) = {
        let world = world.borrow();
        let has = |c: &&Container| c.seen.networks.values().any(|a| *a == Some(address));
        let found = world.containers.iter().find(has);
        (found.is_some(), found.is_some_and(|c| c.answers(world.now())))
    };
    if answers {
        return Ok(());
    }
    if there {
        tokio::time::sleep(timeout).await;
    }
    Err("no answer".to_owned())
}
