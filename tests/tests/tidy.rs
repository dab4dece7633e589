//! The house rules that a compiler does not check: what depends on what, what every file says first, how long it is.
//!
//! Deliberately absent: anything that needs an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// No file answers one question in more lines than this. Tables and tests of rows are long by nature, and still.
const LONGEST: usize = 800;
/// Half of the files are at most this long.
const MEDIAN: usize = 200;

/// Folders whose code is pure, with what its root file says to keep it so.
const PURE: [(&str, &str); 6] = [
    ("compose/src", "lib.rs"),
    ("profiles/src", "lib.rs"),
    ("supervisor/src/decide", "mod.rs"),
    ("supervisor/src/audit", "mod.rs"),
    ("supervisor/src/hardened", "mod.rs"),
    ("supervisor/src/cloud_init", "mod.rs"),
];

/// What pure code never names.
const IMPURE: [&str; 21] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::os::",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "HashMap",
    "HashSet",
    "tokio::",
    "bollard",
    "rustix",
];
/// What the pure part of the shell's crate never names besides: the rest of it.
const SHELL: [&str; 6] =
    ["crate::engine", "crate::host::", "crate::observe", "crate::apply", "crate::run", "crate::commands"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file below a folder: path from the root, and text.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn all_sources() -> BTreeMap<String, String> {
    [
        "compose/src",
        "confine/src",
        "profiles/src",
        "supervisor/src",
        "tests/src",
        "tests/tests",
        "unotify/src",
        "xtask/src",
    ]
    .iter()
    .flat_map(|folder| sources(folder))
    .collect()
}

/// The part of a file that is not its tests.
fn production(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || name.starts_with("tests/")
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, String)> =
        all_sources().into_iter().map(|(name, text)| (text.lines().count(), name)).collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LONGEST).collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median <= MEDIAN, "half of the files have more than {median} lines");
}

#[test]
fn pure_code_reaches_no_clock_file_environment_network_or_engine() {
    for (folder, first) in PURE {
        for (name, text) in sources(folder) {
            if is_test_file(&name) {
                continue;
            }
            for (number, line) in production(&text).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                // A name in backticks or quotes is text, not a path.
                let shell = SHELL.iter().filter(|_| folder == "supervisor/src/decide");
                let found = IMPURE
                    .iter()
                    .chain(shell)
                    .find(|word| code.contains(**word) && !code.contains(&format!("\"{word}")));
                assert!(
                    found.is_none(),
                    "{name}:{}: pure code names `{}`: {line}",
                    number + 1,
                    found.unwrap()
                );
            }
        }
        let head = std::fs::read_to_string(root().join(folder).join(first)).unwrap();
        let denies = head.contains("clippy::disallowed_methods") && head.contains("clippy::disallowed_types");
        assert!(denies, "{folder}/{first} does not deny what pure code may not use");
    }
}

#[test]
fn only_one_place_names_the_engines_crate_and_one_the_yaml_parser() {
    for (crate_name, place) in [("bollard", "supervisor/src/engine/"), ("saphyr_parser", "compose/src/yaml")]
    {
        let elsewhere: BTreeSet<String> = all_sources()
            .into_iter()
            .filter(|(name, _)| !name.starts_with(place) && !name.starts_with("tests/"))
            .filter(|(_, text)| {
                text.lines().any(|line| {
                    line.split("//").next().unwrap_or_default().contains(&format!("{crate_name}::"))
                })
            })
            .map(|(name, _)| name)
            .collect();
        assert_eq!(elsewhere, BTreeSet::new(), "`{crate_name}` belongs into {place}");
    }
}

#[test]
fn crates_depend_in_one_direction() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| -> BTreeSet<String> {
        let package = metadata["packages"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap();
        let rows = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"].is_null());
        rows.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    // Beside the text itself: which names anyone can have a name under is a list that others keep.
    assert_eq!(of("compose"), set(&["public-suffix", "saphyr-parser"]));
    // What runs inside containers stays small.
    assert_eq!(of("confine"), set(&["landlock"]));
    // A hash is a function over bytes: a profile's name carries one.
    assert_eq!(of("profiles"), set(&["compose", "serde", "serde_json", "sha2"]));
    assert_eq!(of("unotify"), set(&["rustix"]));
    assert!(!of("supervisor").contains("xtask") && !of("supervisor").contains("tests"));
    let ours = set(&["compose", "confine", "profiles", "supervisor", "tests"]);
    assert!(of("xtask").intersection(&ours).all(|name| name != "tests"));
}

#[test]
fn every_room_of_the_architecture_is_there() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 200, "ARCHITECTURE.md has more than 200 lines");
    let folders = ["compose/", "confine/", "profiles/", "supervisor/", "tests/", "unotify/", "xtask/"];
    let missing: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            folders.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*', '<'])
        })
        .filter(|word| !root().join(word).exists())
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "ARCHITECTURE.md names what is not there");
}
