//! Configs that a running service is told of, on the real Caddy: the same container, started once, says something else; and
//! one that it does not take leaves it as it was.

use serde_json::Value;
use tests::crash::{KINDS, hit};
use tests::proxy::Proxy;
use tests::{Bed, Daemon, http, image, wait};

const CHECK: &str = "check: [caddy, validate, --config, /etc/caddy/Caddyfile, --adapter, caddyfile], logs: successfully reloaded config";
const LOGS: &str = "logs: successfully reloaded config";

fn stack(caddy: &str, reload: &str) -> String {
    format!(
        r#"
services:
  caddy:
    image: {caddy}
    user: "1001:1001"
    command: [caddy, run, --config, /etc/caddy/Caddyfile, --adapter, caddyfile]
    environment: {{HOME: /data, XDG_DATA_HOME: /data, XDG_CONFIG_HOME: /data/config}}
    configs: [{{source: caddyfile, target: /etc/caddy/Caddyfile, uid: "1001", gid: "1001", mode: "0440"}}]
    tmpfs: ["/data:size=16m,mode=0700,uid=1001,gid=1001"]
    networks: [back]
    mem_limit: 256m
    stop_grace_period: 1s
    deploy: {{update_config: {{monitor: 200ms}}}}
    x-supervisor:
      runtime: go
      probe: {{http: /health, port: 8080, body: "well", interval: 1s, timeout: 2s, retries: 3, start_period: 5s}}
      reload: {{signal: SIGUSR1, {reload}}}
configs: {{caddyfile: {{file: ./Caddyfile}}}}
networks: {{back: {{internal: true}}}}
"#
    )
}

/// Says this word on `/`, and that it is well.
fn says(word: &str) -> String {
    format!(
        "{{\n\tadmin off\n\tpersist_config off\n}}\n:8080 {{\n\trespond /health \"well\"\n\trespond \"{word}\"\n}}\n"
    )
}

/// Which container, when it was started, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: String,
    started: String,
    says: String,
}

