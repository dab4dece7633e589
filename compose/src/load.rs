//! The phases in their order: text, tree, variables, long forms, bases, merging, model.
//!
//! Deliberately absent: any phase itself.

mod extends;
mod include;
mod name;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::budget::Budget;
use crate::canonical;
use crate::finding::Report;
use crate::host::Host;
use crate::interpolate;
use crate::keys;
use crate::lower;
use crate::merge;
use crate::node::{Mark, Node};
use crate::paths;
use crate::problem::{self, Problems};
use crate::shape;
use crate::source::{At, Source, SourceId, Sources, Span};
use crate::variables::{Environment, Places};
use crate::written::Tree;
use crate::yaml;
use crate::{Loaded, Request};

/// Most services. One host does not run so many, and every rule is asked about each.
const MOST_SERVICES: usize = 2000;
/// Longest chain of `extends`, and deepest nesting of `include`.
const DEEPEST: usize = 20;

pub(crate) fn load(mut request: Request, host: &dyn Host) -> Loaded {
    let directory = request.directory.clone();
    let mut loader = Loader::new(host, &directory);
    let ids = loader.add(std::mem::take(&mut request.files));
    let Some(trees) = loader.trees(ids) else { return loader.nothing() };
    let name = name::project_name(name::written(&trees), &request, &mut loader.problems);
    let Environment { values: mut environment, definitions } = request.environment;
    environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let mut merged: Option<Node> = None;
    for mut tree in trees {
        loader.prepare(&mut tree, merged.as_ref(), &environment);
        merged = Some(loader.over(merged, tree, &request.directory, &environment, &mut Vec::new()));
    }
    let Some(mut root) = merged else { return loader.nothing() };
    merge::settle(&mut root);
    if loader.is_too_much([&root]) {
        return loader.nothing();
    }
    let mut context = lower::Context {
        directory: &request.directory,
        environment: &environment,
        host,
        budget: &mut loader.budget,
        variables: BTreeMap::new(),
        read_for: BTreeMap::new(),
        sources: &mut loader.sources,
        problems: &mut loader.problems,
    };
    let mut project = lower::lower(&root, name, &mut context);
    let read_for = context.read_for;
    let Loader { sources, problems, included, own, .. } = loader;
    project.included = included;
    let unreadable = problems.has_errors();
    let report = Report { findings: problems.finish(), sources, unreadable, untold: 0 };
    let tree = Tree { root, directory: request.directory, environment, definitions, own, read_for };
    Loaded { project: Some(project), report, tree: Some(tree) }
}

/// The project's name, which the files' trees say: what else is in them is not looked at. Where the last file begins with it,
/// which wins over all, nothing else is read.
pub(crate) fn name(mut request: Request, host: &dyn Host) -> Result<String, Report> {
    let directory = request.directory.clone();
    let mut loader = Loader::new(host, &directory);
    let ids = loader.add(std::mem::take(&mut request.files));
    let first = ids.last().and_then(|id| yaml::first(loader.sources.get(*id)?, *id, "name"));
    if let Some(first) = first {
        return Ok(name::project_name(Some(&first), &request, &mut loader.problems));
    }
    match loader.trees(ids) {
        Some(trees) if !trees.is_empty() => {
            Ok(name::project_name(name::written(&trees), &request, &mut loader.problems))
        }
        _ => Err(loader.nothing().report),
    }
}

/// The first service that is one too many.
fn too_many_services(root: &Node) -> Option<Span> {
    let services = root.get("services").and_then(Node::as_map)?;
    services.entries.get(MOST_SERVICES).map(|entry| entry.key_span)
}

/// What a load has read so far.
struct Loader<'a> {
    host: &'a dyn Host,
    /// The project's folder.
    directory: &'a Path,
    sources: Sources,
    problems: Problems,
    /// Files that `extends` led to, by path; `None` where one cannot be read.
    bases: BTreeMap<PathBuf, Option<Rc<extends::Base>>>,
    /// Every file that `extends` or `include` led to, and from where.
    included: Vec<At<PathBuf>>,
    budget: Budget,
    /// The variables of the included file at hand, and those of every one that has some.
    places: Rc<Places>,
    own: BTreeMap<SourceId, Rc<Places>>,
}

impl<'a> Loader<'a> {
    fn new(host: &'a dyn Host, directory: &'a Path) -> Self {
        Self {
            host,
            directory,
            sources: Sources::default(),
            problems: Problems::default(),
            bases: BTreeMap::new(),
            included: Vec::new(),
            budget: Budget::default(),
            places: Rc::default(),
            own: BTreeMap::new(),
        }
    }

    fn add(&mut self, files: Vec<Source>) -> Vec<SourceId> {
        files.into_iter().map(|file| self.sources.add(file)).collect()
    }

