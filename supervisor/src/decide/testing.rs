//! What the tests of this module start from: a Compose text made wanted, and an engine that only does as planned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use compose::host::MemoryHost;
use compose::model::{Condition, ContentSource, Date};
use compose::{Policy, Request, Source};
use profiles::{Arch, Kernel};

use super::guard::Ruleset;
use super::live::Live;
use super::plan::{Plan, Step};
use super::seen::{
    Health, Seen, SeenContainer, SeenGuard, SeenImage, SeenNetwork, SeenTable, SeenVolume, State,
};
use super::spec::{ContainerSpec, NetworkShape, Wanted};
use super::wanted::{Given, Restarts, wanted};

/// Containers that were made so far.
static CREATED: AtomicUsize = AtomicUsize::new(0);

/// What a Compose text wants, with every image there and the engine as the restarter.
#[track_caller]
pub(crate) fn want(text: &str) -> Wanted {
    want_with(text, Restarts::Engine, &[], |image| Some(format!("id-of-{image}")))
}

/// The same on a kernel that offers this version of Landlock.
#[track_caller]
pub(crate) fn want_on(text: &str, landlock: u8) -> Wanted {
    let kernel = Kernel { landlock, ..KERNEL };
    let image = |image: &str| Some(format!("id-of-{image}"));
    Wanted { guard: None, ..want_as(text, kernel, Restarts::Engine, &[], image) }
}

/// What a Compose text wants, the guard included: other tests are not about it.
#[track_caller]
pub(crate) fn want_guarded(text: &str) -> Wanted {
    want_as(text, KERNEL, Restarts::Engine, &[], |image| Some(format!("id-of-{image}")))
}

const KERNEL: Kernel = Kernel { arch: Arch::X86_64, version: (6, 18), apparmor: false, landlock: 0 };

/// The same, with a say in it.
#[track_caller]
pub(crate) fn want_with(
    text: &str,
    restarts: Restarts,
    profiles: &[&str],
    image_id: impl Fn(&str) -> Option<String>,
) -> Wanted {
    Wanted { guard: None, ..want_as(text, KERNEL, restarts, profiles, image_id) }
}

/// What a Compose text says once it is hardened.
#[track_caller]
pub(crate) fn project(text: &str) -> compose::Project {
    admitted(text).project().clone()
}

/// A recorded profile beside every stack.
const RECORDED: &str = "base: generic\nleft_out: [getxattr, rseq]\nsyscalls: [socket]\n";

#[track_caller]
fn admitted(text: &str) -> compose::Admitted {
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: PathBuf::from("/srv/shop"),
        project_name: Some("shop".to_owned()),
        environment: compose::Environment::default(),
    };
    let mut host = MemoryHost::default();
    host.files.insert("/srv/shop/profiles/recorded.yaml".into(), RECORDED.into());
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    let (admitted, report) = compose::admit(compose::load(request, &host), &policy, &host);
    let errors: Vec<_> = report
        .findings
        .iter()
        .filter(|f| f.severity == compose::Severity::Error)
        .map(|f| &f.message)
        .collect();
    admitted.unwrap_or_else(|| panic!("not admitted: {errors:?}"))
}

#[track_caller]
fn want_as(
    text: &str,
    kernel: Kernel,
    restarts: Restarts,
    profiles: &[&str],
    image_id: impl Fn(&str) -> Option<String>,
) -> Wanted {
    let stack = admitted(text);
    let services = stack.project().services.values();
    let images: BTreeMap<_, _> = services
        .clone()
        .flat_map(compose::Service::images)
        .filter_map(|image| Some((image.value.clone(), SeenImage { id: image_id(&image.value)? })))
        .collect();
    let confinements = services
        .map(|service| (service.name.clone(), profiles::confine(&stack, &service.name, &kernel).unwrap()))
        .collect();
    // A text stands for its own hash.
    let contents = stack.project().configs.iter().filter_map(|(key, config)| match &config.content.value {
        ContentSource::Inline(text) => Some((format!("config/{key}"), text.clone())),
        _ => None,
    });
    let given = Given {
        confinements: &confinements,
        images: &images,
        contents: &contents.collect(),
        profiles: &profiles.iter().map(|profile| (*profile).to_owned()).collect::<BTreeSet<_>>(),
        restarts,
    };
    wanted(&stack, &given).unwrap()
}