fn seen(bed: &Bed) -> Seen {
    let inspected = bed.engine.inspect(&bed.container("caddy"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let network = format!("{}_back", bed.project);
    let address = text(&inspected["NetworkSettings"]["Networks"][&network]["IPAddress"]);
    let answer = http::get(&format!("{address}:8080"), "/");
    Seen {
        id: text(&inspected["Id"]),
        started: text(&inspected["State"]["StartedAt"]),
        says: answer.map(|answer| answer.text()).unwrap_or_default(),
    }
}

/// The same once it answers: what was started a moment ago does not listen yet.
#[track_caller]
fn answering(bed: &Bed) -> Seen {
    wait::until("an answer", || Some(seen(bed)).filter(|seen| !seen.says.is_empty()))
}

fn up(room: &str, reload: &str) -> Bed {
    let bed = Bed::with(room, &stack(&image::caddy(), reload));
    bed.write("Caddyfile", &says("first"));
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(answering(&bed).says, "first");
    bed
}

/// Nothing of a reload is left over.
#[track_caller]
fn is_settled(bed: &Bed, what: &str) {
    let folder = bed.folder().join("state").join(&bed.project).join("contents");
    let names = std::fs::read_dir(folder).expect("staged files");
    let names: Vec<String> =
        names.map(|entry| entry.expect("a file").file_name().display().to_string()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("live@")).count(), 1, "{what}: {names:?}");
}

#[test]
fn a_changed_caddyfile_is_taken_without_a_restart_and_a_plan_says_so() {
    let bed = up("reload", CHECK);
    let first = seen(&bed);
    bed.write("Caddyfile", &says("second"));
    let plan = bed.supervisor(&["plan"]).expect(3);
    assert!(plan.out.contains("reload") && plan.out.contains("`config caddyfile`"), "{}", plan.out);
    let json = bed.supervisor(&["plan", "--format", "json"]).expect(3).json();
    assert_eq!(json["changes"][0]["action"], "reload", "{json}");
    assert_eq!(json["steps"][0]["detail"], "SIGUSR1 for caddyfile", "{json}");
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(seen(&bed), Seen { says: "second".to_owned(), ..first.clone() });
    bed.supervisor(&["plan"]).expect(0);
    bed.supervisor(&["attest"]).expect(0);
    is_settled(&bed, "reloaded");
    // What it starts with from now on is what it was told.
    bed.supervisor(&["restart"]).expect(0);
    let again = answering(&bed);
    assert_eq!((again.says.as_str(), &again.id), ("second", &first.id));
    // And a new container has files of its own.
    let text =
        stack(&image::caddy(), CHECK).replace("mem_limit: 256m", "mem_limit: 256m\n    labels: {a: b}");
    bed.write("compose.yaml", &text);
    bed.supervisor(&["up"]).expect(0);
    let anew = answering(&bed);
    assert_ne!(anew.id, first.id);
    assert_eq!(anew.says, "second");
    is_settled(&bed, "made anew");
}

#[test]
fn a_caddyfile_that_is_not_taken_leaves_the_old_one_and_says_why() {
    for (reload, why) in [(CHECK, "ended with code 1"), (LOGS, "did not say `successfully reloaded config`")]
    {
        let bed = up("reload-bad", reload);
        let first = seen(&bed);
        bed.write("Caddyfile", ":8080 {\n\tno_such_word\n}\n");
        let ran = bed.supervisor(&["up"]);
        assert_ne!(ran.code, 0, "{reload}");
        for word in [why, "no_such_word", "the update was taken back"] {
            assert!(ran.err.contains(word), "{reload}: no `{word}` in\n{}", ran.err);
        }
        assert_eq!(seen(&bed), first, "{reload}");
        is_settled(&bed, reload);
        // The old one is in its file, too.
        bed.write("Caddyfile", &says("first"));
        bed.supervisor(&["plan"]).expect(0);
        bed.supervisor(&["restart"]).expect(0);
        assert_eq!(answering(&bed).says, "first", "{reload}");
    }
}

#[test]
fn a_caddyfile_that_is_taken_and_makes_it_ill_goes_back() {
    let bed = up("reload-ill", CHECK);
    let first = seen(&bed);
    bed.write("Caddyfile", &says("second").replace("/health \"well\"", "/health \"ill\""));
    let ran = bed.supervisor(&["up"]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.err.contains("did not become healthy") && ran.err.contains("the update was taken back"),
        "{}",
        ran.err
    );
    wait::until("the old answer", || (seen(&bed) == first).then_some(()));
    is_settled(&bed, "ill");
}

#[test]
fn run_takes_a_changed_caddyfile_without_a_restart_and_keeps_the_old_one_where_it_is_bad() {
    let bed = Bed::with("reload-run", &stack(&image::caddy(), CHECK));
    bed.write("Caddyfile", &says("first"));
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    let first = seen(&bed);
    let second = Seen { says: "second".to_owned(), ..first };
    bed.write("Caddyfile", &says("second"));
    daemon.signal("HUP");
    wait::until(&format!("the new answer\n{}", daemon.log()), || (seen(&bed) == second).then_some(()));
    daemon.until("the end of the update", |status| !status["last_plan"]["at"].is_null());
    bed.write("Caddyfile", ":8080 {\n\tno_such_word\n}\n");
    daemon.signal("HUP");
    daemon.until("a refusal", |status| status.to_string().contains("does not take its new configs"));
    daemon.until("all as wanted", |status| status["phase"] == "watching");
    daemon.until_healthy();
    assert_eq!(seen(&bed), second, "{}", daemon.log());
    // Its rights and its files are compared with what is in force.
    bed.write("Caddyfile", &says("third"));
    daemon.signal("HUP");
    let third = Seen { says: "third".to_owned(), ..second };
    wait::until(&format!("the third answer\n{}", daemon.log()), || (seen(&bed) == third).then_some(()));
    daemon.until_healthy();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_reload_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let bed = up("reload-crash", CHECK);
    let first = seen(&bed);
    let proxy = Proxy::before(bed.engine.socket());
    bed.write("Caddyfile", &says("counted"));
    let mut command = bed.command();
    tests::bed::ran(command.env("DOCKER_HOST", proxy.host()).arg("up")).expect(0);
    let points = proxy.take().iter().filter(|request| request.mutates()).count();
    // A command is made and started, and a signal sent.
    assert_eq!(points, 3);
    for (point, kind) in (0..points).flat_map(|point| KINDS.map(|kind| (point, kind))) {
        let what = format!("point {point}, {kind:?}");
        bed.write("Caddyfile", &says(&what));
        let (ran, fired) = hit(&bed, &proxy, "up", point, kind);
        assert!(fired, "{what}: never reached\n{}", ran.err);
        bed.supervisor(&["up"]).expect(0);
        assert_eq!(seen(&bed), Seen { says: what.clone(), ..first.clone() }, "{what}");
        is_settled(&bed, &what);
    }
}
