//! The canonical tree to the model: every value read into its type, every problem collected.
//!
//! Types and unknown keys were reported by `shape`; here a value that makes no sense is. Deliberately absent: what
//! is allowed, which is the policy's.

mod deploy;
mod edge;
mod environment;
mod grants;
mod healthcheck;
mod hooks;
mod mounts;
mod network;
mod objects;
mod ports;
mod processor;
mod read;
mod recorded;
mod references;
mod service;
pub(crate) mod supervisor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::budget::Budget;
use crate::host::Host;
use crate::model::Project;
use crate::node::{Entry, Node};
use crate::paths;
use crate::problem::{self, Problems};
use crate::source::{Source, SourceId, Sources, Span};
use crate::yaml::shown;

/// What lowering asks besides the tree.
pub(crate) struct Context<'a> {
    /// Relative paths start here.
    pub(crate) directory: &'a Path,
    /// Values of variables without one in the file.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// Reads `env_file` and `label_file`.
    pub(crate) host: &'a dyn Host,
    /// What may be read and put in.
    pub(crate) budget: &'a mut Budget,
    /// Environment files that were read, by path and format: services share them.
    pub(crate) variables: environment::Known,
    /// Where a service names the environment file that was read for it.
    pub(crate) read_for: BTreeMap<(SourceId, String), Span>,
    /// Texts read on the way are added.
    pub(crate) sources: &'a mut Sources,
    /// Where problems go.
    pub(crate) problems: &'a mut Problems,
}

impl Context<'_> {
    /// A host path as written, absolute and lexically normal.
    pub(crate) fn path(&self, written: &str) -> PathBuf {
        paths::absolute(self.directory, written, self.environment)
    }

    /// The local file that a key names, which is part of what the author wrote; `None` and a problem where it cannot be
    /// read. `what` ends the help: what such a file holds.
    fn named_file(&mut self, node: &Node, what: &str) -> Option<(PathBuf, Source, SourceId)> {
        let written = node.as_text()?;
        if paths::is_remote(&written) {
            let message = format!("`{}` is not a file of this machine", shown(&written));
            self.problems.add(&problem::REMOTE_FILE, node.span, message, "copy it into the stack's folder");
            return None;
        }
        let path = self.path(&written);
        let bytes = match self.budget.try_read(self.host, &path, node.span, self.problems)? {
            Ok(bytes) => bytes,
            Err(error) => {
                let mut finding = problem::cannot_read(&path, &error);
                finding.span = Some(node.span);
                finding.help.push_str(what);
                self.problems.put(finding);
                return None;
            }
        };
        let source = Source::from_bytes(written, bytes);
        let id = self.sources.add(source.clone());
        Some((path, source, id))
    }
}

/// The whole model from the merged tree.
pub(crate) fn lower(file: &Node, name: String, context: &mut Context<'_>) -> Project {
    let mut project = Project {
        name,
        directory: context.directory.to_path_buf(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        refused: Vec::new(),
        stack: crate::model::Stack::default(),
        included: Vec::new(),
    };
    for entry in entries(file.get("networks")) {
        project.networks.insert(entry.key.clone(), network::network(entry, context));
    }
    for entry in entries(file.get("volumes")) {
        project.volumes.insert(entry.key.clone(), objects::volume(entry, context.problems));
    }
    for entry in entries(file.get("secrets")) {
        project.secrets.extend(objects::secret(entry, context).map(|o| (entry.key.clone(), o)));
    }
    for entry in entries(file.get("configs")) {
        project.configs.extend(objects::config(entry, context).map(|o| (entry.key.clone(), o)));
    }
    for entry in entries(file.get("services")) {
        context.problems.service = Some(entry.key.clone());
        project.services.insert(entry.key.clone(), service::service(entry, context));
        context.problems.service = None;
    }
    let models = file.as_map().and_then(|file| file.entry("models"));
    let models = models.filter(|entry| entries(Some(&entry.value)).next().is_some());
    project.refused.extend(models.map(|entry| ("models", entry.key_span)));
    if let Some(node) = file.get("x-supervisor") {
        project.stack = supervisor::stack(node, context);
    }
    references::check(&mut project, file, context.problems);
    project
}

/// The entries of a mapping that are not extensions.
fn entries(node: Option<&Node>) -> impl Iterator<Item = &Entry> {
    let map = node.and_then(Node::as_map);
    map.into_iter().flat_map(|m| &m.entries).filter(|e| !e.key.starts_with("x-"))
}

/// The place of a key, and of its value where both are in one text.
fn whole(entry: &Entry) -> Span {
    entry.span()
}
