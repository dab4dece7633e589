//! `supervisor run` on a real engine: it converges, heals, respects an administrator, and loses nothing.
//!
//! Nothing here is timed: a test waits for a state, and asserts how it came about.

use std::fs;
use std::os::unix::net::UnixDatagram;

use serde_json::Value;
use tests::bed::signal;
use tests::proxy::Proxy;
use tests::{Bed, Daemon, image, wait};

/// A service that answers its probe, in a stack of a subnet of its own.
fn web(bed: &Bed, command: &str) -> String {
    let image = image::busybox(&bed.engine);
    format!(
        r#"
services:
  web:
    image: {image}
    user: "1000:1000"
    command: [sh, -c, {command:?}]
    tmpfs: [/tmp]
    mem_limit: 64m
    ulimits: {{nofile: {{soft: 1024, hard: 4096}}}}
    restart: unless-stopped
    stop_grace_period: 1s
    networks: [back]
    x-supervisor:
      probe: {{http: /health, port: 8080, body: '"ok":true', interval: 1s, timeout: 1s, retries: 2, start_period: 60s}}
      on_exit: {{"78": stop}}
networks:
  back: {{internal: true}}
"#
    )
}

const SERVE: &str = r#"echo '{"ok":true}' > /tmp/health; exec httpd -f -p 8080 -h /tmp"#;

fn serving(room: &str) -> Bed {
    let bed = Bed::new(room);
    bed.write("compose.yaml", &web(&bed, SERVE));
    bed
}

/// Id and start of the container: what a restart or a replacement changes.
fn identity(bed: &Bed) -> (String, String) {
    let inspected = bed.engine.inspect(&bed.container("web"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&inspected["Id"]), text(&inspected["State"]["StartedAt"]))
}

fn container(status: &Value) -> &Value {
    &status["services"]["web"]["containers"][0]
}

