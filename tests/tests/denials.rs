//! What the kernel denies to a service of a stack that `run` keeps: told with the service, the call and the line to write.
//!
//! Deliberately absent: recording (`record`), and AppArmor's denials, which need a booted machine (`machine/apparmor`).

use serde_json::Value;
use tests::{Bed, Daemon, image, wait};

/// Two services of different users; what `web` was recorded with is all but enough.
fn shop(room: &str) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write(
        "profiles/web.yaml",
        "base: generic\nsyscalls: [clock_nanosleep, mkdir, getuid, geteuid, setsockopt, dup2, lstat, stat]\n",
    );
    let service = |user: &str, own: &str| {
        format!(
            "{{image: {image}, user: \"{user}\", command: [sleep, '1000000'], tmpfs: [/tmp], mem_limit: 64m, \
             stop_grace_period: 1s, networks: [back], ulimits: {{nofile: {{soft: 1024, hard: 4096}}}}{own}}}"
        )
    };
    let web = service("1000:1000", ", x-supervisor: {seccomp: ./profiles/web.yaml}");
    let other = service("1001:1001", "");
    // The supervisor is where the engine's bridges are not: what guards them would guard nothing there.
    let text = format!(
        "x-supervisor: {{guard: \"off\"}}\nservices:\n  web: {web}\n  other: {other}\nnetworks: {{back: {{internal: true}}}}\n"
    );
    bed.write("compose.yaml", &text);
    bed
}

fn row(status: &Value, service: &str, what: &str) -> Option<Value> {
    let rows = status["denials"]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["service"] == service && row["what"] == what).cloned()
}

#[test]
fn a_denied_call_is_told_with_its_service_and_the_line_to_write() {
    let bed = shop("denials");
    let daemon = Daemon::start_on_the_host(&bed);
    daemon.until_healthy();
    let status = daemon.status();
    let ways = status["denials"]["heard_by"].as_array().unwrap().clone();
    assert!(ways.contains(&"audit".into()), "{status:#}");
    bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/made"]).expect(0);
    assert_eq!(row(&daemon.status(), "web", "mkdir"), None);

    // Each is made once: what comes from the audit system is not lost.
    let refused = bed.supervisor(&["exec", "web", "/bin/busybox", "rmdir", "/tmp/made"]);
    assert!(refused.code == 1 && refused.err.contains("not implemented"), "{refused:?}");
    bed.supervisor(&["exec", "other", "/bin/busybox", "rmdir", "/tmp/none"]);
    bed.supervisor(&["exec", "other", "/bin/busybox", "insmod", "/bin/busybox"]).expect(159);
    let told = |service: &str, what: &[&str]| {
        wait::until(&format!("{what:?} of {service}"), || {
            let status = daemon.status();
            what.iter().find_map(|what| row(&status, service, what))
        })
    };
    let rmdir = told("web", &["rmdir"]);
    assert_eq!(
        (&rmdir["by"], &rmdir["program"], &rmdir["count"]),
        (&"seccomp".into(), &"/bin/busybox".into(), &1.into())
    );
    assert!(rmdir["remedy"].as_str().unwrap().contains("add `- rmdir` to its recorded profile"), "{rmdir}");
    let module = told("other", &["init_module", "finit_module"]);
    assert!(module["remedy"].as_str().unwrap().contains("nothing but an intruder"), "{module}");
    // Granted to `other`, which makes the same call.
    assert_eq!(row(&daemon.status(), "other", "rmdir"), None);
    let metrics = daemon.get("/metrics").unwrap().text();
    let line = "supervisor_denials_total{service=\"web\",by=\"seccomp\",what=\"rmdir\"} 1.0";
    assert!(metrics.lines().any(|metric| metric == line), "{metrics}");
    wait::until("it in the log", || {
        let log = daemon.log();
        (log.contains("seccomp denied `rmdir` to /bin/busybox")
            && log.contains("seccomp denied `init_module`")
            || log.contains("seccomp denied `finit_module`"))
        .then_some(())
    });

    // The line that it says is written: the call is granted.
    bed.write(
        "profiles/web.yaml",
        "base: generic\nsyscalls: [clock_nanosleep, mkdir, rmdir, getuid, geteuid, setsockopt, dup2, lstat, stat]\n",
    );
    daemon.signal("HUP");
    wait::until("the new profile", || {
        let ran = bed.supervisor(&["exec", "web", "/bin/busybox", "mkdir", "/tmp/again"]);
        (ran.code == 0).then_some(())?;
        (bed.supervisor(&["exec", "web", "/bin/busybox", "rmdir", "/tmp/again"]).code == 0).then_some(())
    });
}
