//! `up` and `down` on a real engine: what is made, what is left alone, and how many requests that takes.

use serde_json::{Value, json};
use tests::proxy::Proxy;
use tests::{Bed, image};

/// Two services on an internal network of `10.79.5.0/24`; the first is healthy once it serves a page.
fn two(image: &str, word: &str, net: u8) -> String {
    format!(
        r#"
services:
  db:
    image: {image}
    user: "1000:1000"
    command: [sh, -c, "echo ok > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
    networks: [back]
    restart: unless-stopped
    mem_limit: 32m
    x-supervisor:
      probe: {{http: /index.html, port: 8080, body: ok}}
  web:
    image: {image}
    user: "1000:1000"
    depends_on: {{db: {{condition: service_healthy}}}}
    command: [sh, -c, "echo {word}; exec httpd -f -p 8080 -h /tmp"]
    networks: [back]
    mem_limit: 32m
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.5.{net}/28}}]}}}}
"#
    )
}

fn through(bed: &Bed, proxy: &Proxy, arguments: &[&str]) -> tests::bed::Ran {
    tests::bed::ran(bed.command().env("DOCKER_HOST", proxy.host()).args(arguments))
}

fn id(bed: &Bed, service: &str) -> String {
    bed.engine.inspect(&bed.container(service))["Id"].as_str().unwrap().to_owned()
}

#[test]
fn up_twice_makes_three_requests_and_no_change_and_one_change_replaces_one_container() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let proxy = Proxy::before(bed.engine.socket());
    bed.write("compose.yaml", &two(&image, "hello", 0));
    through(&bed, &proxy, &["up"]).expect(0);
    let (db, web) = (id(&bed, "db"), id(&bed, "web"));
    let made = proxy.take();
    assert_eq!(made.iter().filter(|r| r.path.contains("/containers/create")).count(), 2);
    assert!(made.iter().skip(1).all(|r| r.path.starts_with("/v1.")), "{made:?}");

    let summary: Value = through(&bed, &proxy, &["up", "--json"]).expect(0).json();
    let again = proxy.take();
    assert!(again.iter().all(|r| !r.mutates()), "{again:?}");
    assert_eq!(again.len(), 3, "{again:?}");
    assert_eq!((&summary["requests"], &summary["mutations"]), (&json!(3), &json!(0)));
    bed.write("compose.yaml", &two(&image, "other", 0));
    through(&bed, &proxy, &["up"]).expect(0);
    assert_eq!(id(&bed, "db"), db);
    assert_ne!(id(&bed, "web"), web);

    // What somebody does to a network or a volume meanwhile is seen all the same.
    let network = format!("{}_back", bed.project);
    for service in ["db", "web"] {
        bed.engine
            .post(&format!("/networks/{network}/disconnect"), &json!({"Container": bed.container(service)}));
    }
    bed.engine.request("DELETE", &format!("/networks/{network}"), "", b"");
    through(&bed, &proxy, &["up"]).expect(0);
    for service in ["db", "web"] {
        let seen = bed.engine.inspect(&bed.container(service))["NetworkSettings"]["Networks"].clone();
        assert_ne!(seen[&network]["IPAddress"].as_str().unwrap_or_default(), "", "{seen}");
    }
    proxy.take();
    through(&bed, &proxy, &["up"]).expect(0);
    assert_eq!(proxy.take().len(), 3);

    through(&bed, &proxy, &["up", "--no-recreate"]).expect(0);
    bed.supervisor(&["down"]).expect(0);
    assert!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).is_empty());
}

#[test]
fn a_file_that_is_refused_or_unreadable_touches_nothing() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let good = two(&image, "hello", 16);
    bed.write("compose.yaml", &good);
    bed.supervisor(&["up"]).expect(0);
    let before = (id(&bed, "db"), id(&bed, "web"));
    let proxy = Proxy::before(bed.engine.socket());
    bed.write("compose.yaml", &good.replace("mem_limit: 32m", "privileged: true"));
    through(&bed, &proxy, &["up"]).expect(1);
    bed.write("compose.yaml", &good.replace("services:", "services: ["));
    through(&bed, &proxy, &["up"]).expect(2);
    assert_eq!(proxy.take(), []);
    assert_eq!((id(&bed, "db"), id(&bed, "web")), before);
    // Looking at it and taking it down need no admitted file.
    let rows = bed.supervisor(&["ps", "--format", "json"]).expect(0).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    bed.supervisor(&["down"]).expect(0);
}

