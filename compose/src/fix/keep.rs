//! What an edit has to leave as it is: everything that the model says elsewhere, and every rule that was kept.
//!
//! Deliberately absent: edits; two judgements are compared, whatever lies between them.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Severity;
use crate::node::{Node, Value};
use crate::source::Span;

use super::propose::Proposal;
use super::{Done, Judged, Why};

/// A key of an object of the model: section, name, key. The key of the whole object is empty.
pub(super) type Place = (String, String, String);

/// Where in the model each of these spans is said.
pub(super) fn places(root: &Node, spans: &BTreeSet<Span>) -> BTreeMap<Span, BTreeSet<Place>> {
    let mut found = BTreeMap::new();
    for (place, at, node) in keys(root) {
        let mut note = |span: Span| {
            if spans.contains(&span) {
                found.entry(span).or_insert_with(BTreeSet::new).insert(place.clone());
            }
        };
        if let Some(entry) = at {
            note(entry.key_span);
            note(entry.span());
        }
        walk(node, &mut note);
    }
    found
}

fn walk(node: &Node, note: &mut impl FnMut(Span)) {
    note(node.span);
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|item| walk(item, note)),
        Value::Map(map) => map.entries.iter().for_each(|entry| {
            note(entry.key_span);
            note(entry.span());
            walk(&entry.value, note);
        }),
    }
}

/// Every key of every object, with its entry and value; what is no object is one place.
fn keys(root: &Node) -> Vec<(Place, Option<&crate::node::Entry>, &Node)> {
    let mut found = Vec::new();
    for section in root.as_map().into_iter().flat_map(|map| &map.entries).filter(|e| is_said(&e.key)) {
        let objects =
            ["services", "networks", "volumes", "secrets", "configs"].contains(&section.key.as_str());
        let Some(names) = section.value.as_map().filter(|_| objects) else {
            found.push(((section.key.clone(), String::new(), String::new()), Some(section), &section.value));
            continue;
        };
        for name in names.entries.iter().filter(|entry| is_said(&entry.key)) {
            let place = |key: &str| (section.key.clone(), name.key.clone(), key.to_owned());
            let Some(keys) = name.value.as_map() else {
                found.push((place(""), Some(name), &name.value));
                continue;
            };
            found.push((place(""), None, &EMPTY));
            let said = keys.entries.iter().filter(|entry| is_said(&entry.key));
            found.extend(said.map(|entry| (place(&entry.key), Some(entry), &entry.value)));
        }
    }
    found
}

/// A place that says nothing by itself: the object is there.
static EMPTY: Node = Node {
    value: Value::List(Vec::new()),
    span: Span::nowhere(),
    mark: crate::node::Mark::None,
    trail: crate::way::Trail::none(),
};

/// Extensions say nothing to Compose; ours do.
fn is_said(key: &str) -> bool {
    !key.starts_with("x-") || key == "x-supervisor"
}

/// Whether only what was found is said by the text in question: one key of the services that the findings are about, or
/// of one other object.
pub(super) fn is_alone(judged: &Judged, findings: &[usize], places: &BTreeSet<Place>) -> bool {
    let found = findings.iter().filter_map(|number| judged.report.findings.get(*number));
    let services: BTreeSet<Option<&str>> = found.map(|finding| finding.service.as_deref()).collect();
    let keys: BTreeSet<&str> = places.iter().map(|(_, _, key)| key.as_str()).collect();
    let about = |(section, name, _): &Place| section == "services" && services.contains(&Some(name.as_str()));
    keys.len() == 1 && if services.contains(&None) { places.len() == 1 } else { places.iter().all(about) }
}

/// Whether the edits did what they are for, and nothing else.
pub(super) fn verdict(before: &Judged, after: &Judged, made: &[&Proposal]) -> Result<(), Why> {
    let (Some(old), Some(new), false) = (&before.root, &after.root, after.report.unreadable) else {
        return Err(Why::Unreadable);
    };
    let (had, has) = (counts(before), counts(after));
    let mut gone: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for (proposal, finding) in made.iter().flat_map(|one| one.findings.iter().map(move |n| (one, n))) {
        let service = before.report.findings.get(*finding).and_then(|f| f.service.as_deref());
        *gone.entry((proposal.rule, service)).or_default() += 1;
    }
    for (what, gone) in gone {
        let had = had.get(&what).copied().unwrap_or_default();
        if has.get(&what).copied().unwrap_or_default() > had.saturating_sub(gone) {
            return Err(Why::Stays);
        }
    }
    for ((rule, service), count) in &has {
        if *count > had.get(&(*rule, *service)).copied().unwrap_or_default() {
            return Err(Why::Brings(rule));
        }
    }
    let meant: BTreeSet<&Place> = made.iter().flat_map(|proposal| &proposal.places).collect();
    match changed(old, new).into_iter().find(|place| !meant.contains(place)) {
        None => Ok(()),
        Some((section, name, key)) => {
            let words = [section, name, key].into_iter().filter(|word| !word.is_empty());
            Err(Why::Changes(words.collect::<Vec<_>>().join(".")))
        }
    }
}

/// Errors and warnings by rule and service.
fn counts(judged: &Judged) -> BTreeMap<(&'static str, Option<&str>), usize> {
    let mut counts = BTreeMap::new();
    for finding in judged.report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        *counts.entry((finding.rule, finding.service.as_deref())).or_default() += 1;
    }
    counts
}

/// Where two models say different things.
fn changed(old: &Node, new: &Node) -> Vec<Place> {
    let old: BTreeMap<Place, &Node> = keys(old).into_iter().map(|(place, _, node)| (place, node)).collect();
    let new: BTreeMap<Place, &Node> = keys(new).into_iter().map(|(place, _, node)| (place, node)).collect();
    let all: BTreeSet<&Place> = old.keys().chain(new.keys()).collect();
    let differ = |place: &Place| match (old.get(place), new.get(place)) {
        (Some(old), Some(new)) => !says_the_same(old, new),
        _ => true,
    };
    all.into_iter().filter(|place| differ(place)).cloned().collect()
}

/// Whether two values are the same wherever they are written.
pub(super) fn says_the_same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| says_the_same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.entries.iter().zip(&b.entries);
            a.entries.len() == b.entries.len()
                && pairs.into_iter().all(|(a, b)| a.key == b.key && says_the_same(&a.value, &b.value))
        }
        _ => false,
    }
}

/// What a proposal that was carried out was for.
pub(super) fn done(judged: &Judged, proposal: &Proposal) -> Vec<Done> {
    let file = judged.report.sources.iter().nth(proposal.source).map(|source| source.name().to_owned());
    let findings = proposal.findings.iter().filter_map(|number| judged.report.findings.get(*number));
    findings
        .map(|finding| Done {
            rule: proposal.rule,
            file: file.clone().unwrap_or_default(),
            service: finding.service.clone(),
            message: finding.message.clone(),
        })
        .collect()
}
