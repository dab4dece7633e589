//! AppArmor in force: loaded, enforced, attested, and in the way of what it is there against.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::bed::ran;
use tests::machine::inside;
use tests::{Bed, Daemon, attack, image};

/// A stack of one service of the busybox image, with further lines for it and for the file.
#[track_caller]
fn written(room: &str, service: &str, file: &str) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!("services:\n  web:\n    image: {image}\n    user: '1000:1000'\n    mem_limit: 64m\n    stop_grace_period: 5s\n{service}{file}"),
    );
    bed
}

/// The same, running.
#[track_caller]
fn up(room: &str, service: &str, file: &str) -> Bed {
    let bed = written(room, service, file);
    bed.supervisor(&["up"]).expect(0);
    bed
}

/// The profile that the engine was given for a container.
#[track_caller]
pub(super) fn profile(bed: &Bed, service: &str) -> String {
    let inspected = bed.engine.inspect(&bed.container(service));
    inspected["AppArmorProfile"].as_str().unwrap().to_owned()
}

/// The label of a container's process 1, as the kernel has it.
#[track_caller]
pub(super) fn label(bed: &Bed, service: &str) -> String {
    let pid = bed.engine.pid(&bed.container(service));
    std::fs::read_to_string(format!("/proc/{pid}/attr/current")).unwrap().trim().to_owned()
}

/// Runs a shell command in the service's container; whether it ended well, and what it wrote.
#[track_caller]
fn does(bed: &Bed, command: &str) -> (bool, String) {
    let (code, text) = bed.engine.exec(&bed.container("web"), &["sh", "-c", command]);
    (code == 0, text)
}

/// Gives `apparmor_parser` this text.
#[track_caller]
fn parser(bed: &Bed, option: &str, text: &str) {
    let file = bed.write("profile", text);
    ran(Command::new("apparmor_parser").args([option, "--skip-cache"]).arg(file)).expect(0);
}

/// What the kernel wrote to its log of denials under profiles of this project.
pub(super) fn denials(bed: &Bed) -> Vec<String> {
    let log = ran(&mut Command::new("dmesg")).out;
    let ours = format!("profile=\"supervisor-{}.", bed.project);
    log.lines().filter(|line| line.contains("DENIED") && line.contains(&ours)).map(str::to_owned).collect()
}

#[test]
fn what_is_started_runs_under_its_own_profile_in_enforce_mode() {
    inside(|| {
        let bed = up("aa-mode", "", "");
        let label = label(&bed, "web");
        assert_eq!(label, format!("{} (enforce)", profile(&bed, "web")));
        assert!(label.starts_with(&format!("supervisor-{}.web-", bed.project)), "{label}");
        assert_eq!(does(&bed, "cat /proc/self/attr/current").1.trim(), label);
        let report = bed.supervisor(&["attest", "--format", "json"]).expect(0).json();
        let checks = report["containers"][0]["checks"].as_array().unwrap();
        let row = checks.iter().find(|check| check["item"] == "apparmor").unwrap();
        assert_eq!((&row["verdict"], &row["seen"]), (&json!("kept"), &json!(label)));
    });
}

/// Attempts that succeed in a privileged container, where nothing but a profile can stop them.
const STOPPED: [&str; 21] = [
    "alg-socket",
    "chroot",
    "core-pattern",
    "execute-from-tmp",
    "load-library",
    "mknod",
    "mount-bind",
    "mount-proc",
    "mount-tmpfs",
    "open-by-handle",
    "packet-socket",
    "process-read",
    "ptrace-child",
    "raw-socket",
    "read-kcore",
    "remount-root",
    "sethostname",
    "umount",
    "vsock-socket",
    "write-root",
    "write-users",
];

