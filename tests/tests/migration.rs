//! A stack that Docker Compose runs is taken over: its volumes and networks, in one update that can go back to its containers.
//!
//! Deliberately absent: a stack that does not hold by the policy; `check` says what to write.

use std::process::Command;

use serde_json::Value;
use tests::bed::{Ran, ran};
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
fn composed(room: &str) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&image, WELL));
    compose(&bed, &["up", "--detach"]).expect(0);
    let (code, text) = bed.engine.exec(&bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
    assert_eq!(code, 0, "{text}");
    bed
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

fn network_id(bed: &Bed) -> Value {
    bed.engine.get(&format!("/networks/{}_back", bed.project))["Id"].clone()
}

#[track_caller]
fn has_its_data(bed: &Bed) {
    assert_eq!(bed.engine.exec(&bed.container("db"), &["cat", "/data/word"]), (0, "kept\n".to_owned()));
}

#[test]
fn a_stack_that_docker_compose_runs_is_taken_over_with_its_data() {
    let bed = composed("migrate");
    let (before, network) = (containers(&bed), network_id(&bed));
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
    assert_eq!(network_id(&bed), network);
    has_its_data(&bed);
    bed.supervisor(&["attest"]).expect(0);
    // Taken over, it is like any other.
    bed.supervisor(&["plan"]).expect(0);
    // Docker Compose knows it no more, and has nothing to take away.
    assert!(bed.engine.containers(&format!("com.docker.compose.project={}", bed.project)).is_empty());
}

#[test]
fn a_new_version_that_fails_goes_back_to_the_containers_of_docker_compose() {
    let bed = composed("migrate-back");
    let before = containers(&bed);
    let policy = || bed.engine.inspect(&bed.container("db"))["HostConfig"]["RestartPolicy"].clone();
    let restarts = policy();
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&image, "echo out of order; exit 7"));
    let ran = bed.supervisor(&["up"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("ended with code 7") && ran.err.contains("taken back"), "{}", ran.err);
    assert_eq!(containers(&bed), before);
    assert_eq!(policy(), restarts);
    has_its_data(&bed);
    // They are Docker Compose's as before.
    bed.write("compose.yaml", &stack(&image, WELL));
    let again = compose(&bed, &["up", "--detach"]).expect(0);
    assert!(!again.err.contains("Recreate"), "{}", again.err);
    assert_eq!(containers(&bed), before);
    bed.supervisor(&["up"]).expect(0);
    has_its_data(&bed);
}

#[test]
fn going_down_leaves_what_docker_compose_made_and_the_data() {
    let bed = composed("migrate-down");
    let before = containers(&bed);
    // Nobody has taken them over: they are Docker Compose's.
    bed.supervisor(&["down"]).expect(0);
    assert_eq!(containers(&bed), before);
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["down"]).expect(0);
    assert_eq!(containers(&bed), []);
    assert_eq!(named(&bed, "volumes"), [format!("{}_data", bed.project)]);
    bed.supervisor(&["up"]).expect(0);
    has_its_data(&bed);
}
