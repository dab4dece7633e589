//! Attestation on a real engine: what is as promised passes, what somebody changed or started by hand does not.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use serde_json::{Value, json};
use tests::{Bed, Daemon, Ran, image};

/// A small stack of one service that has a bit of everything, running.
#[track_caller]
fn up(name: &str) -> Bed {
    let bed = written(name);
    bed.supervisor(&["up"]).expect(0);
    bed
}

/// The same, not started.
#[track_caller]
fn written(name: &str) -> Bed {
    let bed = Bed::new(name);
    bed.write("conf/file", "x");
    bed.write(
        "compose.yaml",
        &format!(
            "services:
  web:
    image: {image}
    user: '1000:1000'
    mem_limit: 64m
    cap_add: [NET_BIND_SERVICE]
    volumes: ['./conf:/conf:ro', 'data:/data']
    configs: [{{source: site, target: /etc/site}}]
    networks: [back]
networks: {{back: {{internal: true}}}}
volumes: {{data: {{}}}}
configs: {{site: {{content: hello}}}}
",
            image = image::busybox(&bed.engine)
        ),
    );
    bed
}

/// The rows that do not hold, as `container: item: seen`.
#[track_caller]
fn broken(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let rows = report["containers"].as_array().unwrap().iter().flat_map(|container| {
        let name = container["service"].as_str().unwrap().to_owned();
        container["checks"].as_array().unwrap().iter().filter_map(move |check| {
            let holds = matches!(check["verdict"].as_str(), Some("kept" | "noted"));
            (!holds).then(|| {
                format!("{name}: {}: {}", check["item"].as_str().unwrap(), check["seen"].as_str().unwrap())
            })
        })
    });
    rows.collect()
}

#[test]
fn what_up_started_is_as_promised() {
    let bed = up("attest");
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(0);
    assert_eq!(broken(&ran), Vec::<String>::new());
    let report = ran.json();
    assert_eq!(report["holds"], json!(true));
    assert!(report["containers"][0]["checks"].as_array().unwrap().len() >= 25, "{report}");
    let text = bed.supervisor(&["attest"]).expect(0).out;
    assert!(text.contains("as promised") && text.contains("✓ kept"), "{text}");
}

#[test]
fn a_container_started_by_hand_under_the_projects_label_is_told_apart() {
    let bed = up("attest");
    let body = json!({
        "Image": image::busybox(&bed.engine),
        "User": "0:0",
        "Labels": {"supervisor.project": bed.project, "supervisor.service": "extra"},
        "HostConfig": {"Privileged": true},
    });
    bed.engine.run(&format!("{}-extra-1", bed.project), &body);
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(5);
    assert_eq!(broken(&ran), ["extra: made from: no container of this file, under the project's label"]);
}

#[test]
fn a_container_in_the_place_of_a_service_with_its_very_labels_is_told_apart() {
    let bed = up("attest");
    let name = bed.container("web");
    let real = bed.engine.inspect(&name);
    bed.engine.remove(&name);
    let body = json!({
        "Image": real["Image"],
        "User": "0:0",
        "Labels": real["Config"]["Labels"],
        "HostConfig": {
            "Privileged": true,
            "Binds": [format!("{}:/harmless", bed.engine.socket().parent().unwrap().display()), "/:/host:ro"],
            "PidMode": "host",
        },
    });
    bed.engine.run(&name, &body);
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(5);
    let rows = broken(&ran).join("\n");
    for item in [
        "user: 0:0",
        "capabilities: effective",
        "no new privileges: off",
        "seccomp: off",
        "root: writable",
        "namespaces: the host's cgroup, pid",
        "engine's modes: privileged=true, pid=host",
        "mount /data: not mounted",
        "other mounts: ",
        "devices: ",
        "memory: unlimited",
    ] {
        assert!(rows.contains(&format!("web: {item}")), "no row says `{item}`:\n{rows}");
    }
    let socket = bed.engine.socket().canonicalize().unwrap();
    assert!(rows.contains(&format!("{} under /harmless", socket.display())), "{rows}");
}

#[test]
fn an_exec_with_more_rights_is_seen_and_an_ordinary_one_is_none() {
    let bed = up("attest");
    let name = bed.container("web");
    let ordinary = json!({"Cmd": ["sleep", "60"]});
    let start = |body: &Value| {
        let made = bed.engine.post(&format!("/containers/{name}/exec"), body);
        bed.engine.post(&format!("/exec/{}/start", made["Id"].as_str().unwrap()), &json!({"Detach": true}));
    };
    start(&ordinary);
    bed.supervisor(&["attest", "--format", "json"]).expect(0);
    start(&json!({"Cmd": ["sleep", "60"], "Privileged": true, "User": "0:0"}));
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(5);
    let rows = broken(&ran);
    assert!(rows.len() == 1 && rows[0].starts_with("web: other processes: process "), "{rows:?}");
}

