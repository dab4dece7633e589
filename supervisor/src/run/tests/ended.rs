//! What ended is explained, or left as its code says.

use expect_test::expect;

use super::check_healthy;

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
