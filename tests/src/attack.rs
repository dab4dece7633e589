//! The attack program: compiled without any library so that it runs in whatever image it is put, and read.
//!
//! Deliberately absent: the attempts themselves (`bin/attack/`), and what their answers have to be.

pub mod containers;
pub mod document;
pub mod layers;
pub mod outside;
pub mod run;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bed::ran;
use crate::engine::Engine;

/// The class of what is known to go through.
pub const NOT_STOPPED: &str = "not stopped";
/// The class of what uses up what others need too.
pub const RESOURCES: &str = "resources";

/// Compiles the program to this path; where `SUPERVISOR_ATTACK` names it, copies it.
#[track_caller]
pub fn build(to: &Path) {
    if let Some(program) = std::env::var_os("SUPERVISOR_ATTACK") {
        std::fs::copy(program, to).expect("the attack program");
        return;
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/attack/main.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let flags = ["opt-level=1", "panic=abort", "target-feature=+crt-static", "strip=symbols"];
    let flags = flags.iter().flat_map(|flag| ["-C", flag]);
    ran(Command::new(rustc).args(["--edition", "2024"]).args(flags).arg("-o").arg(to).arg(source)).expect(0);
}

/// What is said of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its class.
    pub class: String,
    /// Its name.
    pub id: String,
    /// What it does.
    pub tries: String,
    /// What is so when it succeeds.
    pub done: String,
    /// Why that matters.
    pub why: String,
    /// What should stop it.
    pub layers: String,
    /// What a kernel or engine has to have, or nothing.
    pub needs: String,
}

/// Every row of a program, in the order of the docs.
#[track_caller]
pub fn rows(program: &Path) -> Vec<Row> {
    let list = ran(Command::new(program).arg("list")).expect(0).out;
    let rows = list.lines().map(|line| {
        let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [class, id, tries, done, why, layers, needs] = columns.try_into().expect("seven columns");
        Row { class, id, tries, done, why, layers, needs }
    });
    rows.collect()
}

/// Attempt to answer: `done`, `weakened`, the name of an error, or that of the signal that ended it.
pub type Answers = BTreeMap<String, String>;

/// What the program printed.
#[track_caller]
pub fn answers(output: &str) -> Answers {
    let rows: Answers = output
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    assert!(rows.len() > 80, "the attack program did not finish: {output}");
    rows
}

/// The same attempts in a container of the same image that may do everything, as root: what fails there cannot be
/// done in this image at all, and proves nothing.
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

/// The arguments under which the program leaves a stack that others use as it is.
pub const GENTLY: [&str; 3] = ["without", RESOURCES, NOT_STOPPED];

fn bind(program: &Path) -> String {
    format!("{}:/attack:ro", program.display())
}

/// The same attempts in a container of this engine description.
#[track_caller]
pub fn with(engine: &Engine, project: &str, image: &str, body: &serde_json::Value) -> Answers {
    run(engine, project, image, body)
}

#[track_caller]
fn run(engine: &Engine, project: &str, image: &str, body: &serde_json::Value) -> Answers {
    let mut body = body.clone();
    body["Image"] = image.into();
    body["Entrypoint"] = json!(["/attack"]);
    body["Cmd"] = json!(GENTLY);
    body["Labels"] = json!({"com.docker.compose.project": project});
    let name = format!("{project}-control");
    engine.run(&name, &body);
    engine.wait(&name);
    let output = engine.logs(&name);
    engine.remove(&name);
    answers(&output)
}