#[test]
fn what_does_not_run_is_said_and_is_no_proof() {
    let bed = up("attest");
    bed.engine.post(&format!("/containers/{}/stop?t=0", bed.container("web")), &Value::Null);
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(4);
    assert_eq!(ran.json()["containers"][0]["state"], json!("not_running"));
    assert_eq!(ran.json()["holds"], json!(false));
}

#[test]
fn limits_that_somebody_lifted_since_are_seen() {
    let bed = up("attest");
    let body = json!({"Memory": 128 << 20, "MemorySwap": 256 << 20, "PidsLimit": 4096});
    bed.engine.post(&format!("/containers/{}/update", bed.container("web")), &body);
    let ran = bed.supervisor(&["attest", "--format", "json"]).expect(5);
    let rows = broken(&ran);
    assert_eq!(rows, ["web: processes: 4096", "web: memory: 128 MiB", "web: memory and swap: 256 MiB"]);
}

#[test]
fn nobody_but_root_gets_a_pass() {
    let bed = up("attest");
    // Everything that the user has to reach is made reachable; what stays out of reach is the kernel's word.
    let folder = bed.folder().display().to_string();
    tests::bed::ran(std::process::Command::new("chmod").args(["-R", "a+rX", &folder])).expect(0);
    let proxy = tests::proxy::Proxy::before(bed.engine.socket());
    let socket = proxy.host();
    let socket = std::path::Path::new(socket.strip_prefix("unix://").unwrap());
    for path in [socket, socket.parent().unwrap()] {
        tests::bed::ran(std::process::Command::new("chmod").arg("a+rwx").arg(path)).expect(0);
    }
    let binary = bed.folder().join("supervisor");
    std::fs::copy(std::env::var_os("SUPERVISOR_BIN").unwrap(), &binary).unwrap();
    let mut command = std::process::Command::new(&binary);
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    command.current_dir(bed.folder()).env_clear().env("DOCKER_HOST", proxy.host());
    command.env("COMPOSE_PROJECT_NAME", &bed.project).args(["attest", "--format", "json"]);
    let ran = tests::bed::ran(&mut command).expect(5);
    let rows = broken(&ran).join("\n");
    assert!(rows.contains("web: namespaces: could not be read: permission denied; run as root"), "{rows}");
    assert!(ran.err.contains("as root") || ran.out.contains("as root"));
}

/// Starts the stack through an engine that does something else than it is told.
#[track_caller]
fn up_with_a_lie(bed: &Bed, asked: &str, done: &str) -> Ran {
    let proxy = tests::proxy::Proxy::lying(bed.engine.socket(), asked, done);
    tests::bed::ran(bed.command().env("DOCKER_HOST", proxy.host()).args(["up"]))
}

/// The container is there, as evidence, and does not run.
#[track_caller]
fn is_stopped_and_kept(bed: &Bed) {
    let state = bed.engine.inspect(&bed.container("web"))["State"].clone();
    assert_eq!((&state["Running"], &state["Status"]), (&json!(false), &json!("exited")), "{state}");
    let (evidence, written) = evidence(bed);
    let mut date = std::process::Command::new("date");
    let ended = tests::bed::ran(date.args(["--date", state["FinishedAt"].as_str().unwrap(), "+%s%3N"])).out;
    let after = ended.trim().parse::<i64>().unwrap() - written;
    eprintln!("    stopped {after} ms after the evidence was written");
    assert!(after < 1000, "it was stopped {after} ms after the evidence was written");
    assert_eq!(evidence["id"], bed.engine.inspect(&bed.container("web"))["Id"]);
    let checks = evidence["checks"].as_array().unwrap();
    assert!(checks.len() >= 25 && checks.iter().any(|check| check["verdict"] == "broken"), "{evidence}");
}

/// What was written down of the first container that was not as promised, and when, in milliseconds since 1970.
#[track_caller]
fn evidence(bed: &Bed) -> (Value, i64) {
    let folder = bed.folder().join("state").join(&bed.project).join("evidence");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let about = std::fs::metadata(&file).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    let written = about.mtime() * 1000 + about.mtime_nsec() / 1_000_000;
    (serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap(), written)
}

