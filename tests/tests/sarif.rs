//! What `check --format sarif` prints is SARIF 2.1.0, by the standard's own schema and a checker that is not ours.
//!
//! The schema comes from the npm registry when the tests are set up (`cargo xtask test`), and is no part of this project.
//! Deliberately absent: what the findings are.

use std::collections::BTreeMap;

use boon::{Compiler, Schemas};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Policy, Report, Request, Source};
use serde_json::Value;

fn judged(file: &str, text: &str) -> Report {
    let (environment, _) = compose::environment(vec![Source::new("./.env", "ON=true\n")], BTreeMap::new());
    let request = Request {
        files: vec![Source::new(file, text)],
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment,
    };
    let host = MemoryHost::default();
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    compose::admit(compose::load(request, &host), &policy, &host).1
}

#[test]
fn every_report_is_valid_by_the_schema_of_sarif() {
    let path = std::env::var("SUPERVISOR_SARIF_SCHEMA")
        .expect("SUPERVISOR_SARIF_SCHEMA: `cargo xtask test` sets it");
    let text = std::fs::read_to_string(path).unwrap();
    let schema: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("file:///sarif.json", schema).unwrap();
    let index = compiler.compile("file:///sarif.json", &mut schemas).unwrap();
    let unreadable = ["a: [", "\u{1b}", "", "x: ${A:?no}", "services: {web: {image: a, imagee: b}, wéb: {}}"];
    let examples = compose::rules::all().flat_map(|rule| [rule.bad, rule.good]);
    let elsewhere = "x-f: &f ${ON}\nservices: {web: {image: a, privileged: *f, pid: \"${MODE:-host}\"}}\n";
    let places = supervisor::render::sarif::report(&judged("compose.yaml", elsewhere));
    assert_eq!(places.matches("relatedLocations").count(), 2, "{places}");
    for text in examples.chain(unreadable).chain([elsewhere]) {
        for file in ["compose.yaml", "/srv/my stack/ü#1.yaml"] {
            let log = supervisor::render::sarif::report(&judged(file, text));
            let log: Value = serde_json::from_str(&log).unwrap();
            schemas.validate(&log, index).unwrap_or_else(|error| panic!("{error:#}\n{text}\n{log:#}"));
        }
    }
    let mut broken: Value =
        serde_json::from_str(&supervisor::render::sarif::report(&judged("compose.yaml", "a: ["))).unwrap();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(schemas.validate(&broken, index).is_err(), "the checker checks nothing");
}
