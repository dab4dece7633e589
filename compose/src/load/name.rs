//! The project's name: from the command line or the environment, else from a file, else the folder's.
//!
//! Deliberately absent: names on the engine.

use std::path::Path;

use crate::Request;
use crate::budget::Budget;
use crate::interpolate;
use crate::node::Node;
use crate::problem::{self, Problems};
use crate::yaml;

/// The last that is written.
pub(super) fn written(trees: &[Node]) -> Option<&Node> {
    trees.iter().rev().find_map(|tree| tree.get("name").filter(|name| name.as_text().is_some()))
}

/// The name, given what is written of it.
pub(super) fn project_name(written: Option<&Node>, request: &Request, problems: &mut Problems) -> String {
    let next = "use lower-case letters, digits, `-` and `_`";
    if let Some(name) = request.project_name.as_deref().filter(|n| !n.is_empty()) {
        if !is_project_name(name) {
            let message = format!("the project name `{}` is not allowed", yaml::shown(name));
            problems.add_nowhere(&problem::BAD_PROJECT_NAME, message, next);
        }
        return name.to_owned();
    }
    let Some(node) = written else { return folder_name(&request.directory) };
    let text = node.as_text().unwrap_or_default();
    let lookup = |name: &str| request.environment.get(name);
    // What is wrong with its variables is reported with the rest of its file.
    let (name, _) = interpolate::substitute(&text, &lookup, &mut Budget::default().text);
    if !is_project_name(&name) {
        let message = format!("the project name `{}` is not allowed", yaml::shown(&name));
        problems.add(&problem::BAD_PROJECT_NAME, node.span, message, next);
    }
    name
}

fn is_project_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// The folder's name, made one that is allowed.
fn folder_name(directory: &Path) -> String {
    let name = directory.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let kept: String = name
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    let kept = kept.trim_start_matches(['-', '_']);
    if kept.is_empty() { "stack".to_owned() } else { kept.to_owned() }
}