#[test]
fn the_profile_alone_stops_what_it_is_there_against() {
    inside(|| {
        let bed = up("aa-attack", "    tmpfs: ['/tmp:size=8m']\n", "");
        let program = bed.folder().join("attack");
        attack::build(&program);
        let with = |profile: &str| {
            let host = json!({
                "Privileged": true,
                "NetworkMode": "none",
                "SecurityOpt": ["seccomp=unconfined", format!("apparmor={profile}")],
                "Tmpfs": {"/tmp": "exec"},
                "Binds": [format!("{}:/attack:ro", program.display())],
            });
            let body = json!({"User": "0:0", "HostConfig": host});
            attack::with(&bed.engine, &bed.project, &image::busybox(&bed.engine), &body)
        };
        let (open, closed) = (with("unconfined"), with(&profile(&bed, "web")));
        let judged: Vec<String> = STOPPED
            .iter()
            .filter(|id| open[**id] != "done" || closed[**id] == "done")
            .map(|id| format!("{id}: {} without the profile, {} with it", open[*id], closed[*id]))
            .collect();
        assert_eq!(judged, Vec::<String>::new(), "\nwithout: {open:#?}\nwith: {closed:#?}");
    });
}

#[test]
fn nothing_that_was_written_is_run_but_from_where_the_file_says() {
    inside(|| {
        let bed = written(
            "aa-exec",
            "    volumes: ['./data:/data', './data:/again:ro', './attack:/attack:ro']\n    x-supervisor: {exec_from: [/data/plugins/a-1.2]}\n",
            "",
        );
        for folder in ["data/plugins/a-1.2/deep", "data/plugins/a-1.2x", "data/plugins/a"] {
            bed.write(&format!("{folder}/keep"), "");
        }
        ran(Command::new("chown").args(["-R", "1000:1000"]).arg(bed.folder().join("data"))).expect(0);
        attack::build(&bed.folder().join("attack"));
        bed.supervisor(&["up"]).expect(0);
        let runs =
            |folder: &str| does(&bed, &format!("cp /bin/busybox {folder}/echo && {folder}/echo yes")).0;
        let open = ["/data/plugins/a-1.2", "/data/plugins/a-1.2/deep"];
        let closed = ["/data", "/data/plugins", "/data/plugins/a", "/data/plugins/a-1.2x", "/tmp"];
        assert_eq!(open.map(runs), [true; 2]);
        assert_eq!(closed.map(runs), [false; 5]);
        // What was written there is not run by way of another mount of the same files either.
        assert!(!does(&bed, "/again/echo yes").0);
        assert!(!does(&bed, "/again/plugins/a-1.2/echo yes").0);
        // Neither by the loader's way, for which no leave to execute is asked: the profile alone denies it.
        assert_eq!(does(&bed, "/attack try load-library-from-volume").1.trim(), "EACCES");
    });
}

/// What the Node service does before it says that it is well: whatever a larger one does too.
const NODE: &str = r#"
const { DatabaseSync } = require("node:sqlite");
const { Worker } = require("node:worker_threads");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs"), os = require("node:os"), path = require("node:path");
const native = fs.globSync("/app/node_modules/@openclaw/*/*.node")[0];
const addon = Object.keys(require(native)).length > 0;
const database = new DatabaseSync("/data/state.db");
database.exec("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (1)");
const child = execFileSync(process.execPath, ["-p", "6 * 7"]).toString().trim();
const hot = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; };
hot(1e6);
fs.writeFileSync("/tmp/x", "x");
new Worker("require('node:worker_threads').parentPort.postMessage(1)", { eval: true }).on("message", () => {
  const state = { ok: true, addon, child, cpus: os.cpus().length > 0, memory: os.totalmem() > 0,
    limit: process.constrainedMemory() > 0, rows: database.prepare("SELECT count(*) AS n FROM t").get().n > 0,
    status: fs.readFileSync("/proc/self/status", "utf8").includes("Seccomp") };
  require("node:http").createServer((_, answer) => answer.end(JSON.stringify(state))).listen(3000);
});
process.on("SIGTERM", () => process.exit(0));
"#;