/// The engine after a plan, each step done in order. Every start makes a container running and, at once, healthy;
/// what a step waits for to be complete has ended well.
///
/// # Panics
/// A step that no engine could do: the plan is wrong.
pub(crate) fn simulate(seen: &Seen, plan: &Plan) -> Seen {
    let mut seen = seen.clone();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        assert!(planned.after.iter().all(|first| done.contains(first)), "step {index} waits for a later one");
        carry_out(&mut seen, &planned.step, index);
        done.insert(index);
    }
    seen
}

fn carry_out(seen: &mut Seen, step: &Step, index: usize) {
    match step {
        Step::Pull { .. } | Step::Delay { .. } => {}
        Step::CreateNetwork(shape) => {
            assert!(!seen.networks.iter().any(|n| n.name == shape.name), "network `{}` twice", shape.name);
            // Twelve digits of its own, as the engine's bridges have them.
            let id = format!("{:012x}-{}", CREATED.fetch_add(1, Ordering::Relaxed), shape.name);
            link(seen, &id);
            seen.networks.push(made(shape, id));
        }
        Step::Guard(spec) => {
            let ruleset = Ruleset::of(spec, &seen.networks).expect("names of bridges");
            set_guard(seen, ruleset.hash(), ruleset.script());
        }
        Step::Reguard { ruleset, script, moved, .. } => {
            let mut script = script.clone();
            for (from, network) in moved {
                let network =
                    seen.networks.iter().find(|there| there.name == *network).expect("it was made again");
                script = super::guard::moved(&script, from, &super::guard::bridge(network));
            }
            set_guard(seen, ruleset.clone(), script);
        }
        Step::Unguard { .. } => {
            let guard = seen.guard.get_or_insert_default();
            (guard.table, guard.script) = (SeenTable::default(), None);
        }
        Step::RemoveNetwork { id, name } => {
            let up =
                |c: &&SeenContainer| matches!(c.state, State::Running | State::Paused | State::Restarting);
            let users = seen.containers.iter().filter(up).filter(|c| c.networks.contains_key(name));
            let users: Vec<_> = users.map(|c| &c.name).collect();
            assert!(users.is_empty(), "network `{name}` is in use by {users:?}");
            seen.networks.retain(|network| network.id != *id && network.name != *id);
        }
        Step::CreateVolume(spec) => {
            assert!(!seen.volumes.iter().any(|v| v.name == spec.name), "volume `{}` twice", spec.name);
            let labels = spec.labels();
            let ours = super::labels::parse(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            seen.volumes.push(SeenVolume {
                name: spec.name.clone(),
                project: ours.project,
                hash: ours.hash,
                driver: "local".to_owned(),
                options: spec.options.clone(),
            });
        }
        Step::RemoveVolume { name } => seen.volumes.retain(|volume| volume.name != *name),
        Step::Create { spec, name } => {
            assert!(!seen.containers.iter().any(|c| c.name == *name), "the name `{name}` is taken");
            for network in spec.networks.keys() {
                assert!(seen.networks.iter().any(|n| n.name == *network), "no network `{network}`");
            }
            // An id is never used again, whichever plan makes it.
            let id = format!("c{}-{name}", CREATED.fetch_add(1, Ordering::Relaxed));
            seen.containers.push(SeenContainer { id, name: name.clone(), ..created(spec, index) });
        }
        Step::Start { id, name, owes, .. } => {
            let ids = ids(seen);
            let container = by_name(seen, name);
            for (network, known) in join(&ids, container) {
                assert!(known, "`{name}` knows another network `{network}`");
            }
            assert!(id.as_ref().is_none_or(|id| *id == container.id), "`{name}` is another than {id:?}");
            assert!(matches!(container.state, State::Created | State::Exited(_)), "`{name}` runs already");
            container.state = State::Running;
            container.health = Some(Health::Healthy);
            container.owes = *owes;
        }
        Step::PostStart { name, commands, .. } => {
            let container = by_name(seen, name);
            assert_eq!(container.state, State::Running, "`{name}` has hooks, and is down");
            assert_eq!(container.hooks.post_start, *commands, "hooks of another");
            container.owes = false;
        }
        Step::PreStop { id, name, commands, .. } => {
            let container = by_id(seen, id);
            assert!(matches!(container.state, State::Running | State::Restarting), "`{name}` does not run");
            assert_eq!(container.hooks.pre_stop, *commands, "hooks of another");
        }
        Step::Await(wait) => {
            for container in seen.containers.iter_mut().filter(|c| wait.containers.contains(&c.name)) {
                if wait.condition == Condition::Completed {
                    container.state = State::Exited(0);
                    container.health = None;
                } else {
                    assert_eq!(
                        container.state,
                        State::Running,
                        "waits for `{}`, which is down",
                        container.name
                    );
                }
            }
        }
        Step::Stop { id, name, .. } => {
            let container = by_id(seen, id);
            assert!(matches!(container.state, State::Running | State::Restarting), "`{name}` does not run");
            container.state = State::Exited(143);
            container.health = None;
        }
        Step::Remove { id, name } => {
            let container = by_id(seen, id);
            assert!(!matches!(container.state, State::Running | State::Paused), "`{name}` runs");
            seen.containers.retain(|container| container.id != *id);
        }
        Step::Unpause { id, name } => {
            let container = by_id(seen, id);
            assert_eq!(container.state, State::Paused, "`{name}` is not paused");
            container.state = State::Running;
        }
        Step::SetRestart { id, restart, .. } => by_id(seen, id).restart = Some(*restart),
        Step::SetBounds { id, bounds, .. } => by_id(seen, id).bounds = Some(*bounds),
        Step::Reload(reload) => {
            let container = by_id(seen, &reload.id);
            assert_eq!(container.state, State::Running, "`{}` is told, and is down", reload.name);
            assert!(!reload.files.is_empty(), "`{}` has no files", reload.name);
            container.live = Some(Live { contents: reload.contents.clone(), unfinished: true });
        }
        // What it held before is nobody's question here but the one that compares.
        Step::Unreload { reload, .. } => {
            by_id(seen, &reload.id).live.as_mut().expect("files").unfinished = false;
        }
        Step::Settle { name, .. } => by_name(seen, name).live.as_mut().expect("files").unfinished = false,
        Step::Connect { id, name, network, .. } => {
            assert!(seen.networks.iter().any(|n| n.name == *network), "no network `{network}`");
            let before = by_id(seen, id).networks.insert(network.clone(), None);
            assert!(before.is_none(), "`{name}` is on `{network}` already");
        }
        Step::Rejoin { id, name, network } => {
            assert!(seen.networks.iter().any(|n| n.name == *network), "no network `{network}`");
            let container = by_id(seen, id);
            assert!(container.state != State::Running, "`{name}` runs");
            assert!(container.networks.contains_key(network), "`{name}` is not on `{network}`");
            container.joined.remove(network);
        }
        Step::Disconnect { id, name, network } => {
            by_id(seen, id).joined.remove(network);
            let before = by_id(seen, id).networks.remove(network);
            assert!(before.is_some(), "`{name}` is not on `{network}`");
        }
        Step::Rename { id, to, .. } => {
            assert!(!seen.containers.iter().any(|c| c.name == *to), "the name `{to}` is taken");
            let container = seen.containers.iter_mut().find(|c| c.id == *id || c.name == *id);
            container.unwrap_or_else(|| panic!("no container `{id}`")).name.clone_from(to);
        }
    }
}

/// Ids of networks by name.
fn ids(seen: &Seen) -> BTreeMap<String, String> {
    seen.networks.iter().map(|network| (network.name.clone(), network.id.clone())).collect()
}

/// What a start makes of the networks that a container knows: each, and whether it is the one of that name.
fn join(ids: &BTreeMap<String, String>, container: &mut SeenContainer) -> Vec<(String, bool)> {
    let mut rows = Vec::new();
    for network in container.networks.keys() {
        let Some(id) = ids.get(network) else { continue };
        let known = container.joined.entry(network.clone()).or_insert_with(|| id.clone());
        rows.push((network.clone(), known == id));
    }
    rows
}

/// A network as it is seen once it is made.
pub(crate) fn made(shape: &NetworkShape, id: String) -> SeenNetwork {
    let ours = super::labels::parse(shape.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let composed = shape.labels.contains_key(super::labels::COMPOSE_PROJECT);
    SeenNetwork {
        id,
        name: shape.name.clone(),
        project: ours.project,
        hash: ours.hash,
        internal: shape.internal,
        composed,
        driver: "bridge".to_owned(),
        options: shape.options.clone(),
        ipv6: shape.ipv6,
        pools: shape.pools.clone(),
        labels: shape.labels.clone(),
        strangers: BTreeSet::new(),
    }
}

fn set_guard(seen: &mut Seen, ruleset: String, script: String) {
    let guard = seen.guard.get_or_insert_default();
    guard.table = SeenTable::There { ruleset, intact: true };
    guard.script = Some(script);
}

/// A network's bridge appears on the host.
fn link(seen: &mut Seen, network: &str) {
    if let Some(guard) = &mut seen.guard {
        guard.links.insert(format!("br-{}", network.chars().take(12).collect::<String>()));
    }
}

/// The host is guarded as a wanted state wants it over the networks that are there.
pub(crate) fn guarded(wanted: &Wanted, seen: &mut Seen) {
    let Some(spec) = &wanted.guard else { return };
    let ids: Vec<String> = seen.networks.iter().map(|network| network.id.clone()).collect();
    let ruleset = Ruleset::of(spec, &seen.networks).expect("names of bridges");
    set_guard(seen, ruleset.hash(), ruleset.script());
    for id in ids {
        link(seen, &id);
    }
}

/// A host on which nothing is, that can be guarded.
pub(crate) fn bare() -> Seen {
    Seen { guard: Some(SeenGuard::default()), ..Seen::default() }
}

#[track_caller]
fn by_name<'a>(seen: &'a mut Seen, name: &str) -> &'a mut SeenContainer {
    seen.containers.iter_mut().find(|c| c.name == name).unwrap_or_else(|| panic!("no container `{name}`"))
}

#[track_caller]
fn by_id<'a>(seen: &'a mut Seen, id: &str) -> &'a mut SeenContainer {
    seen.containers.iter_mut().find(|c| c.id == *id).unwrap_or_else(|| panic!("no container `{id}`"))
}

/// A container as it is seen right after its creation.
pub(crate) fn created(spec: &ContainerSpec, index: usize) -> SeenContainer {
    let labels = spec.labels();
    let ours = super::labels::parse(labels.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    SeenContainer {
        id: format!("c{index}-{}", spec.name),
        name: spec.name.clone(),
        project: ours.project,
        service: ours.service,
        number: ours.number,
        hash: ours.hash,
        parts: ours.parts,
        restart: ours.restart,
        bounds: ours.bounds,
        generation: ours.generation,
        live: ours.generation.map(|_| Live { contents: spec.live_contents(), unfinished: false }),
        refused: false,
        hooks: spec.hooks.clone().unwrap_or_default(),
        owes: false,
        image_id: spec.image_id.clone(),
        state: State::Created,
        health: None,
        created: i64::try_from(index).unwrap(),
        networks: spec.networks.keys().map(|name| (name.clone(), None)).collect(),
        joined: BTreeMap::new(),
        fixed: BTreeSet::new(),
    }
}
