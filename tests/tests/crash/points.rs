//! At each request of an update, of the way back, of `down` and of `up` that may change something the supervisor is killed, before
//! and after it, and it is refused, cut off and late.
//!
//! Deliberately absent: what is done (`histories`), healing (`heal`), and an engine that is killed (`engine`); other tests share
//! this one.

use tests::crash::KINDS;

use super::histories::{down_and_up, update, way_back};
use super::place::{At, Place};

/// On the engine that is there, so many at a time.
const HERE: At = (Place::new, 3);

#[test]
fn an_update_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    update(HERE, &KINDS);
}

#[test]
fn the_way_back_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    way_back(HERE, &KINDS);
}

#[test]
fn coming_up_and_going_down_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    down_and_up(HERE, &KINDS);
}
