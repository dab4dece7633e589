//! The guard on a real engine: it is there before a container is, whoever takes it away, and it stops every attack of the
//! table, beside what Docker Compose with a guide's firewall lets through.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::bed::ran;
use tests::guard::{ATTEMPTS, Column, Firewall, World, attack, document, faults};
use tests::neighbour::{HOST, HOST6, NEIGHBOUR, NEIGHBOUR6, Neighbour};
use tests::{Bed, Daemon, Ran, image, stack, wait};

/// A service on a network without a way out.
fn quiet(room: &str) -> Bed {
    let bed = Bed::new(room);
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!(
            "services:\n  web:\n    image: {image}\n    user: '1000:1000'\n    command: [sleep, infinity]\n    \
             mem_limit: 64m\n    stop_grace_period: 1s\n    networks: [back]\nnetworks: {{back: {{}}}}\n"
        ),
    );
    bed
}

/// The guard as nft lists it, if it is there.
fn listed(bed: &Bed) -> Option<String> {
    let table = format!("supervisor-{}", bed.project);
    let listed = ran(Command::new("nft").args(["list", "table", "inet", &table]));
    (listed.code == 0).then_some(listed.out)
}

#[track_caller]
fn nft(arguments: &[&str]) {
    ran(Command::new("nft").args(arguments)).expect(0);
}

