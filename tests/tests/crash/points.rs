//! Each request of an update, of the way back, of `down` and of `up` that may change something: the supervisor is killed before
//! and after it, and it is refused, cut off and late.
//!
//! The points are counted in a run that nothing happens to, and none is left out. Deliberately absent: healing (`heal`), and an
//! engine that is killed (`engine`); other tests share this one.

use serde_json::Value;
use tests::crash::KINDS;

use super::place::{BAD, Place, WELL, every_point};

/// On the engine that is there, so many at a time.
const HERE: (fn() -> Place, usize) = (Place::new, 3);

#[test]
fn an_update_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    first.write("two", WELL);
    let points = first.points(&["up"], 0);
    every_point(points, HERE, &KINDS, |place, point, kind| {
        let (from, to) = if place.hashes() == place.hashes["one"] { ("one", "two") } else { ("two", "one") };
        let what = format!("point {point}, {kind:?}, from {from} to {to}");
        place.write(to, WELL);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        if !kind.kills() {
            // It ended by itself, there or back: nothing that ran before is down.
            let running = place.names_and_states();
            for service in ["db", "web"] {
                let row = format!("{} running", place.bed.container(service));
                assert!(running.contains(&row), "{what}: {running:?}\n{}", ran.err);
            }
        }
        place.run(&["up"], None).0.expect(0);
        place.is_whole(to, &what);
    });
}

#[test]
fn the_way_back_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    first.write("three", BAD);
    let points = first.points(&["up"], 4);
    first.is_whole("one", "a bad update that nothing else happens to");
    every_point(points, HERE, &KINDS, |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        let before: Vec<Value> = place.containers().iter().map(|c| c["Id"].clone()).collect();
        place.write("three", BAD);
        let (ran, fired) = place.run(&["up"], Some((point, kind)));
        assert!(fired, "{what}: never reached\n{}", ran.err);
        assert_ne!(ran.code, 0, "{what}");
        place.write("one", WELL);
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
        let after: Vec<Value> = place.containers().iter().map(|c| c["Id"].clone()).collect();
        assert_eq!(before, after, "{what}: the old containers");
    });
}

#[test]
fn coming_up_and_going_down_that_is_hit_at_any_point_is_finished_by_the_next_run() {
    let mut first = Place::new();
    first.begin();
    let down = first.points(&["down"], 0);
    let up = first.points(&["up"], 0);
    every_point(down.max(up), HERE, &KINDS, |place, point, kind| {
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
