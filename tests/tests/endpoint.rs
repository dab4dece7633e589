//! The endpoint's process: what it is left with, what an attacker in its place reaches, and that it is always there.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use supervisor::serve::process::Process;
use supervisor::serve::snapshot::STALE_AFTER;
use tests::bed::{Bed, ran, signal};
use tests::daemon::Daemon;
use tests::flood::{Attack, Target, attack};
use tests::{http, wait};

/// One small service.
const STACK: &str = "\
services:
  web:
    image: ${CADDY}
    user: \"1001:1001\"
    command: [caddy, respond, --listen, \":8080\", --body, well]
    mem_limit: 128m
    networks: [back]
    tmpfs: [\"/config:size=8m,uid=1001\", \"/data:size=8m,uid=1001\"]
    x-supervisor: {runtime: go, probe: {http: /, port: 8080, body: well, interval: 1s, timeout: 5s}}
networks:
  back: {internal: true}
";

fn bed(room: &str) -> Bed {
    let image = std::env::var("SUPERVISOR_IMAGE_CADDY")
        .expect("SUPERVISOR_IMAGE_CADDY, which `cargo xtask test` sets");
    Bed::with(room, &STACK.replace("${CADDY}", &image))
}

/// Attempts and what came of them.
fn rows(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once('\t')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// What a process holds open. One that is closed meanwhile is not told of.
fn descriptors(of: u32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{of}/fd")).expect("its descriptors");
    entries
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect()
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).expect("its children");
    text.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

/// The engine's id of the stack's container.
fn id(bed: &Bed) -> Value {
    bed.engine.inspect(&bed.container("web"))["Id"].clone()
}

/// The process that answers.
#[track_caller]
fn endpoint(daemon: &Daemon) -> u32 {
    wait::until("the endpoint's process", || {
        children(daemon.pid()).into_iter().find(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).nth(1) == Some(b"endpoint")
        })
    })
}

#[test]
fn code_in_the_endpoints_place_reaches_nothing_and_in_that_of_run_no_process_and_no_kernel() {
    let bed = Bed::new("intruder");
    let secret = bed.write("secret", "token");
    let intruder = Path::new(env!("CARGO_BIN_EXE_intruder"));
    // The port is free a moment before it is bound: the kernel does not give it to others in between.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = supervisor::serve::bind(&[format!("{address}").parse().unwrap()], None).unwrap();
    let knows = |mode: &str, target: u32| {
        let engine = bed.engine.socket().display().to_string();
        let port = address.port().to_string();
        [mode.to_owned(), engine, secret.display().to_string(), port, target.to_string()]
    };

    // Somebody whom a tracer does not disturb, in the supervisor's place.
    let mut sleeping = Command::new("sleep").arg("1000").spawn().unwrap();
    let free = rows(&ran(Command::new(intruder).args(knows("free", sleeping.id()))).expect(0).out);
    let confined = {
        let words = knows("confined", sleeping.id()).map(Into::into);
        let _process = Process::start(&endpoint, intruder, &words).unwrap();
        let mut said = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut said).unwrap();
        rows(&said)
    };
    let run = rows(&ran(Command::new(intruder).args(knows("run", sleeping.id()))).expect(0).out);
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();

    let succeeded = |rows: &BTreeMap<String, String>| -> Vec<String> {
        rows.iter().filter(|(_, outcome)| *outcome == "done").map(|(name, _)| name.clone()).collect()
    };
    let failed: Vec<_> = free.iter().filter(|(_, outcome)| *outcome != "done").collect();
    assert!(failed.is_empty(), "these show nothing, since they fail for anybody here: {failed:?}");
    assert_eq!(free.keys().collect::<Vec<_>>(), confined.keys().collect::<Vec<_>>());
    assert_eq!(succeeded(&confined), Vec::<String>::new());

    // In the place of `run`, which has the engine's socket, files and sockets, the rest fails as well.
    let taken = [
        "make a raw socket",
        "write a file",
        "execute a program",
        "mount a file system",
        "begin to mount a file system",
        "listen on a low port",
        "read the supervisor's environment",
        "trace the supervisor",
        "read the supervisor's memory",
        "make a namespace",
        "change the root",
        "make a ring",
        "make a map for programs in the kernel",
        "ask for the kernel's keys",
    ];
    let done: Vec<&str> = taken.into_iter().filter(|name| run[*name] == "done").collect();
    assert_eq!(done, Vec::<&str>::new(), "{run:?}");
}

