//! The documents at the root say what is so: the tests and files that they name are there.
//!
//! Deliberately absent: the generated documents, each of which has its test beside what it is generated from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The words of a text that stand between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of every function that is written in the workspace's Rust files.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["compose", "confine", "profiles", "supervisor", "tests", "xtask"]
        .iter()
        .map(|member| root().join(member))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let after = text.split("fn ").skip(1);
                names.extend(
                    after.filter_map(|rest| rest.split(['(', '<']).next()).map(|name| name.trim().to_owned()),
                );
            }
        }
    }
    names
}

/// A name as the tests have them: small letters, digits, and at least two underscores.
fn is_test_name(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && word.matches('_').count() >= 2
}

#[test]
fn every_promise_names_tests_that_are_there() {
    let functions = functions();
    for document in ["SPECIFICATION.md", "ARCHITECTURE.md"] {
        let text = read(document);
        let missing: Vec<_> =
            quoted(&text).filter(|word| is_test_name(word) && !functions.contains(*word)).collect();
        assert!(missing.is_empty(), "{document} names tests that are not there: {missing:?}");
    }
    let text = read("SPECIFICATION.md");
    let promises = text
        .lines()
        .filter(|line| line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok()));
    assert_eq!(promises.count(), text.matches("Kept by `").count(), "a promise without a test that keeps it");
}
