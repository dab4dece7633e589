//! `up` where nothing changed since an `up` that had nothing to do: it is answered from what was kept, and from nothing that
//! differs in any way.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::bed::{Ran, ran};
use tests::{Bed, image};

/// Said by an `up` that was answered from what was kept, and by no other.
const MARK: &str = "answered from what was kept";

struct Stack {
    bed: Bed,
    image: String,
}

impl Stack {
    /// Up, with an `up` that had nothing to do after it.
    fn new() -> Self {
        let bed = Bed::new("unchanged");
        let image = image::busybox(&bed.engine);
        let stack = Self { bed, image };
        stack.write("hello");
        stack.bed.write(".env", "WORD=one\n");
        stack.bed.write("secret.txt", "first");
        stack.up(&[]).expect(0);
        stack.settle();
        stack
    }

    fn write(&self, word: &str) {
        let text = format!(
            r#"
services:
  web:
    image: {}
    user: "1000:1000"
    command: [sh, -c, "echo {word} $WORD $OTHER; exec sleep infinity"]
    environment: {{WORD: "${{WORD}}", OTHER: "${{OTHER:-none}}"}}
    secrets: [{{source: key, uid: "1000", gid: "1000"}}]
    networks: [back]
    stop_grace_period: 1s
    mem_limit: 32m
networks:
  back: {{internal: true}}
secrets:
  key: {{file: ./secret.txt}}
"#,
            self.image
        );
        self.bed.write("compose.yaml", &text);
    }

    fn up(&self, arguments: &[&str]) -> Ran {
        ran(self.bed.command().arg("up").args(arguments))
    }

    /// Keeps an `up` that had nothing to do, and marks it.
    fn settle(&self) {
        let summary: Value = self.up(&["--progress", "json"]).expect(0).json();
        assert_eq!(summary["steps"], 0, "{summary}");
        self.up(&[]).expect(0);
        let path = self.kept();
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        kept["said"] = json!(MARK);
        std::fs::write(path, kept.to_string()).unwrap();
    }

    fn kept(&self) -> PathBuf {
        self.bed.folder().join("state.cache").join(format!("{}.json", self.bed.project))
    }

    fn id(&self) -> String {
        self.bed.engine.inspect(&self.bed.container("web"))["Id"].as_str().unwrap().to_owned()
    }

    /// After such a change the next `up` judges and plans; whether it makes the container anew.
    #[track_caller]
    fn check(&self, what: &str, change: impl FnOnce(&Self), made_anew: bool) {
        let before = self.id();
        change(self);
        let up = self.up(&[]).expect(0);
        assert!(!up.err.contains(MARK), "{what}: {}", up.err);
        assert_eq!(self.id() != before, made_anew, "{what}: {}", up.err);
        let state = &self.bed.engine.inspect(&self.bed.container("web"))["State"]["Status"];
        assert_eq!(state, "running", "{what}: {}", up.err);
        self.settle();
    }
}

#[test]
fn nothing_to_do_is_answered_from_what_was_kept_until_anything_differs() {
    let stack = Stack::new();
    let (up, asked) = stack.bed.asked(&["up"]);
    // Through another socket: another call.
    assert!(!up.expect(0).err.contains(MARK));
    assert_eq!(asked.len(), 3, "{asked:?}");
    stack.settle();
    for _ in 0..2 {
        let up = stack.up(&[]).expect(0);
        assert!(up.err.contains(MARK), "{}", up.err);
    }

    let engine = &stack.bed.engine;
    let name = stack.bed.container("web");
    stack.check("the file", |stack| stack.write("other"), true);
    stack.check("a variable of `.env`", |stack| drop(stack.bed.write(".env", "WORD=two\n")), true);
    stack.check("a secret", |stack| drop(stack.bed.write("secret.txt", "second")), true);
    stack.check(
        "an override beside it",
        |stack| {
            let text = "services: {web: {environment: {MORE: more}}}\n";
            stack.bed.write("compose.override.yaml", text);
        },
        true,
    );
    stack.check("a stop", |_| drop(engine.post(&format!("/containers/{name}/stop?t=1"), &json!({}))), false);
    stack.check("a pause", |_| drop(engine.post(&format!("/containers/{name}/pause"), &json!({}))), false);
    stack.check("a removal", |_| engine.remove(&name), true);
    let table = format!("supervisor-{}", stack.bed.project);
    let nft = |arguments: &[&str]| ran(Command::new("nft").args(arguments));
    stack.check("a guard that is gone", |_| drop(nft(&["delete", "table", "inet", &table]).expect(0)), false);
    nft(&["list", "table", "inet", &table]).expect(0);

    // Of another call nothing is known, whatever it would come to.
    let other = ran(stack.bed.command().env("OTHER", "some").arg("up")).expect(0);
    assert!(!other.err.contains(MARK), "{}", other.err);
    stack.up(&[]).expect(0);
    stack.settle();
    for arguments in [&["--remove-orphans"][..], &["web"], &["--no-deps"], &["--force-recreate"]] {
        let up = stack.up(arguments).expect(0);
        assert!(!up.err.contains(MARK), "{arguments:?}: {}", up.err);
    }
}

#[test]
fn a_file_that_is_refused_now_is_refused() {
    let stack = Stack::new();
    assert!(stack.up(&[]).expect(0).err.contains(MARK));
    let before = stack.id();
    stack.bed.write("compose.override.yaml", "services: {web: {privileged: true}}\n");
    let up = stack.up(&[]).expect(1);
    assert!(!up.err.contains(MARK) && up.err.contains("privileged"), "{}", up.err);
    std::fs::remove_file(stack.bed.folder().join("compose.override.yaml")).unwrap();
    assert!(stack.up(&[]).expect(0).err.contains(MARK));
    assert_eq!(stack.id(), before);
    assert!(stack.kept().exists());
    stack.bed.supervisor(&["down"]).expect(0);
    assert!(!stack.kept().exists());
}
