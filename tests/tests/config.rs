//! What `config` prints is a stack that Docker Compose accepts, and with `--as-written` the one that Docker Compose prints, by Docker
//! Compose's own word.
//!
//! Deliberately absent: what it does with it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use compose::emit::{self, Credentials};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Admitted, Policy, Request, Source};
use serde_json::Value;
use tests::spellings::{FILES, MERGED, SERVICE, STRICTER};

fn admitted(text: &str) -> Option<Admitted> {
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: compose::Environment::default(),
    };
    let host = MemoryHost::default();
    let policy = Policy {
        today: Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    compose::admit(compose::load(request, &host), &policy, &host).0
}

#[test]
fn docker_compose_accepts_every_hardened_stack_as_yaml_and_as_json() {
    let program = std::env::var_os("DOCKER_COMPOSE").expect("DOCKER_COMPOSE: `cargo xtask test` sets it");
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = 0;
    for text in compose::rules::all().map(|rule| rule.good) {
        let Some(admitted) = admitted(text) else { continue };
        for written in [
            emit::yaml(admitted.project(), Credentials::Shown),
            emit::json(admitted.project(), Credentials::Shown),
        ] {
            let mut compose = Command::new(&program);
            compose.args(["-f", "-", "config", "-q"]).current_dir(folder.path());
            let mut child = compose.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(written.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}\n{text}\n{written}");
            accepted += 1;
        }
    }
    assert!(accepted > 100, "{accepted}");
}

/// The variables that both see.
fn variables() -> [(String, String); 2] {
    [("HOME".to_owned(), "/home/user".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())]
}

/// The files that are named by `-f`: the others are those that they lead to.
fn named<'a>(files: &'a [(&str, &str)]) -> impl Iterator<Item = &'a (&'a str, &'a str)> {
    files.iter().filter(|(name, _)| ["compose.yaml", "a.yaml", "b.yaml"].contains(name))
}

/// What Docker Compose prints of files in a folder, or why it does not.
fn theirs(folder: &Path, files: &[(&str, &str)]) -> Result<Value, String> {
    let program = std::env::var_os("DOCKER_COMPOSE").expect("DOCKER_COMPOSE: `cargo xtask test` sets it");
    let mut compose = Command::new(program);
    compose.current_dir(folder).env_clear().envs(variables()).args(["-p", "stack", "--profile", "*"]);
    for (name, _) in named(files) {
        compose.args(["-f", name]);
    }
    let output = compose.args(["config", "--format", "json"]).output().unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What we print of them, or why we do not.
fn ours(folder: &Path, files: &[(&str, &str)]) -> Result<Value, String> {
    let host = MemoryHost {
        files: files.iter().map(|(name, text)| (folder.join(name), text.as_bytes().to_vec())).collect(),
        ..MemoryHost::default()
    };
    let request = Request {
        files: named(files).map(|(name, text)| Source::new(*name, *text)).collect(),
        directory: folder.into(),
        project_name: Some("stack".into()),
        environment: variables().into(),
    };
    let loaded = compose::load(request, &host);
    if loaded.report.unreadable {
        let said: Vec<&str> = loaded.report.findings.iter().map(|found| found.message.as_str()).collect();
        return Err(said.join("; "));
    }
    let text = compose::as_written(&loaded, &["*".to_owned()].into(), Credentials::Shown);
    Ok(serde_json::from_str(&text.unwrap()).unwrap())
}

/// Both, of the same files.
fn both(files: &[(&str, &str)]) -> (Result<Value, String>, Result<Value, String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    for (name, text) in files {
        fs::write(path.join(name), text).unwrap();
    }
    (ours(&path, files), theirs(&path, files))
}

/// A stack of one service that says this, and has what it may name.
fn stack(top: &str, keys: &str) -> String {
    format!(
        "{top}\nservices:\n  web:\n    image: a\n    {keys}\nvolumes: {{data: }}\nconfigs: {{c: {{content: x}}}}\n"
    )
}

/// Says where two readings differ; both may refuse.
#[track_caller]
fn check_alike(stacks: impl Iterator<Item = Vec<(&'static str, String)>>) {
    let mut different = String::new();
    for stack in stacks {
        let files: Vec<(&str, &str)> = stack.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (ours, theirs) = both(&files);
        if ours.as_ref().ok() != theirs.as_ref().ok() {
            writeln!(different, "{files:?}\nours {ours:?}\ntheirs {theirs:?}\n").unwrap();
        }
    }
    assert!(different.is_empty(), "{different}");
}

#[test]
fn odd_spellings_are_read_as_docker_compose_reads_them() {
    let plain = SERVICE.iter().map(|keys| vec![("compose.yaml", stack("", keys))]);
    let merged = MERGED.iter().map(|(top, keys)| vec![("compose.yaml", stack(top, keys))]);
    let several =
        FILES.iter().map(|files| files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect());
    check_alike(plain.chain(merged).chain(several));
}

#[test]
fn where_we_are_stricter_than_docker_compose_it_is_so_for_a_reason() {
    for (keys, why) in STRICTER {
        let (ours, theirs) = both(&[("compose.yaml", &stack("", keys))]);
        assert!(ours.is_err() && theirs.is_ok(), "{keys}: {why}: {ours:?} {theirs:?}");
    }
}
