//! The attack program, compiled without any library so that it runs in whatever image it is mounted in.
//!
//! Deliberately absent: the attempts themselves (`bin/attack.rs`), and what their answers have to be.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bed::ran;
use crate::engine::Engine;

/// Compiles the program to this path.
#[track_caller]
pub fn build(to: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/attack.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let flags = [
        "--edition",
        "2024",
        "-C",
        "opt-level=1",
        "-C",
        "panic=abort",
        "-C",
        "target-feature=+crt-static",
        "-o",
    ];
    ran(Command::new(rustc).args(flags).arg(to).arg(source)).expect(0);
}

/// Attempt to answer: `done`, or the name of an error.
pub type Answers = BTreeMap<String, String>;

/// What the program printed.
#[track_caller]
pub fn answers(output: &str) -> Answers {
    let rows: Answers = output
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    assert!(rows.len() > 40, "the attack program did not finish: {output}");
    rows
}

/// The same attempts in a container of the same image that may do everything, as root: what fails there cannot be
/// done on this kernel at all, and proves nothing.
#[track_caller]
pub fn with_every_right(engine: &Engine, project: &str, image: &str, program: &Path) -> Answers {
    let host = json!({"Privileged": true, "SecurityOpt": ["seccomp=unconfined"], "Binds": [bind(program)]});
    run(engine, project, image, &json!({"User": "0:0", "HostConfig": host}))
}

/// The same attempts in a container of the same image as an engine starts it that is told nothing.
#[track_caller]
pub fn with_nothing_set(engine: &Engine, project: &str, image: &str, program: &Path) -> Answers {
    run(engine, project, image, &json!({"HostConfig": {"Binds": [bind(program)]}}))
}

fn bind(program: &Path) -> String {
    format!("{}:/attack:ro", program.display())
}

#[track_caller]
fn run(engine: &Engine, project: &str, image: &str, body: &serde_json::Value) -> Answers {
    let mut body = body.clone();
    body["Image"] = image.into();
    body["Entrypoint"] = json!(["/attack"]);
    body["Cmd"] = json!([]);
    body["Labels"] = json!({"com.docker.compose.project": project});
    let name = format!("{project}-control");
    engine.run(&name, &body);
    engine.wait(&name);
    let output = engine.logs(&name);
    engine.remove(&name);
    answers(&output)
}