/// The process of the container that serves: below its init.
fn server(bed: &Bed) -> u32 {
    let init = bed.engine.pid(&bed.container("web"));
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn who_ends_on_its_own_has_its_last_lines_in_the_status_and_in_the_log() {
    let bed = Bed::new("run-last");
    let words = r"echo opening >&2; printf '\033[2Jcannot open the door\n' >&2; exit 3";
    bed.write("compose.yaml", &web(&bed, words));
    let daemon = Daemon::start(&bed, &[]);
    let status = daemon.until("its last lines", |status| container(status)["last_lines"].get(1).is_some());
    let lines = &container(&status)["last_lines"];
    assert_eq!(
        (&lines[0], &lines[1]),
        (&Value::from("opening"), &Value::from(r"\u{1b}[2Jcannot open the door"))
    );
    let line = format!("`{}` wrote: ", bed.container("web"));
    wait::until("them in the log", || {
        let log = daemon.log();
        (log.contains(&line) && log.contains("cannot open the door")).then_some(())
    });
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn status_says_how_it_is_and_what_is_in_force() {
    let bed = serving("run-status");
    let socket = bed.folder().join("endpoint.sock").display().to_string();
    let asked = |format: &str| bed.supervisor(&["status", "--socket", &socket, "--format", format]);
    assert!(asked("human").expect(4).err.contains("no `run` answers"));
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let status = wait::until("what the endpoint is left with", || {
        let ran = asked("json");
        (ran.code == 0).then(|| ran.json()).filter(|status| status["processes"]["endpoint"].is_object())
    });
    assert_eq!(container(&status)["state"], "healthy");
    let text = asked("human").expect(0).out;
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no `{name}` in\n{text}")).to_owned()
    };
    assert!(text.starts_with(&format!("stack `{}`: as wanted", bed.project)), "{text}");
    assert!(row("web ").contains(" healthy ") && row("web ").contains(" kept "), "{text}");
    assert!(row("endpoint ").contains(" none "), "{text}");
    let stop = bed.engine.request("POST", &format!("/containers/{}/stop", bed.container("web")), "", b"");
    assert_eq!(stop.status, 204);
    wait::until("a stack that is not as wanted", || (asked("human").code == 4).then_some(()));
    assert!(asked("human").out.contains("not as wanted"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_hang_is_found_by_the_probe_and_healed_by_a_restart() {
    let bed = serving("run-hang");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let (id, started) = identity(&bed);
    signal(server(&bed), "STOP");
    let status = daemon.until("a healed hang", |status| {
        container(status)["restarts"] == 1 && container(status)["state"] == "healthy"
    });
    let (same, later) = identity(&bed);
    assert_eq!(same, id);
    assert!(later > started);
    assert_eq!(container(&status)["attestation"]["result"], "passed");
    assert!(daemon.log().contains("unhealthy, 2 probes in a row"), "{}", daemon.log());
}

#[test]
fn what_was_killed_is_started_again_once() {
    let bed = serving("run-kill");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let (id, _) = identity(&bed);
    signal(bed.engine.pid(&bed.container("web")), "KILL");
    daemon.until("a restart", |status| {
        container(status)["restarts"] == 1 && container(status)["state"] == "healthy"
    });
    let inspected = bed.engine.inspect(&bed.container("web"));
    assert_eq!(inspected["Id"], id.as_str());
    assert_eq!(inspected["RestartCount"], 0, "the engine restarted it too");
    assert_eq!(inspected["HostConfig"]["RestartPolicy"]["Name"], "no");
}

#[test]
fn an_exit_code_that_says_so_is_stopped_and_shown_and_not_looped() {
    let bed = Bed::new("run-78");
    bed.write("compose.yaml", &web(&bed, "sleep 2; exit 78"));
    let daemon = Daemon::start(&bed, &[]);
    let status = daemon.until("a failed service", |status| status["services"]["web"]["state"] == "failed");
    assert_eq!(container(&status)["exit_code"], 78);
    assert_eq!(container(&status)["restarts"], 0);
    let answer = daemon.get("/healthz").unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("ended with code 78"), "{}", answer.text());
    // Its file is put right: a reload is a new chance.
    bed.write("compose.yaml", &web(&bed, SERVE));
    daemon.signal("HUP");
    daemon.until_healthy();
}

#[test]
fn its_containers_outlive_it_and_the_next_one_takes_them_up() {
    let bed = serving("run-adopt");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let before = identity(&bed);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(identity(&bed), before);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let status = daemon.status();
    assert_eq!(identity(&bed), before);
    assert_eq!(status["totals"]["plans"], 0);
    assert_eq!(container(&status)["attestation"]["result"], "passed");
}

#[test]
fn a_stack_that_up_started_is_taken_over_without_a_restart() {
    let bed = serving("run-over");
    let state = bed.folder().join("state");
    bed.supervisor(&["up", "--state-dir", state.to_str().unwrap()]).expect(0);
    let before = identity(&bed);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    assert_eq!(identity(&bed), before);
    let inspected = bed.engine.inspect(&bed.container("web"));
    assert_eq!(inspected["HostConfig"]["RestartPolicy"]["Name"], "no", "two would restart it");
}

#[test]
fn a_file_that_is_refused_while_it_runs_changes_nothing() {
    let bed = serving("run-refused");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let before = identity(&bed);
    let good = web(&bed, SERVE);
    for bad in [good.replace("    tmpfs", "    privileged: true\n    tmpfs"), "services: [".to_owned()] {
        bed.write("compose.yaml", &bad);
        daemon.signal("HUP");
        let status = daemon.until("a refusal", |status| !status["stack"]["refused"].is_null());
        assert_eq!(identity(&bed), before);
        assert_eq!(status["services"]["web"]["state"], "healthy");
        assert_eq!(daemon.get("/healthz").unwrap().status, 200);
        bed.write("compose.yaml", &good);
        daemon.signal("HUP");
        daemon.until("the file as it was", |status| status["stack"]["refused"].is_null());
    }
    assert_eq!(identity(&bed), before);
    assert_eq!(daemon.status()["totals"]["plans"], 1);
}

#[test]
fn what_somebody_stopped_stays_stopped_until_somebody_starts_it() {
    let bed = serving("run-admin");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let name = bed.container("web");
    bed.engine.post(&format!("/containers/{name}/stop?t=1"), &Value::Null);
    daemon.until("a stopped service", |status| status["services"]["web"]["state"] == "stopped");
    // The next one respects it too.
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&bed, &[]);
    let status = daemon.until("a stack that is watched", |status| status["phase"] == "watching");
    assert_eq!(status["services"]["web"]["state"], "stopped");
    assert_eq!(bed.engine.inspect(&name)["State"]["Running"], false);
    bed.engine.post(&format!("/containers/{name}/start"), &Value::Null);
    daemon.until_healthy();
}

#[test]
fn what_somebody_removed_is_created_again() {
    let bed = serving("run-gone");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let (id, _) = identity(&bed);
    bed.engine.remove(&bed.container("web"));
    daemon.until("another container", |status| {
        let now = container(status)["id"].as_str().unwrap_or_default();
        !now.is_empty() && !id.starts_with(now) && container(status)["state"] == "healthy"
    });
}

#[test]
fn an_engine_that_goes_away_and_comes_back_costs_nothing() {
    let bed = serving("run-away");
    let proxy = Proxy::before(bed.engine.socket());
    let host = proxy.host();
    let daemon = Daemon::start(&bed, &[("DOCKER_HOST", &host)]);
    daemon.until_healthy();
    let before = identity(&bed);
    proxy.cut();
    daemon.until("an engine that is away", |status| status["phase"] == "engine_away");
    assert_eq!(daemon.get("/healthz").unwrap().status, 503);
    proxy.mend();
    daemon.until_healthy();
    assert_eq!(identity(&bed), before);
    // Its events are heard again.
    signal(bed.engine.pid(&bed.container("web")), "KILL");
    daemon.until("a restart", |status| {
        container(status)["restarts"] == 1 && container(status)["state"] == "healthy"
    });
}

#[test]
fn what_happened_while_the_engine_was_away_is_put_right() {
    let bed = serving("run-missed");
    let proxy = Proxy::before(bed.engine.socket());
    let host = proxy.host();
    let daemon = Daemon::start(&bed, &[("DOCKER_HOST", &host)]);
    daemon.until_healthy();
    let (id, started) = identity(&bed);
    proxy.cut();
    daemon.until("an engine that is away", |status| status["phase"] == "engine_away");
    signal(bed.engine.pid(&bed.container("web")), "KILL");
    wait::until("the engine's word of the end", || {
        (bed.engine.inspect(&bed.container("web"))["State"]["Running"] == false).then_some(())
    });
    proxy.mend();
    daemon.until_healthy();
    let (same, later) = identity(&bed);
    assert_eq!(same, id);
    assert!(later > started);
}

#[test]
fn an_engine_that_is_not_there_at_the_start_is_waited_for() {
    let bed = serving("run-late");
    let late = bed.folder().join("late.sock");
    let host = format!("unix://{}", late.display());
    let daemon = Daemon::start(&bed, &[("DOCKER_HOST", &host)]);
    let status = daemon.until("an engine that is away", |status| status["phase"] == "engine_away");
    assert!(status["reasons"][0].as_str().unwrap().contains("there is no such socket"), "{status}");
    std::os::unix::fs::symlink(bed.engine.socket(), &late).unwrap();
    daemon.until_healthy();
}

#[test]
fn on_a_command_line_a_refused_file_ends_it_at_once() {
    let bed = serving("run-cli");
    bed.write("compose.yaml", &web(&bed, SERVE).replace("    tmpfs", "    privileged: true\n    tmpfs"));
    assert!(bed.supervisor(&["run"]).expect(1).err.contains("is privileged"));
    bed.write("compose.yaml", "services: [");
    bed.supervisor(&["run"]).expect(2);
}

#[test]
fn under_systemd_a_refused_file_is_waited_for_and_ready_is_said_once_the_stack_is_there() {
    let bed = serving("run-unit");
    bed.write("compose.yaml", &web(&bed, SERVE).replace("    tmpfs", "    privileged: true\n    tmpfs"));
    let path = bed.folder().join("notify.sock");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_nonblocking(true).unwrap();
    let mut told = String::new();
    let listen = |told: &mut String| {
        let mut message = [0; 4096];
        while let Ok(length) = systemd.recv(&mut message) {
            told.push_str(&String::from_utf8_lossy(&message[..length]));
        }
    };
    let daemon =
        Daemon::start(&bed, &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")]);
    daemon.until("a refusal", |status| !status["stack"]["refused"].is_null());
    let answer = daemon.get("/healthz").unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("`web` is privileged"), "{}", answer.text());
    listen(&mut told);
    assert!(!told.contains("READY=1") && told.contains("STATUS=the file is not taken: SV"), "{told}");
    bed.write("compose.yaml", &web(&bed, SERVE));
    daemon.until_healthy();
    wait::until("the watchdog's word after READY", || {
        listen(&mut told);
        told.split_once("READY=1").filter(|(_, after)| after.contains("WATCHDOG=1")).map(drop)
    });
    assert_eq!(daemon.stop(), 0);
    listen(&mut told);
    assert!(told.contains("STOPPING=1"), "{told}");
}

#[test]
fn two_at_once_do_not_fight() {
    let bed = serving("run-two");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let state = bed.folder().join("state");
    let second = bed.supervisor(&["run", "--state-dir", state.to_str().unwrap()]).expect(4);
    assert!(second.err.contains("is being changed by process"), "{}", second.err);
}

#[test]
fn what_somebody_changed_behind_its_back_is_put_right_as_it_runs() {
    let bed = serving("run-drift");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let before = identity(&bed);
    let name = bed.container("web");
    let network = format!("{}_back", bed.project);
    let much = serde_json::json!({"Memory": 512 << 20, "MemorySwap": 512 << 20});
    bed.engine.post(&format!("/containers/{name}/update"), &much);
    wait::until("the limit of the file", || {
        (bed.engine.inspect(&name)["HostConfig"]["Memory"] == 64 << 20).then_some(())
    });
    bed.engine.post(&format!("/containers/{name}/rename?name={name}-other"), &Value::Null);
    wait::until("the name of the file", || {
        (bed.engine.inspect(&before.0)["Name"] == format!("/{name}")).then_some(())
    });
    daemon.until_healthy();
    bed.engine.post(
        &format!("/containers/{name}/update"),
        &serde_json::json!({"RestartPolicy": {"Name": "always"}}),
    );
    wait::until("the engine to be no restarter", || {
        (bed.engine.inspect(&name)["HostConfig"]["RestartPolicy"]["Name"] == "no").then_some(())
    });
    let other = bed.engine.post("/networks/create", &serde_json::json!({"Name": format!("{network}-other"), "Internal": true, "Labels": {"supervisor.project": bed.project}}));
    bed.engine.post(
        &format!("/networks/{}/connect", other["Id"].as_str().unwrap()),
        &serde_json::json!({"Container": name}),
    );
    wait::until("the networks of the file", || {
        let networks = bed.engine.inspect(&name)["NetworkSettings"]["Networks"].clone();
        (networks.as_object().unwrap().keys().collect::<Vec<_>>() == [&network]).then_some(())
    });
    assert_eq!(identity(&bed), before, "{}", daemon.log());
    let status = daemon.status();
    assert_eq!(container(&status)["restarts"], 0);
}
