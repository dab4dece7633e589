//! The way back from an update that failed just before its end.

use super::super::super::spec::Bounds;
use super::*;

const REPLICAS: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    scale: 3
    environment: {VERSION: one}
    deploy: {update_config: {parallelism: 0}, rollback_config: ROLLBACK}
    network_mode: none
";

#[track_caller]
fn check_back(rollback: &str, expect: Expect) {
    let text = REPLICAS.replace("ROLLBACK", rollback);
    let before = up(&text);
    let wanted = want(&text.replace("VERSION: one", "VERSION: two"));
    let plan = plan(&wanted, &before);
    let proved = plan.steps.iter().take(plan.tidy_from.unwrap()).cloned().collect();
    let now = simulate(&before, &Plan { steps: proved, ..plan.clone() });
    let way = back(&wanted, &plan, &before, &now);
    let starts = |planned: &&Planned| !matches!(planned.step, Step::Stop { .. } | Step::Remove { .. });
    let steps: Vec<Planned> = way.steps.iter().filter(starts).cloned().collect();
    expect.assert_eq(&print(&Plan { steps, ..Plan::default() }));
    assert_eq!(simulate(&now, &way).containers.len(), before.containers.len());
}

#[test]
fn what_is_put_back_comes_in_the_batches_that_the_file_wants() {
    check_back(
        "{parallelism: 2, delay: 3s, monitor: 1s, max_failure_ratio: 0.4}",
        expect![[r#"
            0 rename shop-web-1.previous to shop-web-1 (after 5): the update failed, and everything goes back
            1 rename shop-web-2.previous to shop-web-2 (after 3): the update failed, and everything goes back
            2 rename shop-web-3.previous to shop-web-3 (after 1): the update failed, and everything goes back
            3 start shop-web-1 (after 0 2 4 6): the update failed, and everything goes back
            4 start shop-web-2 (after 0 2 4 7): the update failed, and everything goes back
            5 await web Started 300s and 1s on (after 9 10): the update failed, and everything goes back
            6 delay web 3s (after 11): the file wants a pause between two batches
            7 start shop-web-3 (after 0 2 4 8 12): the update failed, and everything goes back
            8 await web Started 300s and 1s on (after 13): the update failed, and everything goes back
        "#]],
    );
    check_back(
        "{monitor: 0s, failure_action: continue}",
        expect![[r#"
            0 rename shop-web-1.previous to shop-web-1 (after 5): the update failed, and everything goes back
            1 rename shop-web-2.previous to shop-web-2 (after 3): the update failed, and everything goes back
            2 rename shop-web-3.previous to shop-web-3 (after 1): the update failed, and everything goes back
            3 start shop-web-1 (after 0 2 4 6): the update failed, and everything goes back
            4 start shop-web-2 (after 0 2 4 7): the update failed, and everything goes back
            5 start shop-web-3 (after 0 2 4 8): the update failed, and everything goes back
        "#]],
    );
}

#[test]
fn an_order_that_cannot_be_is_said() {
    let text = REPLICAS.replace("ROLLBACK", "{order: start-first}");
    let warnings = plan(&want(&text), &Seen::default()).warnings;
    expect!["`rollback_config.order: start-first` of service `web` has no effect: what is put back is started when the one that failed has ended"]
        .assert_eq(&warnings.join("\n"));
}

/// The way back from a plan that makes `db` anew and changes `web` in place, once all of it is done and the engine has died.
#[track_caller]
fn check_back_in_place(standing: Standing, expect: Expect) {
    let shop = SHOP
        .replace("[back]\n    stop", "[back, front]\n    stop")
        .replace("{back: {}}", "{back: {}, front: {}}");
    let mut before = up(&shop);
    container(&mut before, "shop-db-1").hash = Some("of another file".to_owned());
    let drift = Bounds { memory: 1 << 30, nano_cpus: 1, pids: 9 };
    let web = container(&mut before, "shop-web-1");
    web.bounds = Some(drift);
    web.networks.insert("shop_front".to_owned(), None);
    let wanted = want(&shop);
    let plan = plan_with(&wanted, &before, &Choice { standing, ..Choice::default() });
    let proved = plan.steps.iter().take(plan.tidy_from.unwrap()).cloned().collect();
    let mut now = simulate(&before, &Plan { steps: proved, ..plan.clone() });
    for container in &mut now.containers {
        (container.state, container.health) = (State::Exited(137), None);
    }
    let way = back(&wanted, &plan, &before, &now);
    let of_web = |planned: &&Planned| step(&planned.step).contains("web");
    let steps: Vec<Planned> = way.steps.iter().filter(of_web).cloned().collect();
    expect.assert_eq(&print(&Plan { steps, ..Plan::default() }));
    // What is started is compared with what it is bounded by then.
    let promised = promised_before(&wanted, &plan, &before).services["web"].containers[0].bounds();
    let after = simulate(&now, &way);
    let web = after.containers.iter().find(|container| container.name == "shop-web-1");
    assert_eq!(web.and_then(|web| web.bounds), Some(promised));
    assert_eq!(promised == drift, standing == Standing::Unproved);
}

#[test]
fn what_is_changed_in_place_goes_back_unless_it_was_nobodys_wish() {
    check_back_in_place(
        Standing::Unproved,
        expect![[r#"
            0 set bounds of shop-web-1 to memory=1073741824,nano_cpus=1,pids=9: the update failed, and everything goes back
            1 connect shop-web-1 to shop_front: the update failed, and everything goes back
            2 start shop-web-1 (after 2 4 5): the update failed, and everything goes back
            3 await web Started 300s and 2s on (after 6): the update failed, and everything goes back
        "#]],
    );
    check_back_in_place(
        Standing::Proved,
        expect![[r#"
        0 set bounds of shop-web-1 to memory=1073741824,nano_cpus=1000000000,pids=256: the update failed, and everything goes back
        1 start shop-web-1 (after 2 4): the update failed, and everything goes back
        2 await web Started 300s and 2s on (after 5): the update failed, and everything goes back
    "#]],
    );
}

#[test]
fn what_fell_or_was_stopped_beside_an_update_is_left_to_whoever_restarts_it() {
    let shop = SHOP.replace("    user: 1000:1000\n", "    user: 1000:1000\n    restart: unless-stopped\n");
    let starts_web = |restarts: Restarts| {
        let wanted = want_with(&shop, restarts, &[], |image| Some(format!("id-of-{image}")));
        let mut before = simulate(&Seen::default(), &plan(&wanted, &Seen::default()));
        container(&mut before, "shop-db-1").hash = Some("of another file".to_owned());
        let plan = plan(&wanted, &before);
        let mut now = before.clone();
        container(&mut now, "shop-web-1").state = State::Exited(137);
        let way = back(&wanted, &plan, &before, &now);
        way.steps.iter().any(|planned| step(&planned.step) == "start shop-web-1")
    };
    assert!(!starts_web(Restarts::Ours), "healing's, or somebody's");
    assert!(starts_web(Restarts::Engine), "the engine would have");
}

#[test]
fn what_was_refused_while_the_update_ran_stays_down() {
    let text = REPLICAS.replace("ROLLBACK", "{monitor: 0s}");
    let before = up(&text);
    let wanted = want(&text.replace("VERSION: one", "VERSION: two"));
    let plan = plan(&wanted, &before);
    let proved = plan.steps.iter().take(plan.tidy_from.unwrap()).cloned().collect();
    let mut now = simulate(&before, &Plan { steps: proved, ..plan.clone() });
    container(&mut now, "shop-web-2.previous").refused = true;
    let way = back(&wanted, &plan, &before, &now);
    let starts = way.steps.iter().filter(|planned| matches!(planned.step, Step::Start { .. }));
    let starts: Vec<String> = starts.map(|planned| step(&planned.step)).collect();
    assert_eq!(starts, ["start shop-web-1", "start shop-web-3"]);
    let after = simulate(&now, &way);
    assert!(
        after.containers.iter().any(|container| container.name == "shop-web-2"),
        "it is kept all the same"
    );
}
