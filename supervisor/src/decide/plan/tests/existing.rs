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

/// The stack as Docker Compose would have made it: none of our labels, but what is read of theirs.
fn composed(text: &str) -> Seen {
    let mut seen = up(text);
    for container in &mut seen.containers {
        (container.hash, container.parts) = (None, None);
    }
    for network in &mut seen.networks {
        (network.project, network.hash, network.composed) = (None, None, true);
        network.labels = [("com.docker.compose.project".to_owned(), "shop".to_owned())].into();
    }
    for volume in &mut seen.volumes {
        (volume.project, volume.hash) = (None, None);
    }
    seen
}

#[test]
fn what_docker_compose_runs_is_replaced_in_one_update_on_its_networks_and_volumes() {
    check(
        &want(SHOP),
        &composed(SHOP),
        expect![[r#"
            0 create network shop_back.previous: it notes the network that is replaced, for the way back
            1 create shop-db-1.next: Docker Compose made it
            2 create shop-web-1.next: Docker Compose made it
            3 stop shop-web-1 10s (after 0 1 2): Docker Compose made it
            4 rename shop-web-1 to shop-web-1.previous (after 3): it stays until the new one has proved itself
            5 stop shop-db-1 60s (after 0 1 2 3): Docker Compose made it
            6 rename shop-db-1 to shop-db-1.previous (after 5): it stays until the new one has proved itself
            7 remove network shop_back (after 0 4 6): Docker Compose made it
            8 create network shop_back (after 7): Docker Compose made it
            9 rename shop-db-1.next to shop-db-1 (after 1 6): Docker Compose made it
            10 start shop-db-1 (after 9): Docker Compose made it
            11 rename shop-web-1.next to shop-web-1 (after 2 4): Docker Compose made it
            12 await db Healthy 6s (after 10): another service starts when it is healthy
            13 start shop-web-1 (after 11 12): Docker Compose made it
            14 await web Started 60s and 2s on (after 13): an update is good when it is well
            15 remove shop-web-1 (after 4 6 12 14): the new one has proved itself
            16 remove shop-db-1 (after 4 6 12 14): the new one has proved itself
            17 remove network shop_back.previous (after 4 6 12 14 15 16): nothing goes back to the network that it notes
            proved before 15
            keep volume shop_data: was there before this project, used as it is
        "#]],
    );
}

#[test]
fn a_network_that_docker_compose_made_otherwise_is_replaced_in_the_same_update_and_comes_back_if_that_fails()
{
    let mut seen = composed(SHOP);
    seen.networks[0].internal = false;
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
        0 create network shop_back.previous: it notes the network that is replaced, for the way back
        1 create shop-db-1.next: Docker Compose made it
        2 create shop-web-1.next: Docker Compose made it
        3 stop shop-web-1 10s (after 0 1 2): Docker Compose made it
        4 rename shop-web-1 to shop-web-1.previous (after 3): it stays until the new one has proved itself
        5 stop shop-db-1 60s (after 0 1 2 3): Docker Compose made it
        6 rename shop-db-1 to shop-db-1.previous (after 5): it stays until the new one has proved itself
        7 remove network shop_back (after 0 4 6): Docker Compose made it with a way out, which it is not to have
        8 create network shop_back (after 7): Docker Compose made it with a way out, which it is not to have
        9 rename shop-db-1.next to shop-db-1 (after 1 6): Docker Compose made it
        10 start shop-db-1 (after 9): Docker Compose made it
        11 rename shop-web-1.next to shop-web-1 (after 2 4): Docker Compose made it
        12 await db Healthy 6s (after 10): another service starts when it is healthy
        13 start shop-web-1 (after 11 12): Docker Compose made it
        14 await web Started 60s and 2s on (after 13): an update is good when it is well
        15 remove shop-web-1 (after 4 6 12 14): the new one has proved itself
        16 remove shop-db-1 (after 4 6 12 14): the new one has proved itself
        17 remove network shop_back.previous (after 4 6 12 14 15 16): nothing goes back to the network that it notes
        proved before 15
        keep volume shop_data: was there before this project, used as it is
    "#]],
    );
    let plan = plan(&want(SHOP), &seen);
    let proved = plan.steps.iter().take(plan.tidy_from.unwrap()).cloned().collect();
    let now = simulate(&seen, &Plan { steps: proved, ..plan.clone() });
    let way = back(&want(SHOP), &plan, &seen, &now);
    expect![[r#"
        0 stop shop-web-1 10s: the update failed, and everything goes back
        1 remove shop-web-1 (after 0): the update failed, and everything goes back
        2 stop shop-db-1 60s (after 0): the update failed, and everything goes back
        3 remove shop-db-1 (after 2): the update failed, and everything goes back
        4 rename shop-db-1.previous to shop-db-1 (after 3): the update failed, and everything goes back
        5 rename shop-web-1.previous to shop-web-1 (after 1): the update failed, and everything goes back
        6 remove network shop_back (after 0 1 2 3 4 5): the update failed, and everything goes back
        7 create network shop_back (after 6): the update failed, and everything goes back
        8 put shop-db-1.previous on shop_back again (after 7): the update failed, and everything goes back
        9 start shop-db-1 (after 0 2 4 8): the update failed, and everything goes back
        10 put shop-web-1.previous on shop_back again (after 7): the update failed, and everything goes back
        11 await db Healthy 6s (after 9): the update failed, and everything goes back
        12 start shop-web-1 (after 0 2 5 10 11): the update failed, and everything goes back
        13 await web Started 300s and 2s on (after 12): the update failed, and everything goes back
        14 remove network shop_back.previous (after 1 3 9 11 12 13): the update failed, and everything goes back
    "#]].assert_eq(&print(&way));
    let after = simulate(&now, &way);
    let rows = |seen: &Seen| {
        let network = seen.networks.iter().map(|n| (n.name.clone(), n.internal, n.labels.clone()));
        network.collect::<Vec<_>>()
    };
    assert_eq!(rows(&after), rows(&seen));
}

#[test]
fn a_network_of_docker_compose_is_not_replaced_while_others_are_on_it() {
    let mut seen = composed(SHOP);
    seen.networks[0].strangers.insert("theirs".to_owned());
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
            0 create shop-db-1.next: Docker Compose made it
            1 create shop-web-1.next: Docker Compose made it
            2 stop shop-web-1 10s (after 0 1): Docker Compose made it
            3 rename shop-web-1 to shop-web-1.previous (after 2): it stays until the new one has proved itself
            4 stop shop-db-1 60s (after 0 1 2): Docker Compose made it
            5 rename shop-db-1 to shop-db-1.previous (after 4): it stays until the new one has proved itself
            6 rename shop-db-1.next to shop-db-1 (after 0 5): Docker Compose made it
            7 start shop-db-1 (after 6): Docker Compose made it
            8 rename shop-web-1.next to shop-web-1 (after 1 3): Docker Compose made it
            9 await db Healthy 6s (after 7): another service starts when it is healthy
            10 start shop-web-1 (after 8 9): Docker Compose made it
            11 await web Started 60s and 2s on (after 10): an update is good when it is well
            12 remove shop-web-1 (after 3 5 9 11): the new one has proved itself
            13 remove shop-db-1 (after 3 5 9 11): the new one has proved itself
            proved before 12
            keep network shop_back: Docker Compose made it as the file has it, used as it is: container `theirs` is on it and does not take part; have all take part, or take that one off it
            keep volume shop_data: was there before this project, used as it is
        "#]],
    );
    seen.networks[0].internal = false;
    check(
        &want(SHOP),
        &seen,
        expect![[r#"
            keep volume shop_data: was there before this project, used as it is
            blocked: network `shop_back` was made by Docker Compose with a way out, which it is not to have, and cannot be replaced: container `theirs` is on it and does not take part; have all take part, or take that one off it
        "#]],
    );
    let mut empty = Seen { containers: Vec::new(), ..seen };
    empty.networks[0].strangers.clear();
    check(
        &want(SHOP),
        &empty,
        expect![[r#"
            keep volume shop_data: was there before this project, used as it is
            blocked: network `shop_back` was made by Docker Compose with a way out, which it is not to have, and cannot be replaced: no container of this folder is on it, so that it may be another's; `docker network rm shop_back` takes it away
        "#]],
    );
}
