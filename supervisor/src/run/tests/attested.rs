//! What the kernel says of a container's rights, and what follows.

use expect_test::expect;

use super::check_healthy;

#[test]
fn what_was_started_with_more_rights_is_stopped_and_stays_so() {
    check_healthy(
        "
        4 die 1
        4.5 started-unconfined
        4.6 die 137
        4.7 stopped
        5 look exited 137
        5 status
    ",
        expect![[r"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.5 started-unconfined
              say web: stopped, not confined as promised: seccomp: promised on, seen off
              stop shop-web-1 within 0 s
            4.6 die 137
              diagnose shop-web-1 after 137
            4.7 stopped
            5 look exited 137
            5 status
              0 of 1 services as wanted; service `web` is failed: stopped, not confined as promised: seccomp: promised on, seen off
        "]],
    );
}

#[test]
fn the_kernel_is_asked_again_though_nothing_happened() {
    check_healthy(
        "
        20 look met
        33 look met
        34 attested
        50 look met
        64 look met
    ",
        expect![[r#"
            5.0 tick
              probe /healthz
            20 look met
            31.0 tick
              look at 0 images, knowing 1
            33 look met
              attest shop-web-1
            34 attested
            50 look met
            63.0 tick
              look at 0 images, knowing 1
            64 look met
              attest shop-web-1
        "#]],
    );
}

#[test]
fn what_was_refused_and_is_found_running_is_compared_anew() {
    check_healthy(
        "
        4 die 1
        4.5 started-unconfined
        4.6 die 137
        4.7 stopped
        34 look exited 137
        64.2 look met
        64.4 look
    ",
        expect![[r#"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.5 started-unconfined
              say web: stopped, not confined as promised: seccomp: promised on, seen off
              stop shop-web-1 within 0 s
            4.6 die 137
              diagnose shop-web-1 after 137
            4.7 stopped
            31.0 tick
              look at 0 images, knowing 0
            34 look exited 137
            64.0 tick
              look at 0 images, knowing 0
            64.2 look met
              attest shop-web-1
              probe /healthz
            64.4 look
        "#]],
    );
}