#[test]
fn what_is_only_asked_about_or_created_does_not_run() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &two(&image, "hello", 32));
    let said = bed.supervisor(&["up", "--dry-run"]).expect(0);
    assert!(said.out.contains(&format!("create container {}", bed.container("web"))), "{}", said.out);
    assert!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).is_empty());
    bed.supervisor(&["up", "--no-start"]).expect(0);
    assert_eq!(bed.engine.inspect(&bed.container("web"))["State"]["Status"], "created");
    bed.supervisor(&["up", "-d"]).expect(0);
    assert_eq!(bed.engine.inspect(&bed.container("web"))["State"]["Status"], "running");
}

#[test]
fn the_engine_is_told_every_bound_and_the_files_restart_policy() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &two(&image, "hello", 48));
    bed.supervisor(&["up"]).expect(0);
    let seen = bed.engine.inspect(&bed.container("db"));
    let host = &seen["HostConfig"];
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["ReadonlyRootfs"], json!(true));
    assert_eq!(host["MemorySwap"].as_i64().unwrap() - host["Memory"].as_i64().unwrap(), 1);
    assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
    assert_eq!((&host["IpcMode"], &host["CgroupnsMode"]), (&json!("private"), &json!("private")));
    let options = host["SecurityOpt"].as_array().unwrap();
    assert!(options.iter().any(|o| o == "no-new-privileges:true"), "{options:?}");
    assert!(options.iter().any(|o| o.as_str().unwrap().starts_with("seccomp={")), "a profile inline");
    assert_eq!(seen["Config"]["Hostname"], "db");
}

#[test]
fn secrets_reach_their_reader_alone_and_go_with_the_stack() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write("token.txt", "s3cret-word");
    bed.write(
        "compose.yaml",
        &format!(
            r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    command: [sh, -c, "cat /run/secrets/token /etc/app.conf; exec sleep 1000"]
    networks: [back]
    mem_limit: 32m
    secrets: [token]
    configs: [{{source: conf, target: /etc/app.conf}}]
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.5.64/28}}]}}}}
secrets: {{token: {{file: ./token.txt}}}}
configs: {{conf: {{content: "from the file\n"}}}}
"#
        ),
    );
    let said = bed.supervisor(&["up", "--json"]).expect(0);
    assert_eq!(bed.engine.logs(&bed.container("app")), "s3cret-wordfrom the file\n");
    let (code, text) = bed.engine.exec(&bed.container("app"), &["ls", "-ln", "/run/secrets/token"]);
    assert!(code == 0 && text.starts_with("-r--------    1 1000     1000"), "{text}");
    let seen = bed.engine.inspect(&bed.container("app")).to_string();
    assert!(!seen.contains("s3cret") && !said.out.contains("s3cret") && !said.err.contains("s3cret"));

    // A change of content is a change; the running container's file is not touched under it.
    let before = id(&bed, "app");
    bed.write("token.txt", "another");
    bed.supervisor(&["up"]).expect(0);
    assert_ne!(id(&bed, "app"), before);
    assert_eq!(bed.engine.exec(&bed.container("app"), &["cat", "/run/secrets/token"]).1, "another");

    let staged = bed.folder().join("state").join(&bed.project).join("contents");
    // The secret, the config, and the program that is put before the service.
    assert_eq!(std::fs::read_dir(&staged).unwrap().count(), 3, "the old content is swept");
    bed.supervisor(&["down"]).expect(0);
    assert!(!staged.exists());
}

#[test]
fn volumes_stay_until_they_are_asked_for() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!(
            r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    networks: [back]
    mem_limit: 32m
    volumes: [data:/data]
networks:
  back: {{internal: true, ipam: {{config: [{{subnet: 10.79.5.80/28}}]}}}}
volumes: {{data: {{}}}}
"#
        ),
    );
    bed.supervisor(&["up"]).expect(0);
    let (code, text) = bed.engine.exec(&bed.container("app"), &["sh", "-c", "echo kept > /data/word"]);
    assert_eq!(code, 0, "{text}");
    bed.supervisor(&["down"]).expect(0);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(bed.engine.exec(&bed.container("app"), &["cat", "/data/word"]).1, "kept\n");
    bed.supervisor(&["down", "--volumes"]).expect(0);
    let volumes =
        bed.engine.get(&format!("/volumes/{}_data", bed.project).replace("/volumes/", "/volumes?x="));
    let left = volumes["Volumes"].as_array().into_iter().flatten();
    assert!(!left.into_iter().any(|v| v["Name"] == format!("{}_data", bed.project)));
}

