//! Somebody changed a limit: it is put right, and nobody is refused for it.

use expect_test::expect;

use super::check_healthy;

#[test]
fn a_limit_that_somebody_changed_unheard_is_put_right_and_not_refused() {
    check_healthy(
        "
        40 look
        40.1 attested-drifted
        40.3 look
        40.4 applied
        40.5 look
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            31.0 tick
              look at 0 images, knowing 1
            40 look
              attest shop-web-1
            40.1 attested-drifted
            40.2 tick
              look at 0 images, knowing 1
            40.3 look
              say : change container `shop-web-1`: its memory limit is not as wanted; changed in place
              apply change shop-web-1
            40.4 applied
              look at 0 images, knowing 1
            40.5 look
        "#]],
    );
}

#[test]
fn what_healing_starts_is_put_right_as_it_runs_and_all_else_counts() {
    check_healthy(
        "
        4 die 1
        4.1 started-drifted
        4.3 look
        4.4 applied
        4.5 look
    ",
        expect![[r#"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.1 started-drifted
              probe /startupz
            4.2 tick
              look at 0 images, knowing 1
            4.3 look
              say : change container `shop-web-1`: its memory limit is not as wanted; changed in place
              apply change shop-web-1
            4.4 applied
              look at 0 images, knowing 1
            4.5 look
        "#]],
    );
    check_healthy(
        "
        40 look
        40.1 attested-drifted
        40.3 look
        40.4 apply-failed it is full
        40.6 look
        40.7 attested-unconfined still
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            31.0 tick
              look at 0 images, knowing 1
            40 look
              attest shop-web-1
            40.1 attested-drifted
            40.2 tick
              look at 0 images, knowing 1
            40.3 look
              say : change container `shop-web-1`: its memory limit is not as wanted; changed in place
              apply change shop-web-1
            40.4 apply-failed it is full
              say : it is full
              look at 0 images, knowing 1
            40.6 look
              attest shop-web-1
            40.7 attested-unconfined still
              say web: stopped, not confined as promised: seccomp: promised on, seen off
              stop shop-web-1 within 0 s
        "#]],
    );
}

#[test]
fn a_limit_that_is_never_as_it_was_set_is_refused() {
    let round = "
        {0} look
        {0}.1 attested-drifted
        {0}.3 look
        {0}.4 applied-guard
    ";
    let script: String = (1..4).map(|n| round.replace("{0}", &(n * 40).to_string())).collect();
    check_healthy(
        &script,
        expect![[r#"
        5.0 tick
          probe /healthz
        31.0 tick
          look at 0 images, knowing 1
        40 look
          attest shop-web-1
        40.1 attested-drifted
        40.2 tick
          look at 0 images, knowing 1
        40.3 look
          say : change container `shop-web-1`: its memory limit is not as wanted; changed in place
          apply change shop-web-1
        40.4 applied-guard
          look at 0 images, knowing 1
        80 look
          attest shop-web-1
        80.1 attested-drifted
        80.2 tick
          look at 0 images, knowing 1
        80.3 look
          say : change container `shop-web-1`: its memory limit is not as wanted; changed in place
          apply change shop-web-1
        80.4 applied-guard
          look at 0 images, knowing 1
        120 look
          attest shop-web-1
        120.1 attested-drifted
          say web: stopped, not confined as promised: memory: promised 1024 MiB, seen 1 MiB
          stop shop-web-1 within 0 s
        120.2 tick
          look at 0 images, knowing 0
        120.3 look
        120.4 applied-guard
          look at 0 images, knowing 0
    "#]],
    );
}