/// Caddy in front of Node, by its name.
#[track_caller]
fn real(room: &str) -> Bed {
    let bed = Bed::new(room);
    bed.write("srv/server.js", NODE);
    bed.write("data/keep", "");
    ran(Command::new("chown").args(["-R", "1000:1000"]).arg(bed.folder().join("data"))).expect(0);
    let text = format!(
        r#"
x-supervisor: {{edge: caddy}}
services:
  caddy:
    image: {caddy}
    user: "1001:1001"
    mem_limit: 256m
    stop_grace_period: 10s
    configs: [{{source: site, target: /etc/caddy/Caddyfile}}]
    volumes: ["caddy:/data"]
    tmpfs: ["/config:size=8m,uid=1001", "/tmp:size=8m"]
    ports: ["127.0.0.1:8080:8080"]
    networks: [front, back]
    depends_on: {{node: {{condition: service_healthy}}}}
    x-supervisor: {{runtime: go, probe: {{http: /, port: 8080, body: '"ok":true', interval: 1s, timeout: 5s}}}}
  node:
    image: {node}
    user: "1000:1000"
    mem_limit: 1g
    environment: {{NODE_OPTIONS: --max-old-space-size=512}}
    command: [node, /srv/server.js]
    stop_grace_period: 10s
    volumes: ["./srv:/srv:ro", "./data:/data"]
    networks: [back]
    x-supervisor: {{runtime: node, probe: {{http: /, port: 3000, body: '"ok":true', interval: 1s, timeout: 5s}}}}
networks: {{front: {{}}, back: {{internal: true}}}}
volumes: {{caddy: {{}}}}
configs:
  site:
    content: |
      {{
        admin off
        auto_https off
        persist_config off
      }}
      http://:8080 {{
        reverse_proxy node:3000
      }}
"#,
        caddy = image::caddy(),
        node = image::node(),
    );
    bed.write("compose.yaml", &text);
    bed
}

#[test]
fn caddy_and_a_node_service_work_and_stop_is_heard() {
    inside(|| {
        let bed = real("aa-real");
        bed.supervisor(&["up", "--wait"]).expect(0);
        let site = ran(Command::new("curl").args(["-sS", "http://127.0.0.1:8080/"])).expect(0);
        let state = site.json();
        assert_eq!(state["child"], "42");
        let all = ["ok", "addon", "cpus", "memory", "limit", "rows", "status"].map(|key| state[key] == true);
        assert_eq!(all, [true; 7], "{state}");
        bed.supervisor(&["attest"]).expect(0);
        assert_eq!(denials(&bed), Vec::<String>::new());
        bed.supervisor(&["stop"]).expect(0);
        for service in ["caddy", "node"] {
            // 137 is the kill that follows where the stop signal is not heard.
            assert_eq!(bed.engine.inspect(&bed.container(service))["State"]["ExitCode"], 0, "{service}");
        }
        assert_eq!(denials(&bed), Vec::<String>::new());
        bed.supervisor(&["start"]).expect(0);
        bed.supervisor(&["attest"]).expect(0);
    });
}

#[test]
fn a_stop_is_denied_to_the_runtime_where_a_profile_does_not_name_it() {
    inside(|| {
        let bed = written("aa-signal", "", "");
        let name = format!("{}-deaf", bed.project);
        let text = format!(
            "abi <abi/3.0>,\nprofile {name} flags=(attach_disconnected) {{\n  file,\n  signal (receive) peer=unconfined,\n}}\n"
        );
        parser(&bed, "--replace", &text);
        let labels = json!({"com.docker.compose.project": bed.project});
        let host = json!({"SecurityOpt": [format!("apparmor={name}")], "NetworkMode": "none"});
        bed.engine
            .run(&name, &json!({"Image": image::busybox(&bed.engine), "Labels": labels, "HostConfig": host}));
        let answer = bed.engine.request("POST", &format!("/containers/{name}/kill?signal=TERM"), "", b"");
        assert!(answer.status >= 400 && answer.text().contains("ermission denied"), "{}", answer.text());
        // So that it can be removed.
        parser(&bed, "--replace", &text.replace("peer=unconfined", "peer={unconfined,runc}"));
        bed.engine.remove(&name);
    });
}

#[test]
fn a_profile_that_is_gone_is_loaded_again_before_a_start() {
    inside(|| {
        let bed = up("aa-again", "", "");
        let name = profile(&bed, "web");
        bed.supervisor(&["stop"]).expect(0);
        parser(&bed, "--remove", &format!("profile {name} {{}}\n"));
        // As after a boot: the kernel knows nothing of it.
        let id = bed.engine.inspect(&bed.container("web"))["Id"].clone();
        let answer =
            bed.engine.request("POST", &format!("/containers/{}/start", bed.container("web")), "", b"");
        assert!(answer.status >= 400, "the engine started it without its profile");
        bed.supervisor(&["up"]).expect(0);
        assert_eq!(bed.engine.inspect(&bed.container("web"))["Id"], id, "it was made anew");
        assert_eq!(label(&bed, "web"), format!("{name} (enforce)"));
    });
}

