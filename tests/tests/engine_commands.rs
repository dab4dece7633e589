//! The commands that look after a running stack, on a real engine.

use serde_json::json;
use tests::{Bed, image};

fn stack(bed: &Bed, net: u8) {
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!(
            r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
    command: [sh, -c, "printf 'one\\n\\033[2Jtwo\\n'; trap 'exit 0' TERM; while :; do sleep 1 & wait; done"]
networks:
  net: {{internal: true, ipam: {{config: [{{subnet: 10.79.5.{net}/28}}]}}}}
"#
        ),
    );
}

#[test]
fn a_running_stack_is_looked_at_stopped_and_started() {
    let bed = Bed::new("engine");
    stack(&bed, 112);
    let nothing = bed.supervisor(&["logs"]).expect(4);
    assert!(nothing.err.contains("has no containers"), "{}", nothing.err);
    bed.supervisor(&["up"]).expect(0);

    let rows = bed.supervisor(&["ps", "--format", "json"]).expect(0).json();
    assert_eq!((&rows[0]["service"], &rows[0]["state"]), (&json!("app"), &json!("running")));
    let table = bed.supervisor(&["ps"]).expect(0).out;
    assert!(table.starts_with("NAME") && table.contains("Up "), "{table}");
    assert_eq!(bed.supervisor(&["ps", "--services"]).expect(0).out, "app\n");
    let top = bed.supervisor(&["top", "app"]).expect(0).out;
    assert!(top.contains("docker-init"), "{top}");
    let stats = bed.supervisor(&["stats", "--format", "json"]).expect(0).json();
    assert_eq!(stats[0]["memory_limit"], json!(32 << 20));

    // In a pipe bytes pass as they are.
    let name = bed.container("app");
    let logs = bed.supervisor(&["logs", "--tail", "1"]).expect(0).out;
    assert_eq!(logs, "app-1 | \u{1b}[2Jtwo\n");
    let logs = bed.supervisor(&["logs", "--no-log-prefix", "app"]).expect(0).out;
    assert_eq!(logs, "one\n\u{1b}[2Jtwo\n");

    bed.supervisor(&["stop"]).expect(0);
    assert_eq!(bed.engine.inspect(&name)["State"]["Status"], "exited");
    assert_eq!(bed.supervisor(&["ps", "-q"]).expect(0).out, "");
    bed.supervisor(&["start"]).expect(0);
    let first = bed.engine.pid(&name);
    bed.supervisor(&["restart", "app"]).expect(0);
    assert_ne!(bed.engine.pid(&name), first);
    let wrong = bed.supervisor(&["restart", "nobody"]).expect(4);
    assert!(wrong.err.contains("`nobody`"), "{}", wrong.err);
}

#[test]
fn exec_passes_streams_and_the_exit_code_and_gives_no_more_rights() {
    let bed = Bed::new("engine");
    stack(&bed, 96);
    bed.supervisor(&["up"]).expect(0);
    let said = bed.supervisor(&["exec", "app", "sh", "-c", "id -u; echo problem >&2; exit 7"]).expect(7);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("1000\n", "problem\n"));
    let rights = bed.supervisor(&[
        "exec",
        "-u",
        "0",
        "app",
        "grep",
        "-E",
        "CapEff|NoNewPrivs|Seccomp:",
        "/proc/self/status",
    ]);
    assert_eq!(rights.expect(0).out, "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    bed.supervisor(&["exec", "app", "sh", "-c", "touch /here"]).expect(1);
    let wrong = bed.supervisor(&["exec", "nobody", "id"]).expect(4);
    assert!(wrong.err.contains("no container of service `nobody`"), "{}", wrong.err);
}
