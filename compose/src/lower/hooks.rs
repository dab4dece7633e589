//! `post_start` and `pre_stop`.
//!
//! Deliberately absent: `pre_start`, which is a container of its own and refused, and what a hook may not ask for.

use crate::model::Hook;
use crate::node::Node;
use crate::problem;
use crate::source::At;

use super::{Context, environment, read};

pub(super) fn hooks(node: &Node, key: &str, context: &mut Context<'_>) -> Vec<At<Hook>> {
    let rows = node.as_list().unwrap_or_default().iter();
    rows.filter_map(|row| Some(At::file(hook(row, key, context)?, row.span))).collect()
}

fn hook(row: &Node, key: &str, context: &mut Context<'_>) -> Option<Hook> {
    row.as_map()?;
    let written = read::required(row, "command", &format!("the entry of `{key}`"), context.problems)?;
    let command: Vec<String> = written.as_list()?.iter().filter_map(Node::as_text).collect();
    if command.first().is_none_or(String::is_empty) {
        let message = format!("a command of `{key}` is empty");
        context.problems.add(
            &problem::BAD_VALUE,
            written.span,
            message,
            "name the program, or remove the entry",
        );
    }
    Some(Hook {
        command,
        user: row.get("user").and_then(read::text),
        privileged: row.get("privileged").and_then(read::flag),
        working_dir: row.get("working_dir").and_then(read::text),
        environment: environment::written(row.get("environment"), context),
    })
}
