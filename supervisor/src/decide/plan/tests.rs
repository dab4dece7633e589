//! Plans as text: a stack, what happened to it since, and the plan that follows.

mod back;
mod existing;
mod hooks;
mod images;
mod in_place;
mod reload;
mod waiting;

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::super::heal::Hold;
use super::super::hooks::{Hook, Hooks};
use super::super::seen::{Health, Seen, SeenContainer, SeenNetwork, SeenVolume, State};
use super::super::spec::Wanted;
use super::super::testing::{simulate, want, want_with};
use super::super::wanted::Restarts;
use super::*;

/// Two services on one network, one with a volume.
const SHOP: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    depends_on: {db: {condition: service_healthy}}
    networks: [back]
  db:
    image: db@sha256:2222222222222222222222222222222222222222222222222222222222222222
    user: 1000:1000
    volumes: [data:/data]
    networks: [back]
    stop_grace_period: 1m
    healthcheck: {test: [CMD, ok], interval: 1s, timeout: 1s, retries: 2}
networks: {back: {}}
volumes: {data: {}}
";

/// The engine after the stack came up on nothing.
#[track_caller]
fn up(text: &str) -> Seen {
    simulate(&Seen::default(), &plan(&want(text), &Seen::default()))
}

#[track_caller]
fn check(wanted: &Wanted, seen: &Seen, expect: Expect) {
    check_with(wanted, seen, &Choice::default(), expect);
}

/// Prints the plan; a plan that can be carried out is, and then nothing may be left to do.
#[track_caller]
fn check_with(wanted: &Wanted, seen: &Seen, choice: &Choice, expect: Expect) {
    let plan = plan_with(wanted, seen, choice);
    expect.assert_eq(&print(&plan));
    if plan.blocked.is_empty() && choice.recreate == Recreate::Changed {
        let after = plan_with(wanted, &simulate(seen, &plan), choice);
        assert!(after.is_empty(), "planned again:\n{}", print(&after));
    }
}

fn print(plan: &Plan) -> String {
    let mut text = String::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        let after: Vec<_> = planned.after.iter().map(ToString::to_string).collect();
        let after = if after.is_empty() { String::new() } else { format!(" (after {})", after.join(" ")) };
        let _ = writeln!(text, "{index} {}{after}: {}", step(&planned.step), planned.reason);
    }
    if let Some(tidy_from) = plan.tidy_from {
        let _ = writeln!(text, "proved before {tidy_from}");
    }
    for kept in &plan.kept {
        let _ = writeln!(text, "keep {} {}: {}", kept.kind, kept.name, kept.reason);
    }
    for (service, why) in &plan.waiting {
        let _ = writeln!(text, "wait {service}: {why}");
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for blocked in &plan.blocked {
        let _ = writeln!(text, "blocked: {blocked}");
    }
    text
}

