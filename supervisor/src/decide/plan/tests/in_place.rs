//! Plans for containers that stay: what is changed on them as they run.

use super::super::super::spec::{Bounds, Restart};
use super::*;

#[test]
fn a_container_that_was_renamed_or_has_a_network_too_many_or_too_few_is_put_right_as_it_runs() {
    let shop = SHOP.replace("    networks: [back]\n  db", "    networks: [back, front]\n  db");
    let shop = shop.replace("{back: {}}", "{back: {}, front: {}}");
    let mut seen = up(&shop);
    container(&mut seen, "shop-db-1").name = "old".to_owned();
    container(&mut seen, "shop-web-1").networks.remove("shop_front");
    container(&mut seen, "shop-web-1").networks.insert("elsewhere".to_owned(), None);
    check(
        &want(&shop),
        &seen,
        expect![[r#"
            0 rename old to shop-db-1: somebody renamed it
            1 connect shop-web-1 to shop_front: it is not on network `shop_front`
            2 disconnect shop-web-1 from elsewhere (after 1): it is on network `elsewhere`, where it is not wanted
            3 await web Started 60s and 2s on (after 1 2): an update is good when it is well
            proved before 4
            keep network shop_back: as wanted
            keep network shop_front: as wanted
            keep volume shop_data: as wanted
        "#]],
    );
}

#[test]
fn a_network_that_the_file_gains_or_loses_is_joined_or_left_in_place() {
    let shop = SHOP.replace("    networks: [back]\n  db", "    networks: [back, front]\n  db");
    let shop = shop.replace("{back: {}}", "{back: {}, front: {}}");
    check(
        &want(&shop),
        &up(SHOP),
        expect![[r#"
            0 create network shop_front: it is not there
            1 connect shop-web-1 to shop_front (after 0): it is not on network `shop_front`
            2 await web Started 60s and 2s on (after 1): an update is good when it is well
            proved before 3
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
    check(
        &want(SHOP),
        &up(&shop),
        expect![[r#"
            0 disconnect shop-web-1 from shop_front: it is on network `shop_front`, where it is not wanted
            1 await web Started 60s and 2s on (after 0): an update is good when it is well
            proved before 2
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
    let fixed = shop.replace("[back, front]", "{back: {}, front: {aliases: [www]}}");
    check(
        &want(&fixed),
        &up(&shop),
        expect![[r#"
            0 create shop-web-1.next: its networks changed
            1 stop shop-web-1 10s (after 0): its networks changed
            2 rename shop-web-1 to shop-web-1.previous (after 1): it stays until the new one has proved itself
            3 rename shop-web-1.next to shop-web-1 (after 0 2): its networks changed
            4 start shop-web-1 (after 3): its networks changed
            5 await web Started 60s and 2s on (after 4): an update is good when it is well
            6 remove shop-web-1 (after 2 5): the new one has proved itself
            proved before 6
            keep network shop_back: as wanted
            keep network shop_front: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn limits_are_changed_in_place_whoever_changed_them() {
    let shop = SHOP.replace("    depends_on", "    mem_limit: 64m\n    cpus: 0.3\n    depends_on");
    let less = shop.replace("64m", "48m").replace("0.3", "0.2");
    check(
        &want(&less),
        &up(&shop),
        expect![[r#"
            0 set bounds of shop-web-1 to memory=50331648,nano_cpus=200000000,pids=256: its memory and processor limits are not as wanted; changed in place
            1 await web Started 60s and 2s on (after 0): an update is good when it is well
            proved before 2
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
    let mut seen = up(&shop);
    container(&mut seen, "shop-web-1").bounds =
        Some(Bounds { memory: 1 << 30, nano_cpus: 300_000_000, pids: 9 });
    check(
        &want(&shop),
        &seen,
        expect![[r#"
            0 set bounds of shop-web-1 to memory=67108864,nano_cpus=300000000,pids=256: its memory and process limits are not as wanted; changed in place
            1 await web Started 60s and 2s on (after 0): an update is good when it is well
            proved before 2
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
    container(&mut seen, "shop-web-1").bounds = None;
    check(
        &want(&shop),
        &seen,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
    let held = [("shop-web-1".to_owned(), Hold::Alone("somebody stopped it".to_owned()))];
    check_with(
        &want(&less),
        &up(&shop),
        &Choice { held: held.into(), ..Choice::default() },
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: somebody stopped it
    "#]],
    );
}

#[test]
fn a_container_on_no_network_at_all_is_made_anew() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-web-1").networks.clear();
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
            0 create shop-web-1.next: it is on no network
            1 stop shop-web-1 10s (after 0): it is on no network
            2 rename shop-web-1 to shop-web-1.previous (after 1): it stays until the new one has proved itself
            3 rename shop-web-1.next to shop-web-1 (after 0 2): it is on no network
            4 start shop-web-1 (after 3): it is on no network
            5 await web Started 60s and 2s on (after 4): an update is good when it is well
            6 remove shop-web-1 (after 2 5): the new one has proved itself
            proved before 6
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn a_restart_policy_is_changed_in_place() {
    let shop = SHOP.replace("    depends_on", "    restart: unless-stopped\n    depends_on");
    let ours = want_with(&shop, Restarts::Ours, &[], |image| Some(format!("id-of-{image}")));
    check(
        &ours,
        &up(&shop),
        expect![[r#"
            0 set restart of shop-web-1 to No: its restart policy is `unless-stopped`, and `no` is wanted; changed in place
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
    let mut seen = up(&shop);
    container(&mut seen, "shop-web-1").restart = None;
    check(
        &ours,
        &seen,
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
    "#]],
    );
    container(&mut seen, "shop-db-1").restart = Some(Restart::Always);
    check(
        &ours,
        &seen,
        expect![[r#"
            0 set restart of shop-db-1 to No: its restart policy is `always`, and `no` is wanted; changed in place
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
            keep container shop-web-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn what_only_puts_right_what_was_well_before_has_nothing_to_prove_and_no_way_back() {
    let mut seen = up(SHOP);
    container(&mut seen, "shop-web-1").networks.insert("elsewhere".to_owned(), None);
    container(&mut seen, "shop-db-1").bounds = Some(Bounds { memory: 1, nano_cpus: 1, pids: 9 });
    check_with(
        &want(SHOP),
        &seen,
        &Choice { standing: Standing::Proved, ..Choice::default() },
        expect![[r#"
            0 set bounds of shop-db-1 to memory=1073741824,nano_cpus=1000000000,pids=256: its memory, processor and process limits are not as wanted; changed in place
            1 disconnect shop-web-1 from elsewhere: it is on network `elsewhere`, where it is not wanted
            keep network shop_back: as wanted
            keep volume shop_data: as wanted
        "#]],
    );
}

#[test]
fn what_is_down_has_the_wanted_limits_before_it_is_started_whatever_it_had() {
    let mut seen = up(SHOP);
    for (name, bounds) in
        [("shop-db-1", None), ("shop-web-1", Some(Bounds { memory: 1, nano_cpus: 1, pids: 1 }))]
    {
        let container = container(&mut seen, name);
        (container.state, container.health, container.bounds) = (State::Exited(137), None, bounds);
    }
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        0 set bounds of shop-db-1 to memory=1073741824,nano_cpus=1000000000,pids=256: nobody knows its limits, and it is started
        1 start shop-db-1 (after 0): it ended with code 137
        2 set bounds of shop-web-1 to memory=1073741824,nano_cpus=1000000000,pids=256: its memory, processor and process limits are not as wanted; changed in place
        3 await db Healthy 6s (after 1): another service starts when it is healthy
        4 start shop-web-1 (after 2 3): it ended with code 137
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
    "#]],
    );
    // What waits for somebody is not touched for what nobody knows of it.
    let held = ["shop-db-1", "shop-web-1"].map(|name| (name.to_owned(), Hold::Over("it gave up".to_owned())));
    container(&mut seen, "shop-web-1").bounds = None;
    check_with(
        &want(SHOP),
        &seen,
        &Choice { held: held.into(), ..Choice::default() },
        expect![[r#"
        keep network shop_back: as wanted
        keep volume shop_data: as wanted
        keep container shop-db-1: it gave up
        keep container shop-web-1: it gave up
    "#]],
    );
}
