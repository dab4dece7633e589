//! Updates on a real engine: a bad one, of each kind, ends on the old containers, with their data; a good one keeps the old
//! one until the new one has proved itself.

use serde_json::Value;
use tests::{Bed, Daemon, image, wait};

/// Two services, the second with data and a probe, its command and further lines as said.
fn stack(image: &str, command: &str, lines: &str) -> String {
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
    deploy: {{update_config: {{monitor: 100ms}}}}
  db:
    image: {image}
    user: "1000:1000"
    mem_limit: 24m
    networks: [back]
    stop_grace_period: 1s
    tmpfs: [/tmp]
    volumes: [data:/data]
    command: [sh, -c, {command:?}]
    x-supervisor: {{probe: {{http: /health, port: 8080, interval: 200ms, timeout: 1s, retries: 2, start_period: 3s}}}}
    deploy: {{update_config: {{monitor: 3s}}}}
{lines}
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
"#
    )
}

const WELL: &str = "echo ok > /tmp/health; exec httpd -f -p 8080 -h /tmp";

/// Each kind of bad update: its command, its further lines, and what is said of it.
const BAD: [(&str, &str, &str); 6] = [
    ("echo out of order; exit 7", "", "ended with code 7"),
    ("exec httpd -f -p 8080 -h /tmp", "", "did not become healthy within 3 s"),
    (
        "echo ok > /tmp/health; httpd -p 8080 -h /tmp; sleep 1.5; echo too late; exit 9",
        "",
        "ended with code 9",
    ),
    (
        "echo ok > /tmp/health; httpd -p 8080 -h /tmp; sleep 1.5; rm /tmp/health; exec sleep 1000",
        "",
        "did not stay well",
    ),
    ("x=x; while :; do x=$$x$$x; done", "", "more memory than its limit"),
    (WELL, "    entrypoint: [/no/such/program]", "ended with code 127"),
];

fn identity(bed: &Bed) -> Vec<(Value, Value)> {
    ["db", "web"]
        .map(|service| bed.engine.inspect(&bed.container(service)))
        .map(|seen| (seen["Id"].clone(), seen["State"]["Running"].clone()))
        .to_vec()
}

fn up(room: &str) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&image, WELL, ""));
    bed.supervisor(&["up"]).expect(0);
    let (code, text) = bed.engine.exec(&bed.container("db"), &["sh", "-c", "echo kept > /data/word"]);
    assert_eq!(code, 0, "{text}");
    bed
}

#[track_caller]
fn is_as_before(bed: &Bed, before: &[(Value, Value)], what: &str) {
    assert_eq!(identity(bed), before, "{what}");
    let all = bed.engine.containers(&format!("supervisor.project={}", bed.project));
    assert_eq!(all.len(), 2, "{what}: {all:?}");
    assert_eq!(bed.engine.exec(&bed.container("db"), &["cat", "/data/word"]).1, "kept\n", "{what}");
}

#[test]
fn a_bad_update_of_each_kind_ends_on_the_old_stack_and_says_why() {
    let bed = up("update-bad");
    let image = image::busybox(&bed.engine);
    let before = identity(&bed);
    for (command, lines, said) in BAD {
        let text = stack(&image, command, lines).replace("\"100000\"", "\"100001\"");
        bed.write("compose.yaml", &text);
        let ran = bed.supervisor(&["up"]);
        assert_ne!(ran.code, 0, "{said}");
        assert!(ran.err.contains(said), "{said}:\n{}", ran.err);
        assert!(ran.err.contains("the update was taken back"), "{said}:\n{}", ran.err);
        is_as_before(&bed, &before, said);
    }
    // One whose image is nowhere does not even begin.
    let nowhere = stack("supervisor-test-nowhere:1", WELL, "");
    bed.write("compose.yaml", &nowhere);
    assert_ne!(bed.supervisor(&["up"]).code, 0);
    is_as_before(&bed, &before, "no image");
    // What is put right is taken.
    bed.write("compose.yaml", &stack(&image, WELL, "    environment: {NEW: one}"));
    bed.supervisor(&["up"]).expect(0);
    let after = identity(&bed);
    assert_ne!(after[0].0, before[0].0);
    assert_eq!(after[1], before[1]);
}

#[test]
fn the_last_lines_of_what_failed_are_shown() {
    let bed = up("update-lines");
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&image, "echo out of order; exit 7", ""));
    let ran = bed.supervisor(&["up"]);
    assert!(ran.err.contains("| out of order"), "{}", ran.err);
}