/// The supervisor in a mount namespace of its own, in which this was done before.
#[track_caller]
fn over_mounts(bed: &Bed, before: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("unshare");
    let own = bed.command();
    let line = format!("{before} && exec \"$@\"");
    command.args(["--mount", "sh", "-c", &line, "sh"]).arg(own.get_program()).args(arguments);
    command.current_dir(bed.folder()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    ran(&mut command)
}

#[test]
fn it_is_set_before_a_container_starts_is_told_and_goes_with_the_stack() {
    let bed = quiet("guarded");
    assert!(bed.supervisor(&["plan"]).expect(3).out.contains("set      guard"));
    let up = bed.supervisor(&["up", "--progress", "plain"]).expect(0);
    let place = |what: &str| up.err.find(what).unwrap_or_else(|| panic!("no `{what}` in\n{}", up.err));
    assert!(place("Set") < place("Starting"), "{}", up.err);
    assert!(listed(&bed).unwrap().contains("past-publishing"));
    assert!(bed.supervisor(&["plan"]).expect(0).out.contains("keep     guard"));
    let shown = bed.supervisor(&["guard", "show", "--format", "json"]).expect(0).json();
    assert_eq!(shown["state"], "set", "{shown}");
    assert_eq!(shown["rows"].as_array().unwrap().len(), 12, "{shown}");
    bed.supervisor(&["guard", "check"]).expect(0);

    let table = format!("supervisor-{}", bed.project);
    // Nothing is listed where nobody has changed anything since; other tests change things of their own.
    let (calls, folder) = (bed.folder().join("calls"), bed.folder().join("bin"));
    let wrapper = format!("#!/bin/sh\necho \"$@\" >> {}\nexec /usr/sbin/nft \"$@\"\n", calls.display());
    bed.write("bin/nft", &wrapper);
    std::fs::set_permissions(folder.join("nft"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let lists = || {
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let _ = std::fs::remove_file(&calls);
        ran(bed.command().env("PATH", path).arg("plan")).expect(0);
        calls.exists()
    };
    wait::until("a plan that lists nothing", || (!lists()).then_some(()));
    nft(&["add", "table", "inet", &bed.project]);
    assert!(lists());
    nft(&["delete", "table", "inet", &bed.project]);

    nft(&["insert", "rule", "inet", &table, "to-host", "accept"]);
    let check = bed.supervisor(&["guard", "check"]).expect(5);
    assert!(check.out.contains("somebody changed it"), "{}", check.out);
    let attested = bed.supervisor(&["attest"]).expect(5);
    assert!(attested.out.contains("✗ BROKEN  guard"), "{}", attested.out);
    assert!(bed.supervisor(&["plan"]).expect(3).out.contains("somebody changed it"));
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["guard", "check"]).expect(0);
    bed.supervisor(&["attest"]).expect(0);
    nft(&["delete", "table", "inet", &table]);
    let attested = bed.supervisor(&["attest", "--format", "json"]).expect(5).json();
    let guard = attested["stack"].as_array().unwrap().iter().find(|row| row["item"] == "guard").unwrap();
    assert_eq!(guard["seen"], "it was there and is gone", "{guard}");
    bed.supervisor(&["up"]).expect(0);

    bed.supervisor(&["down"]).expect(0);
    assert_eq!(listed(&bed), None);
    let again = bed.supervisor(&["plan"]).expect(3);
    assert!(again.out.contains("it is not there") && !again.out.contains("gone"), "{}", again.out);

    // A table of that name by another's hand gives way, and what was in it goes with it.
    nft(&["add", "table", "inet", &table]);
    nft(&["add", "chain", "inet", &table, "somebodys"]);
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["guard", "check"]).expect(0);
    assert!(!listed(&bed).unwrap().contains("somebodys"));
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn without_a_packet_filter_nothing_is_started_but_where_the_file_goes_without() {
    let bed = quiet("unguarded");
    // The program is there and cannot be run.
    let run = |arguments: &[&str]| over_mounts(&bed, "mount --bind /dev/null /usr/sbin/nft", arguments);
    let refused = run(&["up"]).expect(4);
    assert!(refused.err.contains("the guard cannot be set"), "{}", refused.err);
    assert!(refused.err.contains("guard: off"), "{}", refused.err);
    let label = format!("supervisor.project={}", bed.project);
    assert_eq!(bed.engine.containers(&label).len(), 0, "a container was made");
    let text = std::fs::read_to_string(bed.folder().join("compose.yaml")).unwrap();
    bed.write("compose.yaml", &format!("x-supervisor: {{guard: off}}\n{text}"));
    let up = run(&["up"]).expect(0);
    assert_eq!(bed.engine.containers(&label).len(), 1, "{}", up.err);
    assert_eq!(listed(&bed), None);
    run(&["down"]).expect(0);
}

#[test]
fn a_host_without_ipv6_is_guarded_by_the_same_table_and_starts_nothing_that_needs_it() {
    let bed = quiet("guard-v4");
    // As on a kernel that was booted with `ipv6.disable=1`: its files about IPv6 are not there.
    let before = "cp /proc/$$/net/dev dev && mount -t tmpfs net /proc/$$/net && cp dev /proc/$$/net/dev";
    let text = std::fs::read_to_string(bed.folder().join("compose.yaml")).unwrap();
    bed.write("compose.yaml", &text.replace("back: {}", "back: {enable_ipv6: true}"));
    let refused = over_mounts(&bed, before, &["up"]).expect(4);
    assert!(refused.err.contains("network `back` asks for IPv6, which this host's kernel does not have"));
    let label = format!("supervisor.project={}", bed.project);
    assert_eq!(bed.engine.containers(&label).len(), 0, "a container was made");
    bed.write("compose.yaml", &text);
    bed.supervisor(&["up"]).expect(0);

    // The kernel takes the same table where no link has an address of that family, or may get one.
    let state = bed.folder().join(format!("state/{}/guard.json", bed.project));
    let kept: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    bed.write("guard.nft", kept["script"].as_str().unwrap());
    let line = "for link in all lo; do echo 1 > /proc/sys/net/ipv6/conf/$link/disable_ipv6; done; \
                nft -f guard.nft && nft list tables";
    let mut unshare = Command::new("unshare");
    let listed = ran(unshare.args(["--net", "sh", "-c", line]).current_dir(bed.folder())).expect(0);
    assert!(listed.out.contains(&format!("table inet supervisor-{}", bed.project)), "{}", listed.out);
    bed.supervisor(&["down"]).expect(0);
}

/// A sample of `/metrics`.
fn sample(daemon: &Daemon, name: &str) -> Option<f64> {
    let text = daemon.get("/metrics")?.text();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn run_puts_back_what_somebody_takes_away_or_changes_and_counts_it() {
    let bed = quiet("guarding");
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    assert_eq!(daemon.status()["guard"]["state"], "set");
    let table = format!("supervisor-{}", bed.project);
    let before = bed.engine.inspect(&bed.container("web"))["State"]["StartedAt"].clone();
    nft(&["delete", "table", "inet", &table]);
    wait::until("the guard again", || listed(&bed));
    let count = "supervisor_guard_restorations_total{}";
    wait::until("its count", || sample(&daemon, count).filter(|count| *count >= 1.0));
    assert!(daemon.log().contains("it was there and is gone"), "{}", daemon.log());
    nft(&["flush", "chain", "inet", &table, "to-containers"]);
    wait::until("the guard as it was", || {
        listed(&bed).filter(|text| text.contains("counter name \"past-publishing\" drop"))
    });
    wait::until("its count", || sample(&daemon, count).filter(|count| *count >= 2.0));
    let status = daemon.until("a guard that is set", |status: &Value| status["guard"]["state"] == "set");
    assert!(status["guard"]["counters"]["to-host"]["packets"].is_u64(), "{status}");
    assert_eq!(bed.engine.inspect(&bed.container("web"))["State"]["StartedAt"], before, "it was restarted");
    assert_eq!(daemon.stop(), 0);
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn the_edge_is_reached_from_the_listed_blocks_alone() {
    const LISTED: [&str; 2] = ["45.33.32.156", "2600:3c01::f03c"];
    let _turn = stack::turn();
    let bed = Bed::new("edge-from");
    let neighbour = Neighbour::new();
    for address in LISTED {
        neighbour.has(address);
    }
    let image = image::busybox(&bed.engine);
    bed.write("from.txt", "45.33.32.0/24 # whoever stands in front\n2600:3c01::/32\n");
    let text = format!(
        "x-supervisor: {{edge: web, edge_from: ./from.txt}}\nservices:\n  web:\n    image: {image}\n    \
         user: '1000:1000'\n    command: [sh, -c, 'echo canary > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']\n    \
         tmpfs: [/tmp]\n    mem_limit: 64m\n    stop_grace_period: 1s\n    ports: ['80:8080', '[::]:80:8080', '127.0.0.1:18081:8080']\n    networks: [front]\n\
         networks: {{front: {{enable_ipv6: true}}}}\n"
    );
    bed.write("compose.yaml", &text);
    bed.supervisor(&["up"]).expect(0);
    // By which of its addresses the neighbour asks, and which of the host's.
    let gets = |from: &str, to: &str| {
        let url = if to.contains(':') { format!("http://[{to}]/") } else { format!("http://{to}/") };
        let curl = ["-s", "-g", "-m", "2", "--interface", from, &url];
        ran(neighbour.command("curl").args(curl)).out.contains("canary")
    };
    for (listed, own, host) in [(LISTED[0], NEIGHBOUR, HOST), (LISTED[1], NEIGHBOUR6, HOST6)] {
        wait::until("an answer to who is listed", || gets(listed, host).then_some(()));
        assert!(!gets(own, host), "{own} is not listed");
    }
    let local = Command::new("curl").args(["-s", "-m", "5", "http://127.0.0.1:18081/"]).output().unwrap();
    assert!(local.status.success(), "what is published on loopback is not the edge's");
    let rows = bed.supervisor(&["guard", "show", "--format", "json"]).expect(0).json()["rows"].clone();
    let elsewhere = rows.as_array().unwrap().iter().find(|row| row["row"] == "elsewhere").unwrap();
    assert_ne!(elsewhere["packets"], 0, "{elsewhere}");

    // Another list is in force with the next `up`, and without one all may come; nothing is restarted for it.
    let started = bed.engine.inspect(&bed.container("web"))["State"]["StartedAt"].clone();
    bed.write("from.txt", "198.51.100.0/30\n");
    bed.supervisor(&["up"]).expect(0);
    assert!(gets(NEIGHBOUR, HOST) && !gets(LISTED[0], HOST) && !gets(LISTED[1], HOST6));
    bed.write("compose.yaml", &text.replace(", edge_from: ./from.txt", ""));
    bed.supervisor(&["up"]).expect(0);
    assert!(gets(LISTED[0], HOST) && gets(NEIGHBOUR6, HOST6));
    assert_eq!(bed.engine.inspect(&bed.container("web"))["State"]["StartedAt"], started);
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn every_attack_on_the_network_is_stopped_and_what_has_to_work_does() {
    let compose = World::within("net-compose", Firewall::Guide, |world| {
        world.compose_up();
        world.strangers();
        assert!(world.host_gets("http://127.0.0.1:18080/"));
        attack(world).and(faults(world))
    });
    let ours = World::within("net-ours", Firewall::None, under_supervision);
    assert!(!compose.0.is_empty() && ATTEMPTS.len() > compose.0.len(), "{compose:?}");
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/network.md"));
    let text = document(&compose, &ours);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "stale: UPDATE_EXPECT=1 writes it");
}

/// Everything that has to work, and every attempt.
fn under_supervision(world: &mut World) -> Column {
    world.supervise();
    world.strangers();
    // What has to work.
    assert!(world.neighbour_gets(&format!("http://{}/", world.host)), "the published port");
    assert!(world.host_gets("http://127.0.0.1:18080/"), "the loopback port, from the host");
    assert!(world.host_gets("http://127.0.0.1:18081/"), "the relayed port, from the host");
    assert!(world.host_gets(&world.url("app", "back", false, 8080)), "a container, from the host");
    assert!(world.reads("edge", "45.33.32.156", 80), "the edge's way out");
    assert!(world.asks("edge", "127.0.0.11"), "the edge's names");
    assert!(world.reads("edge", &world.address("app", "back", false), 8080), "the edge to a service");
    assert!(world.reads("app", &world.address("edge", "back", false), 8080), "a service to the edge");
    assert!(world.through_the_proxy("api.example.org", "api.example.org", 443), "the name that is granted");
    assert!(world.reads("stranger", "10.99.0.1", 80), "what is no container of the stack");

    let ours = attack(world);
    assert_eq!(ours.0, Vec::<&str>::new(), "went through");
    // What was dropped is told beside what the kernel says of the containers.
    let attested = world.bed.supervisor(&["attest", "--format", "json"]).json()["stack"].clone();
    let row = |item: &str| attested.as_array().unwrap().iter().find(|row| row["item"] == item).cloned();
    assert_eq!(row("guard").unwrap()["verdict"], "kept", "{attested}");
    assert!(row("guard to-host").is_some() && row("guard published").is_none(), "{attested}");
    let shown = world.bed.supervisor(&["guard", "show", "--format", "json"]).expect(0).json();
    let counted = |row: &str| {
        let rows = shown["rows"].as_array().unwrap();
        rows.iter().find(|it| it["row"] == row).unwrap()["packets"].as_u64().unwrap()
    };
    for row in ["to-host", "way-out", "to-metadata", "to-private", "published", "past-publishing", "names"] {
        assert_ne!(counted(row), 0, "`{row}` counted nothing: {shown}");
    }
    // A source that begins more than its share is held back, and others are not.
    let host: SocketAddr = format!("{}:80", world.host).parse().unwrap();
    let began = world.neighbour.within(|| {
        (0..60).filter(|_| TcpStream::connect_timeout(&host, Duration::from_millis(50)).is_ok()).count()
    });
    assert!((10..60).contains(&began), "{began} connections of 60");
    assert!(world.host_gets("http://127.0.0.1:18080/"));
    let ours = ours.and(faults(world));
    assert_eq!(ours.0, Vec::<&str>::new(), "went through");
    assert_eq!(world.end(), 0);
    world.strangers_leave();
    world.bed.supervisor(&["down"]).expect(0);
    ours
}