/// The host's folder is exchanged for another one under a container that runs: found within the minute.
#[test]
fn what_is_exchanged_while_it_runs_is_stopped_and_kept_as_evidence() {
    let bed = written("attest");
    let daemon = Daemon::start(&bed, &[]);
    let container = |status: &Value| status["services"]["web"]["containers"][0].clone();
    daemon.until("an attested container", |status| container(status)["attestation"]["result"] == "passed");
    let before = bed.engine.inspect(&bed.container("web"))["Id"].clone();
    std::fs::rename(bed.folder().join("conf"), bed.folder().join("other")).unwrap();
    bed.write("conf/file", "y");
    daemon.until("the difference", |status| container(status)["attestation"]["result"] == "failed");
    tests::wait::until("the container to be stopped", || {
        let state = bed.engine.inspect(&bed.container("web"))["State"].clone();
        (state["Running"] == json!(false)).then_some(())
    });
    // Another look and another plan leave it as it is.
    daemon.signal("HUP");
    daemon.until("another look", |status| container(status)["state"] == "failed");
    let log = daemon.log();
    assert!(log.contains("mount /conf: promised") && log.contains("the evidence is kept in"), "{log}");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(bed.engine.inspect(&bed.container("web"))["Id"], before);
    is_stopped_and_kept(&bed);
}

#[test]
fn an_engine_that_leaves_the_root_writable_is_found_out_at_the_start() {
    let bed = written("attest");
    let ran = up_with_a_lie(&bed, r#""ReadonlyRootfs":true"#, r#""ReadonlyRootfs":null"#).expect(5);
    assert!(ran.err.contains("is not confined as promised"), "{ran:?}");
    assert!(ran.err.contains("root: promised read-only, seen writable"), "{ran:?}");
    is_stopped_and_kept(&bed);
}

#[test]
fn an_engine_that_adds_a_capability_is_found_out_at_the_start() {
    let bed = written("attest");
    let ran = up_with_a_lie(&bed, r#"["NET_BIND_SERVICE"]"#, r#"["SYS_ADMIN"       ]"#).expect(5);
    assert!(
        ran.err.contains("capabilities: promised at most NET_BIND_SERVICE, seen bounding SYS_ADMIN"),
        "{ran:?}"
    );
    is_stopped_and_kept(&bed);
}

#[test]
fn a_link_in_the_place_of_a_bound_folder_is_found_out_at_the_start() {
    let bed = written("attest");
    // As if `conf` had been replaced by a link between the check and the start.
    std::os::unix::fs::symlink("/etc", bed.folder().join("link")).unwrap();
    let path = |name: &str| format!("{}/{name}\"", bed.folder().display());
    let ran = up_with_a_lie(&bed, &path("conf"), &path("link")).expect(5);
    assert!(ran.err.contains("mount /conf: promised"), "{ran:?}");
    assert!(ran.err.contains("seen /etc, read-only"), "{ran:?}");
    is_stopped_and_kept(&bed);
}

#[test]
fn run_stops_what_is_not_as_promised_and_tells_why() {
    let bed = written("attest");
    let proxy = tests::proxy::Proxy::lying(
        bed.engine.socket(),
        r#""ReadonlyRootfs":true"#,
        r#""ReadonlyRootfs":null"#,
    );
    let socket = bed.folder().join("endpoint.sock");
    let listen = format!("unix:{}", socket.display());
    let mut command = bed.command();
    command.env("DOCKER_HOST", proxy.host()).args(["run", "--listen", &listen]);
    let mut run =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let seen = tests::wait::until("the container to be given up", || {
        let status = tests::http::get_unix(&socket, "/status").ok()?;
        let status: Value = serde_json::from_slice(&status.body).ok()?;
        let container = status["services"]["web"]["containers"][0].clone();
        (container["attestation"]["result"] == "failed").then_some(container)
    });
    tests::wait::until("the container to be stopped", || {
        let state = bed.engine.inspect(&bed.container("web"))["State"].clone();
        (state["Running"] == json!(false)).then_some(())
    });
    let ready = tests::http::get_unix(&socket, "/readyz").unwrap().status;
    tests::bed::signal(run.id(), "TERM");
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(
        seen["attestation"]["differences"].to_string().contains("root: promised read-only, seen writable"),
        "{seen}"
    );
    assert_eq!(ready, 503);
    is_stopped_and_kept(&bed);
}