#[test]
fn restarts_change_hands_between_up_and_run_without_a_new_container() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let proxy = Proxy::before(bed.engine.socket());
    bed.write("compose.yaml", &two(&image, "hello", 192));
    through(&bed, &proxy, &["up"]).expect(0);
    let before = (id(&bed, "db"), id(&bed, "web"));
    let policy = |wanted: &str| {
        let name = bed.engine.inspect(&bed.container("db"))["HostConfig"]["RestartPolicy"]["Name"].clone();
        (name == wanted).then_some(())
    };
    policy("unless-stopped").expect("the file's policy, while no supervisor runs");
    let supervisor = bed.spawn("run", &["run"]);
    tests::wait::until("the supervisor to take restarts over", || policy("no"));
    let said = bed.supervisor(&["up"]).expect(4);
    assert!(said.err.contains("(`run`)") && said.err.contains("reload"), "{}", said.err);
    assert_eq!(supervisor.stop(), 0);
    through(&bed, &proxy, &["up"]).expect(0);
    policy("unless-stopped").expect("the file's policy again");
    proxy.take();
    through(&bed, &proxy, &["up"]).expect(0);
    assert_eq!(proxy.take().len(), 3, "nothing is unsure any more");
    assert_eq!((id(&bed, "db"), id(&bed, "web")), before);
}

#[test]
fn limits_and_networks_are_changed_without_a_new_container() {
    let bed = Bed::new("engine");
    let image = image::busybox(&bed.engine);
    let file = two(&image, "hello", 208);
    bed.write("compose.yaml", &file);
    bed.supervisor(&["up"]).expect(0);
    let before = (id(&bed, "db"), id(&bed, "web"));
    let started = |service: &str| bed.engine.inspect(&bed.container(service))["State"]["StartedAt"].clone();
    let starts = (started("db"), started("web"));

    let other = file.replace("mem_limit: 32m", "mem_limit: 48m\n    pids_limit: 40\n    cpus: 0.25");
    let other = other.replace("networks: [back]", "networks: [back, side]");
    let other = other.replace("\nnetworks:\n", "\nnetworks:\n  side: {internal: true}\n");
    assert_ne!(other, file);
    bed.write("compose.yaml", &other);
    let plan = bed.supervisor(&["plan"]).expect(3);
    assert!(plan.out.contains("memory, processor and process limits are not as wanted"), "{}", plan.out);
    bed.supervisor(&["up"]).expect(0);
    let db = bed.engine.inspect(&bed.container("db"));
    let host = &db["HostConfig"];
    assert_eq!((&host["Memory"], &host["MemorySwap"]), (&json!(48 << 20), &json!((48 << 20) + 1)));
    assert_eq!((&host["NanoCpus"], &host["PidsLimit"]), (&json!(250_000_000), &json!(40)));
    let side = &db["NetworkSettings"]["Networks"][format!("{}_side", bed.project)];
    assert!(side["Aliases"].as_array().unwrap().contains(&json!("db")), "{side}");
    assert_eq!((id(&bed, "db"), id(&bed, "web")), before);
    assert_eq!((started("db"), started("web")), starts, "nothing was restarted");
    bed.supervisor(&["plan"]).expect(0);

    // And back.
    bed.write("compose.yaml", &file);
    bed.supervisor(&["up"]).expect(0);
    let db = bed.engine.inspect(&bed.container("db"));
    assert_eq!(db["HostConfig"]["Memory"], json!(32 << 20));
    assert_eq!(db["NetworkSettings"]["Networks"].as_object().unwrap().len(), 1);
    assert_eq!((id(&bed, "db"), id(&bed, "web")), before);
    assert_eq!((started("db"), started("web")), starts, "nothing was restarted");
    bed.supervisor(&["plan"]).expect(0);
}
