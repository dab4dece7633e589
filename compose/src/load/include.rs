//! `include`: whole files of this machine, each loaded with its own folder and variables, beneath the file at hand.
//!
//! Deliberately absent: files from elsewhere, which are refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::merge;
use crate::node::{Node, Value};
use crate::paths;
use crate::problem;
use crate::source::{At, Source, Span};
use crate::variables::{self, Places};
use crate::way::Way;

use super::{DEEPEST, Loader};

impl Loader<'_> {
    /// The models of every row of `include`, in order.
    pub(super) fn includes(
        &mut self,
        tree: &Node,
        folder: &Path,
        environment: &BTreeMap<String, String>,
        trail: &mut Vec<PathBuf>,
    ) -> Vec<Node> {
        let rows = tree.get("include").and_then(Node::as_list).unwrap_or_default();
        rows.iter().filter_map(|row| self.include(row, folder, environment, trail)).collect()
    }

    fn include(
        &mut self,
        row: &Node,
        folder: &Path,
        environment: &BTreeMap<String, String>,
        trail: &mut Vec<PathBuf>,
    ) -> Option<Node> {
        let files: Vec<(String, Span)> = texts(row.get("path"));
        let mut found = Vec::with_capacity(files.len());
        for (written, span) in &files {
            found.push((self.local(written, *span, folder, environment)?, *span));
        }
        let Some((first, span)) = found.first().cloned() else {
            let next = "write the path of a Compose file";
            self.problems.add(&problem::MISSING_KEY, row.span, "the entry of `include` has no `path`", next);
            return None;
        };
        if trail.contains(&first) {
            let message = format!("`{}` includes itself", first.display());
            self.problems.add(&problem::BAD_EXTENDS, span, message, "remove one of the `include`");
            return None;
        }
        if trail.len() >= DEEPEST {
            let message = format!("files include each other over more than {DEEPEST} steps");
            self.problems.add(&problem::TOO_MUCH, span, message, "include less deeply");
            return None;
        }
        let own_folder = match row.get("project_directory").and_then(Node::as_text) {
            Some(written) => paths::absolute(folder, &written, environment),
            None => first.parent().unwrap_or(folder).to_path_buf(),
        };
        let (environment, own) = self.variables(row, folder, &own_folder, environment);
        // What the including file has wins, so that its own variables hold here as well.
        let places = self.places.iter().map(|(name, span)| (name.clone(), *span)).chain(own).collect();
        let outer = std::mem::replace(&mut self.places, Rc::new(places));
        trail.push(first);
        let mut merged = None;
        for (path, span) in found {
            let Some(mut tree) = self.read(&path, span, &environment) else { continue };
            if let Some(entry) = tree.as_map().and_then(|map| map.entry("x-supervisor")) {
                let message = "`x-supervisor` of an included file holds for nothing";
                let next = "move it to the file that includes this one";
                self.problems.add(&problem::UNKNOWN_KEY, entry.key_span, message, next);
            }
            paths::make_absolute(&mut tree, &own_folder, &environment);
            included(&mut tree, span);
            merged = Some(self.over(merged, tree, &own_folder, &environment, trail));
        }
        trail.pop();
        self.places = outer;
        merged.map(|mut tree| {
            merge::settle(&mut tree);
            tree
        })
    }

    /// The variables of an included file: its own `.env` or `env_file`, under those of the file that includes it.
    fn variables(
        &mut self,
        row: &Node,
        folder: &Path,
        own_folder: &Path,
        environment: &BTreeMap<String, String>,
    ) -> (BTreeMap<String, String>, Places) {
        let named = texts(row.get("env_file"));
        let mut files = Vec::new();
        if named.is_empty() {
            let path = own_folder.join(".env");
            if own_folder != self.directory
                && let Some(Ok(bytes)) = self.budget.try_read(self.host, &path, row.span, &mut self.problems)
            {
                let shown = path.strip_prefix(self.directory).unwrap_or(&path);
                files.push(Source::from_bytes(shown.display().to_string(), bytes));
            }
        }
        for (written, span) in named {
            if written == "/dev/null" {
                continue;
            }
            let path = paths::absolute(folder, &written, environment);
            self.included.push(At::file(path.clone(), span));
            files.extend(self.bytes(&path, span).map(|bytes| Source::from_bytes(written, bytes)));
        }
        let room = &mut self.budget.text;
        variables::under(files, environment.clone(), room, &mut self.sources, &mut self.problems)
    }
}

/// A file whose objects say where they were included.
fn included(tree: &mut Node, from: Span) {
    let Value::Map(top) = &mut tree.value else { return };
    for section in &mut top.entries {
        if let Value::Map(names) = &mut section.value.value {
            names.entries.iter_mut().for_each(|name| name.value.trail.push(from, Way::Include));
        }
    }
}

fn texts(node: Option<&Node>) -> Vec<(String, Span)> {
    let items = node.and_then(Node::as_list).unwrap_or_default();
    items.iter().filter_map(|item| Some((item.as_text()?, item.span))).collect()
}