/// The state of a service's container by `/status`.
fn state<'a>(status: &'a Value, service: &str) -> &'a Value {
    &status["services"][service]["containers"][0]
}

#[test]
fn run_finds_a_profile_that_was_removed_or_replaced_behind_its_back() {
    inside(|| {
        let bed = Bed::new("aa-behind");
        let image = image::busybox(&bed.engine);
        let services = ["removed", "complaining", "opened", "kept"].map(|name| {
            format!("  {name}:\n    image: {image}\n    user: '1000:1000'\n    mem_limit: 64m\n    stop_grace_period: 1s\n")
        });
        bed.write("compose.yaml", &format!("services:\n{}", services.concat()));
        let daemon = Daemon::start(&bed, &[]);
        daemon.until("four services", |status| {
            ["removed", "complaining", "opened", "kept"]
                .iter()
                .all(|name| state(status, name)["attestation"]["result"] == "passed")
        });
        let names = ["removed", "complaining", "opened"].map(|name| profile(&bed, name));
        parser(&bed, "--remove", &format!("profile {} {{}}\n", names[0]));
        parser(&bed, "--replace", &format!("profile {} flags=(complain) {{ file, }}\n", names[1]));
        parser(
            &bed,
            "--replace",
            &format!("profile {} {{ file, capability, network, mount, signal, ptrace, unix, }}\n", names[2]),
        );
        daemon.until("three findings", |status| {
            ["removed", "complaining", "opened"].iter().all(|name| {
                let differences = state(status, name)["attestation"]["differences"].to_string();
                differences.contains("apparmor")
                    && bed.engine.inspect(&bed.container(name))["State"]["Running"] == false
            })
        });
        assert_eq!(state(&daemon.status(), "kept")["attestation"]["result"], "passed");
    });
}

