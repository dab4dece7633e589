//! What is said of services that die: the cause and the line to write, from containers that really died so.
//!
//! Deliberately absent: every program's texts (`decide::diagnose`).

use serde_json::json;
use tests::{Bed, Daemon, image};

/// A stack of one service that says this besides, and is waited for.
#[track_caller]
fn stack(image: &str, says: &str) -> Bed {
    let bed = Bed::new("diagnoses");
    let text = format!(
        "services:
  web:
    image: {image}
    user: '1000:1000'
    networks: [back]
    volumes: ['data:/data']
    stop_grace_period: 1s
    x-supervisor:
      probe: {{http: /, port: 8080, interval: 1s, start_period: 3s}}
{says}
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
"
    );
    bed.write("compose.yaml", &text);
    bed
}

/// What `up` says of it, in whole.
#[track_caller]
fn check(bed: &Bed, code: i32, diagnosis: &str) {
    let ran = bed.supervisor(&["up"]).expect(code);
    assert!(ran.err.contains(&format!("help: {diagnosis}")), "no `{diagnosis}` in\n{}", ran.err);
}

#[track_caller]
fn busybox(script: &str, says: &str) -> Bed {
    let image = image::busybox(&tests::engine::Engine::from_env());
    stack(&image, &format!("    command: [sh, -c, {}]\n{says}", json!(script)))
}

const READ_ONLY: &str = "likely: it could not write to `/cache`, since its root is read-only; write `tmpfs: [/cache]` for what may be \
                         lost, or `volumes: [NAME:/cache]` for what is to stay";

#[test]
fn a_read_only_root_is_named_with_the_path_and_the_line_in_up_ps_and_status() {
    let bed = busybox("mkdir /cache", "    mem_limit: 64m");
    check(&bed, 4, READ_ONLY);
    let table = bed.supervisor(&["ps", "--all"]).expect(0).out;
    assert!(table.contains(&format!("{}: {READ_ONLY}", bed.container("web"))), "{table}");
    let rows = bed.supervisor(&["ps", "--all", "--format", "json"]).expect(0).json();
    assert!(rows[0]["diagnosis"].as_str().unwrap().starts_with(READ_ONLY), "{rows}");

    let daemon = Daemon::start(&bed, &[]);
    let told = |status: &serde_json::Value| {
        let container = &status["services"]["web"]["containers"][0];
        container["diagnosis"].as_str().is_some_and(|text| text.starts_with(READ_ONLY))
    };
    daemon.until("the diagnosis", told);
    assert!(daemon.log().contains(READ_ONLY), "{}", daemon.log());
}

#[test]
fn execution_from_a_volume_is_named_with_the_key_that_opens_it() {
    let bed = busybox(
        "mkdir -p /data/bin; cp /bin/busybox /data/bin; exec /data/bin/busybox true",
        "    mem_limit: 64m",
    );
    check(
        &bed,
        4,
        "likely: `/data/bin/busybox` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write \
         `x-supervisor: {exec_from: [/data/bin]}`",
    );
}

#[test]
fn memory_and_processes_are_known_from_the_kernel() {
    let bed = busybox("a=x; while :; do a=$$a$$a; done", "    mem_limit: 16m");
    check(
        &bed,
        4,
        "the kernel killed it: it used up its memory limit of 16m; let it use less, or write `mem_limit: 32m`",
    );
    // What forks ends at the first refusal; the service itself goes on and says nothing.
    let script = "(i=0; while [ $$i -lt 30 ]; do sleep 1000 & i=$$((i+1)); done); exec sleep 1000";
    let bed = busybox(script, "    mem_limit: 64m\n    pids_limit: 12\n    init: false");
    let ran = bed.supervisor(&["up"]);
    assert_ne!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("a process or thread") && ran.err.contains("write `pids_limit: 24`"),
        "{}",
        ran.err
    );
}

#[test]
fn a_program_that_is_missing_and_one_with_a_file_capability_are_told_apart() {
    let engine = tests::engine::Engine::from_env();
    let bed = stack(&image::busybox(&engine), "    command: [nowhere]\n    mem_limit: 64m");
    check(&bed, 4, "likely: there is no program `nowhere` in the image; correct `command` or `entrypoint`");
    let capable = image::capable(&engine);
    let bed = stack(&capable, "    command: [/bin/capable, 'true']\n    mem_limit: 64m");
    let cause = "likely: `/bin/capable` carries a file capability that the service is not given";
    check(&bed, 4, cause);
    assert!(bed.supervisor(&["up"]).err.contains("write `cap_add: [NET_BIND_SERVICE]`"));
}

#[test]
fn the_real_caddy_on_a_port_that_it_is_not_held_to_is_told_which_line_opens_it() {
    let says = "    command: [caddy, respond, --listen, ':80']\n    environment: {HOME: /tmp}\n    mem_limit: 128m\n";
    let bed = stack(&image::caddy(), says);
    let text = std::fs::read_to_string(bed.folder().join("compose.yaml")).unwrap();
    bed.write(
        "compose.yaml",
        &text.replace("    x-supervisor:\n", "    x-supervisor:\n      tcp: {bind: [8080]}\n"),
    );
    check(
        &bed,
        4,
        "likely: it may not listen on port 80, which is not in its `x-supervisor.tcp.bind`; write `x-supervisor: {tcp: {bind: [8080, \
         80]}}`",
    );
}
