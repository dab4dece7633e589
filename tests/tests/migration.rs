//! A stack that Docker Compose runs is taken over: its volumes and networks, in one update that can go back to its containers.
//!
//! Deliberately absent: a stack that does not hold by the policy; `check` says what to write.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use serde_json::Value;
use tests::bed::{Ran, ran};
use tests::crash::Kind;
use tests::proxy::Proxy;
use tests::{Bed, image};

fn stack(image: &str, command: &str) -> String {
    format!(
        r#"
services:
  web:
    image: {image}
    user: "1000:1000"
    mem_limit: 24m
    networks: [back]
    stop_grace_period: 1s
    command: [sleep, "100000"]
    depends_on: [db]
    deploy: {{update_config: {{monitor: 200ms}}}}
  db:
    image: {image}
    user: "1000:1000"
    mem_limit: 24m
    networks: [back]
    stop_grace_period: 1s
    restart: always
    volumes: [data:/data]
    command: [sh, -c, {command:?}]
    deploy: {{update_config: {{monitor: 1s}}}}
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
"#
    )
}

/// The same as most are written: on the network that Docker Compose makes where a file says nothing, which has a way out.
fn ordinary(image: &str, command: &str) -> String {
    let plain = stack(image, command).replace("networks: {back: {internal: true}}\n", "");
    let (web, db) = plain.split_once("  db:").expect("two services");
    let db = db.replace("networks: [back]", "networks: {default: {aliases: [store]}}");
    format!("{}  db:{db}", web.replace("    networks: [back]\n", ""))
}

const WELL: &str = "exec sleep 100000";

/// Docker Compose itself, in the folder of a bed.
#[track_caller]
fn compose(bed: &Bed, arguments: &[&str]) -> Ran {
    let program = std::env::var_os("DOCKER_COMPOSE")
        .expect("DOCKER_COMPOSE names no program; `cargo xtask test` sets it");
    let mut command = Command::new(program);
    command.current_dir(bed.folder()).env("COMPOSE_PROJECT_NAME", &bed.project);
    ran(command.args(arguments))
}

/// Up under Docker Compose, with a word in its volume.
fn composed(room: &str, stack: fn(&str, &str) -> String) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&image, WELL));
    compose_up(&bed);
    bed
}

#[track_caller]
fn compose_up(bed: &Bed) {
    compose(bed, &["up", "--detach"]).expect(0);
    let (code, text) = bed.engine.exec(&bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
    assert_eq!(code, 0, "{text}");
}

fn containers(bed: &Bed) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    for key in ["supervisor.project", "com.docker.compose.project"] {
        for container in bed.engine.containers(&format!("{key}={}", bed.project)) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = text(&container["Names"][0]).trim_start_matches('/').to_owned();
            rows.push((name, text(&container["State"]), text(&container["Id"])));
        }
    }
    rows.sort();
    rows.dedup();
    rows
}

fn named(bed: &Bed, kind: &str) -> Vec<String> {
    let all = bed.engine.get(&format!("/{kind}"));
    let rows = all.as_array().or_else(|| all["Volumes"].as_array()).cloned().unwrap_or_default();
    let names = rows.iter().filter_map(|row| row["Name"].as_str().map(str::to_owned));
    let mut ours: Vec<String> = names.filter(|name| name.starts_with(&bed.project)).collect();
    ours.sort();
    ours
}

/// What does not change when a network is made again.
fn network(bed: &Bed, key: &str) -> Value {
    let seen = bed.engine.get(&format!("/networks/{}_{key}", bed.project));
    serde_json::json!([seen["Internal"], seen["EnableIPv6"], seen["Options"], seen["Labels"]])
}

/// The names under which the others know it.
fn aliases(bed: &Bed, service: &str) -> Value {
    let seen = bed.engine.inspect(&bed.container(service));
    seen["NetworkSettings"]["Networks"][format!("{}_default", bed.project)]["Aliases"].clone()
}

#[track_caller]
fn has_its_data(bed: &Bed) {
    assert_eq!(bed.engine.exec(&bed.container("db"), &["cat", "/data/word"]), (0, "kept\n".to_owned()));
}

#[test]
fn a_stack_that_docker_compose_runs_is_taken_over_with_its_data() {
    let bed = composed("migrate", stack);
    let before = containers(&bed);
    let (volumes, networks) = (named(&bed, "volumes"), named(&bed, "networks"));

    let (shown, asked) = bed.asked(&["up", "--dry-run"]);
    let shown = shown.expect(0);
    let changes: Vec<_> = asked.iter().filter(|request| request.mutates()).collect();
    assert!(changes.is_empty(), "{changes:?}");
    let text = format!("{}{}", shown.out, shown.err);
    assert!(text.contains("Docker Compose made it"), "{text}");
    assert_eq!(containers(&bed), before);

    bed.supervisor(&["up"]).expect(0);
    let after = containers(&bed);
    let rows = |rows: &[(String, String, String)]| {
        rows.iter().map(|(name, state, _)| format!("{name} {state}")).collect::<Vec<_>>()
    };
    assert_eq!(rows(&after), rows(&before));
    assert!(before.iter().all(|old| !after.contains(old)), "{after:?}");
    assert_eq!((named(&bed, "volumes"), named(&bed, "networks")), (volumes, networks));
    has_its_data(&bed);
    bed.supervisor(&["attest"]).expect(0);
    // Taken over, it is like any other.
    bed.supervisor(&["plan"]).expect(0);
    // Docker Compose knows it no more, and has nothing to take away.
    assert!(bed.engine.containers(&format!("com.docker.compose.project={}", bed.project)).is_empty());
}

