//! The resolved model as the file says it, without hardening: the JSON of `docker compose config --format json`.
//!
//! Made from the merged tree, so that keys which the policy refuses are in it too. Deliberately absent: what
//! hardening fills in.

mod objects;
mod service;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use crate::Loaded;
use crate::emit::Credentials;
use crate::json::Json;
use crate::node::Node;
use crate::rules::secrets;
use crate::source::{SourceId, Span};
use crate::variables::{Definitions, Places, Scope};

/// The merged tree of a load, and what resolving it takes. It may hold secrets, so that `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    pub(crate) directory: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) definitions: Definitions,
    /// Variables of included files, by file.
    pub(crate) own: BTreeMap<SourceId, Rc<Places>>,
    /// Where a service names the environment file that was read for it.
    pub(crate) read_for: BTreeMap<(SourceId, String), Span>,
}

impl Tree {
    /// What its variables mean, and where they are set.
    pub(crate) const fn scope(&self) -> Scope<'_> {
        Scope { values: &self.environment, definitions: &self.definitions, own: &self.own }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tree(..)")
    }
}

/// The resolved model as JSON, its services those without profiles and those of the given ones; `*` is all.
/// `None` where the text could not be understood. Hidden credentials apart, it is what Docker Compose prints.
pub fn as_written(loaded: &Loaded, profiles: &BTreeSet<String>, credentials: Credentials) -> Option<String> {
    let tree = loaded.tree.as_ref()?;
    let project = loaded.project.as_ref()?;
    let mut out = BTreeMap::from([("name".to_owned(), Json::Text(project.name.clone()))]);
    let mut used = Used::default();
    let mut services = BTreeMap::new();
    for entry in entries(tree.root.get("services")) {
        let Some(service) = project.services.get(&entry.key) else { continue };
        let is_active = service.profiles.is_empty()
            || profiles.contains("*")
            || service.profiles.iter().any(|p| profiles.contains(&p.value));
        if is_active {
            let mut printed = service::service(&entry.value, service, tree, &mut used);
            if credentials == Credentials::Hidden {
                hide(&mut printed);
            }
            services.insert(entry.key.clone(), printed);
        }
    }
    out.insert("services".to_owned(), Json::Map(services));
    for (section, names) in [
        ("networks", &used.networks),
        ("volumes", &used.volumes),
        ("secrets", &used.secrets),
        ("configs", &used.configs),
    ] {
        let written = tree.root.get(section);
        let objects: BTreeMap<String, Json> = names
            .iter()
            .map(|name| {
                let node = written.and_then(|s| s.get(name));
                (name.clone(), objects::object(section, name, node, &project.name, tree))
            })
            .collect();
        if !objects.is_empty() {
            out.insert(section.to_owned(), Json::Map(objects));
        }
    }
    for entry in tree.root.as_map().into_iter().flat_map(|m| &m.entries) {
        if entry.key.starts_with("x-") {
            out.insert(entry.key.clone(), values::as_is(&entry.value));
        }
    }
    let mut out = Json::Map(out);
    double(&mut out);
    let mut text = String::new();
    out.write(&mut text, 0);
    Some(text)
}

/// Doubles the dollar signs of keys, as Compose does; those of values are.
fn double(value: &mut Json) {
    match value {
        Json::Map(map) => {
            map.values_mut().for_each(double);
            if map.keys().any(|key| key.contains('$')) {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, value)| (key.replace('$', "$$"), value))
                    .collect();
            }
        }
        Json::List(items) => items.iter_mut().for_each(double),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

/// Puts a variable of the same name in the place of each value that looks like a credential, wherever a service gives
/// variables to a program: its own, those of its hooks, and those of a build.
fn hide(value: &mut Json) {
    match value {
        Json::Map(map) => {
            for (key, value) in map {
                match value {
                    Json::Map(variables) if matches!(key.as_str(), "environment" | "args") => {
                        for (name, value) in variables {
                            if let Json::Text(text) = value
                                && secrets::looks_secret(name, text)
                            {
                                *text = format!("${{{name}}}");
                            }
                        }
                    }
                    value => hide(value),
                }
            }
        }
        Json::List(items) => items.iter_mut().for_each(hide),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {}
    }
}

/// The declared objects that services of the output use; others are left out, as Compose leaves them out.
#[derive(Default)]
struct Used {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    secrets: BTreeSet<String>,
    configs: BTreeSet<String>,
}

fn entries(node: Option<&Node>) -> impl Iterator<Item = &crate::node::Entry> {
    node.and_then(Node::as_map).into_iter().flat_map(|m| &m.entries).filter(|e| !e.key.starts_with("x-"))
}
