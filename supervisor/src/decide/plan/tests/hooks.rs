//! Hooks: after a start and before a stop, each container its own.

use super::*;

const HOOKED: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    network_mode: none
    depends_on: [db]
  db:
    image: db@sha256:2222222222222222222222222222222222222222222222222222222222222222
    user: 1000:1000
    network_mode: none
    post_start: [{command: [migrate]}, {command: [seed]}]
    pre_stop: [{command: [flush]}]
    stop_grace_period: 5s
";

fn other() -> Wanted {
    want(&HOOKED.replace("[migrate]", "[migrate, all]"))
}

#[test]
fn a_service_has_started_when_its_hooks_have_ended_and_they_come_before_its_stop() {
    check(
        &want(HOOKED),
        &Seen::default(),
        expect![[r#"
        0 create shop-db-1: it is not there
        1 start shop-db-1 (after 0): it is not there
        2 run migrate and seed in shop-db-1 (after 1): it is not there
        3 create shop-web-1: it is not there
        4 start shop-web-1 (after 2 3): it is not there
    "#]],
    );
    expect![[r#"
        0 stop shop-web-1 10s: the project goes down
        1 remove shop-web-1 (after 0): the project goes down
        2 run flush in shop-db-1 5s (after 0): the project goes down
        3 stop shop-db-1 5s (after 2): the project goes down
        4 remove shop-db-1 (after 3): the project goes down
    "#]]
    .assert_eq(&print(&down("shop", Some(&want(HOOKED)), &up(HOOKED), Volumes::Keep)));
}

#[test]
fn other_hooks_make_a_container_anew_and_the_old_one_has_its_own_to_the_end() {
    check(
        &other(),
        &up(HOOKED),
        expect![[r#"
        0 create shop-db-1.next: its hooks changed
        1 run flush in shop-db-1 5s (after 0): its hooks changed
        2 stop shop-db-1 5s (after 1): its hooks changed
        3 rename shop-db-1 to shop-db-1.previous (after 2): it stays until the new one has proved itself
        4 rename shop-db-1.next to shop-db-1 (after 0 3): its hooks changed
        5 start shop-db-1 (after 4): its hooks changed
        6 run migrate all and seed in shop-db-1 (after 5): its hooks changed
        7 await db Started 60s and 2s on (after 6): an update is good when it is well
        8 remove shop-db-1 (after 3 7): the new one has proved itself
        proved before 8
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn what_was_not_run_since_a_start_is_run_then() {
    let mut seen = up(HOOKED);
    container(&mut seen, "shop-db-1").owes = true;
    check(
        &want(HOOKED),
        &seen,
        expect![[r#"
        0 run migrate and seed in shop-db-1: its `post_start` has not ended well since it was started
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
    container(&mut seen, "shop-db-1").state = State::Exited(1);
    check(
        &want(HOOKED),
        &seen,
        expect![[r#"
        0 start shop-db-1: it ended with code 1
        1 run migrate and seed in shop-db-1 (after 0): it ended with code 1
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
}

#[test]
fn the_way_back_runs_those_of_the_container_that_comes_back() {
    let before = up(HOOKED);
    let plan = plan(&other(), &before);
    let failed = plan.steps.iter().position(|planned| matches!(planned.step, Step::PostStart { .. }));
    let done = plan.steps.iter().take(failed.unwrap()).cloned().collect();
    let mut now = simulate(&before, &Plan { steps: done, ..plan.clone() });
    for container in &mut now.containers {
        container.hooks = Hooks::default();
    }
    let way = back(&other(), &plan, &before, &now);
    expect![[r#"
        0 stop shop-db-1 5s: the update failed, and everything goes back
        1 remove shop-db-1 (after 0): the update failed, and everything goes back
        2 rename shop-db-1.previous to shop-db-1 (after 1): the update failed, and everything goes back
        3 start shop-db-1 (after 0 2): the update failed, and everything goes back
        4 run migrate and seed in shop-db-1 (after 3): the update failed, and everything goes back
        5 await db Started 300s and 2s on (after 4): the update failed, and everything goes back
    "#]]
    .assert_eq(&print(&way));
}
