//! What holds of every plan, whatever the stack, whatever ran before, and whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use compose::model::{Condition, Dependency, UpdateOrder};
use proptest::prelude::*;

use super::super::guard::{GuardSpec, Ruleset};
use super::super::hooks::{Hook, Hooks};
use super::super::labels;
use super::super::seen::{Health, Seen, SeenContainer, SeenGuard, SeenNetwork, SeenTable, SeenVolume, State};
use super::super::spare;
use super::super::spec::{AttachSpec, Bounds, ContainerSpec, NetworkSpec, ServiceSpec, VolumeSpec, Wanted};
use super::super::testing::{bare, simulate, want};
use super::*;

/// A service of a random stack.
#[derive(Clone, Debug)]
struct Row {
    image: u8,
    mode: u8,
    scale: u8,
    volume: bool,
    networks: u8,
    /// For each earlier service: nothing, or how it is depended on.
    needs: Vec<u8>,
}

fn row() -> impl Strategy<Value = Row> {
    (0..2_u8, 0..3_u8, 1..3_u8, any::<bool>(), 0..3_u8, prop::collection::vec(0..6_u8, 4)).prop_map(
        |(image, mode, scale, volume, networks, needs)| Row { image, mode, scale, volume, networks, needs },
    )
}

/// Two real specs, without and with a volume, that random ones are made of: a profile takes long to make.
fn bases() -> &'static [ServiceSpec; 2] {
    static BASES: OnceLock<[ServiceSpec; 2]> = OnceLock::new();
    BASES.get_or_init(|| {
        let text = "
services:
  plain: {image: 's:1', user: '1000:1000', healthcheck: {test: [CMD, ok]}}
  store: {image: 's:1', user: '1000:1000', healthcheck: {test: [CMD, ok]}, volumes: ['data:/data']}
volumes: {data: {name: data}}
";
        let wanted = want(text);
        ["plain", "store"].map(|name| wanted.services[name].clone())
    })
}

fn stack() -> impl Strategy<Value = Wanted> {
    (prop::collection::vec(prop::option::weighted(0.8, row()), 1..6), any::<bool>()).prop_map(|(rows, v6)| {
        let services: BTreeMap<String, ServiceSpec> = rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| Some((format!("s{index}"), service(index, row.as_ref()?, &rows))))
            .collect();
        let used: BTreeSet<&String> =
            services.values().flat_map(|s| &s.containers).flat_map(|c| c.networks.keys()).collect();
        let networks = ["n0", "n1"].map(|name| network(name, v6 && name == "n0"));
        let volume = VolumeSpec {
            project: "shop".to_owned(),
            key: "data".to_owned(),
            name: "data".to_owned(),
            external: false,
            options: BTreeMap::new(),
            user_labels: BTreeMap::new(),
        };
        let mut wanted = Wanted {
            guard: None,
            project: "shop".to_owned(),
            networks: networks
                .into_iter()
                .filter(|n| used.contains(&n.name))
                .map(|n| (n.name.clone(), n))
                .collect(),
            volumes: std::iter::once((volume.name.clone(), volume)).collect(),
            services,
            inactive: BTreeSet::new(),
            folder: String::new(),
        };
        wanted.guard = GuardSpec::of(&wanted, None);
        wanted
    })
}

fn network(name: &str, ipv6: bool) -> NetworkSpec {
    NetworkSpec {
        project: "shop".to_owned(),
        key: name.to_owned(),
        name: name.to_owned(),
        external: false,
        internal: true,
        ipv6,
        options: BTreeMap::new(),
        pools: Vec::new(),
        user_labels: BTreeMap::new(),
    }
}

fn service(index: usize, row: &Row, rows: &[Option<Row>]) -> ServiceSpec {
    let mut service = bases()[usize::from(row.volume)].clone();
    service.service = format!("s{index}");
    let base = service.containers[0].clone();
    let names: &[&str] = [&["n0"][..], &["n1"], &["n0", "n1"]][usize::from(row.networks)];
    service.containers = (1..=u32::from(row.scale))
        .map(|number| ContainerSpec {
            service: service.service.clone(),
            number,
            name: format!("shop-s{index}-{number}"),
            image_id: format!("id-{}", row.image),
            environment: vec![format!("MODE={}", row.mode)],
            hooks: (row.mode == 1).then(hooks),
            networks: names.iter().map(|name| ((*name).to_owned(), AttachSpec::default())).collect(),
            ..base.clone()
        })
        .collect();
    if row.mode == 2 {
        service.update.order = UpdateOrder::StartFirst;
    }
    service.depends_on = (0..index)
        .filter(|other| rows[*other].is_some())
        .filter_map(|other| {
            let (condition, restart, required) = match row.needs.get(other)? {
                1 => (Condition::Started, false, true),
                2 => (Condition::Healthy, false, true),
                3 => (Condition::Healthy, true, true),
                4 => (Condition::Started, true, false),
                _ => return None,
            };
            Some((format!("s{other}"), Dependency { condition, restart, required }))
        })
        .collect();
    service
}

