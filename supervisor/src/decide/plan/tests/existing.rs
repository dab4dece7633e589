//! Plans over the containers that are there: down, stop, start, restart.

use std::collections::BTreeSet;

use super::*;

#[test]
fn down_stops_dependents_first_and_keeps_volumes_unless_told() {
    let seen = up(SHOP);
    let wanted = want(SHOP);
    expect![[r#"
        0 stop shop-web-1 10s: the project goes down
        1 remove shop-web-1 (after 0): the project goes down
        2 stop shop-db-1 60s (after 0): the project goes down
        3 remove shop-db-1 (after 2): the project goes down
        4 remove network shop_back (after 1 3): the project goes down
        keep volume shop_data: holds data; `--volumes` removes it
    "#]]
    .assert_eq(&print(&down("shop", Some(&wanted), &seen, Volumes::Keep)));
    let plan = down("shop", None, &seen, Volumes::Remove);
    expect![[r#"
        0 stop shop-web-1 10s: the project goes down
        1 remove shop-web-1 (after 0): the project goes down
        2 stop shop-db-1 10s: the project goes down
        3 remove shop-db-1 (after 2): the project goes down
        4 remove network shop_back (after 1 3): the project goes down
        5 remove volume shop_data (after 1 3): `--volumes` was asked for
    "#]]
    .assert_eq(&print(&plan));
    let nothing = simulate(&seen, &plan);
    assert_eq!(nothing, Seen::default());
    assert!(down("shop", Some(&wanted), &nothing, Volumes::Remove).is_empty());
}

#[test]
fn down_leaves_what_is_not_ours() {
    let mut seen = up(SHOP);
    for container in &mut seen.containers {
        container.project = Some("other".to_owned());
    }
    seen.networks.clear();
    expect![[r#"
        0 remove volume shop_data: `--volumes` was asked for
    "#]]
    .assert_eq(&print(&down("shop", Some(&want(SHOP)), &seen, Volumes::Remove)));
}

#[test]
fn stop_start_and_restart_keep_the_order() {
    let (wanted, seen) = (want(SHOP), up(SHOP));
    let plan = stop(&wanted, &seen, &BTreeSet::new());
    expect![[r#"
        0 stop shop-web-1 10s: a stop was asked for
        1 stop shop-db-1 60s (after 0): a stop was asked for
    "#]]
    .assert_eq(&print(&plan));
    let stopped = simulate(&seen, &plan);
    expect![[r#"
        0 start shop-db-1: a start was asked for
        1 await db Healthy 6s (after 0): another service starts when it is healthy
        2 start shop-web-1 (after 1): a start was asked for
    "#]]
    .assert_eq(&print(&start(&wanted, &stopped, &BTreeSet::new())));
    expect![[r#"
        0 stop shop-db-1 60s: a restart was asked for
        1 start shop-db-1 (after 0): a restart was asked for
    "#]]
    .assert_eq(&print(&restart(&wanted, &seen, &["db".to_owned()].into())));
}
