//! Each request of an update, of the way back, of `down` and of `up` that may change something: the engine is killed before it
//! and after it, with all that it runs, and started again; then a clean run leads to the same state as if nothing had been.
//!
//! The points are counted in a run that nothing happens to, and none is left out. Deliberately absent: healing (`heal`).

use serde_json::Value;
use tests::crash::Kind;

use super::place::{BAD, Place, WELL, every_point};

/// What is killed is the engine.
const KINDS: [Kind; 2] = [Kind::KilledBefore, Kind::KilledAfter];
/// Each on an engine of its own, so many at a time.
const ALONE: (fn() -> Place, usize) = (Place::on_its_own_engine, 2);

#[test]
fn an_update_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::on_its_own_engine();
    first.begin();
    first.write("two", WELL);
    let points = first.points(&["up"], 0);
    drop(first);
    every_point(points, ALONE, &KINDS, |place, point, kind| {
        let (from, to) = if place.hashes() == place.hashes["one"] { ("one", "two") } else { ("two", "one") };
        let what = format!("point {point}, {kind:?}, from {from} to {to}");
        place.write(to, WELL);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        place.run(&["up"], None).0.expect(0);
        place.is_whole(to, &what);
    });
}

#[test]
fn the_way_back_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::on_its_own_engine();
    first.begin();
    first.write("three", BAD);
    let points = first.points(&["up"], 4);
    drop(first);
    every_point(points, ALONE, &KINDS, |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        let ids = |place: &Place| place.containers().iter().map(|c| c["Id"].clone()).collect::<Vec<Value>>();
        let before = ids(place);
        place.write("three", BAD);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        assert_ne!(ran.code, 0, "{what}");
        place.write("one", WELL);
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
        assert_eq!(before, ids(place), "{what}: the old containers");
    });
}

#[test]
fn coming_up_and_going_down_in_which_the_engine_is_killed_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::on_its_own_engine();
    first.begin();
    let down = first.points(&["down"], 0);
    let up = first.points(&["up"], 0);
    drop(first);
    every_point(down.max(up), ALONE, &KINDS, |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        if point < down {
            let (ran, fired) = place.run(&["down"], Some((point, kind)));
            assert!(fired, "{what}: never reached\n{}", ran.err);
        }
        place.run(&["down"], None).0.expect(0);
        assert_eq!(place.names_and_states(), [""; 0], "{what}");
        place.has_its_data(&what);
        if point < up {
            let (ran, fired) = place.run(&["up"], Some((point, kind)));
            assert!(fired, "{what}: never reached\n{}", ran.err);
        }
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
    });
}
