//! How a value came to where it is read, besides being written there: the anchor's use, the base, the file beneath.
//!
//! Kept on the tree, where values are moved and merged; read once, for the findings. Deliberately absent: variables, whose
//! names stand in the text itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::finding::{Finding, Severity};
use crate::node::{Entry, Node, Value};
use crate::source::Span;
use crate::written::Tree;

/// One step from the text to its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// An alias, or `<<` of one.
    Alias,
    /// `extends` of the service that says it.
    Extends,
    /// `include` of the file that says it.
    Include,
    /// An earlier file or a base says something else there.
    Over,
}

impl Way {
    const fn label(self) -> &'static str {
        match self {
            Self::Alias => "used here, through its anchor",
            Self::Extends => "extended here",
            Self::Include => "included here",
            Self::Over => "written over this",
        }
    }
}

/// The steps of one value. Most values have none, and those of one collection share theirs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trail(Option<Arc<Step>>);

/// The last step, and those before it.
#[derive(Debug, PartialEq)]
struct Step {
    span: Span,
    way: Way,
    before: Trail,
}

/// Chains longer than this tell a reader nothing more, and a hostile file could make them as long as it likes.
const LONGEST: usize = 8;

impl Trail {
    /// Written where it is read.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// One step more.
    pub(crate) fn push(&mut self, span: Span, way: Way) {
        if self.newest_first().count() < LONGEST && !self.newest_first().any(|step| step == (span, way)) {
            let before = std::mem::take(self);
            self.0 = Some(Arc::new(Step { span, way, before }));
        }
    }

    /// The steps of what it stood in.
    pub(crate) fn extend(&mut self, outer: &Self) {
        if self.0.is_none() {
            self.clone_from(outer);
            return;
        }
        let steps: Vec<(Span, Way)> = outer.newest_first().collect();
        steps.into_iter().rev().for_each(|(span, way)| self.push(span, way));
    }

    /// From the use back to the text.
    fn newest_first(&self) -> impl Iterator<Item = (Span, Way)> {
        let steps = std::iter::successors(self.0.as_deref(), |step| step.before.0.as_deref());
        steps.map(|step| (step.span, step.way))
    }
}

/// Gives the steps of a collection to what is in it, before it is merged with another.
pub(crate) fn hand_down(node: &mut Node) {
    let trail = std::mem::take(&mut node.trail);
    if trail == Trail::none() {
        return;
    }
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| item.trail.extend(&trail)),
        Value::Map(map) => map.entries.iter_mut().for_each(|entry| entry.value.trail.extend(&trail)),
    }
}

/// What was found at these bytes, about this service.
type Key = (Span, Option<String>);

/// Adds the other places to errors and warnings: the use beside the definition, or the definition beside the use.
pub(crate) fn explain(findings: &mut [Finding], tree: &Tree) {
    let loud = |finding: &&mut Finding| finding.severity != Severity::Note;
    let mut wanted: BTreeMap<Span, BTreeSet<Option<String>>> = BTreeMap::new();
    for finding in findings.iter_mut().filter(loud) {
        let Some(span) = finding.span else { continue };
        wanted.entry(span).or_default().insert(finding.service.clone());
    }
    let about: BTreeSet<&Option<String>> = wanted.values().flatten().collect();
    let mut found: BTreeMap<Key, Vec<(Span, &'static str)>> = BTreeMap::new();
    for section in tree.root.as_map().into_iter().flat_map(|map| &map.entries) {
        let Some(names) = section.value.as_map() else { continue };
        for name in &names.entries {
            let service = (section.key == "services").then(|| name.key.clone());
            if !about.contains(&service) && !about.contains(&None) {
                continue;
            }
            let mut walk = Walk { wanted: &wanted, service, steps: Vec::new(), found: &mut found };
            walk.entry(name);
        }
    }
    for finding in findings.iter_mut().filter(loud) {
        let Some(span) = finding.span else { continue };
        if let Some(service) = &finding.service
            && let Some(file) = tree.read_for.get(&(span.source, service.clone()))
        {
            finding.related.push((*file, "read from here".to_owned()));
        }
        let Some(places) = found.get(&(span, finding.service.clone())) else { continue };
        for (place, label) in places {
            if *place != span && !finding.related.iter().any(|(known, _)| known == place) {
                finding.related.push((*place, (*label).to_owned()));
            }
        }
    }
}

/// A walk through one object, with the steps on the way down.
struct Walk<'a> {
    wanted: &'a BTreeMap<Span, BTreeSet<Option<String>>>,
    service: Option<String>,
    steps: Vec<(Span, Way)>,
    found: &'a mut BTreeMap<Key, Vec<(Span, &'static str)>>,
}

impl Walk<'_> {
    fn entry(&mut self, entry: &Entry) {
        let depth = self.steps.len();
        let trail = &entry.value.trail;
        // A finding about a key points at its use: what an alias stands for is written elsewhere.
        let aliased =
            trail.newest_first().any(|(_, way)| way == Way::Alias) && entry.key_span != entry.value.span;
        self.steps.extend(trail.newest_first().filter(|(_, way)| *way != Way::Alias));
        for span in [entry.key_span, entry.span()] {
            self.note(span, aliased.then_some(entry.value.span));
        }
        self.steps.truncate(depth);
        self.node(&entry.value);
    }

    fn node(&mut self, node: &Node) {
        let depth = self.steps.len();
        self.steps.extend(node.trail.newest_first());
        self.note(node.span, None);
        match &node.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.node(item)),
            Value::Map(map) => map.entries.iter().for_each(|entry| self.entry(entry)),
        }
        self.steps.truncate(depth);
    }

    fn note(&mut self, span: Span, definition: Option<Span>) {
        // Most values are written where they are read: nothing is looked up for them.
        if self.steps.is_empty() && definition.is_none() {
            return;
        }
        let Some(services) = self.wanted.get(&span) else { return };
        let mut places: Vec<(Span, &'static str)> = Vec::new();
        places.extend(definition.map(|span| (span, "its value is written here")));
        // The nearest to the text first: outer steps were taken later.
        places.extend(self.steps.iter().rev().map(|(span, way)| (*span, way.label())));
        if places.is_empty() {
            return;
        }
        for service in [self.service.clone(), None] {
            if services.contains(&service) {
                let known = self.found.entry((span, service)).or_default();
                known.extend(
                    places.iter().filter(|place| !known.contains(place)).copied().collect::<Vec<_>>(),
                );
            }
        }
    }
}
