//! Plans for what depends on something that is in nobody's plan, and under a file that did not work.

use super::super::super::spec::Bounds;
use super::super::super::wanted::Restarts;
use super::*;

fn held(name: &str, hold: Hold) -> Choice {
    Choice { held: [(name.to_owned(), hold)].into(), ..Choice::default() }
}

#[test]
fn what_depends_on_something_that_somebody_stopped_waits_for_it_and_runs_on_as_it_is() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").state = State::Exited(0);
    container(&mut seen, "shop-db-1").health = None;
    container(&mut seen, "shop-web-1").state = State::Exited(1);
    container(&mut seen, "shop-web-1").health = None;
    let choice = held("shop-db-1", Hold::Alone("somebody stopped it".to_owned()));
    check_with(
        &want(SHOP),
        &seen,
        &choice,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: somebody stopped it
        keep container shop-web-1: it waits for `db`: somebody stopped it
        wait web: it waits for `db`: somebody stopped it
    "#]],
    );
    container(&mut seen, "shop-web-1").state = State::Running;
    let changed = SHOP.replace("image: web@", "environment: {NEW: one}\n    image: web@");
    check_with(
        &want(&changed),
        &seen,
        &choice,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: somebody stopped it
        keep container shop-web-1: it waits for `db`: somebody stopped it
        wait web: it waits for `db`: somebody stopped it
    "#]],
    );
}

#[test]
fn what_gave_up_is_waited_for_and_what_healing_brings_back_is_awaited() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").state = State::Exited(78);
    container(&mut seen, "shop-db-1").health = None;
    container(&mut seen, "shop-web-1").state = State::Exited(1);
    container(&mut seen, "shop-web-1").health = None;
    let over = held("shop-db-1", Hold::Over("ended with code 78".to_owned()));
    check_with(
        &want(SHOP),
        &seen,
        &over,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: ended with code 78
        keep container shop-web-1: it waits for `db`: ended with code 78
        wait web: it waits for `db`: ended with code 78
    "#]],
    );
    let down = held("shop-db-1", Hold::Down("it waits for its next start".to_owned()));
    let plan = plan_with(&want(SHOP), &seen, &down);
    assert!(plan.waiting.is_empty());
    expect![[r#"
        0 await db Healthy 6s: another service starts when it is healthy
        1 start shop-web-1 (after 0): it ended with code 1
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: it waits for its next start
    "#]]
    .assert_eq(&print(&plan));
}

#[test]
fn nothing_of_a_file_that_did_not_work_is_changed_in_place_and_what_is_down_is_started() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").bounds = Some(Bounds { memory: 1, nano_cpus: 2, pids: 3 });
    container(&mut seen, "shop-web-1").state = State::Exited(1);
    container(&mut seen, "shop-web-1").health = None;
    let changed = SHOP.replace("image: web@", "environment: {NEW: one}\n    image: web@");
    let choice = Choice { recreate: Recreate::Back, ..Choice::default() };
    check_with(
        &want(&changed),
        &seen,
        &choice,
        expect![[r#"
            0 start shop-web-1: it ended with code 1
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
            warning: container `shop-web-1` is left as it is, although its environment changed
        "#]],
    );
}

#[test]
fn what_lost_its_networks_is_made_anew_although_a_file_did_not_work_if_it_is_the_same_in_both() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-db-1").networks.clear();
    container(&mut seen, "shop-web-1").networks.clear();
    let changed = SHOP.replace("image: web@", "environment: {NEW: one}\n    image: web@");
    let choice = Choice { recreate: Recreate::Back, ..Choice::default() };
    check_with(
        &want(&changed),
        &seen,
        &choice,
        expect![[r#"
        0 create shop-db-1.next: it is on no network
        1 stop shop-db-1 60s (after 0): it is on no network
        2 rename shop-db-1 to shop-db-1.previous (after 1): it stays until the new one has proved itself
        3 rename shop-db-1.next to shop-db-1 (after 0 2): it is on no network
        4 start shop-db-1 (after 3): it is on no network
        5 await db Healthy 6s (after 4): an update is good when it is well
        6 remove shop-db-1 (after 2 5): the new one has proved itself
        proved before 6
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-web-1: nothing is to be made anew
        warning: container `shop-web-1` is left as it is, although its environment changed
    "#]],
    );
}

#[test]
fn the_plan_says_how_long_it_may_take_and_when_it_is_looked_at_again() {
    let changed = SHOP.replace("[CMD, ok]", "[CMD, better]");
    let plan = plan(&want(&changed), &up(SHOP));
    // The stop of the database takes a minute at most, and its health has a budget of its own.
    assert!(again(&plan, Restarts::Engine).steps_take_at_most_seconds >= 66);
    let nothing = Plan::default();
    assert_eq!(again(&nothing, Restarts::Ours).steps_take_at_most_seconds, 0);
    expect!["`run` looks again whenever the engine tells of something, and after 30 s at the latest."]
        .assert_eq(&again(&nothing, Restarts::Ours).sentence(false));
    expect!["Nobody looks again by itself: `run` would."]
        .assert_eq(&again(&nothing, Restarts::Engine).sentence(false));
}

#[test]
fn what_depends_on_one_that_is_started_first_waits_until_the_new_one_has_its_name() {
    let shop =
        SHOP.replace("condition: service_healthy", "condition: service_healthy, restart: true").replace(
            "    stop_grace_period: 1m\n",
            "    stop_grace_period: 1m\n    deploy: {update_config: {order: start-first}}\n",
        );
    let newer =
        shop.replace("    volumes: [data:/data]\n", "    volumes: [data:/data]\n    environment: {V: '2'}\n");
    check(
        &want(&newer),
        &up(&shop),
        expect![[r#"
        0 create shop-db-1.next: its environment changed
        1 stop shop-web-1 10s (after 0): `db` is made anew or restarted, and `depends_on` says `restart`
        2 start shop-db-1.next (after 0): its environment changed
        3 await db Healthy 6s (after 2): the old one stops when it is well
        4 stop shop-db-1 60s (after 1 3): its environment changed
        5 rename shop-db-1 to shop-db-1.previous (after 4): it stays until the new one has proved itself
        6 rename shop-db-1.next to shop-db-1 (after 5): its environment changed
        7 await db Healthy 6s (after 2 6): another service starts when it is healthy
        8 start shop-web-1 (after 1 7): `db` is made anew or restarted, and `depends_on` says `restart`
        9 await web Started 60s and 2s on (after 8): an update is good when it is well
        10 remove shop-db-1 (after 1 5 7 9): the new one has proved itself
        proved before 10
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
    "#]],
    );
}
