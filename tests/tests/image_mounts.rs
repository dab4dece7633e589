//! Images that services mount: up, read-only and as promised, made anew with another image, and left alone where there is none.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tests::bed::signal;
use tests::own_engine::OwnEngine;
use tests::{Bed, Daemon, image, wait};

/// A mount of an image, as the file has it.
fn mount(image: &str, target: &str, further: &str) -> String {
    format!("      - {{type: image, source: '{image}', target: {target}{further}}}\n")
}

/// A stack of one service with these mounts, whose image says what it does.
fn write(bed: &Bed, mounts: &[String]) {
    write_with(bed, mounts, "");
}

/// The same with one more key.
fn write_with(bed: &Bed, mounts: &[String], further: &str) {
    bed.write(
        "compose.yaml",
        &format!(
            "services:
  web:
    image: {own}
    user: '1000:1000'
    mem_limit: 32m
    stop_grace_period: 1s
    restart: unless-stopped
    network_mode: none
{further}    volumes:
{mounts}",
            own = image::busybox(&bed.engine),
            mounts = mounts.concat()
        ),
    );
}

/// Another image than the service's own, which says this.
#[track_caller]
fn site(bed: &Bed, says: &str) -> String {
    image::with_page(&bed.engine, &format!("supervisor-test-site-{says}"), says)
}

#[track_caller]
fn page(bed: &Bed) -> String {
    let (code, text) = bed.engine.exec(&bed.container("web"), &["cat", "/site/srv/page"]);
    assert_eq!(code, 0, "{text}");
    text
}

#[track_caller]
fn id(bed: &Bed) -> Value {
    bed.engine.inspect(&bed.container("web"))["Id"].clone()
}

#[test]
fn the_files_of_an_image_are_read_and_never_written_and_another_image_is_a_change() {
    let bed = Bed::new("images");
    let (one, two) = (site(&bed, "one"), site(&bed, "two"));
    let folder = mount(&two, "/etc/site", ", image: {subpath: srv}");
    let with = |site: &str| write(&bed, &[mount(site, "/site", ""), folder.clone()]);
    with(&one);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(page(&bed), "one");
    let web = bed.container("web");
    assert_eq!(bed.engine.exec(&web, &["cat", "/etc/site/page"]), (0, "two".to_owned()));
    for path in ["/site/srv/page", "/site/new", "/etc/site/page"] {
        let (code, said) = bed.engine.exec(&web, &["touch", path]);
        assert!(code != 0 && said.contains("Read-only file system"), "{path}: {said}");
    }
    // What the image has is run like what the service's own has.
    assert_eq!(bed.engine.exec(&web, &["/site/bin/busybox", "true"]).0, 0);

    let report = bed.supervisor(&["attest", "--format", "json"]).expect(0).json();
    assert_eq!(report["holds"], json!(true), "{report}");
    let text = bed.supervisor(&["attest"]).expect(0).out;
    let short = |id: &str| id["sha256:".len()..][..12].to_owned();
    assert!(text.contains(&format!("image {}, read-only", short(&one))), "{text}");
    assert!(text.contains(&format!("image {}, srv, read-only", short(&two))), "{text}");
    let listed = bed.supervisor(&["images", "--quiet"]).expect(0).out;
    assert!(listed.contains(&one) && listed.contains(&two), "{listed}");

    // Nothing changed, then the image, then only its name.
    let before = id(&bed);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(id(&bed), before);
    let three = site(&bed, "three");
    with(&three);
    let plan = bed.supervisor(&["plan"]).expect(3).out;
    assert!(plan.contains("its mounted images changed"), "{plan}");
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(page(&bed), "three");
    let after = id(&bed);
    assert_ne!(after, before);
    with("supervisor-test-site-three:1");
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(id(&bed), after);
    bed.supervisor(&["attest"]).expect(0);
}