    /// Those of the files that have one; nothing where that is too much.
    fn trees(&mut self, ids: Vec<SourceId>) -> Option<Vec<Node>> {
        let trees: Vec<Node> = ids.into_iter().filter_map(|id| self.parse(id)).collect();
        (!self.is_too_much(&trees)).then_some(trees)
    }

    /// Nothing but what is wrong.
    fn nothing(self) -> Loaded {
        let report =
            Report { findings: self.problems.finish(), sources: self.sources, unreadable: true, untold: 0 };
        Loaded { project: None, report, tree: None }
    }

    /// Whether the room is used up, or there are more services than are judged, which is a problem.
    fn is_too_much<'t>(&mut self, trees: impl IntoIterator<Item = &'t Node>) -> bool {
        let Some(span) = trees.into_iter().find_map(too_many_services) else { return self.budget.is_spent() };
        let message = format!("more than {MOST_SERVICES} services");
        self.problems.add(&problem::TOO_MUCH, span, message, "split the stack");
        true
    }

    fn parse(&mut self, id: SourceId) -> Option<Node> {
        let source = self.sources.get(id)?;
        yaml::parse(source, id, &mut self.budget, &mut self.problems)
    }

    /// One file, from its tree to long forms, and over which other one it is to be.
    fn prepare(&mut self, tree: &mut Node, base: Option<&Node>, environment: &BTreeMap<String, String>) {
        let problems = &mut self.problems;
        if tree.is_null() {
            let next = "write `services:` and what is launched";
            problems.add(&problem::WRONG_TYPE, tree.span, "the file is empty", next);
            return;
        }
        // Docker Compose ends without an answer on the first, and merges the second as any file.
        if std::mem::replace(&mut tree.mark, Mark::None) == Mark::Reset {
            let message = "`!reset` takes the whole file back";
            problems.add(
                &problem::UNKNOWN_TAG,
                tree.span,
                message,
                "remove the tag, or do not name the file",
            );
        }
        interpolate::interpolate(tree, environment, &mut self.budget.text, &self.sources, problems);
        if let Some(base) = base {
            merge::pass_over_empty(base, tree, 2);
        }
        shape::check(tree, &keys::FILE, "the file", problems);
        if let Some(entry) = tree.as_map().and_then(|m| m.entry("version")) {
            problems.add(&problem::OBSOLETE, entry.key_span, "`version` is obsolete", "remove it");
        }
        canonical::canonical(tree, problems);
    }

    /// A prepared file over what was loaded before it: bases, then what it includes, then merging.
    fn over(
        &mut self,
        base: Option<Node>,
        mut tree: Node,
        folder: &Path,
        environment: &BTreeMap<String, String>,
        trail: &mut Vec<PathBuf>,
    ) -> Node {
        self.extend_services(&mut tree, folder, environment);
        for included in self.includes(&tree, folder, environment, trail) {
            for clash in merge::include(included, &mut tree) {
                let message = format!("`{}` is declared differently by a file that is included", clash.name);
                let next = "declare it in one of the two, or change it in an override file (`-f`, or a second `path`)";
                let finding = self.problems.add(&problem::CONFLICT, clash.own, message, next);
                finding.related.push((clash.included, "declared here as well".to_owned()));
            }
        }
        match base {
            None => merge::alone(tree),
            Some(base) => merge::merge(base, tree),
        }
    }

    /// Reads another file and makes its paths absolute. The problems name the place that led to it.
    fn read(&mut self, path: &Path, from: Span, environment: &BTreeMap<String, String>) -> Option<Node> {
        self.included.push(At::file(path.to_path_buf(), from));
        let bytes = self.bytes(path, from)?;
        let shown = path.strip_prefix(self.directory).unwrap_or(path);
        let id = self.sources.add(Source::from_bytes(shown.display().to_string(), bytes).at(path));
        if !self.places.is_empty() {
            self.own.insert(id, Rc::clone(&self.places));
        }
        let mut tree = self.parse(id)?;
        self.prepare(&mut tree, None, environment);
        Some(tree)
    }

    /// What is in a file that another leads to; `None` and a problem at that place where it cannot be had.
    fn bytes(&mut self, path: &Path, from: Span) -> Option<Vec<u8>> {
        self.budget.read(self.host, path, from, &mut self.problems)
    }

    /// A path in a file as written, absolute; `None` and a problem where it is not of this machine.
    fn local(
        &mut self,
        written: &str,
        span: Span,
        folder: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Option<PathBuf> {
        if paths::is_remote(written) {
            let message = format!("`{}` is not a file of this machine", yaml::shown(written));
            self.problems.add(&problem::REMOTE_FILE, span, message, "copy it into the stack's folder");
            return None;
        }
        Some(paths::absolute(folder, written, environment))
    }
}

#[cfg(test)]
mod files;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
