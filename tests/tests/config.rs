//! What `config` prints is a stack that Docker Compose accepts, by Docker Compose's own word.
//!
//! Deliberately absent: what it does with it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use compose::emit::{self, Credentials};
use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Admitted, Policy, Request, Source};

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
