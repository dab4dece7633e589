//! At each request of an update, of the way back, of `down` and of `up` that may change something the engine is killed, before it
//! and after it, with all that it runs, and started again; then a clean run leads to the same state as if nothing had been.
//!
//! Deliberately absent: what is done (`histories`), and healing (`heal`).

use tests::crash::Kind;

use super::histories::{down_and_up, update, way_back};
use super::place::{At, Place};

/// What is killed is the engine.
const KINDS: [Kind; 2] = [Kind::KilledBefore, Kind::KilledAfter];
/// Each on an engine of its own, so many at a time.
const ALONE: At = (Place::on_its_own_engine, 2);

#[test]
fn an_update_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    update(ALONE, &KINDS);
}

#[test]
fn the_way_back_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    way_back(ALONE, &KINDS);
}

#[test]
fn coming_up_and_going_down_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    down_and_up(ALONE, &KINDS);
}
