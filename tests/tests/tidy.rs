//! Rules about the source itself, checked on the desk: which parts are pure, and that the lint which keeps them so is on.

#![allow(clippy::unwrap_used, reason = "a test's own helper functions")]

use std::fs;
use std::path::{Path, PathBuf};

/// The pure parts: the file that must carry the lint, and the folder that it covers.
const PURE: &[(&str, &str)] = &[
    ("compose/src/lib.rs", "compose/src"),
    ("profiles/src/lib.rs", "profiles/src"),
    ("supervisor/src/decide/mod.rs", "supervisor/src/decide"),
];

const DENY: &str = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";

/// Words that name a clock, a file system, an environment, a socket or the engine's crate in a path. The lint sees
/// functions and types by name; this sees whole modules, and new functions of them.
const WORDS: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "tokio",
    "bollard",
    "rustix",
    "jiff",
    "axum",
    "hyper",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The lines of a file before its tests, without comments.
fn code(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
        .collect()
}

#[test]
fn pure_parts_deny_the_outside() {
    for (file, _) in PURE {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.lines().any(|line| line == DENY), "{file} lacks `{DENY}`");
    }
}

#[test]
fn pure_parts_name_nothing_of_the_outside() {
    let mut found = Vec::new();
    for (_, folder) in PURE {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in code(&text) {
                for word in WORDS.iter().filter(|word| line.contains(*word)) {
                    found.push(format!("{}:{number}: `{word}` in pure code: {line}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_engines_crate_is_named_in_one_folder() {
    let mut found = Vec::new();
    for path in rust_files(&root().join("supervisor/src")) {
        if path.components().any(|part| part.as_os_str() == "engine") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        found.extend(
            code(&text)
                .into_iter()
                .filter(|(_, line)| line.contains("bollard"))
                .map(|(number, line)| format!("{}:{number}: {line}", path.display())),
        );
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_lints_list_names_the_clock_files_environment_and_order() {
    let text = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for path in [
        "std::time::Instant",
        "std::time::SystemTime",
        "std::fs::File",
        "std::env::var",
        "std::collections::HashMap",
    ] {
        assert!(text.contains(&format!("\"{path}\"")), "clippy.toml no longer lists `{path}`");
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let mut found = Vec::new();
    for folder in ["compose", "profiles", "supervisor", "tests", "xtask"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            if !text.starts_with("//!") {
                found.push(path.display().to_string());
            }
        }
    }
    assert!(found.is_empty(), "no `//!` at the start of:\n{}", found.join("\n"));
}
