//! A service that somebody has in hand, such as a recording.

use expect_test::expect;

use super::check_healthy;

#[test]
fn nothing_is_done_to_a_service_that_is_lent_and_it_is_as_wanted_again_once_it_is_back() {
    check_healthy(
        "
        4 ask web
        4.1 look met
        5 die 137
        6 look exited 137
        7 look none
        7.5 hup
        7.5 loaded
        7.6 look none
        8 status
        9 ask-no-more
        9.1 look none
        10 applied
        10.1 status
    ",
        expect![[r#"
            4 ask web
              say web: it is left to process 7 (`profile record`), and taken back when that ends
              look at 0 images, knowing 0
            4.1 look met
            5 die 137
            6 look exited 137
            7 look none
            7.5 hup
              load
            7.5 loaded
              say : read the stack `shop`
              look at 1 images, knowing 0
            7.6 look none
            8 status
              0 of 1 services as wanted; service `web` is starting: it is left to process 7 (`profile record`), and not compared with its promise meanwhile
            9 ask-no-more
              say web: it is taken back from process 7 (`profile record`)
              look at 0 images, knowing 0
            9.1 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
            10 applied
              look at 0 images, knowing 0
            10.1 status
              0 of 1 services as wanted; the stack is being brought to its wanted state
        "#]],
    );
}

#[test]
fn a_service_is_not_lent_while_a_plan_is_carried_out_or_it_is_being_healed() {
    check_healthy(
        "
        4 destroy
        4.1 look none
        4.2 ask web
        4.3 status
        5 start
        5 applied
        6 look met
    ",
        expect![[r#"
            4 destroy
            4.1 look none
              say : create container `shop-web-1`: it is not there
              say : start container `shop-web-1`: it is not there
              apply create shop-web-1, start shop-web-1
              look at 0 images, knowing 0
            4.2 ask web
            4.3 status
              0 of 1 services as wanted; the stack is being brought to its wanted state
            5 start
            5 applied
              say web: it is left to process 7 (`profile record`), and taken back when that ends
            6 look met
              look at 0 images, knowing 0
        "#]],
    );
    check_healthy(
        "
        4 die 137
        4.1 ask web
        5 started
    ",
        expect![[r#"
            4 die 137
              diagnose shop-web-1 after 137
              say web: restarting now: ended by signal 9 (code 137)
              start shop-web-1
            4.1 ask web
            5 started
              say web: it is left to process 7 (`profile record`), and taken back when that ends
              look at 0 images, knowing 0
        "#]],
    );
}