#[test]
fn what_a_profile_denies_is_told_with_what_it_was_about() {
    inside(|| {
        let bed = written("aa-told", "", "");
        let daemon = Daemon::start(&bed, &[]);
        daemon.until_healthy();
        let (worked, said) = does(&bed, "echo 1 > /proc/self/clear_refs");
        assert!(!worked && said.contains("ermission denied"), "{said}");
        let row = |status: &Value| {
            let rows = status["denials"]["rows"].as_array()?;
            let is = |row: &&Value| row["target"].as_str().is_some_and(|path| path.ends_with("/clear_refs"));
            rows.iter().find(is).cloned()
        };
        let told = row(&daemon.until("the denial", |status| row(status).is_some())).unwrap();
        let seen = (&told["service"], &told["by"], &told["program"], &told["count"]);
        assert_eq!(seen, (&json!("web"), &json!("apparmor"), &json!("sh"), &json!(1)), "{told}");
        // Which of the two depends on whether this kernel has the file.
        assert!(["open", "mknod"].iter().any(|what| told["what"] == *what), "{told}");
        assert!(told["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{told}");
    });
}

#[test]
fn an_old_profile_goes_when_nothing_runs_under_it_and_not_before() {
    inside(|| {
        let loaded = |name: &str| {
            let text = std::fs::read_to_string("/sys/kernel/security/apparmor/profiles").unwrap();
            text.lines().any(|line| line == format!("{name} (enforce)"))
        };
        let bed = up("aa-old", "", "");
        let old = profile(&bed, "web");
        // Somebody else's container holds on to it.
        let labels = json!({"com.docker.compose.project": bed.project});
        let host = json!({"SecurityOpt": [format!("apparmor={old}")], "NetworkMode": "none"});
        let other = format!("{}-other", bed.project);
        bed.engine.run(
            &other,
            &json!({"Image": image::busybox(&bed.engine), "Labels": labels, "HostConfig": host}),
        );
        let file = bed.folder().join("compose.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let change = |size: &str| {
            bed.write("compose.yaml", &format!("{text}    tmpfs: ['/{size}:size=8m']\n"));
            bed.supervisor(&["up"]).expect(0);
            profile(&bed, "web")
        };
        let second = change("two");
        assert_ne!(second, old);
        assert!(loaded(&old) && loaded(&second), "what is in use went");
        bed.engine.remove(&other);
        let third = change("three");
        assert_eq!([&old, &second, &third].map(|name| loaded(name)), [false, false, true]);
    });
}

/// A second engine, with root of its containers mapped to nobody of the host.
#[derive(Debug)]
struct Remapped {
    child: std::process::Child,
    socket: PathBuf,
}

impl Remapped {
    #[track_caller]
    fn start() -> Self {
        let socket = PathBuf::from("/run/remapped/docker.sock");
        std::fs::create_dir_all("/run/remapped").unwrap();
        let options = [
            "--userns-remap=default",
            "--host=unix:///run/remapped/docker.sock",
            "--data-root=/var/lib/remapped",
            "--exec-root=/run/remapped/exec",
            "--pidfile=/run/remapped/pid",
            "--containerd=/run/containerd/containerd.sock",
            "--containerd-namespace=remapped",
            "--containerd-plugins-namespace=remapped-plugins",
            "--bridge=none",
            "--default-address-pool=base=10.99.0.0/16,size=24",
            "--iptables=false",
            "--ip6tables=false",
        ];
        let log = std::fs::File::create("/run/remapped/log").unwrap();
        let child = Command::new("dockerd").args(options).stderr(log).spawn().unwrap();
        let engine = Self { child, socket };
        tests::wait::until("the second engine", || {
            let up = std::os::unix::net::UnixStream::connect(&engine.socket).is_ok();
            up.then(|| tests::Engine::at(&engine.socket).request("GET", "/_ping", "", b"").status == 200)
                .filter(|ok| *ok)
        });
        engine
    }
}

impl Drop for Remapped {
    fn drop(&mut self) {
        tests::bed::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

#[test]
fn with_root_remapped_it_is_the_same() {
    inside(|| {
        let engine = Remapped::start();
        let mut bed = Bed::new("aa-remap");
        bed.engine = tests::Engine::at(&engine.socket);
        let image = image::busybox(&bed.engine);
        bed.write("conf/file", "x");
        bed.write(
            "compose.yaml",
            &format!(
                "services:\n  web:\n    image: {image}\n    user: '1000:1000'\n    mem_limit: 64m\n    stop_grace_period: 5s\n    volumes: ['./conf:/conf:ro', 'data:/data']\nvolumes: {{data: {{}}}}\n"
            ),
        );
        bed.supervisor(&["up"]).expect(0);
        let pid = bed.engine.pid(&bed.container("web"));
        let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
        assert_ne!(map.split_whitespace().nth(1), Some("0"), "{map}");
        assert_eq!(label(&bed, "web"), format!("{} (enforce)", profile(&bed, "web")));
        bed.supervisor(&["attest"]).expect(0);
        assert_eq!(does(&bed, "cat /conf/file").1, "x");
        assert!(does(&bed, "touch /data/x").0);
        assert!(!does(&bed, "cp /bin/busybox /data/echo && /data/echo yes").0);
        bed.supervisor(&["stop"]).expect(0);
        assert_ne!(bed.engine.inspect(&bed.container("web"))["State"]["ExitCode"], 137);
        drop(bed);
        drop(engine);
    });
}

/// Nothing of this file is true of a machine whose kernel does not enforce.
#[test]
fn the_kernel_enforces() {
    inside(|| {
        assert_eq!(std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap().trim(), "Y");
        assert_eq!(
            std::fs::read_to_string("/sys/module/apparmor/parameters/mode").unwrap().trim(),
            "enforce"
        );
        let runtime = std::fs::read_to_string("/sys/kernel/security/apparmor/profiles").unwrap();
        assert!(
            runtime.lines().any(|line| line.starts_with("runc ")),
            "the runtime has no profile of its own"
        );
        assert!(Path::new("/sys/fs/cgroup/cgroup.controllers").exists(), "no cgroup v2");
    });
}
