//! `extends`: a service over another of the same file or of another file of this machine.
//!
//! Deliberately absent: how two services are merged (`merge`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::merge;
use crate::node::{Map, Node, Value};
use crate::paths;
use crate::problem;
use crate::shape;
use crate::source::Span;
use crate::way::Way;
use crate::yaml::shown;

use super::{DEEPEST, Loader};

/// A service by its file and name; `None` is the file at hand.
type Place = (Option<PathBuf>, String);

impl Loader<'_> {
    /// Replaces every service that extends another by the merged one.
    pub(super) fn extend_services(
        &mut self,
        tree: &mut Node,
        folder: &Path,
        environment: &BTreeMap<String, String>,
    ) {
        let Some(services) = services_mut(tree) else { return };
        if services.entries.iter().all(|e| e.value.get("extends").is_none()) {
            return;
        }
        let all = Base::new(services.clone());
        let mut done = BTreeMap::new();
        for entry in &mut services.entries {
            if self.budget.is_spent() {
                return;
            }
            if entry.value.get("extends").is_some() {
                let mut walk = Walk { folder, environment, done: &mut done, trail: Vec::new() };
                self.problems.service = Some(entry.key.clone());
                let merged = self.resolve((None, entry.key.clone()), &all, &mut walk);
                self.problems.service = None;
                entry.value = merged.unwrap_or_else(|| without_extends(entry.value.clone()));
            }
        }
    }

    /// A service with its bases merged beneath it.
    fn resolve(&mut self, place: Place, services: &Base, walk: &mut Walk<'_>) -> Option<Node> {
        if let Some(node) = walk.done.get(&place) {
            return node.clone();
        }
        let own = services.get(&place.1)?.clone();
        let Some(extends) = own.get("extends").filter(|e| !e.is_null()).cloned() else { return Some(own) };
        walk.trail.push(place.clone());
        let base = self.base(&place, &extends, services, walk);
        walk.trail.pop();
        let own = without_extends(own);
        let merged = match base {
            None => own,
            Some(base) => {
                let (values, text) = size(&base);
                if !self.budget.values.take(values) || !self.budget.text.take(text) {
                    let message = "services extend each other to more than is read";
                    self.problems.add(&problem::TOO_MUCH, extends.span, message, "extend smaller services");
                    own
                } else {
                    merge::service(extended(base, extends.span), own)
                }
            }
        };
        walk.done.insert(place, Some(merged.clone()));
        Some(merged)
    }

    /// The service that `extends` names, with its own bases.
    fn base(&mut self, from: &Place, extends: &Node, services: &Base, walk: &mut Walk<'_>) -> Option<Node> {
        let Some(name) = extends.get("service").and_then(Node::as_text) else {
            let message = "`extends` has no `service`";
            self.problems.add(&problem::MISSING_KEY, extends.span, message, "add `service: NAME`");
            return None;
        };
        let (place, other) = match extends.get("file").and_then(|n| n.as_text().map(|t| (t, n.span))) {
            None => ((from.0.clone(), name), None),
            Some((written, span)) => {
                let folder = from.0.as_deref().and_then(Path::parent).unwrap_or(walk.folder).to_path_buf();
                let path = self.local(&written, span, &folder, walk.environment)?;
                let tree = self.base_file(&path, span, walk.environment)?;
                ((Some(path), name), Some(tree))
            }
        };
        if self.is_endless(&place, extends.span, walk) {
            return None;
        }
        let services = other.as_deref().unwrap_or(services);
        if services.get(&place.1).is_none() {
            let near = shape::nearest(&place.1, services.map.entries.iter().map(|e| e.key.as_str()))
                .map_or_else(|| "name a service of that file".to_owned(), |n| format!("did you mean `{n}`?"));
            let message = format!("the service `{}` that is extended is not there", shown(&place.1));
            self.problems.add(&problem::BAD_EXTENDS, extends.span, message, &near);
            return None;
        }
        self.resolve(place, services, walk)
    }

    /// Reports a service that extends itself, and chains without end.
    fn is_endless(&mut self, place: &Place, span: Span, walk: &Walk<'_>) -> bool {
        if walk.trail.contains(place) {
            let names: Vec<&str> = walk.trail.iter().chain([place]).map(|p| p.1.as_str()).collect();
            let message = format!("a service extends itself: {}", names.join(" → "));
            self.problems.add(&problem::BAD_EXTENDS, span, message, "remove one of the `extends`");
            return true;
        }
        if walk.trail.len() >= DEEPEST {
            let message = format!("services extend each other over more than {DEEPEST} steps");
            self.problems.add(&problem::TOO_MUCH, span, message, "extend less deeply");
            return true;
        }
        false
    }

    /// A file that `extends` names, read once. Its services are merged into one that its own folder does not hold,
    /// so that its paths are made absolute.
    fn base_file(
        &mut self,
        path: &Path,
        span: Span,
        environment: &BTreeMap<String, String>,
    ) -> Option<Rc<Base>> {
        if let Some(known) = self.bases.get(path) {
            return known.clone();
        }
        let mut tree = self.read(path, span, environment);
        if let (Some(tree), Some(folder)) = (&mut tree, path.parent()) {
            paths::make_absolute(tree, folder, environment);
        }
        let services = tree.map(|mut tree| {
            let services = services_mut(&mut tree).map(std::mem::take);
            Rc::new(Base::new(services.unwrap_or_default()))
        });
        self.bases.insert(path.to_path_buf(), services.clone());
        services
    }
}

/// The services of one file, to be found by name.
pub(super) struct Base {
    map: Map,
    index: BTreeMap<String, usize>,
}

impl Base {
    fn new(map: Map) -> Self {
        let index = map.index().into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
        Self { map, index }
    }

    fn get(&self, name: &str) -> Option<&Node> {
        self.map.entries.get(*self.index.get(name)?).map(|entry| &entry.value)
    }
}

/// What following `extends` keeps in mind.
struct Walk<'a> {
    folder: &'a Path,
    environment: &'a BTreeMap<String, String>,
    done: &'a mut BTreeMap<Place, Option<Node>>,
    trail: Vec<Place>,
}

/// A base whose keys say from where they were taken.
fn extended(mut base: Node, from: Span) -> Node {
    if let Value::Map(map) = &mut base.value {
        map.entries.iter_mut().for_each(|entry| entry.value.trail.push(from, Way::Extends));
    }
    base
}

fn services_mut(tree: &mut Node) -> Option<&mut Map> {
    let Value::Map(top) = &mut tree.value else { return None };
    match top.entries.iter_mut().find(|e| e.key == "services").map(|e| &mut e.value.value) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

fn without_extends(mut service: Node) -> Node {
    if let Value::Map(map) = &mut service.value {
        map.remove("extends");
    }
    service
}

/// How many values a node holds, and how many bytes of text.
fn size(node: &Node) -> (usize, usize) {
    let sum = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
        sizes.fold((1, 0), |(values, text), (more, longer)| (values + more, text + longer))
    };
    match &node.value {
        Value::Scalar(scalar) => (1, scalar.text.len()),
        Value::List(items) => sum(&mut items.iter().map(size)),
        Value::Map(map) => sum(&mut map.entries.iter().map(|e| {
            let (values, text) = size(&e.value);
            (values, text + e.key.len())
        })),
    }
}
