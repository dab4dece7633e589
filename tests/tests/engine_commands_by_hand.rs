//! The commands beside `up` and `down` that Docker Compose's users have at hand, on a real engine.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::tar::Tar;
use tests::{Bed, bed, image, wait};

/// Two services on an internal network of `10.79.6.0/24`, the first with a volume of its own.
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
    volumes: [data:/data]
    command: [sh, -c, "trap 'exit 3' TERM; trap 'echo hung up' HUP; echo ready; while :; do sleep 1 & wait; done"]
  other:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
networks:
  net: {{internal: true, ipam: {{config: [{{subnet: 10.79.6.{net}/28}}]}}}}
volumes: {{data: {{}}}}
"#
        ),
    );
    bed.supervisor(&["up"]).expect(0);
}

fn status(bed: &Bed, service: &str) -> Value {
    bed.engine.inspect(&bed.container(service))["State"]["Status"].clone()
}

#[test]
fn services_are_frozen_signalled_and_waited_for() {
    let bed = Bed::new("engine");
    stack(&bed, 144);
    // A signal that comes before its trap ends the loop.
    wait::until("its traps", || bed.engine.logs(&bed.container("app")).contains("ready").then_some(()));
    let said = bed.supervisor(&["pause", "app"]).expect(0);
    assert_eq!(said.err, format!("container {0} Pausing\ncontainer {0} Paused\n", bed.container("app")));
    assert_eq!((status(&bed, "app"), status(&bed, "other")), (json!("paused"), json!("running")));
    bed.supervisor(&["pause", "app"]).expect(4);
    bed.supervisor(&["unpause"]).expect(0);
    assert_eq!(status(&bed, "app"), "running");

    bed.supervisor(&["kill", "-s", "HUP", "app"]).expect(0);
    wait::until("the signal's echo", || {
        bed.engine.logs(&bed.container("app")).contains("hung up").then_some(())
    });
    let waiting = bed.spawn("wait", &["wait", "app"]);
    bed.supervisor(&["kill", "--signal", "SIGTERM", "app"]).expect(0);
    wait::until("the end of the wait", || {
        waiting.output().contains("exited with status code 3").then_some(())
    });
    // What has ended already counts at once.
    let said = bed.supervisor(&["wait", "app"]).expect(3);
    assert_eq!(said.out, format!("container {} exited with status code 3\n", bed.container("app")));
    bed.supervisor(&["kill", "other"]).expect(0);
    bed.supervisor(&["wait", "other"]).expect(137);
    let wrong = bed.supervisor(&["kill", "app", "nobody"]).expect(4);
    assert!(wrong.err.contains("no container of service `nobody`"), "{}", wrong.err);
    let none = bed.supervisor(&["kill", "app"]).expect(4);
    assert!(none.err.contains("no container of these runs"), "{}", none.err);
}

#[test]
fn events_are_told_of_one_project_alone_and_end_where_they_are_told_to() {
    let bed = Bed::new("engine");
    let since = bed.engine.now();
    stack(&bed, 160);
    let following = bed.spawn("events", &["events", "--json", "app"]);
    // It hears what happens from now on; until it does, the same is made to happen again.
    wait::until("the first event", || {
        bed.supervisor(&["kill", "-s", "HUP", "app"]).expect(0);
        following.output().contains("\"action\":\"kill\"").then_some(())
    });
    bed.supervisor(&["restart", "app"]).expect(0);
    wait::until("the start", || following.output().contains("\"action\":\"start\"").then_some(()));
    let rows: Vec<Value> =
        following.output().lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
    assert!(rows.iter().all(|row| row["service"] == "app" && row["type"] == "container"), "{rows:?}");
    let die = rows.iter().find(|row| row["action"] == "die").expect("its end");
    assert_eq!(die["attributes"]["exitCode"], "3");
    assert_eq!(die["attributes"]["name"], json!(bed.container("app")));
    drop(following);

    let past = bed.supervisor(&["events", "--since", &since, "--until", "0s"]).expect(0);
    let created: Vec<&str> = past.out.lines().filter(|line| line.contains(" container create ")).collect();
    assert_eq!(created.len(), 2, "{}", past.out);
    assert!(past.out.contains(&format!("name={}", bed.container("other"))), "{}", past.out);
    let wrong = bed.supervisor(&["events", "--since", "noon"]).expect(2);
    assert!(wrong.err.contains("`noon` is no time"), "{}", wrong.err);
}