fn hooks() -> Hooks {
    let hook = |word: &str| Hook {
        under: Vec::new(),
        command: vec![word.to_owned()],
        user: None,
        working_dir: None,
        environment: Vec::new(),
    };
    Hooks { post_start: vec![hook("begin"), hook("go")], pre_stop: vec![hook("end")] }
}

/// Something that happened to the engine behind our back.
fn disturb(seen: &mut Seen, what: u8, which: u8) {
    if let Some(guard) = &mut seen.guard {
        match what {
            14 => guard.table = SeenTable::Absent { was_set: true },
            15 => guard.table = SeenTable::There { ruleset: "tampered".to_owned(), intact: true },
            16 => {
                if let SeenTable::There { intact, .. } = &mut guard.table {
                    *intact = false;
                }
            }
            _ => {}
        }
    }
    let count = seen.containers.len();
    if count == 0 {
        return;
    }
    let container = &mut seen.containers[usize::from(which) % count];
    match what {
        0 => container.state = State::Paused,
        1 => container.state = State::Exited(1),
        2 => container.state = State::Dead,
        3 => container.health = Some(Health::Unhealthy),
        4 => container.name = format!("{}-old", container.name),
        5 => container.networks.clear(),
        10 => drop(container.networks.pop_first()),
        11 => container.bounds = Some(Bounds { memory: 1, nano_cpus: 2, pids: 3 }),
        12 => container.state = State::Exited(137),
        17 => container.owes = true,
        6 => container.hash = Some("tampered".to_owned()),
        7 => {
            let mut double = container.clone();
            (double.id, double.name) = (format!("{}-double", double.id), format!("{}-double", double.name));
            if !seen.containers.iter().any(|other| other.name == double.name) {
                seen.containers.push(double);
            }
        }
        8 => {
            let id = container.id.clone();
            seen.containers.retain(|other| other.id != id);
        }
        9 => {
            let users: BTreeSet<&String> = seen.containers.iter().flat_map(|c| c.networks.keys()).collect();
            let unused = seen.networks.iter().find(|network| !users.contains(&network.name));
            if let Some(id) = unused.map(|network| network.id.clone()) {
                seen.networks.retain(|network| network.id != id);
            }
        }
        _ => {}
    }
    if seen.containers.iter().any(|c| c.state != State::Running) {
        for container in seen.containers.iter_mut().filter(|c| c.state != State::Running) {
            container.health = None;
        }
    }
}

/// What other people have on the same engine, under names near ours.
fn foreign(seen: &mut Seen) -> (Vec<SeenContainer>, SeenNetwork, SeenVolume) {
    let stranger = |name: &str, project: Option<&str>| SeenContainer {
        id: format!("foreign-{name}"),
        name: name.to_owned(),
        project: project.map(str::to_owned),
        service: Some("s0".to_owned()),
        number: Some(1),
        hash: None,
        parts: None,
        restart: None,
        bounds: None,
        generation: None,
        live: None,
        refused: false,
        hooks: Hooks::default(),
        owes: false,
        image_id: String::new(),
        state: State::Running,
        health: None,
        created: 0,
        networks: std::iter::once(("elsewhere".to_owned(), None)).collect(),
        joined: BTreeMap::new(),
        fixed: BTreeSet::new(),
    };
    let containers = vec![stranger("shop-s0-9", None), stranger("other-s0-1", Some("other"))];
    let network = SeenNetwork {
        id: "fn".to_owned(),
        name: "elsewhere".to_owned(),
        project: Some("other".to_owned()),
        driver: "bridge".to_owned(),
        ..SeenNetwork::default()
    };
    let volume = SeenVolume {
        name: "elsewhere".to_owned(),
        project: None,
        hash: None,
        driver: "local".to_owned(),
        options: BTreeMap::new(),
    };
    seen.containers.extend(containers.clone());
    seen.networks.push(network.clone());
    seen.volumes.push(volume.clone());
    (containers, network, volume)
}

