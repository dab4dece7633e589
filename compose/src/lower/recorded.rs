//! The file that `x-supervisor.seccomp` names: the system calls that a service was seen to use.
//!
//! It is read as the Compose file is, so that every problem has its place in it. Deliberately absent: which calls there
//! are and which base grants them; that is the policy's to ask.

use crate::keys::{Class, Key};
use crate::model::{Recorded, Recording};
use crate::node::Node;
use crate::shape::{self, DATE, SCALAR, Shape, TEXT, TEXTS};
use crate::source::At;
use crate::yaml;

use super::{Context, read, supervisor};

const fn key(name: &'static str, shape: &'static Shape) -> Key {
    Key { name, class: Class::Accepted, why: "a recorded profile's own key", shape }
}

const FILE: Shape = Shape::keys_only(&[
    key("base", &TEXT),
    key(
        "recordings",
        &Shape::list_only(&Shape::keys_only(&[
            key("when", &DATE),
            key("arch", &TEXT),
            key("kernel", &SCALAR),
            key("engine", &SCALAR),
            key("runc", &SCALAR),
            key("seconds", &SCALAR),
        ])),
    ),
    key("left_out", &TEXTS),
    key("syscalls", &TEXTS),
]);

/// The profile at a path; `None` and a problem where it cannot be read or understood.
pub(super) fn profile(node: &Node, context: &mut Context<'_>) -> Option<At<Recorded>> {
    let (path, source, id) = context
        .named_file(node, "; `supervisor profile record` writes it, and without the key the base holds")?;
    let problems = &mut *context.problems;
    let file = yaml::parse(&source, id, context.budget, problems)?;
    shape::check(&file, &FILE, "the recorded profile", problems);
    file.as_map()?;
    let base = read::required(&file, "base", "the recorded profile", problems)
        .and_then(|node| supervisor::runtime(node, "base", problems));
    let calls = read::required(&file, "syscalls", "the recorded profile", problems).map(read::texts);
    let left_out = file.get("left_out").map(read::texts).unwrap_or_default();
    let recordings = file.get("recordings").and_then(Node::as_list).unwrap_or_default();
    let recordings = recordings.iter().map(recording).collect();
    Some(At::file(Recorded { path, base: base?, calls: calls?, left_out, recordings }, node.span))
}

fn recording(node: &Node) -> Recording {
    let text = |key| node.get(key).and_then(Node::as_text);
    Recording {
        when: text("when"),
        arch: text("arch"),
        kernel: text("kernel"),
        engine: text("engine"),
        runc: text("runc"),
        seconds: text("seconds"),
    }
}