#[test]
fn images_volumes_and_ports_are_listed() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!(
            r#"
x-supervisor: {{edge: app}}
services:
  app:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
    volumes: [data:/data]
    ports: ["127.0.0.1:18765:8080"]
networks:
  net: {{internal: false, ipam: {{config: [{{subnet: 10.79.6.176/28}}]}}}}
volumes: {{data: {{}}}}
"#
        ),
    );
    bed.supervisor(&["up"]).expect(0);
    let rows = bed.supervisor(&["images", "--format", "json"]).expect(0).json();
    assert_eq!((&rows[0]["service"], &rows[0]["id"]), (&json!("app"), &json!(image)));
    assert!(rows[0]["size"].as_u64().is_some_and(|size| size > 1000), "{rows}");
    let table = bed.supervisor(&["images"]).expect(0).out;
    assert!(table.contains("supervisor-test-busybox  1 "), "{table}");
    assert_eq!(bed.supervisor(&["images", "-q"]).expect(0).out, format!("{image}\n"));

    let volume = format!("{}_data", bed.project);
    assert_eq!(bed.supervisor(&["volumes", "-q"]).expect(0).out, format!("{volume}\n"));
    assert_eq!(bed.supervisor(&["volumes", "-q", "app"]).expect(0).out, format!("{volume}\n"));
    let rows = bed.supervisor(&["volumes", "--format", "json"]).expect(0).json();
    assert_eq!((&rows[0]["name"], &rows[0]["driver"]), (&json!(volume), &json!("local")));
    assert!(bed.supervisor(&["volumes"]).expect(0).out.starts_with("DRIVER  VOLUME NAME\n"));

    assert_eq!(bed.supervisor(&["port", "app", "8080"]).expect(0).out, "127.0.0.1:18765\n");
    let not = bed.supervisor(&["port", "--protocol", "udp", "app", "8080"]).expect(4);
    assert!(not.err.contains("port 8080/udp") && not.err.contains("is not published"), "{}", not.err);
    let not = bed.supervisor(&["port", "--index", "2", "app", "8080"]).expect(4);
    assert!(not.err.contains("has no container number 2"), "{}", not.err);
}

