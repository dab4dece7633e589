//! What is done while a point is hit, and how it has to end: an update, the way back of a bad one, `down` and `up`.
//!
//! The points are counted in a run that nothing happens to, and none is left out. Deliberately absent: what happens at them
//! (`points`, `engine`), and healing (`heal`).

use serde_json::Value;
use tests::crash::Kind;

use super::place::{At, BAD, Place, WELL, every_point};

pub(super) fn update(at: At, kinds: &[Kind]) {
    let points = count(at, |first| {
        first.write("two", WELL);
        first.points(&["up"], 0)
    });
    every_point(points, at, kinds, |place, point, kind| {
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

pub(super) fn way_back(at: At, kinds: &[Kind]) {
    let points = count(at, |first| {
        first.write("three", BAD);
        let points = first.points(&["up"], 4);
        first.is_whole("one", "a bad update that nothing else happens to");
        points
    });
    every_point(points, at, kinds, |place, point, kind| {
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

pub(super) fn down_and_up(at: At, kinds: &[Kind]) {
    let (down, up) = count(at, |first| (first.points(&["down"], 0), first.points(&["up"], 0)));
    every_point(down.max(up), at, kinds, |place, point, kind| {
        let what = format!("point {point}, {kind:?}");
        let hit = |place: &mut Place, command: &str| {
            let (ran, fired) = place.run(&[command], Some((point, kind)));
            assert!(fired, "{what}: never reached\n{}", ran.err);
        };
        if point < down {
            hit(place, "down");
        }
        place.run(&["down"], None).0.expect(0);
        assert_eq!(place.names_and_states(), [""; 0], "{what}");
        place.has_its_data(&what);
        if point < up {
            hit(place, "up");
        }
        place.run(&["up"], None).0.expect(0);
        place.is_whole("one", &what);
    });
}

/// On a place that nothing happens to, and that is gone afterwards.
fn count<T>((make, _): At, run: impl FnOnce(&mut Place) -> T) -> T {
    let mut first = make();
    first.begin();
    run(&mut first)
}