fn step(step: &Step) -> String {
    match step {
        Step::Pull { image } => format!("pull {}", image.split('@').next().unwrap_or_default()),
        Step::CreateNetwork(shape) => format!("create network {}", shape.name),
        Step::RemoveNetwork { name, .. } => format!("remove network {name}"),
        Step::Guard(_) => "set the guard".to_owned(),
        Step::Reguard { .. } => "set the guard as before".to_owned(),
        Step::Unguard { .. } => "remove the guard".to_owned(),
        Step::CreateVolume(spec) => format!("create volume {}", spec.name),
        Step::RemoveVolume { name } => format!("remove volume {name}"),
        Step::Create { name, .. } => format!("create {name}"),
        Step::Delay { service, delay } => format!("delay {service} {}s", delay.as_secs()),
        Step::Start { name, .. } => format!("start {name}"),
        Step::PostStart { name, commands, .. } => format!("run {} in {name}", words(commands)),
        Step::PreStop { name, commands, within, .. } => {
            format!("run {} in {name} {}s", words(commands), within.as_secs())
        }
        Step::Await(wait) => {
            let required = if wait.required { "" } else { " if it can be" };
            let stays = if wait.stays.is_zero() {
                String::new()
            } else {
                format!(" and {}s on", wait.stays.as_secs())
            };
            let (service, condition) = (&wait.service, wait.condition);
            format!("await {service} {condition:?} {}s{stays}{required}", wait.timeout.as_secs())
        }
        Step::Stop { name, grace, .. } => format!("stop {name} {}s", grace.as_secs()),
        Step::Remove { name, .. } => format!("remove {name}"),
        Step::Unpause { name, .. } => format!("unpause {name}"),
        Step::SetRestart { name, restart, .. } => format!("set restart of {name} to {restart:?}"),
        Step::SetBounds { name, bounds, .. } => {
            format!("set bounds of {name} to {}", super::super::labels::print_bounds(*bounds))
        }
        Step::Reload(reload) => format!("reload {} by {}", reload.name, reload.signal),
        Step::Unreload { reload, runs } => {
            format!("put the configs of {} back{}", reload.name, if *runs { " and tell it" } else { "" })
        }
        Step::Settle { name, .. } => format!("settle {name}"),
        Step::Connect { name, network, .. } => format!("connect {name} to {network}"),
        Step::Rejoin { name, network, .. } => format!("put {name} on {network} again"),
        Step::Disconnect { name, network, .. } => format!("disconnect {name} from {network}"),
        Step::Rename { name, to, .. } => format!("rename {name} to {to}"),
    }
}

fn words(commands: &[Hook]) -> String {
    commands.iter().map(|hook| hook.command.join(" ")).collect::<Vec<_>>().join(" and ")
}

fn container<'a>(seen: &'a mut Seen, name: &str) -> &'a mut SeenContainer {
    seen.containers.iter_mut().find(|container| container.name == name).unwrap()
}

