//! What ended is explained, or left as its code says.

use expect_test::expect;

use super::{check, check_healthy};

#[test]
fn why_a_service_ended_is_said_once_and_shown() {
    check_healthy(
        "
        4 die 1
        4.1 diagnosed write `tmpfs`
        4.5 started
        5 die 1
        5.1 diagnosed write `tmpfs`
        5.2 status
    ",
        expect![[r#"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.1 diagnosed write `tmpfs`
              say web: likely: its root is read-only; write `tmpfs`
            4.5 started
              probe /startupz
            5 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 1.0 s: ended with code 1
            5.1 diagnosed write `tmpfs`
            5.2 status
              0 of 1 services as wanted; service `web` is backing_off: ended with code 1
        "#]],
    );
}

#[test]
fn an_exit_code_that_says_so_is_left_until_the_file_is_read_again() {
    check_healthy(
        "
        4 die 78
        4 status
        5 look exited 78
        6 hup
        6 loaded
        6.1 look exited 78
    ",
        expect![[r"
            4 die 78
              diagnose shop-web-1 after 78
              say web: ended with code 78; not started again: `on_exit` says that starting it again cannot help
            4 status
              0 of 1 services as wanted; service `web` is failed: ended with code 78; not started again: `on_exit` says that starting it again cannot help
            5 look exited 78
            6 hup
              load
            6 loaded
              say : read the stack `shop`
              look at 1 images, knowing 0
            6.1 look exited 78
              say : start container `shop-web-1`: it ended with code 78
              apply start shop-web-1
        "]],
    );
}

#[test]
fn a_crash_loop_is_seen_as_one() {
    let round = "
        {} die 1
        {} start-failed it is broken
    ";
    let script: String = (0..6).map(|n| round.replace("{}", &(4 + n * 40).to_string())).collect();
    check_healthy(
        &(script + "300 status\n"),
        expect![[r#"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4 start-failed it is broken
              say web: restarting in 1.0 s: it could not be started: it is broken
            5.0 tick
              start shop-web-1
            31.0 tick
              look at 0 images, knowing 0
            44 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 2.0 s: ended with code 1
            44 start-failed it is broken
            46.0 tick
              start shop-web-1
            84 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 4.0 s: ended with code 1
            84 start-failed it is broken
            88.0 tick
              start shop-web-1
            124 die 1
              diagnose shop-web-1 after 1
              say web: crash loop, 5 restarts in a row: ended with code 1
            124 start-failed it is broken
            132.0 tick
              start shop-web-1
            164 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 16.0 s: ended with code 1
            164 start-failed it is broken
            180.0 tick
              start shop-web-1
            204 die 1
              diagnose shop-web-1 after 1
              say web: restarting in 32.0 s: ended with code 1
            204 start-failed it is broken
            236.0 tick
              start shop-web-1
            296.0 tick
              say web: restarting in 64.0 s: the engine did not start it in time
            300 status
              0 of 1 services as wanted; service `web` is crash_loop: 8 restarts in a row; the engine did not start it in time
        "#]],
    );
}

#[test]
fn what_a_first_start_shows_to_be_unconfined_is_not_taken_for_somebodys_stop() {
    check(
        "
        0 loaded
        0 connected
        0 look none
        1 start
        1.1 kill 15
        1.2 die 143
        1.2 stop
        1.3 applied-unconfined
        2 look exited 143
        2 status
    ",
        expect![[r#"
            0 loaded
              say : read the stack `shop`
              connect
            0 connected
              say : engine 28.5.2 answers
              listen
              look at 1 images, knowing 0
            0 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
            1 start
            1.1 kill 15
              look at 0 images, knowing 0
            1.2 die 143
              diagnose shop-web-1 after 143
            1.2 stop
            1.3 applied-unconfined
              say web: stopped, not confined as promised: seccomp: promised on, seen off
              stop shop-web-1 within 0 s
              say : container `shop-web-1` is not confined as promised, and was stopped
            2 look exited 143
              say : the stack is watched; stopped and left so: `shop-web-1`
              ready
              look at 0 images, knowing 0
            2 status
              0 of 1 services as wanted; service `web` is failed: stopped, not confined as promised: seccomp: promised on, seen off
        "#]],
    );
}

#[test]
fn a_stop_by_hand_is_told_once_whatever_is_planned_after_it() {
    check_healthy(
        "
        4 kill 15
        4.1 die 0
        4.1 stop
        5 look unguarded exited 0
        6 applied-guard
    ",
        expect![[r#"
            4 kill 15
            4.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            4.1 stop
            5 look unguarded exited 0
              say : set guard `shop`: it was there and is gone
              apply set shop
            6 applied-guard
              look at 0 images, knowing 0
        "#]],
    );
}