#[test]
fn the_endpoint_is_left_with_its_sockets_alone() {
    let bed = bed("left");
    let daemon = Daemon::start(&bed, &[("SECRET_OF_THE_STACK", "hidden")]);
    daemon.until_healthy();
    let pid = endpoint(&daemon);
    // What whoever runs the tests left open for everybody is not of the supervisor's making.
    let inherited = descriptors(std::process::id());
    let kinds: Vec<String> = descriptors(pid)
        .into_iter()
        .filter(|kind| kind == "/dev/null" || !inherited.contains(kind))
        .collect();
    let log = bed.folder().join("run.err").display().to_string();
    for kind in &kinds {
        let known = ["socket:[", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "/dev/null"];
        assert!(
            known.iter().any(|known| kind.starts_with(known)) || *kind == log,
            "it holds `{kind}`: {kinds:?}"
        );
    }
    assert_eq!(std::fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");

    let status: Value = daemon.status();
    let left = &status["processes"]["endpoint"];
    assert_eq!(left["capabilities"], "none", "{status}");
    assert_eq!(left["no_new_privs"], true, "{status}");
    assert!(left["seccomp_filters"].as_u64() > Some(0), "{status}");
    assert_eq!(left["landlock"], "full", "{status}");
    assert!(status["processes"]["supervisor"]["uid"].is_u64(), "{status}");
    assert_eq!(status["processes"]["supervisor"]["landlock"], "full", "{status}");
    assert_eq!(status["kernel"]["landlock_abi"], supervisor::host::kernel::read().landlock, "{status}");
    let metrics = daemon.get("/metrics").unwrap().text();
    let landlock =
        format!("\nsupervisor_kernel_landlock_abi{{}} {}.0\n", supervisor::host::kernel::read().landlock);
    assert!(metrics.contains(&landlock), "{metrics}");
}

#[test]
fn its_owner_is_answered_at_little_cost_whoever_attacks_and_the_loop_does_not_notice() {
    let target = Target::start("flood");
    let seen = attack(&Attack {
        address: target.address,
        token: target.token.to_owned(),
        endpoint: target.endpoint,
        quiet: Duration::ZERO,
        connections: 500,
        fuzz: Duration::from_secs(5),
        per_second: 2000,
        seed: 6,
    });
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert!(seen.during.answers > 0 && seen.malformed > 0, "{seen:?}");
    // The loop turns at least every 5 s; `/livez` calls it stuck after 30.
    assert!(seen.during.oldest_turn < STALE_AFTER, "{seen:?}");
    assert!(seen.during.longest_on_the_processor < Duration::from_millis(50), "{seen:?}");
    assert_eq!(target.restarts(), 0);
}

#[test]
fn an_endpoint_that_is_killed_is_back_and_nothing_else_was_touched() {
    let bed = bed("killed");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let (pid, container) = (endpoint(&daemon), id(&bed));
    signal(pid, "KILL");
    let new = wait::until("another endpoint", || Some(endpoint(&daemon)).filter(|new| *new != pid));
    daemon.until_healthy();
    assert_ne!(pid, new);
    assert_eq!(id(&bed), container);
    assert_eq!(daemon.stop(), 0);
    wait::until("the end of its endpoint", || (!Path::new(&format!("/proc/{new}")).exists()).then_some(()));
}

#[test]
fn under_systemd_a_token_and_a_port_that_are_missing_are_waited_for_and_told() {
    let bed = bed("token");
    let token = "0123456789abcdef0123456789abcdef";
    let (file, taken) = (bed.folder().join("token"), TcpListener::bind("127.0.0.1:0").unwrap());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let busy = taken.local_addr().unwrap().to_string();
    let (nobody, path) = (bed.folder().join("nobody"), file.display().to_string());
    let variables = [("NOTIFY_SOCKET", nobody.to_str().unwrap())];
    let arguments = ["--listen", &free, "--listen", &busy, "--token-file", &path];
    let daemon = Daemon::start_with(&bed, &variables, &arguments);
    daemon.until("a stack that runs, and says what is missing", |status| {
        let reasons = status["reasons"].to_string();
        status["services"]["web"]["state"] == "healthy" && reasons.contains("cannot read the token file")
    });
    assert_eq!(daemon.get("/healthz").unwrap().status, 503);
    assert!(TcpStream::connect(&free).is_err(), "it is answered without a token");

    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let bearer = format!("Bearer {token}");
    wait::until("answers with the token", || {
        http::get_with(&free, "/livez", &[("Authorization", &bearer)])
            .ok()
            .filter(|answer| answer.status == 200)
    });
    assert_eq!(http::get(&free, "/livez").unwrap().status, 401);
    daemon.until("the other address", |status| status["reasons"].to_string().contains(&format!("`{busy}`")));
    drop(taken);
    daemon.until_healthy();
}

#[test]
fn under_systemd_a_secret_of_the_stack_that_is_missing_is_waited_for_and_told() {
    let bed = bed("secret");
    let text = std::fs::read_to_string(bed.folder().join("compose.yaml")).unwrap();
    let text = text.replace("    networks: [back]\n", "    networks: [back]\n    secrets: [key]\n");
    bed.write("compose.yaml", &format!("{text}secrets:\n  key: {{file: ./key}}\n"));
    let nobody = bed.folder().join("nobody");
    let daemon = Daemon::start(&bed, &[("NOTIFY_SOCKET", nobody.to_str().unwrap())]);
    daemon.until("a refusal that names the file", |status| {
        status["stack"]["refused"]["errors"].to_string().contains("key")
    });
    assert_eq!(daemon.get("/healthz").unwrap().status, 503);
    let key = bed.write("key", "hidden");
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    daemon.until_healthy();
    assert!(!daemon.log().contains("hidden"));
}