#[test]
fn from_nothing_dependencies_come_first() {
    check(
        &want(SHOP),
        &Seen::default(),
        expect![[r#"
        0 create network shop_back: it is not there
        1 create volume shop_data: it is not there
        2 create shop-db-1 (after 0 1): it is not there
        3 start shop-db-1 (after 2): it is not there
        4 create shop-web-1 (after 0): it is not there
        5 await db Healthy 6s (after 3): another service starts when it is healthy
        6 start shop-web-1 (after 4 5): it is not there
    "#]],
    );
}

#[test]
fn what_is_as_wanted_is_kept() {
    check(
        &want(SHOP),
        &up(SHOP),
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn one_change_recreates_one_container_and_names_what_changed() {
    let changed = SHOP.replace(
        "    user: 1000:1000\n    depends_on",
        "    user: 1000:1000\n    environment: {MODE: dark}\n    depends_on",
    );
    check(
        &want(&changed),
        &up(SHOP),
        expect![[r#"
            0 create shop-web-1.next: its environment changed
            1 stop shop-web-1 10s (after 0): its environment changed
            2 rename shop-web-1 to shop-web-1.previous (after 1): it stays until the new one has proved itself
            3 rename shop-web-1.next to shop-web-1 (after 0 2): its environment changed
            4 start shop-web-1 (after 3): its environment changed
            5 await web Started 60s and 2s on (after 4): an update is good when it is well
            6 remove shop-web-1 (after 2 5): the new one has proved itself
            proved before 6
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn a_change_of_a_dependency_leaves_its_dependents_running() {
    let changed = SHOP.replace("CMD, ok", "CMD, better");
    check(
        &want(&changed),
        &up(SHOP),
        expect![[r#"
            0 create shop-db-1.next: its healthcheck changed
            1 stop shop-db-1 60s (after 0): its healthcheck changed
            2 rename shop-db-1 to shop-db-1.previous (after 1): it stays until the new one has proved itself
            3 rename shop-db-1.next to shop-db-1 (after 0 2): its healthcheck changed
            4 start shop-db-1 (after 3): its healthcheck changed
            5 await db Healthy 6s (after 4): an update is good when it is well
            6 remove shop-db-1 (after 2 5): the new one has proved itself
            proved before 6
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-web-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn dependents_that_ask_for_it_are_restarted_around_their_dependency() {
    let shop = SHOP.replace("service_healthy}", "service_healthy, restart: true}");
    let changed = shop.replace("CMD, ok", "CMD, better");
    check(
        &want(&changed),
        &up(&shop),
        expect![[r#"
            0 create shop-db-1.next: its healthcheck changed
            1 stop shop-web-1 10s (after 0): `db` is made anew or restarted, and `depends_on` says `restart`
            2 stop shop-db-1 60s (after 0 1): its healthcheck changed
            3 rename shop-db-1 to shop-db-1.previous (after 2): it stays until the new one has proved itself
            4 rename shop-db-1.next to shop-db-1 (after 0 3): its healthcheck changed
            5 start shop-db-1 (after 4): its healthcheck changed
            6 await db Healthy 6s (after 5): another service starts when it is healthy
            7 start shop-web-1 (after 1 6): `db` is made anew or restarted, and `depends_on` says `restart`
            8 await web Started 60s and 2s on (after 7): an update is good when it is well
            9 remove shop-db-1 (after 1 3 6 8): the new one has proved itself
            proved before 9
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
        "#]],
    );
}

#[test]
fn an_image_that_is_not_there_is_pulled_before_anything_is_stopped() {
    let changed = SHOP.replace("web@sha256:1111", "web@sha256:3333");
    let wanted = want_with(&changed, Restarts::Engine, &[], |image| {
        (!image.contains("3333")).then(|| format!("id-of-{image}"))
    });
    let plan = plan(&wanted, &up(SHOP));
    expect![[r#"
        0 pull web: it is not on the engine
        1 create shop-web-1.next (after 0): its image changed
        2 stop shop-web-1 10s (after 0 1): its image changed
        3 rename shop-web-1 to shop-web-1.previous (after 2): it stays until the new one has proved itself
        4 rename shop-web-1.next to shop-web-1 (after 1 3): its image changed
        5 start shop-web-1 (after 4): its image changed
        6 await web Started 60s and 2s on (after 5): an update is good when it is well
        7 remove shop-web-1 (after 3 6): the new one has proved itself
        proved before 7
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
    "#]]
    .assert_eq(&print(&plan));
}

#[test]
fn an_image_id_that_is_not_there_cannot_be_pulled() {
    let changed = SHOP.replace(
        "web@sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    );
    let wanted = want_with(&changed, Restarts::Engine, &[], |image| {
        (!image.starts_with("sha256:")).then(|| format!("id-of-{image}"))
    });
    check(
        &wanted,
        &Seen::default(),
        expect![[r#"
        blocked: image `sha256:1111111111111111111111111111111111111111111111111111111111111111` of service `web` is not on the engine, and an image id cannot be fetched; build or load it, or name it by registry and digest
    "#]],
    );
}

#[test]
fn what_ended_or_was_paused_or_removed_is_put_right() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").state = State::Paused;
    container(&mut seen, "shop-web-1").state = State::Exited(1);
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
            0 unpause shop-db-1: somebody paused it
            1 await db Healthy 6s (after 0): another service starts when it is healthy
            2 start shop-web-1 (after 1): it ended with code 1
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
        "#]],
    );
    seen.containers.retain(|container| container.name != "shop-db-1");
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        0 create shop-db-1: it is not there
        1 start shop-db-1 (after 0): it is not there
        2 await db Healthy 6s (after 1): another service starts when it is healthy
        3 start shop-web-1 (after 2): it ended with code 1
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
    "#]],
    );
}

#[test]
fn a_foreign_container_under_a_wanted_name_blocks_the_plan() {
    let mut seen = up(SHOP);
    let web = container(&mut seen, "shop-web-1");
    (web.project, web.service, web.hash) = (None, None, None);
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        blocked: the name `shop-web-1` of service `web` is taken by a container that is not ours (image `id-of-web@sha256:1111111111111111111111111111111111111111111111111111111111111111`); it is not touched: remove or rename it, or choose another `container_name`
    "#]],
    );
}

/// A volume that somebody else made.
fn volume(name: &str, options: &[(&str, &str)]) -> SeenVolume {
    SeenVolume {
        name: name.to_owned(),
        project: None,
        hash: None,
        driver: "local".to_owned(),
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

#[test]
fn a_volume_that_is_really_a_folder_of_the_host_blocks_whoever_made_it() {
    let host = volume("shop_data", &[("type", "none"), ("o", "bind"), ("device", "/")]);
    let seen = Seen { volumes: vec![host], ..Seen::default() };
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        blocked: volume `shop_data` is there already and is not used: the volume is really `/`
    "#]],
    );
}

#[test]
fn a_network_made_outside_that_routes_to_the_containers_blocks() {
    let outside = SHOP.replace("back: {}", "back: {external: true, name: lan}");
    let network = |driver: &str, options: &[(&str, &str)]| SeenNetwork {
        id: "n".to_owned(),
        name: "lan".to_owned(),
        driver: driver.to_owned(),
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..SeenNetwork::default()
    };
    let routed = [("com.docker.network.bridge.gateway_mode_ipv4", "routed")];
    for (network, expected) in [
        (network("macvlan", &[]), "network `lan` is made outside and is not used: network driver `macvlan`"),
        (network("bridge", &routed), "routes other hosts to the containers"),
    ] {
        let plan = print(&plan(&want(&outside), &Seen { networks: vec![network], ..Seen::default() }));
        assert!(plan.contains(expected), "{plan}");
    }
}

#[test]
fn foreign_networks_block_and_foreign_volumes_are_used() {
    let seen = Seen {
        networks: vec![SeenNetwork {
            id: "n".to_owned(),
            name: "shop_back".to_owned(),
            project: Some("other".to_owned()),
            driver: "bridge".to_owned(),
            ..SeenNetwork::default()
        }],
        volumes: vec![volume("shop_data", &[])],
        ..Seen::default()
    };
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        keep volume shop_data: was there before this project, used as it is
        blocked: network `shop_back` is there and is not ours; say `external: true` if it is meant, or give yours another `name`
    "#]],
    );
}

#[test]
fn a_network_that_changed_is_made_anew_with_those_on_it() {
    let changed = SHOP.replace("back: {}", "back: {enable_ipv6: true}");
    check(
        &want(&changed),
        &up(SHOP),
        expect![[r#"
            0 create network shop_back.previous: it notes the network that is replaced, for the way back
            1 create shop-db-1.next: its network `shop_back` changed
            2 create shop-web-1.next: its network `shop_back` changed
            3 stop shop-web-1 10s (after 0 1 2): its network `shop_back` changed
            4 rename shop-web-1 to shop-web-1.previous (after 3): it stays until the new one has proved itself
            5 stop shop-db-1 60s (after 0 1 2 3): its network `shop_back` changed
            6 rename shop-db-1 to shop-db-1.previous (after 5): it stays until the new one has proved itself
            7 remove network shop_back (after 0 4 6): its settings changed
            8 create network shop_back (after 7): its settings changed
            9 rename shop-db-1.next to shop-db-1 (after 1 6): its network `shop_back` changed
            10 start shop-db-1 (after 9): its network `shop_back` changed
            11 rename shop-web-1.next to shop-web-1 (after 2 4): its network `shop_back` changed
            12 await db Healthy 6s (after 10): another service starts when it is healthy
            13 start shop-web-1 (after 11 12): its network `shop_back` changed
            14 await web Started 60s and 2s on (after 13): an update is good when it is well
            15 remove shop-web-1 (after 4 6 12 14): the new one has proved itself
            16 remove shop-db-1 (after 4 6 12 14): the new one has proved itself
            17 remove network shop_back.previous (after 4 6 12 14 15 16): nothing goes back to the network that it notes
            proved before 15
            keep volume shop_data: as wanted
        "#]],
    );
}

#[test]
fn a_volume_that_changed_is_kept_for_its_data() {
    let changed = SHOP.replace("data: {}", "data: {labels: {tier: gold}}");
    check(
        &want(&changed),
        &up(SHOP),
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: differs from the file, and is kept for its data
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
        warning: volume `shop_data` was made with other settings than the file's and is kept for its data; to have it made anew, save the data and remove it
    "#]],
    );
}

#[test]
fn orphans_are_named_and_removed_on_request_alone() {
    let one = "
services:
  db:
    image: db@sha256:2222222222222222222222222222222222222222222222222222222222222222
    user: 1000:1000
    networks: [back]
networks: {back: {}}
";
    check(
        &want(one),
        &up(SHOP),
        expect![[r#"
            0 create shop-db-1.next: its healthcheck, mounts and stopping changed
            1 stop shop-db-1 10s (after 0): its healthcheck, mounts and stopping changed
            2 rename shop-db-1 to shop-db-1.previous (after 1): it stays until the new one has proved itself
            3 rename shop-db-1.next to shop-db-1 (after 0 2): its healthcheck, mounts and stopping changed
            4 start shop-db-1 (after 3): its healthcheck, mounts and stopping changed
            5 await db Started 60s and 2s on (after 4): an update is good when it is well
            6 remove shop-db-1 (after 2 5): the new one has proved itself
            proved before 6
            keep network shop_back: as wanted
            keep container shop-web-1: the file has no service `web`
            warning: container `shop-web-1` is an orphan: the file has no service `web`; `--remove-orphans` removes it
        "#]],
    );
    let choice = Choice { orphans: Orphans::Remove, ..Choice::default() };
    check_with(
        &want(one),
        &up(SHOP),
        &choice,
        expect![[r#"
            0 create shop-db-1.next: its healthcheck, mounts and stopping changed
            1 stop shop-web-1 10s (after 0): the file has no service `web`
            2 stop shop-db-1 10s (after 0): its healthcheck, mounts and stopping changed
            3 rename shop-db-1 to shop-db-1.previous (after 2): it stays until the new one has proved itself
            4 rename shop-db-1.next to shop-db-1 (after 0 3): its healthcheck, mounts and stopping changed
            5 start shop-db-1 (after 4): its healthcheck, mounts and stopping changed
            6 await db Started 60s and 2s on (after 5): an update is good when it is well
            7 remove shop-web-1 (after 1 3 6): the update is proved
            8 remove shop-db-1 (after 1 3 6): the new one has proved itself
            proved before 7
            keep network shop_back: as wanted
        "#]],
    );
}

#[test]
fn services_of_a_profile_that_is_not_active_are_no_orphans() {
    let debug = SHOP.replace("    depends_on", "    profiles: [debug]\n    depends_on");
    let on = want_with(&debug, Restarts::Engine, &["debug"], |image| Some(image.to_owned()));
    let off = want_with(&debug, Restarts::Engine, &[], |image| Some(image.to_owned()));
    let seen = simulate(&Seen::default(), &plan(&on, &Seen::default()));
    check(
        &off,
        &seen,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-web-1: its service's profile is not active
        keep container shop-db-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn fewer_replicas_remove_the_last_and_more_add() {
    let three = SHOP.replace("    depends_on", "    scale: 3\n    depends_on");
    check(
        &want(SHOP),
        &up(&three),
        expect![[r#"
        0 stop shop-web-2 10s: service `web` has 1 container(s) in the file
        1 remove shop-web-2 (after 0): service `web` has 1 container(s) in the file
        2 stop shop-web-3 10s: service `web` has 1 container(s) in the file
        3 remove shop-web-3 (after 2): service `web` has 1 container(s) in the file
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
    check(
        &want(&three),
        &up(SHOP),
        expect![[r#"
        0 create shop-web-2: it is not there
        1 start shop-web-2 (after 0): it is not there
        2 create shop-web-3: it is not there
        3 start shop-web-3 (after 2): it is not there
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn of_two_containers_for_one_the_better_stays() {
    let mut seen = up(SHOP);
    let mut double = container(&mut seen, "shop-web-1").clone();
    (double.id, double.name) = ("double".to_owned(), "a1b2_shop-web-1".to_owned());
    seen.containers.push(double);
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        0 stop a1b2_shop-web-1 10s: `shop-web-1` stands for the same
        1 remove a1b2_shop-web-1 (after 0): `shop-web-1` stands for the same
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn what_runs_to_its_end_is_waited_for_and_not_run_again() {
    let shop = SHOP
        .replace("{db: {condition: service_healthy}}", "{db: {condition: service_completed_successfully}}");
    check(
        &want(&shop),
        &Seen::default(),
        expect![[r#"
        0 create network shop_back: it is not there
        1 create volume shop_data: it is not there
        2 create shop-db-1 (after 0 1): it is not there
        3 start shop-db-1 (after 2): it is not there
        4 create shop-web-1 (after 0): it is not there
        5 await db Completed 3600s (after 3): another service starts when it has run to its end
        6 start shop-web-1 (after 4 5): it is not there
    "#]],
    );
    check(
        &want(&shop),
        &up(&shop),
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, ran to its end with code 0
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn a_dependency_that_is_not_required_may_fail() {
    let shop = SHOP.replace("service_healthy}", "service_healthy, required: false}");
    check(
        &want(&shop),
        &Seen::default(),
        expect![[r#"
        0 create network shop_back: it is not there
        1 create volume shop_data: it is not there
        2 create shop-db-1 (after 0 1): it is not there
        3 start shop-db-1 (after 2): it is not there
        4 create shop-web-1 (after 0): it is not there
        5 await db Healthy 6s if it can be (after 3): another service starts when it is healthy
        6 start shop-web-1 (after 4 5): it is not there
    "#]],
    );
}

#[test]
fn a_dependency_that_runs_but_is_not_healthy_yet_is_waited_for() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").health = Some(Health::Starting);
    container(&mut seen, "shop-web-1").state = State::Created;
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        0 await db Healthy 6s: another service starts when it is healthy
        1 start shop-web-1 (after 0): it was never started
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, running
    "#]],
    );
}

#[test]
fn one_service_comes_with_its_dependencies_or_without() {
    let web = Choice { services: Some(["web".to_owned()].into()), ..Choice::default() };
    check_with(
        &want(SHOP),
        &Seen::default(),
        &web,
        expect![[r#"
        0 create network shop_back: it is not there
        1 create volume shop_data: it is not there
        2 create shop-db-1 (after 0 1): it is not there
        3 start shop-db-1 (after 2): it is not there
        4 create shop-web-1 (after 0): it is not there
        5 await db Healthy 6s (after 3): another service starts when it is healthy
        6 start shop-web-1 (after 4 5): it is not there
    "#]],
    );
    let alone = Choice { dependencies: Dependencies::Left, ..web };
    check_with(
        &want(SHOP),
        &Seen::default(),
        &alone,
        expect![[r#"
        0 create network shop_back: it is not there
        1 create shop-web-1 (after 0): it is not there
        2 start shop-web-1 (after 1): it is not there
    "#]],
    );
    let other = Choice { services: Some(["shop".to_owned()].into()), ..Choice::default() };
    check_with(
        &want(SHOP),
        &Seen::default(),
        &other,
        expect![[r#"
        blocked: no service `shop` is active in the file
    "#]],
    );
}

#[test]
fn everything_or_nothing_is_made_anew_on_request() {
    let all = Choice { recreate: Recreate::All, ..Choice::default() };
    check_with(
        &want(SHOP),
        &up(SHOP),
        &all,
        expect![[r#"
            0 create shop-db-1.next: everything is to be made anew
            1 create shop-web-1.next: everything is to be made anew
            2 stop shop-web-1 10s (after 0 1): everything is to be made anew
            3 rename shop-web-1 to shop-web-1.previous (after 2): it stays until the new one has proved itself
            4 stop shop-db-1 60s (after 0 1 2): everything is to be made anew
            5 rename shop-db-1 to shop-db-1.previous (after 4): it stays until the new one has proved itself
            6 rename shop-db-1.next to shop-db-1 (after 0 5): everything is to be made anew
            7 start shop-db-1 (after 6): everything is to be made anew
            8 rename shop-web-1.next to shop-web-1 (after 1 3): everything is to be made anew
            9 await db Healthy 6s (after 7): another service starts when it is healthy
            10 start shop-web-1 (after 8 9): everything is to be made anew
            11 await web Started 60s and 2s on (after 10): an update is good when it is well
            12 remove shop-web-1 (after 3 5 9 11): the new one has proved itself
            13 remove shop-db-1 (after 3 5 9 11): the new one has proved itself
            proved before 12
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
        "#]],
    );
    let none = Choice { recreate: Recreate::None, ..Choice::default() };
    check_with(
        &want(&SHOP.replace("CMD, ok", "CMD, better")),
        &up(SHOP),
        &none,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: nothing is to be made anew
        keep container shop-web-1: as wanted, healthy
        warning: container `shop-db-1` is left as it is, although its healthcheck changed
    "#]],
    );
}

#[test]
fn what_healing_or_an_administrator_has_in_hand_is_left_to_them() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").state = State::Exited(1);
    container(&mut seen, "shop-web-1").state = State::Exited(0);
    let held = [
        ("shop-db-1".to_owned(), Hold::Down("it waits for its next start".to_owned())),
        ("shop-web-1".to_owned(), Hold::Alone("somebody stopped it".to_owned())),
    ];
    let choice = Choice { held: held.into(), ..Choice::default() };
    check_with(
        &want(SHOP),
        &seen,
        &choice,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: it waits for its next start
        keep container shop-web-1: somebody stopped it
    "#]],
    );
    let changed = SHOP.replace("user: 1000:1000", "user: 1001:1001");
    check_with(
        &want(&changed),
        &seen,
        &choice,
        expect![[r#"
            0 create shop-db-1.next: its mounts and user changed
            1 rename shop-db-1 to shop-db-1.previous (after 0): it stays until the new one has proved itself
            2 rename shop-db-1.next to shop-db-1 (after 0 1): its mounts and user changed
            3 start shop-db-1 (after 2): its mounts and user changed
            4 await db Healthy 6s (after 3): an update is good when it is well
            5 remove shop-db-1 (after 1 4): the new one has proved itself
            proved before 5
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-web-1: somebody stopped it
            warning: container `shop-web-1` is left as it is (somebody stopped it), although its mounts and user changed
        "#]],
    );
}

#[test]
fn a_port_on_internal_networks_that_nobody_answers_on_is_warned_of() {
    let shop = SHOP
        .replace("    depends_on", "    ports: ['127.0.0.1:8080:80', '127.0.0.1:53:53/udp']\n    depends_on")
        .replace("back: {}", "back: {internal: true}");
    check(
        &want(&shop),
        &Seen::default(),
        expect![[r#"
            0 create network shop_back: it is not there
            1 create volume shop_data: it is not there
            2 create shop-db-1 (after 0 1): it is not there
            3 start shop-db-1 (after 2): it is not there
            4 create shop-web-1 (after 0): it is not there
            5 await db Healthy 6s (after 3): another service starts when it is healthy
            6 start shop-web-1 (after 4 5): it is not there
            warning: port `127.0.0.1:53` of service `web` is not published: the service is only on internal networks, of which the engine publishes nothing, and only TCP is relayed
        "#]],
    );
}

#[test]
fn a_service_is_waited_for_as_others_depend_on_it_or_as_it_is_checked() {
    let shop = SHOP.replace(
        "\nnetworks: {back: {}}",
        "\n  job:\n    image: job:1\n    user: 1000:1000\nnetworks: {back: {}}",
    );
    let shop = shop
        .replace("service_healthy}}", "service_healthy}, job: {condition: service_completed_successfully}}");
    let wanted = want(&shop);
    let waits: Vec<_> = wanted
        .services
        .values()
        .map(|service| format!("{} {:?}", service.service, readiness(&wanted, service).condition))
        .collect();
    expect!["db Healthy, job Completed, web Started"].assert_eq(&waits.join(", "));
}
