//! The supervisor's own rights: it has none, the process beside it has a few, and neither goes on without the other.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tests::bed::{Bed, signal};
use tests::daemon::Daemon;
use tests::wait;

/// One small service that is given a secret.
const STACK: &str = "\
services:
  web:
    image: ${CADDY}
    user: \"1001:1001\"
    command: [caddy, respond, --listen, \":8080\", --body, well]
    mem_limit: 128m
    networks: [back]
    secrets: [{source: key, uid: \"1001\", gid: \"1001\", mode: 0400}]
    tmpfs: [\"/config:size=8m,uid=1001\", \"/data:size=8m,uid=1001\"]
    x-supervisor: {runtime: go, probe: {http: /, port: 8080, body: well, interval: 1s, timeout: 5s}}
networks:
  back: {internal: true}
secrets:
  key: {file: ./key}
";

/// What is left to the process beside `run`, of a supervisor that had everything.
const KEPT: &str =
    "CHOWN,DAC_OVERRIDE,DAC_READ_SEARCH,FOWNER,NET_BIND_SERVICE,NET_ADMIN,SYS_PTRACE,MAC_ADMIN,SYSLOG";

fn bed(room: &str) -> Bed {
    let image = std::env::var("SUPERVISOR_IMAGE_CADDY")
        .expect("SUPERVISOR_IMAGE_CADDY, which `cargo xtask test` sets");
    let bed = Bed::with(room, &STACK.replace("${CADDY}", &image));
    let key = bed.write("key", "hidden");
    std::fs::set_permissions(key, PermissionsExt::from_mode(0o600)).unwrap();
    bed
}

fn process(status: &Value, name: &str) -> u32 {
    let pid = status["processes"][name]["pid"].as_u64().expect("its number");
    pid.try_into().expect("a number of a process")
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The engine's id of the stack's container.
fn id(bed: &Bed) -> Value {
    bed.engine.inspect(&bed.container("web"))["Id"].clone()
}

#[test]
fn run_has_no_rights_and_the_process_beside_it_has_a_few() {
    let bed = bed("rights");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let status = daemon.status();
    let (run, beside) = (&status["processes"]["supervisor"], &status["processes"]["privileged"]);
    assert_eq!(run["pid"], daemon.pid(), "{status}");
    assert_eq!((&run["capabilities"], &run["no_new_privs"]), (&"none".into(), &true.into()), "{status}");
    assert_eq!((&beside["capabilities"], &beside["no_new_privs"]), (&KEPT.into(), &true.into()), "{status}");
    assert_eq!((&run["seccomp"], &beside["seccomp"]), (&"filter".into(), &"filter".into()), "{status}");
    // By the kernel's word: in no set of any thread.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    for task in tasks.flatten() {
        let text = std::fs::read_to_string(task.path().join("status")).unwrap();
        let sets = text.lines().filter(|line| line.starts_with("Cap"));
        let some: Vec<&str> = sets.filter(|line| !line.ends_with("\t0000000000000000")).collect();
        assert_eq!(some, Vec::<&str>::new(), "{}", task.path().display());
    }
    assert_eq!(daemon.stop(), 0);
    wait::until("its end", || (!is_there(process(&status, "privileged"))).then_some(()));
}

/// Listens as a service manager does: whoever comes gets a process, whose standard input is the connection.
fn listen(bed: &Bed, socket: &Path) -> std::thread::JoinHandle<Vec<Child>> {
    let listener = UnixListener::bind(socket).unwrap();
    let (program, state) = (bed.command().get_program().to_owned(), bed.folder().join("state"));
    std::thread::spawn(move || {
        let mut started = Vec::new();
        for _ in 0..2 {
            let (connection, _) = listener.accept().unwrap();
            let mut command = Command::new(&program);
            command.args(["privileged", "--state-dir"]).arg(&state).stdin(OwnedFd::from(connection));
            started.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        started
    })
}

#[test]
fn one_that_never_had_a_right_asks_for_what_a_service_manager_starts() {
    let bed = bed("reach");
    let socket = bed.folder().join("privileged.sock");
    let variables = [("SUPERVISOR_PRIVILEGED", socket.to_str().unwrap())];
    let nobody = Daemon::start_without_rights(&bed, &variables);
    wait::until("the end of one that reaches nobody", || {
        nobody.log().contains("cannot reach the process that has the machine's rights").then_some(())
    });
    drop(nobody);

    let listening = listen(&bed, &socket);
    let mut daemon = Daemon::start_without_rights(&bed, &variables);
    daemon.until_healthy();
    let (container, status) = (id(&bed), daemon.status());
    let (run, beside) = (&status["processes"]["supervisor"], &status["processes"]["privileged"]);
    assert_eq!((&run["capabilities"], &beside["capabilities"]), (&"none".into(), &KEPT.into()), "{status}");
    let web = &status["services"]["web"]["containers"][0];
    assert_eq!(web["attestation"]["result"], "passed", "{status}");
    // The one is not the other's child, and neither goes on without the other all the same.
    let pid = process(&status, "privileged");
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(text.contains(&format!("\nPPid:\t{}\n", std::process::id())), "{text}");
    signal(pid, "KILL");
    wait::until("the end of `run`", || (!daemon.runs()).then_some(()));
    drop(daemon);

    let daemon = Daemon::start_without_rights(&bed, &variables);
    daemon.until_healthy();
    assert_eq!(id(&bed), container, "a container was made anew");
    signal(daemon.pid(), "KILL");
    for mut child in listening.join().unwrap() {
        // It ends by itself.
        child.wait().unwrap();
    }
}

#[test]
fn neither_goes_on_without_the_other_and_the_stack_runs_on() {
    let bed = bed("pair");
    let mut daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let (container, status) = (id(&bed), daemon.status());
    signal(process(&status, "privileged"), "KILL");
    wait::until("the end of `run`", || (!daemon.runs()).then_some(()));
    assert!(daemon.log().contains("the process that has the machine's rights has ended"), "{}", daemon.log());
    drop(daemon);

    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let beside = process(&daemon.status(), "privileged");
    signal(daemon.pid(), "KILL");
    wait::until("its end", || (!is_there(beside)).then_some(()));
    drop(daemon);

    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    assert_eq!(id(&bed), container, "a container was made anew");
    assert_eq!(daemon.status()["services"]["web"]["containers"][0]["restarts"], 0);
}

#[test]
fn a_stack_whose_files_are_somebody_elses_alone_is_read_and_read_again() {
    let bed = bed("owned");
    let folder = bed.folder().join("stack");
    std::fs::create_dir(&folder).unwrap();
    for name in ["compose.yaml", "key"] {
        std::fs::rename(bed.folder().join(name), folder.join(name)).unwrap();
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o600)).unwrap();
        chown(folder.join(name), Some(4711), Some(4711)).unwrap();
    }
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    chown(&folder, Some(4711), Some(4711)).unwrap();
    let file = folder.join("compose.yaml");
    let daemon = Daemon::start_with(&bed, &[], &["--file", file.to_str().unwrap()]);
    daemon.until_healthy();
    let before = id(&bed);
    // Written by its owner, not by root.
    let text = std::fs::read_to_string(&file).unwrap().replace("--body, well]", "--body, \"well, again\"]");
    std::fs::write(&file, text).unwrap();
    chown(&file, Some(4711), Some(4711)).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    daemon.signal("HUP");
    wait::until("another container", || {
        bed.engine.find(&bed.container("web")).filter(|found| found["Id"] != before)
    });
    daemon.until_healthy();
    let staged =
        Command::new("find").arg(bed.folder().join("state")).args(["-uid", "1001", "-perm", "400"]).output();
    assert!(!staged.unwrap().stdout.is_empty(), "the secret was not given to its user");
}