#[test]
fn an_image_to_mount_that_is_not_to_be_had_leaves_what_runs() {
    let bed = Bed::new("images");
    write(&bed, &[mount(&site(&bed, "one"), "/site", "")]);
    bed.supervisor(&["up"]).expect(0);
    let before = id(&bed);
    // Nothing listens there.
    let gone = format!("127.0.0.1:9/gone@sha256:{}", "0".repeat(64));
    write(&bed, &[mount(&gone, "/site", "")]);
    let never = bed.supervisor(&["up", "--pull", "never"]).expect(12);
    assert!(never.err.contains(&format!("image `{gone}` is not on the engine")), "{}", never.err);
    let failed = bed.supervisor(&["up"]).expect(12);
    assert!(failed.err.contains(&gone), "{}", failed.err);
    let by_id = format!("sha256:{}", "0".repeat(64));
    write(&bed, &[mount(&by_id, "/site", "")]);
    let nowhere = bed.supervisor(&["up"]).expect(12);
    assert!(nowhere.err.contains(&by_id), "{}", nowhere.err);
    assert_eq!(id(&bed), before);
    // A folder that it does not have is found out by the engine, once the old container has stopped: it runs on all the same.
    write(&bed, &[mount(&site(&bed, "two"), "/site", ", image: {subpath: nowhere}")]);
    let failed = bed.supervisor(&["up"]).expect(4);
    assert!(failed.err.contains("nowhere"), "{}", failed.err);
    assert_eq!(id(&bed), before);
    assert_eq!(page(&bed), "one");
}

#[test]
fn one_image_twice_is_refused_where_the_engine_cannot() {
    let bed = Bed::new("images");
    let one = site(&bed, "one");
    write(&bed, &[mount(&one, "/site", ""), mount(&one, "/again", "")]);
    let minor: u64 = bed.engine.get("/version")["ApiVersion"].as_str().unwrap()[2..].parse().unwrap();
    if minor < 52 {
        let said = bed.supervisor(&["up"]).expect(4);
        assert!(said.err.contains("twice, which takes Docker Engine 29"), "{}", said.err);
    } else {
        bed.supervisor(&["up"]).expect(0);
    }
}

fn restart(own: &mut OwnEngine) {
    signal(own.pid.load(Ordering::SeqCst), "TERM");
    wait::until("the end of the engine", || own.revive().then_some(()));
}

/// What was down mounts nothing of an image any more: it is made anew, by `run` and by `up`.
#[test]
fn what_an_engine_forgot_to_mount_again_is_made_anew() {
    let mut own = OwnEngine::start();
    let bed = Bed::on("images-anew", own.engine().clone(), Some(own.network()));
    write(&bed, &[mount(&site(&bed, "one"), "/site", "")]);
    let daemon = Daemon::start(&bed, &[]);
    daemon.until_healthy();
    assert_eq!(page(&bed), "one");
    restart(&mut own);
    wait::until("the service's return", || {
        let all = bed.engine.containers(&format!("supervisor.project={}", bed.project));
        let runs = all.len() == 1 && all[0]["State"] == "running";
        let healthy = daemon.get("/healthz").is_some_and(|answer| answer.status == 200);
        (runs && healthy).then_some(())
    });
    assert_eq!(page(&bed), "one");
    daemon.stop();

    // The same by hand; and whoever starts the old container is told what it lacks.
    bed.supervisor(&["stop"]).expect(0);
    restart(&mut own);
    let said = bed.supervisor(&["start"]);
    assert!(said.code == 5 && said.err.contains("which is really"), "{said:?}");
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(page(&bed), "one");
    bed.supervisor(&["attest"]).expect(0);
}

/// Healing would start the old container, and it would be refused for what it sees there.
#[test]
fn what_waits_for_its_next_start_when_an_engine_is_restarted_is_made_anew() {
    let mut own = OwnEngine::start();
    let bed = Bed::on("images-waits", own.engine().clone(), Some(own.network()));
    let crashing = "    command: [sh, -c, 'sleep 0.2; exit 1']\n";
    write_with(&bed, &[mount(&site(&bed, "one"), "/site", "")], crashing);
    let daemon = Daemon::start(&bed, &[]);
    // From then on it waits for longer than an engine takes to be back.
    daemon.until("a crash loop", |status| status["services"]["web"]["state"] == "crash_loop");
    let before = id(&bed);
    restart(&mut own);
    wait::until("another container", || {
        let all = bed.engine.containers(&format!("supervisor.project={}", bed.project));
        (all.len() == 1 && all[0]["Id"] != before).then_some(())
    });
    assert!(!daemon.log().contains("which is really"), "{}", daemon.log());
    daemon.stop();
}
