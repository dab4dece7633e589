//! The phases in their order: text, tree, variables, long forms, merging, model.
//!
//! Deliberately absent: any phase itself.

use std::collections::BTreeMap;
use std::path::Path;

use crate::canonical;
use crate::finding::Report;
use crate::host::Host;
use crate::interpolate;
use crate::keys;
use crate::lower;
use crate::merge;
use crate::node::Node;
use crate::problem::{self, Problems};
use crate::shape;
use crate::source::{SourceId, Sources};
use crate::yaml;
use crate::{Loaded, Request};

pub(crate) fn load(mut request: Request, host: &dyn Host) -> Loaded {
    let mut sources = Sources::default();
    let mut problems = Problems::default();
    let ids: Vec<SourceId> =
        std::mem::take(&mut request.files).into_iter().map(|file| sources.add(file)).collect();
    let mut trees = Vec::with_capacity(ids.len());
    for id in ids {
        let tree = sources.get(id).and_then(|source| yaml::parse(source, id, &mut problems));
        trees.extend(tree);
    }
    let name = project_name(request.project_name.as_deref(), &trees, &request, &mut problems);
    let mut environment = request.environment;
    environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let mut merged: Option<Node> = None;
    for mut tree in trees {
        prepare(&mut tree, &environment, &sources, &mut problems);
        merged = Some(match merged {
            None => merge::first(tree),
            Some(base) => merge::merge(base, tree),
        });
    }
    let project = merged.map(|file| {
        let mut context = lower::Context {
            directory: &request.directory,
            environment: &environment,
            host,
            sources: &mut sources,
            problems: &mut problems,
        };
        lower::lower(&file, name, &mut context)
    });
    let unreadable = problems.has_errors() || project.is_none();
    Loaded { project, report: Report { findings: problems.finish(), sources, unreadable } }
}

/// One file, from its tree to long forms.
fn prepare(
    tree: &mut Node,
    environment: &BTreeMap<String, String>,
    sources: &Sources,
    problems: &mut Problems,
) {
    if tree.is_null() {
        problems.add(
            &problem::WRONG_TYPE,
            tree.span,
            "the file is empty",
            "write `services:` and what is launched",
        );
        return;
    }
    interpolate::interpolate(tree, environment, sources, problems);
    shape::check(tree, &keys::FILE, "the file", problems);
    if let Some(entry) = tree.as_map().and_then(|m| m.entry("version")) {
        problems.add(&problem::OBSOLETE, entry.key_span, "`version` is obsolete", "remove it");
    }
    canonical::canonical(tree, problems);
}

/// The name from the command line or the environment, else the last that a file says, else the folder's.
fn project_name(given: Option<&str>, trees: &[Node], request: &Request, problems: &mut Problems) -> String {
    if let Some(name) = given.filter(|n| !n.is_empty()) {
        if !is_project_name(name) {
            let message = format!("the project name `{}` is not allowed", yaml::shown(name));
            problems.add_nowhere(
                &problem::BAD_PROJECT_NAME,
                message,
                "use lower-case letters, digits, `-` and `_`",
            );
        }
        return name.to_owned();
    }
    let written = trees.iter().rev().find_map(|t| t.get("name").filter(|n| n.as_text().is_some()));
    let Some(node) = written else { return folder_name(&request.directory) };
    let text = node.as_text().unwrap_or_default();
    let lookup = |name: &str| request.environment.get(name).map(String::as_str);
    // What is wrong with its variables is reported with the rest of its file.
    let (name, _) = interpolate::substitute(&text, &lookup);
    if !is_project_name(&name) {
        let message = format!("the project name `{}` is not allowed", yaml::shown(&name));
        problems.add(
            &problem::BAD_PROJECT_NAME,
            node.span,
            message,
            "use lower-case letters, digits, `-` and `_`",
        );
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

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
