//! Plans for configs that a running container is told of.

use super::super::super::live::Live;
use super::*;

const SITE: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    configs: [site, fixed]
    healthcheck: {test: [CMD, ok], interval: 1s, timeout: 1s, retries: 2}
    depends_on: {db: {condition: service_healthy}}
    network_mode: none
    deploy: {update_config: {monitor: 3s}}
    x-supervisor: {reload: {signal: SIGHUP, on: [site], check: [judge], logs: taken}}
  db:
    image: db@sha256:2222222222222222222222222222222222222222222222222222222222222222
    user: 1000:1000
    network_mode: none
    environment: {VERSION: one}
    healthcheck: {test: [CMD, ok], interval: 1s, timeout: 1s, retries: 2}
configs: {site: {content: one}, fixed: {content: always}}
";

fn two() -> Wanted {
    want(&SITE.replace("content: one", "content: two"))
}

#[test]
fn a_running_container_is_told_of_other_contents_and_watched() {
    check(
        &two(),
        &up(SITE),
        expect![[r#"
            0 reload shop-web-1 by SIGHUP: the content of its `config site` changed; it is told without a restart
            1 await web Healthy 6s and 3s on (after 0): an update is good when it is well
            2 settle shop-web-1 (after 1): its new configs have proved themselves
            proved before 2
            keep container shop-db-1: as wanted, healthy
        "#]],
    );
}

#[test]
fn what_cannot_be_told_is_made_anew() {
    let mut down = up(SITE);
    container(&mut down, "shop-web-1").state = State::Exited(1);
    container(&mut down, "shop-web-1").health = None;
    check(
        &two(),
        &down,
        expect![[r#"
        0 create shop-web-1.next: the content of its configs changed, and it does not run well enough to be told
        1 rename shop-web-1 to shop-web-1.previous (after 0): it stays until the new one has proved itself
        2 rename shop-web-1.next to shop-web-1 (after 0 1): the content of its configs changed, and it does not run well enough to be told
        3 start shop-web-1 (after 2): the content of its configs changed, and it does not run well enough to be told
        4 await web Healthy 6s and 3s on (after 3): an update is good when it is well
        5 remove shop-web-1 (after 1 4): the new one has proved itself
        proved before 5
        keep container shop-db-1: as wanted, healthy
    "#]],
    );
    let mut lost = up(SITE);
    container(&mut lost, "shop-web-1").live = Some(Live::default());
    let mut ill = up(SITE);
    container(&mut ill, "shop-web-1").health = Some(Health::Unhealthy);
    for seen in [lost, ill] {
        let plan = plan(&two(), &seen);
        assert!(
            plan.steps.iter().any(|planned| matches!(planned.step, Step::Create { .. })),
            "{}",
            print(&plan)
        );
    }
}

#[test]
fn other_changes_and_other_configs_make_it_anew_with_files_of_its_own() {
    let generation = |plan: &Plan| {
        plan.steps.iter().find_map(|planned| match &planned.step {
            Step::Create { spec, .. } if spec.service == "web" => Some(spec.generation),
            _ => None,
        })
    };
    assert_eq!(generation(&plan(&want(SITE), &Seen::default())), Some(1));
    let fixed = want(&SITE.replace("content: always", "content: now"));
    assert_eq!(generation(&plan(&fixed, &up(SITE))), Some(2));
}

#[test]
fn what_it_depends_on_comes_first_and_nobody_is_started_again_for_it() {
    let text = SITE.replace("content: one", "content: two").replace("VERSION: one", "VERSION: two");
    check(
        &want(&text),
        &up(SITE),
        expect![[r#"
        0 create shop-db-1.next: its environment changed
        1 stop shop-db-1 10s (after 0): its environment changed
        2 rename shop-db-1 to shop-db-1.previous (after 1): it stays until the new one has proved itself
        3 rename shop-db-1.next to shop-db-1 (after 0 2): its environment changed
        4 start shop-db-1 (after 3): its environment changed
        5 await db Healthy 6s (after 4): another service starts when it is healthy
        6 reload shop-web-1 by SIGHUP (after 5): the content of its `config site` changed; it is told without a restart
        7 await web Healthy 6s and 3s on (after 6): an update is good when it is well
        8 settle shop-web-1 (after 2 5 7): its new configs have proved themselves
        9 remove shop-db-1 (after 2 5 7): the new one has proved itself
        proved before 8
    "#]],
    );
}

#[test]
fn one_that_follows_what_is_made_anew_gets_its_configs_with_that() {
    let text = SITE.replace("service_healthy}", "service_healthy, restart: true}");
    let next = text.replace("content: one", "content: two").replace("VERSION: one", "VERSION: two");
    let plan = plan(&want(&next), &up(&text));
    assert!(!plan.steps.iter().any(|planned| matches!(planned.step, Step::Reload(_))), "{}", print(&plan));
    assert!(
        plan.steps
            .iter()
            .any(|planned| matches!(&planned.step, Step::Create { spec, .. } if spec.service == "web"))
    );
}

#[test]
fn a_reload_that_was_not_finished_is_told_again_or_put_back() {
    let mut seen = up(SITE);
    let live = Live { contents: two().services["web"].containers[0].live_contents(), unfinished: true };
    container(&mut seen, "shop-web-1").live = Some(live);
    check(
        &two(),
        &seen,
        expect![[r#"
        0 reload shop-web-1 by SIGHUP: an update was not finished that gave it its configs anew
        1 await web Healthy 6s and 3s on (after 0): an update is good when it is well
        2 settle shop-web-1 (after 1): its new configs have proved themselves
        proved before 2
        keep container shop-db-1: as wanted, healthy
    "#]],
    );
    let back = Choice { recreate: Recreate::Back, ..Choice::default() };
    check_with(
        &two(),
        &seen,
        &back,
        expect![[r#"
        0 put the configs of shop-web-1 back and tell it: the update that gave it its configs anew is not wanted
        keep container shop-db-1: as wanted, healthy
        warning: container `shop-web-1` is left as it is, although the content of its configs changed
    "#]],
    );
}

#[test]
fn where_nothing_is_to_be_made_anew_nobody_is_told_either() {
    let none = Choice { recreate: Recreate::None, ..Choice::default() };
    check_with(
        &two(),
        &up(SITE),
        &none,
        expect![[r#"
        keep container shop-db-1: as wanted, healthy
        keep container shop-web-1: as wanted, healthy
        warning: container `shop-web-1` is left as it is, although the content of its configs changed
    "#]],
    );
}

#[test]
fn an_update_that_fails_puts_the_configs_back() {
    let before = up(SITE);
    let plan = plan(&two(), &before);
    let now =
        simulate(&before, &Plan { steps: plan.steps.iter().take(1).cloned().collect(), ..plan.clone() });
    assert!(goes_back(&plan, &two(), &[0]));
    expect![[r#"
        0 put the configs of shop-web-1 back and tell it: the update failed, and everything goes back
    "#]]
    .assert_eq(&print(&back(&two(), &plan, &before, &now)));
}

#[test]
fn what_nobody_can_tell_of_is_left_alone() {
    let mut seen = up(SITE);
    container(&mut seen, "shop-web-1").live = None;
    assert!(plan(&two(), &seen).is_empty());
}
