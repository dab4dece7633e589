//! The way back from an update that failed just before its end.

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
