//! What crosses each other: healing and plans, an update and a file that is read meanwhile, a container and its successor.

use expect_test::expect;

use super::check_healthy;

#[test]
fn a_plan_waits_for_what_healing_has_asked_for() {
    // It died, is started again, and has another name than it should: one after the other.
    check_healthy(
        "
        4 die 1
        4.1 look renamed
        4.2 started
        4.3 look renamed
    ",
        expect![[r#"
            4 die 1
              diagnose shop-web-1 after 1
              say web: restarting now: ended with code 1
              start shop-web-1
            4.1 look renamed
            4.2 started
              probe /startupz
            4.3 look renamed
              say : rename container `other`: somebody renamed it
              apply rename other
        "#]],
    );
}

#[test]
fn one_that_somebody_starts_right_after_a_start_of_ours_is_met_anew() {
    check_healthy(
        "
        4 die 137
        4.5 started
        4.6 look running
        5 kill 15
        5.1 die 0
        5.2 start
        5.5 look met
    ",
        expect![[r#"
            4 die 137
              diagnose shop-web-1 after 137
              say web: restarting now: ended by signal 9 (code 137)
              start shop-web-1
            4.5 started
              probe /startupz
            4.6 look running
            5 kill 15
            5.1 die 0
              say web: somebody stopped it: it stays so until somebody starts it
            5.2 start
            5.3 tick
              look at 0 images, knowing 0
            5.5 look met
              attest shop-web-1
        "#]],
    );
}

#[test]
fn an_update_that_fails_after_the_file_was_read_anew_says_nothing_against_the_new_one() {
    check_healthy(
        "
        4 look other
        4.1 hup
        4.2 loaded
        4.3 apply-rejected it ended with code 1
        4.4 status
    ",
        expect![[r#"
            4 look other
              say : create container `shop-web-1.next`: its settings changed
              say : stop container `shop-web-1`: its settings changed
              say : rename container `shop-web-1`: it stays until the new one has proved itself
              say : rename container `shop-web-1.next`: its settings changed
              say : start container `shop-web-1`: its settings changed
              say : wait for service `web`: an update is good when it is well
              say : remove container `shop-web-1`: the new one has proved itself
              apply create shop-web-1.next, stop shop-web-1, rename shop-web-1, rename shop-web-1.next, start shop-web-1, wait for web, remove shop-web-1
            4.1 hup
              load
            4.2 loaded
              say : read the stack `shop`
              look at 1 images, knowing 0
            4.3 apply-rejected it ended with code 1
              say : it ended with code 1
            4.4 status
              0 of 1 services as wanted; it ended with code 1
        "#]],
    );
}

#[test]
fn putting_right_what_somebody_changed_never_ends_in_a_file_that_is_not_taken() {
    check_healthy(
        "
        4 look met
        5 look other
        5.1 apply-rejected it ended with code 1
        5.2 status
    ",
        expect![[r#"
            4 look met
            5 look other
              say : create container `shop-web-1.next`: its settings changed
              say : stop container `shop-web-1`: its settings changed
              say : rename container `shop-web-1`: it stays until the new one has proved itself
              say : rename container `shop-web-1.next`: its settings changed
              say : start container `shop-web-1`: its settings changed
              say : wait for service `web`: an update is good when it is well
              say : remove container `shop-web-1`: the new one has proved itself
              apply create shop-web-1.next, stop shop-web-1, rename shop-web-1, rename shop-web-1.next, start shop-web-1, wait for web, remove shop-web-1
            5.1 apply-rejected it ended with code 1
              say : it ended with code 1
              look at 0 images, knowing 0
            5.2 status
              0 of 1 services as wanted; it ended with code 1
        "#]],
    );
}