#[test]
fn the_old_one_is_kept_until_the_new_one_has_proved_itself() {
    let bed = up("update-kept");
    let image = image::busybox(&bed.engine);
    let old = bed.engine.inspect(&bed.container("db"))["Id"].clone();
    bed.write("compose.yaml", &stack(&image, WELL, "    environment: {NEW: one}"));
    let running = bed.spawn("up", &["up"]);
    let aside = format!("{}.previous", bed.container("db"));
    let kept = wait::until("the old one to be put aside", || bed.engine.find(&aside));
    assert_eq!(kept["Id"], old);
    // Whoever is killed now leaves an update that the next one finishes.
    drop(running);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).len(), 2);
    assert_ne!(bed.engine.inspect(&bed.container("db"))["Id"], old);
}

#[test]
fn a_file_that_wants_it_has_the_new_one_started_first_or_left_for_a_look() {
    let bed = up("update-order");
    let image = image::busybox(&bed.engine);
    let first =
        stack(&image, WELL, "    environment: {NEW: one}").replace("monitor: 3s", "order: start-first");
    bed.write("compose.yaml", &first);
    let since = bed.engine.now();
    bed.supervisor(&["up"]).expect(0);
    let filter = tests::engine::escape(&format!(
        r#"{{"label":["supervisor.service=db","supervisor.project={}"],"event":["start","die"]}}"#,
        bed.project
    ));
    let path = format!("/events?since={since}&until={}&filters={filter}", bed.engine.now());
    let events = bed.engine.request("GET", &path, "", b"").text();
    let actions: Vec<String> = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|event| event["Action"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(actions, ["start", "die"], "{events}");

    let paused =
        stack(&image, "echo out of order; exit 7", "").replace("monitor: 3s", "failure_action: pause");
    bed.write("compose.yaml", &paused);
    let ran = bed.supervisor(&["up"]);
    assert!(!ran.err.contains("taken back"), "{}", ran.err);
    assert_eq!(bed.engine.inspect(&bed.container("db"))["State"]["ExitCode"], 7);
    bed.write("compose.yaml", &first);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(bed.engine.inspect(&bed.container("db"))["State"]["Running"], true);
}

#[test]
fn run_takes_a_bad_update_back_and_does_not_try_it_again() {
    let bed = Bed::new("update-run");
    let image = image::busybox(&bed.engine);
    let good = stack(&image, WELL, "");
    bed.write("compose.yaml", &good);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let before = identity(&bed);
    bed.write("compose.yaml", &stack(&image, "echo out of order; exit 7", ""));
    daemon.signal("HUP");
    let status = daemon.until("the update to be taken back", |status| !status["stack"]["refused"].is_null());
    let refused = status["stack"]["refused"].to_string();
    assert!(refused.contains("ended with code 7") && refused.contains("out of order"), "{refused}");
    daemon.until_healthy();
    assert_eq!(identity(&bed), before);
    let plans = daemon.status()["totals"]["plans"].clone();
    // The next process has the same file, and knows better.
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until("a stack that is watched", |status| status["phase"] == "watching");
    assert_eq!(identity(&bed), before);
    assert_eq!(daemon.status()["totals"]["plans"], 0, "{plans}: {}", daemon.log());
    // A file that is put right is taken.
    bed.write("compose.yaml", &stack(&image, WELL, "    environment: {NEW: one}"));
    daemon.signal("HUP");
    daemon.until("the file to be taken", |status| status["stack"]["refused"].is_null());
    daemon.until_healthy();
    assert_ne!(identity(&bed)[0], before[0]);
    assert_eq!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).len(), 2);
}

/// One that forks all the time, and ends where it cannot.
const FORKS: &str = "echo ok > /tmp/health; httpd -p 8080 -h /tmp; while sleep 0.2; do :; done";

#[test]
fn limits_that_a_service_cannot_live_with_go_back_to_those_of_before() {
    let bed = Bed::new("update-limits");
    let image = image::busybox(&bed.engine);
    let limits = |processes: u32| stack(&image, FORKS, &format!("    pids_limit: {processes}"));
    let is_as_before = |before: &[(Value, Value)]| {
        assert_eq!(identity(&bed), before);
        assert_eq!(bed.engine.inspect(&bed.container("db"))["HostConfig"]["PidsLimit"], 60);
    };
    bed.write("compose.yaml", &limits(60));
    bed.supervisor(&["up"]).expect(0);
    let before = identity(&bed);
    bed.write("compose.yaml", &limits(3));
    let ran = bed.supervisor(&["up"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("the update was taken back"), "{}", ran.err);
    is_as_before(&before);

    // The same of a file that is read anew by `run`, and by another one that remembers only that it did not work.
    bed.write("compose.yaml", &limits(60));
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    bed.write("compose.yaml", &limits(3));
    daemon.signal("HUP");
    daemon.until("the update to be taken back", |status| !status["stack"]["refused"].is_null());
    daemon.until_healthy();
    is_as_before(&before);
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until("what is of this file to be attested", |status| {
        status["services"]["web"]["containers"][0]["attestation"]["result"] == "passed"
    });
    is_as_before(&before);
}