#[test]
fn files_are_copied_into_a_volume_and_out_of_it() {
    let bed = Bed::new("engine");
    stack(&bed, 192);
    let app = bed.container("app");
    bed.write("here/a", "one");
    bed.write("here/deep/b", "two");
    std::os::unix::fs::symlink("a", bed.folder().join("here/link")).unwrap();

    // In: a folder under its name, what is in it, a file under a new name. It is the service's user's.
    bed.supervisor(&["cp", "here", "app:/data"]).expect(0);
    bed.supervisor(&["cp", "here/.", "app:/data/content"]).expect(0);
    bed.supervisor(&["cp", "here/a", "app:/data/renamed"]).expect(0);
    let script = "cd /data; cat here/deep/b content/link renamed; ls -ln renamed";
    let (_, text) = bed.engine.exec(&app, &["sh", "-c", script]);
    assert!(text.starts_with("twooneone-rw-r--r--    1 1000     1000"), "{text}");
    bed.supervisor(&["cp", "-a", "here/a", "app:/data/kept"]).expect(0);
    let (_, text) = bed.engine.exec(&app, &["ls", "-ln", "/data/kept"]);
    assert!(text.starts_with("-rw-r--r--    1 0        0"), "{text}");

    // Out: the same rules.
    bed.supervisor(&["cp", "app:/data/here", "out"]).expect(0);
    assert_eq!(std::fs::read_to_string(bed.folder().join("out/deep/b")).unwrap(), "two");
    assert_eq!(std::fs::read_link(bed.folder().join("out/link")).unwrap().to_str(), Some("a"));
    bed.supervisor(&["cp", "app:/data/here/.", "out/deep"]).expect(0);
    assert_eq!(std::fs::read_to_string(bed.folder().join("out/deep/deep/b")).unwrap(), "two");
    bed.supervisor(&["cp", "app:/data/here/link", "out/as-link"]).expect(0);
    assert!(bed.folder().join("out/as-link").is_symlink());
    bed.supervisor(&["cp", "-L", "app:/data/here/link", "out/as-file"]).expect(0);
    assert!(!bed.folder().join("out/as-file").is_symlink());
    assert_eq!(std::fs::read_to_string(bed.folder().join("out/as-file")).unwrap(), "one");

    // As streams: one command's output is the other's input.
    let mut reading =
        bed.command().args(["cp", "app:/data/here", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let stream = reading.stdout.take().unwrap();
    let into = bed::ran(bed.command().args(["cp", "-", "app:/data/content"]).stdin(stream));
    into.expect(0);
    assert!(reading.wait().unwrap().success());
    let (_, text) = bed.engine.exec(&app, &["cat", "/data/content/here/deep/b"]);
    assert_eq!(text, "two");

    // More than any pipe holds, of one container, though the engine does one copy of a container at a time.
    let large = vec![b'x'; 16 << 20];
    bed.write("large", &String::from_utf8(large).unwrap());
    bed.supervisor(&["cp", "large", "app:/data/here/large"]).expect(0);
    let mut reading =
        bed.command().args(["cp", "app:/data/here/large", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let stream = reading.stdout.take().unwrap();
    bed::ran(bed.command().args(["cp", "-", "app:/data/content"]).stdin(stream)).expect(0);
    assert!(reading.wait().unwrap().success());
    let script = "tr -d x < /data/content/large | wc -c; wc -c < /data/content/large";
    let (_, text) = bed.engine.exec(&app, &["sh", "-c", script]);
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["0", "16777216"]);

    // One that has no input yet is in nobody's way.
    let mut waiting = bed.command();
    waiting.args(["cp", "-", "app:/data/content"]).stdin(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let mut archive = String::new();
    for _ in 0..4 {
        archive = bed.supervisor(&["cp", "app:/data/here/a", "-"]).expect(0).out;
    }
    waiting.stdin.take().unwrap().write_all(archive.as_bytes()).unwrap();
    assert!(waiting.wait().unwrap().success());
    let (_, text) = bed.engine.exec(&app, &["cat", "/data/content/a"]);
    assert_eq!(text, "one");

    for (arguments, code, says) in [
        (["cp", "app:/nothing", "x"], 4, "it is not there"),
        (["cp", "here", "app:/etc/x"], 4, "read-only"),
        (["cp", "nothing", "app:/data"], 4, "`nothing`"),
        (["cp", "here/a", "out"], 2, "neither side names a service"),
        (["cp", "app:/data", "other:/data"], 2, "from one service to another"),
        (["cp", "app:/data", "here/a"], 4, "it is a file, and a folder is to be copied"),
        (["cp", "nobody:/data", "x"], 4, "no container of service `nobody`"),
    ] {
        let said = bed.supervisor(&arguments).expect(code);
        assert!(said.err.contains(says), "{arguments:?}: {}", said.err);
    }
}

/// What a container has prepared to get out with the next copy: links at every depth, and a set-user-ID program.
#[test]
fn nothing_that_a_container_prepared_comes_to_be_outside_of_the_target() {
    let bed = Bed::new("engine");
    stack(&bed, 208);
    let outside = bed.write("outside", "outside");
    let bait = Tar::default()
        .folder("trap/", 0o755, 1000)
        .link("trap/etc", "/etc")
        .link("trap/up", "../..")
        .link("trap/outside", &outside.display().to_string())
        .folder("trap/sub/", 0o755, 1000)
        .link("trap/sub/out", "../../outside")
        .file("trap/su", 0o6755, b"#!/bin/sh\n")
        .file("trap/good", 0o644, b"good")
        .finish();
    // Not by `cp`: the container makes them itself.
    let path = format!("/containers/{}/archive?path=/data", bed.container("app"));
    assert_eq!(bed.engine.request("PUT", &path, "application/x-tar", &bait).status, 200);

    let said = bed.supervisor(&["cp", "app:/data/trap", "got"]).expect(4);
    for left in ["etc", "up", "outside", "sub/out"] {
        assert!(
            said.err.contains(&format!("left out: got/{left}: it links to something outside")),
            "{}",
            said.err
        );
    }
    let list = bed::ran(Command::new("find").current_dir(bed.folder()).args(["got", "-printf", "%p %m\n"]));
    let mut rows: Vec<_> = list.out.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["got 755", "got/good 644", "got/su 755", "got/sub 755"]);
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "outside");
}
