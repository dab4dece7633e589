//! The engine ends and is started again: what it stopped itself is not somebody's stop.

use std::time::Duration;

use expect_test::expect;

use super::check_healthy;
use crate::decide::heal::{Phase, State};
use crate::decide::testing::want;
use crate::run::keep::Keep;

#[test]
fn what_an_engine_stops_as_it_ends_is_started_when_it_is_back() {
    check_healthy(
        "
        100 deaf
        100.1 connected one
        100.2 look
        200 kill 15
        200.1 die 0
        200.1 stop
        201 deaf
        201.1 unreachable
        202.1 connected two
        202.2 look exited 0
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            31.0 tick
              look at 0 images, knowing 1
            100 deaf
              say : the engine's events ended: nothing listens there
            100.1 connected one
              say : engine 28.5.2 answers
              listen since then
            100.2 look
              attest shop-web-1
              look at 0 images, knowing 1
            200 kill 15
            200.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            200.1 stop
            201 deaf
              say : the engine's events ended: nothing listens there
            201.1 unreachable
            202.1 connected two
              say : engine 28.5.2 answers
              say : the engine was started anew
              listen
            202.2 look exited 0
              say : start container `shop-web-1`: it ended with code 0
              apply start shop-web-1
              look at 0 images, knowing 0
        "#]],
    );
}

#[test]
fn what_somebody_stopped_stays_so_where_the_engine_was_away_alone() {
    check_healthy(
        "
        100 deaf
        100.1 connected one
        100.2 look
        200 kill 15
        200.1 die 0
        200.1 stop
        201 deaf
        201.1 connected one
        201.2 look exited 0
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            31.0 tick
              look at 0 images, knowing 1
            100 deaf
              say : the engine's events ended: nothing listens there
            100.1 connected one
              say : engine 28.5.2 answers
              listen since then
            100.2 look
              attest shop-web-1
              look at 0 images, knowing 1
            200 kill 15
            200.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            200.1 stop
            201 deaf
              say : the engine's events ended: nothing listens there
            201.1 connected one
              say : engine 28.5.2 answers
              listen since then
            201.2 look exited 0
              look at 0 images, knowing 0
        "#]],
    );
}

#[test]
fn what_somebody_stopped_long_before_the_engine_ended_stays_so() {
    check_healthy(
        "
        100 deaf
        100.1 connected one
        100.2 look
        200 kill 15
        200.1 die 0
        200.1 stop
        300 deaf
        300.1 unreachable
        301.1 connected two
        301.2 look exited 0
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            31.0 tick
              look at 0 images, knowing 1
            100 deaf
              say : the engine's events ended: nothing listens there
            100.1 connected one
              say : engine 28.5.2 answers
              listen since then
            100.2 look
              attest shop-web-1
              look at 0 images, knowing 1
            200 kill 15
            200.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            200.1 stop
            300 deaf
              say : the engine's events ended: nothing listens there
            300.1 unreachable
            301.1 connected two
              say : engine 28.5.2 answers
              say : the engine was started anew
              listen
            301.2 look exited 0
              look at 0 images, knowing 0
        "#]],
    );
}

/// Another run of the engine mounts no image again, and which run it was before is not remembered.
#[test]
fn what_waits_for_its_next_start_and_mounts_an_image_is_left_to_a_plan() {
    let is_held = |further: &str| {
        let wanted = want(&format!("services: {{web: {{image: 'i:1'{further}}}}}"));
        let service = &wanted.services["web"];
        let mut remembered = State::default();
        remembered.phase = Phase::BackingOff { until: Duration::from_secs(9), reason: "it ended".to_owned() };
        Keep::new(service, &service.containers[0], Some(remembered)).heal.held().is_some()
    };
    assert!(is_held(", volumes: [{type: volume, target: /data}]"));
    assert!(!is_held(", volumes: [{type: image, source: 'site:1', target: /site}]"));
}
