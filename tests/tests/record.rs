//! `profile record` on a real engine: what a service uses is written down, it runs on no more than that, and it is put
//! back whatever becomes of the recorder.
//!
//! Deliberately absent: the real stack; `stack_recorded` records that.

use std::fs;

use serde_json::Value;
use tests::bed::Running;
use tests::{Bed, Daemon, image, wait};

/// A service that answers its probe, with this written under its `x-supervisor`.
fn web(bed: &Bed, own: &str) -> String {
    let image = image::busybox(&bed.engine);
    format!(
        r#"
services:
  web:
    image: {image}
    user: "1000:1000"
    command: [sh, -c, "echo '{{\"ok\":true}}' > /tmp/health; exec httpd -f -p 8080 -h /tmp"]
    tmpfs: [/tmp]
    mem_limit: 64m
    ulimits: {{nofile: {{soft: 1024, hard: 4096}}}}
    stop_grace_period: 1s
    networks: [back]
    x-supervisor:
      probe: {{http: /health, port: 8080, body: '"ok":true', interval: 1s, timeout: 1s, retries: 2, start_period: 60s}}
{own}
networks:
  back: {{internal: true}}
"#
    )
}

/// The filter that the engine was given; `None` while the container is being replaced.
fn filter(bed: &Bed) -> Option<Value> {
    let inspected = bed.engine.find(&bed.container("web"))?;
    let options = inspected["HostConfig"]["SecurityOpt"].as_array()?.clone();
    let option =
        options.iter().find_map(|option| option.as_str()?.strip_prefix("seccomp=").map(str::to_owned))?;
    serde_json::from_str(&option).ok()
}

/// A recording that has the service healthy under its filter.
#[track_caller]
fn recording(bed: &Bed) -> Running {
    let running = bed.spawn("record", &["profile", "record", "web"]);
    wait::until("a recording", || {
        let output = running.output();
        assert!(!output.contains("error:"), "{output}");
        output.contains("ends it").then_some(())
    });
    assert!(filter(bed).is_some_and(|filter| filter["listenerPath"].is_string()));
    running
}

fn up(own: &str, room: &str) -> Bed {
    let bed = Bed::new(room);
    bed.write("compose.yaml", &web(&bed, own));
    bed.supervisor(&["up", "--wait"]).expect(0);
    bed
}

fn recorded(bed: &Bed) -> String {
    fs::read_to_string(bed.folder().join("profiles/web.yaml")).unwrap()
}

#[test]
fn what_is_recorded_is_enough_for_the_service_and_what_is_not_is_denied_and_told() {
    let bed = up("", "record");
    let first = recording(&bed);
    bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/made"]).expect(0);
    first.signal("INT");
    let output = wait::until("an end", || first.output().contains("written to").then(|| first.output()));
    assert!(filter(&bed).is_some_and(|filter| filter["listenerPath"].is_null()), "{output}");
    let text = recorded(&bed);
    for name in ["accept", "bind", "listen", "mkdir", "setsockopt"] {
        assert!(text.contains(&format!("\n  - {name}")), "{name} is not in\n{text}\n{output}");
    }
    assert!(!text.contains("rmdir") && !text.contains("recvfrom") && text.contains("runc: \""), "{text}");

    // A second recording is merged: what it does not use stays.
    let second = recording(&bed);
    bed.supervisor(&["exec", "web", "/bin/busybox", "ln", "-s", "/tmp/health", "/tmp/link"]).expect(0);
    second.signal("INT");
    wait::until("an end", || second.output().contains("written to").then_some(()));
    // Without the key the earlier file is not the stack's, and is written anew.
    assert!(recorded(&bed).contains("symlink") && !recorded(&bed).contains("mkdir"), "{}", recorded(&bed));

    bed.write("compose.yaml", &web(&bed, "      seccomp: ./profiles/web.yaml"));
    let third = recording(&bed);
    bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/made"]).expect(0);
    third.signal("INT");
    wait::until("an end", || third.output().contains("written to").then_some(()));
    let text = recorded(&bed);
    assert!(
        text.contains("symlink") && text.contains("mkdir") && text.matches("when:").count() == 2,
        "{text}"
    );

    // In force: it serves, stops and starts on what was recorded, and nothing else.
    bed.supervisor(&["up", "--wait"]).expect(0);
    let granted = filter(&bed).unwrap();
    assert_eq!(granted["flags"], serde_json::json!(["SECCOMP_FILTER_FLAG_LOG"]), "{granted}");
    bed.supervisor(&["restart", "web"]).expect(0);
    bed.supervisor(&["up", "--wait"]).expect(0);
    bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/again"]).expect(0);
    let refused = bed.supervisor(&["exec", "web", "/bin/busybox", "rmdir", "/tmp/again"]);
    assert!(refused.code == 1 && refused.err.contains("not implemented"), "{refused:?}");
    // The kernel's log takes ten records at once, from all of the machine: what is denied once may be lost.
    let told = wait::until("a denial in the kernel's log", || {
        bed.supervisor(&["exec", "web", "/bin/busybox", "rmdir", "/tmp/again"]);
        let attested = bed.supervisor(&["attest", "--format", "json"]).expect(0).json();
        let checks = attested["containers"][0]["checks"].as_array()?.clone();
        let denied = checks.iter().find(|check| check["item"] == "denied calls")?;
        denied["seen"].as_str().filter(|seen| seen.contains("`rmdir`")).map(str::to_owned)
    });
    assert!(told.contains("add `- rmdir`"), "{told}");
    let difference = bed.supervisor(&["profile", "diff", "web"]).expect(0).out;
    assert!(difference.contains("base `generic`") && difference.contains("falls away"), "{difference}");
}

