//! Every attempt of the attack suite, side by side under Docker Compose and under ours, and the table that is kept of it.
//!
//! Deliberately absent: the real stack's containers, in which the same attempts are made (`stack_stands`).

use std::collections::BTreeSet;
use std::path::Path;

use tests::attack::document::{document, kept};
use tests::attack::run::{COMPOSE, GUIDE, OURS, RECORDED, Table, Verdict, run, verdict};
use tests::attack::{NOT_STOPPED, Row, layers};
use tests::steps::Steps;

#[test]
fn ours_blocks_every_attack_that_succeeds_beside_it() {
    let table = run();
    eprintln!("{}", document(&table));
    let mut steps = Steps::default();
    steps.step("every attempt is answered everywhere", || answered(&table));
    steps.step("every attempt succeeds somewhere, or what it needs is not here", || none_is_vacuous(&table));
    for heading in [OURS, RECORDED] {
        steps.step(&format!("{heading} blocks every one"), || {
            assert_eq!(table.through(table.column(heading)), Vec::<&str>::new());
        });
    }
    steps.step("what is said not to be stopped is not", || still_open(&table));
    steps.step("what Compose lets through is less with the guide, and not nothing", || compared(&table));
    steps.step("the table in the docs is what was seen", || as_written(&table));
    steps.finish();
}

#[test]
fn each_layer_stops_something_and_without_one_the_others_hold() {
    let layers = layers::run();
    eprintln!("{}", layers.document());
    let nothing = layers.stoppable(&layers.none).len();
    assert_eq!(layers.stoppable(&layers.all), Vec::<&Row>::new());
    for (layer, alone, without) in &layers.each {
        let open = layers.stoppable(alone).len();
        assert!(open < nothing, "`{}` alone stops nothing", layer.name);
        // The host's own: no layer may be all that stands before it.
        let lost = layers.stoppable(without).into_iter().filter(|row| THE_HOST.contains(&row.class.as_str()));
        let lost: Vec<&str> = lost.map(|row| row.id.as_str()).collect();
        assert!(lost.is_empty(), "without `{}`: {lost:?}", layer.name);
    }
    layers.is_kept_at(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/layers.md")));
}

/// Classes of attempts that give the host away at once.
const THE_HOST: [&str; 4] = ["mounts", "files of the kernel", "devices", "the machine"];

fn answered(table: &Table) {
    assert!(table.rows.len() >= 100, "{} attempts", table.rows.len());
    let names: BTreeSet<&str> = table.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(names.len(), table.rows.len(), "two attempts of one name");
    for (heading, column) in &table.columns {
        for (user, answers) in [("user", &column.user), ("root", &column.root)] {
            let missing: Vec<&str> = table
                .rows
                .iter()
                .map(|row| row.id.as_str())
                .filter(|id| !answers.contains_key(*id))
                .collect();
            assert!(missing.is_empty(), "{heading}, as {user}: no answer to {missing:?}");
            let hangs: Vec<&String> =
                answers.iter().filter(|(_, a)| *a == "hangs").map(|(id, _)| id).collect();
            assert!(hangs.is_empty(), "{heading}, as {user}: {hangs:?} hang");
        }
    }
}

fn none_is_vacuous(table: &Table) {
    let vacuous: Vec<String> = table
        .rows
        .iter()
        .filter(|row| !table.is_applicable(row) && row.needs.is_empty())
        .map(|row| {
            let answer = |answers: &tests::attack::Answers| answers.get(&row.id).cloned().unwrap_or_default();
            format!("{}: {}, {}", row.id, answer(&table.control.user), answer(&table.control.root))
        })
        .collect();
    assert!(vacuous.is_empty(), "these fail with every right too, and so prove nothing: {vacuous:#?}");
    let applicable = table.rows.iter().filter(|row| row.class != NOT_STOPPED && table.is_applicable(row));
    let applicable = applicable.count();
    assert!(applicable >= 80, "only {applicable} attempts can succeed here");
}

fn still_open(table: &Table) {
    let ours = table.column(OURS);
    let stopped = |row: &&Row| row.class == NOT_STOPPED && verdict(ours, &row.id) == Verdict::Blocked;
    let stopped: Vec<&str> = table.rows.iter().filter(stopped).map(|row| row.id.as_str()).collect();
    assert!(stopped.is_empty(), "these are stopped now, and belong to the other classes: {stopped:?}");
}

fn compared(table: &Table) {
    let [nothing, guide] = [COMPOSE, GUIDE].map(|heading| table.through(table.column(heading)).len());
    assert!(nothing > guide && guide > 0, "nothing set {nothing}, with the guide {guide}");
}

fn as_written(table: &Table) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/attacks.md"));
    let text = document(table);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    let [seen, written] = [&text, &written].map(|text| kept(text, &table.on));
    let differ = seen.ours.iter().filter(|(id, answer)| written.ours.get(*id) != Some(*answer));
    let differ: Vec<String> = differ.map(|(id, answer)| format!("{id}: {answer}")).collect();
    let alike = seen.rows == written.rows && seen.ours.len() == written.ours.len() && differ.is_empty();
    assert!(alike, "stale: `cargo xtask docs --attacks` makes every attempt and writes it anew; {differ:?}");
}