/// All that a step waits for, near and far.
fn before(plan: &Plan, step: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut look = plan.steps[step].after.clone();
    while let Some(next) = look.pop() {
        if all.insert(next) {
            look.extend(&plan.steps[next].after);
        }
    }
    all
}

fn service_of<'a>(seen: &'a Seen, id: &str) -> Option<&'a str> {
    seen.containers.iter().find(|c| c.id == *id)?.service.as_deref()
}

/// Whether each of the dependents' stops comes before the dependency's.
fn stops_in_order(wanted: &Wanted, seen: &Seen, plan: &Plan) -> Result<(), String> {
    let stops: Vec<(usize, &str)> = plan
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, planned)| match &planned.step {
            Step::Stop { id, .. } => Some((index, service_of(seen, id)?)),
            _ => None,
        })
        .collect();
    for (index, service) in &stops {
        let first = before(plan, *index);
        for (other, dependent) in &stops {
            // One that is replaced bit by bit, or beside its old one, runs on meanwhile.
            let depends = wanted.services.get(*dependent).is_some_and(|s| {
                let at_once = s.containers.len() <= 1 && s.update.order == UpdateOrder::StopFirst;
                at_once && s.depends_on.contains_key(*service)
            });
            if depends && !first.contains(other) {
                return Err(format!("`{service}` may stop before `{dependent}`"));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_safe_and_leads_to_what_is_wanted(
        old in stack(),
        new in stack(),
        faults in prop::collection::vec((0..18_u8, any::<u8>()), 0..4),
    ) {
        let mut seen = simulate(&bare(), &plan(&old, &bare()));
        for (what, which) in faults {
            disturb(&mut seen, what, which);
        }
        let (containers, network, volume) = foreign(&mut seen);
        let choice = Choice { orphans: Orphans::Remove, ..Choice::default() };
        let planned = plan_with(&new, &seen, &choice);
        prop_assert_eq!(&planned, &plan_with(&new, &seen, &choice), "not the same twice");
        prop_assert_eq!(&planned.blocked, &Vec::<String>::new());
        let removes_data = |p: &Planned| matches!(p.step, Step::RemoveVolume { .. });
        prop_assert!(!planned.steps.iter().any(removes_data));
        prop_assert!(planned.steps.iter().enumerate().all(|(i, p)| p.after.iter().all(|first| *first < i)));
        if let Err(disorder) = stops_in_order(&new, &seen, &planned) {
            prop_assert!(false, "{}", disorder);
        }

        let unguarded = planned.steps.iter().enumerate().find(|(_, p)| matches!(p.step, Step::Guard(_)));
        if let Some((set, _)) = unguarded {
            let starts = planned.steps.iter().enumerate().filter(|(_, p)| matches!(p.step, Step::Start { .. } | Step::Unpause { .. }));
            for (start, _) in starts {
                let stopping = planned.steps.iter().any(|p| matches!((&p.step, &planned.steps[start].step),
                    (Step::Stop { id, .. }, Step::Unpause { id: frozen, .. }) if id == frozen));
                prop_assert!(stopping || before(&planned, start).contains(&set), "something runs before the guard is set");
            }
        }

        let after = simulate(&seen, &planned);
        let again = plan_with(&new, &after, &choice);
        prop_assert!(again.is_empty(), "planned again: {:?} {:?}", again.steps, again.blocked);
        if let Some(spec) = &new.guard {
            let whole = Ruleset::of(spec, &after.networks).expect("names of bridges");
            let table = after.guard.as_ref().map(|guard| guard.table.clone());
            prop_assert_eq!(table, Some(SeenTable::There { ruleset: whole.hash(), intact: true }));
        }
        for service in new.services.values() {
            let there = after.containers.iter().filter(|c| {
                c.project.as_deref() == Some("shop") && c.service.as_ref() == Some(&service.service)
            });
            prop_assert_eq!(there.count(), service.containers.len());
        }
        let ours = after.containers.iter().filter(|c| c.project.as_deref() == Some("shop")).count();
        prop_assert_eq!(ours, new.services.values().map(|s| s.containers.len()).sum::<usize>());
        prop_assert!(containers.iter().all(|c| after.containers.contains(c)), "a foreign container was touched");
        prop_assert!(after.networks.contains(&network) && after.volumes.contains(&volume));
        prop_assert!(seen.volumes.iter().all(|volume| after.volumes.contains(volume)), "a volume was lost");

        let nothing = simulate(&after, &down("shop", Some(&new), &after, Volumes::Keep));
        prop_assert_eq!(&nothing.containers, &containers);
        let table = nothing.guard.map(|guard| guard.table);
        prop_assert!(matches!(table, Some(SeenTable::Absent { .. })), "a guard stays behind");
    }

    #[test]
    fn a_plan_that_is_broken_off_anywhere_is_finished_or_undone_by_the_next(
        old in stack(),
        new in stack(),
        at in any::<prop::sample::Index>(),
        composed in any::<bool>(),
    ) {
        let choice = Choice { orphans: Orphans::Remove, ..Choice::default() };
        let before = simulate(&bare(), &plan(&old, &bare()));
        let before = if composed { as_composed(before) } else { before };
        let planned = plan_with(&new, &before, &choice);
        let half = simulate(&before, &up_to(&planned, at.index(planned.steps.len() + 1)));
        // A network of Docker Compose that a file does not use stays, and nobody can tell whose it is.
        let files = if composed { vec![&new] } else { vec![&new, &old] };
        for wanted in files {
            let after = simulate(&half, &plan_with(wanted, &half, &choice));
            let again = plan_with(wanted, &after, &choice);
            prop_assert!(again.is_empty(), "planned again: {:?} {:?}", again.steps, again.blocked);
            let count: usize = wanted.services.values().map(|service| service.containers.len()).sum();
            prop_assert_eq!(after.containers.len(), count);
            prop_assert!(after.containers.iter().all(|c| spare::role(&c.name) == spare::Role::Main));
            prop_assert!(after.networks.iter().all(|n| spare::role(&n.name) == spare::Role::Main), "a note is left");
            prop_assert!(half.volumes.iter().all(|volume| after.volumes.contains(volume)), "a volume was lost");
        }
    }

    #[test]
    fn the_way_back_leads_to_what_was_there(
        old in stack(),
        new in stack(),
        at in any::<prop::sample::Index>(),
        composed in any::<bool>(),
    ) {
        let choice = Choice { orphans: Orphans::Remove, ..Choice::default() };
        let before = simulate(&bare(), &plan(&old, &bare()));
        let before = if composed { as_composed(before) } else { before };
        let planned = plan_with(&new, &before, &choice);
        let Some(tidy_from) = planned.tidy_from else { return Ok(()) };
        let half = simulate(&before, &up_to(&planned, at.index(tidy_from + 1)));
        let way = back(&new, &planned, &before, &half);
        let after = simulate(&half, &way);
        for container in &before.containers {
            let now = after.containers.iter().find(|now| now.id == container.id);
            // A network that was made again has another id.
            let now = now.map(|now| SeenContainer { joined: container.joined.clone(), ..now.clone() });
            prop_assert_eq!(now.as_ref(), Some(container));
        }
        for network in &before.networks {
            let now = after.networks.iter().find(|now| now.name == network.name);
            let alike = now.map(|now| SeenNetwork { id: network.id.clone(), ..now.clone() });
            prop_assert_eq!(alike.as_ref(), Some(network));
        }
        if !composed {
            let again = plan_with(&old, &after, &choice);
            let but_for_the_guard = again.steps.iter().filter(|p| !matches!(p.step, Step::Guard(_)));
            prop_assert_eq!(but_for_the_guard.count(), 0, "not as it was: {:?}", again.steps);
        }
        prop_assert!(simulate(&after, &back(&new, &planned, &before, &after)) == after, "twice is once");
    }
}

/// The same stack, as Docker Compose would have made it, its networks with a way out.
fn as_composed(mut seen: Seen) -> Seen {
    for container in &mut seen.containers {
        (container.hash, container.parts) = (None, None);
    }
    for network in &mut seen.networks {
        (network.project, network.hash, network.composed, network.internal) = (None, None, true, false);
        network.labels = [(labels::COMPOSE_PROJECT.to_owned(), "shop".to_owned())].into();
    }
    for volume in &mut seen.volumes {
        (volume.project, volume.hash) = (None, None);
    }
    Seen {
        guard: bare().guard.map(|guard| SeenGuard { links: seen.guard.unwrap_or_default().links, ..guard }),
        ..seen
    }
}

fn up_to(plan: &Plan, step: usize) -> Plan {
    Plan { steps: plan.steps.iter().take(step).cloned().collect(), ..plan.clone() }
}