#[test]
fn beside_run_a_service_is_lent_recorded_and_taken_back() {
    let bed = Bed::new("record-beside");
    bed.write("compose.yaml", &web(&bed, ""));
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let before = filter(&bed).unwrap();
    let recorder = recording(&bed);
    let status = daemon.status();
    let reason = status["services"]["web"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("`profile record`") && daemon.get("/readyz").unwrap().status == 503,
        "{status:#}"
    );
    // What it does now is no concern of the supervisor's: neither its filter, nor its end, nor its new start.
    bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/made"]).expect(0);
    let second = bed.supervisor(&["profile", "record", "web", "--seconds", "1"]).expect(4);
    assert!(second.err.contains("`profile record`"), "{}", second.err);
    recorder.signal("INT");
    let output =
        wait::until("an end", || recorder.output().contains("written to").then(|| recorder.output()));
    assert!(recorded(&bed).contains("mkdir"), "{output}");
    assert_eq!(filter(&bed).unwrap(), before);
    daemon.until_healthy();
    assert_eq!(daemon.status()["services"]["web"]["containers"][0]["attestation"]["result"], "passed");

    // The reviewed file is in force after a reload, recorded again beside it, merged, and in force again.
    bed.write("compose.yaml", &web(&bed, "      seccomp: ./profiles/web.yaml"));
    daemon.signal("HUP");
    wait::until("the recorded profile", || {
        filter(&bed).is_some_and(|filter| filter["flags"].is_array()).then_some(())
    });
    daemon.until_healthy();
    let reviewed = filter(&bed).unwrap();
    let recorder = recording(&bed);
    bed.supervisor(&["exec", "web", "/bin/busybox", "ln", "-s", "/tmp/health", "/tmp/link"]).expect(0);
    // One that is killed gives it back without a word.
    recorder.signal("KILL");
    wait::until("the service to be put back", || (filter(&bed).as_ref() == Some(&reviewed)).then_some(()));
    daemon.until_healthy();
    assert_eq!(recorded(&bed).matches("when:").count(), 1);
    let recorder = recording(&bed);
    bed.supervisor(&["exec", "web", "/bin/busybox", "ln", "-s", "/tmp/health", "/tmp/link"]).expect(0);
    recorder.signal("INT");
    wait::until("an end", || recorder.output().contains("written to").then_some(()));
    let text = recorded(&bed);
    assert!(
        text.contains("mkdir") && text.contains("symlink") && text.matches("when:").count() == 2,
        "{text}"
    );
    assert_eq!(filter(&bed).unwrap(), reviewed);
    daemon.until_healthy();
    daemon.signal("HUP");
    wait::until("the merged profile", || {
        let link = ["exec", "web", "/bin/busybox", "ln", "-s", "/tmp/health", "/tmp/link"];
        (filter(&bed).is_some_and(|filter| filter != reviewed && filter["flags"].is_array())
            && bed.supervisor(&link).code == 0)
            .then_some(())
    });
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_recorder_that_is_killed_leaves_the_service_as_it_was() {
    let bed = up("", "record-killed");
    let before = filter(&bed).unwrap();
    let recorder = recording(&bed);
    assert_ne!(filter(&bed).unwrap(), before);
    recorder.signal("KILL");
    wait::until("the service to be put back", || {
        (filter(&bed).as_ref() == Some(&before)).then_some(())?;
        bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/works"]).code.eq(&0).then_some(())
    });
    // The guard is the project's writer until it has waited for the service's health.
    wait::until("the guard's end", || bed.supervisor(&["up", "--wait"]).code.eq(&0).then_some(()));
    bed.supervisor(&["attest"]).expect(0);
    assert!(!bed.folder().join("profiles").exists());
}

#[test]
fn a_service_that_does_not_run_is_not_recorded_and_a_profile_that_was_widened_is_refused() {
    let bed = up("", "record-refused");
    bed.supervisor(&["stop", "web"]).expect(0);
    let stopped = bed.supervisor(&["profile", "record", "web", "--seconds", "1"]).expect(4);
    assert!(stopped.err.contains("service `web` does not run"), "{}", stopped.err);
    let unknown = bed.supervisor(&["profile", "record", "wep"]).expect(2);
    assert!(unknown.err.contains("there is no service `wep`"), "{}", unknown.err);
    bed.write("profiles/web.yaml", "base: generic\nsyscalls:\n  - mount\n");
    bed.write("compose.yaml", &web(&bed, "      seccomp: ./profiles/web.yaml"));
    let refused = bed.supervisor(&["up"]).expect(1);
    assert!(
        refused.err.contains("profiles/web.yaml:3:5") && refused.err.contains("SV137"),
        "{}",
        refused.err
    );
}