#[test]
fn a_network_with_a_way_out_is_replaced_by_one_without_in_the_same_update() {
    let bed = composed("migrate-network", ordinary);
    assert_eq!(network(&bed, "default")[0], false);
    let before = containers(&bed);
    let shown = bed.supervisor(&["up", "--dry-run"]).expect(0);
    let text = format!("{}{}", shown.out, shown.err);
    assert!(text.contains("with a way out, which it is not to have"), "{text}");
    assert_eq!((containers(&bed), &network(&bed, "default")[0]), (before, &false.into()));

    bed.supervisor(&["up"]).expect(0);
    assert_eq!(network(&bed, "default")[0], true);
    assert_eq!(named(&bed, "networks"), [format!("{}_default", bed.project)]);
    has_its_data(&bed);
    let (code, text) = bed.engine.exec(&bed.container("web"), &["busybox", "nslookup", "store"]);
    assert_eq!(code, 0, "{text}");
    bed.supervisor(&["attest"]).expect(0);
    bed.supervisor(&["plan"]).expect(0);
}

#[test]
fn a_network_on_which_somebody_else_is_stays_and_the_takeover_says_whose_it_is() {
    let bed = composed("migrate-shared", ordinary);
    let other = composed("migrate-other", ordinary);
    let shared = format!("{}_default", bed.project);
    let body = serde_json::json!({"Container": other.container("web")});
    bed.engine.post(&format!("/networks/{shared}/connect"), &body);
    let before = containers(&bed);
    let ran = bed.supervisor(&["up"]);
    assert_ne!(ran.code, 0);
    let named = format!("container `{}` is on it", other.container("web"));
    assert!(ran.err.contains(&named), "{}", ran.err);
    assert_eq!(containers(&bed), before);
    let body = serde_json::json!({"Container": other.container("web"), "Force": true});
    bed.engine.post(&format!("/networks/{shared}/disconnect"), &body);
    bed.supervisor(&["up"]).expect(0);
}

#[test]
fn a_takeover_that_is_killed_at_any_point_is_finished_by_the_next_run() {
    let bed = composed("migrate-points", ordinary);
    let (ran, asked) = bed.asked(&["up"]);
    ran.expect(0);
    let points = asked.iter().filter(|request| request.mutates()).count();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(point) =
                    Some(next.fetch_add(1, Ordering::SeqCst)).filter(|point| *point < points)
                {
                    killed_at(point);
                }
            });
        }
    });
}

/// What a request does before a kill, the next point sees done.
fn killed_at(point: usize) {
    let bed = composed("migrate-points", ordinary);
    let proxy = Proxy::before(bed.engine.socket());
    let pid = Arc::new(AtomicU32::new(0));
    proxy.arm(point, Kind::KilledBefore.fault(&pid));
    let mut command = bed.command();
    let child = command.env("DOCKER_HOST", proxy.host()).arg("up").spawn().expect("the binary");
    pid.store(child.id(), Ordering::SeqCst);
    child.wait_with_output().expect("its end");
    proxy.settle();
    assert!(proxy.fired(), "point {point} was never reached");
    bed.supervisor(&["up"]).expect(0);
    let rows: Vec<String> =
        containers(&bed).iter().map(|(name, state, _)| format!("{name} {state}")).collect();
    assert_eq!(rows, ["db", "web"].map(|name| format!("{} running", bed.container(name))), "point {point}");
    assert_eq!(named(&bed, "networks"), [format!("{}_default", bed.project)], "point {point}");
    assert_eq!(network(&bed, "default")[0], true, "point {point}");
    has_its_data(&bed);
}

#[test]
fn a_new_version_that_fails_goes_back_to_the_containers_of_docker_compose() {
    let bed = composed("migrate-back", ordinary);
    let (before, shape, names) = (containers(&bed), network(&bed, "default"), aliases(&bed, "db"));
    let policy = || bed.engine.inspect(&bed.container("db"))["HostConfig"]["RestartPolicy"].clone();
    let restarts = policy();
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &ordinary(&image, "echo out of order; exit 7"));
    let ran = bed.supervisor(&["up"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("ended with code 7") && ran.err.contains("taken back"), "{}", ran.err);
    assert_eq!(containers(&bed), before);
    assert_eq!(policy(), restarts);
    assert_eq!((network(&bed, "default"), aliases(&bed, "db")), (shape, names));
    assert_eq!(named(&bed, "networks"), [format!("{}_default", bed.project)]);
    has_its_data(&bed);
    let (code, text) = bed.engine.exec(&bed.container("web"), &["busybox", "nslookup", "store"]);
    assert_eq!(code, 0, "{text}");
    // They are Docker Compose's as before, and nobody is left to think otherwise.
    let listed = bed.supervisor(&["ps"]).expect(0);
    assert!(
        listed.err.contains(&bed.container("db")) && listed.err.contains("Docker Compose's"),
        "{}",
        listed.err
    );
    bed.write("compose.yaml", &ordinary(&image, WELL));
    let again = compose(&bed, &["up", "--detach"]).expect(0);
    assert!(!again.err.contains("Recreate"), "{}", again.err);
    assert_eq!(containers(&bed), before);
    bed.supervisor(&["up"]).expect(0);
    has_its_data(&bed);
}

#[test]
fn going_down_leaves_what_docker_compose_made_and_the_data() {
    let bed = composed("migrate-down", ordinary);
    let before = containers(&bed);
    // Nobody has taken them over: they are Docker Compose's.
    bed.supervisor(&["down"]).expect(0);
    assert_eq!(containers(&bed), before);
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["down"]).expect(0);
    assert_eq!(containers(&bed), []);
    assert_eq!(named(&bed, "volumes"), [format!("{}_data", bed.project)]);
    assert_eq!(named(&bed, "networks"), [""; 0]);
    bed.supervisor(&["up"]).expect(0);
    has_its_data(&bed);
}
