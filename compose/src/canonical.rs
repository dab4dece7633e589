//! Short forms made long, so that merging and lowering know one form a key.
//!
//! What has the wrong type is left as it is: `shape` has reported it. Deliberately absent: the meaning of values.

mod mounts;
mod ports;

use crate::node::{Entry, Map, Node, Value};
use crate::problem::{self, Problems};
use crate::source::Span;
use crate::spell;

/// Makes every short form in a file long.
pub(crate) fn canonical(file: &mut Node, problems: &mut Problems) {
    let Value::Map(top) = &mut file.value else { return };
    for section in &mut top.entries {
        match section.key.as_str() {
            "services" => each(&mut section.value, |name, node| {
                problems.service = Some(name.to_owned());
                service(node, problems);
                problems.service = None;
            }),
            "networks" | "volumes" | "secrets" | "configs" => {
                each(&mut section.value, |_, node| object(node, problems));
            }
            "include" => includes(&mut section.value),
            _ => {}
        }
    }
}

/// Whether a mapping was made from a short form: its entries stand where it stands.
pub(crate) fn is_short(node: &Node) -> bool {
    node.as_map().and_then(|m| m.entries.first()).is_some_and(|e| e.key_span == node.span)
}

/// Every entry of a mapping that is not an extension.
fn each(node: &mut Node, mut change: impl FnMut(&str, &mut Node)) {
    if let Value::Map(map) = &mut node.value {
        for entry in map.entries.iter_mut().filter(|e| !e.key.starts_with("x-")) {
            change(&entry.key, &mut entry.value);
        }
    }
}

/// One service, one function a key.
pub(crate) fn service(node: &mut Node, problems: &mut Problems) {
    let Value::Map(map) = &mut node.value else { return };
    for entry in &mut map.entries {
        let value = &mut entry.value;
        match entry.key.as_str() {
            "command" | "entrypoint" => command(value, problems),
            "environment" | "labels" | "sysctls" | "annotations" => pairs(value),
            "env_file" => {
                listed(value);
                items(value, |item| wrap(item, "path"));
            }
            "label_file" | "tmpfs" | "dns" | "dns_search" => listed(value),
            "extends" => wrap(value, "service"),
            "build" => build(value),
            "ports" => ports::canonical(value, problems),
            "volumes" => items(value, |item| mounts::canonical(item, problems)),
            "secrets" | "configs" => items(value, |item| wrap(item, "source")),
            "networks" | "models" => named(value, |span| Node::plain("", span), problems),
            "depends_on" => named(value, started, problems),
            "extra_hosts" => hosts(value),
            "healthcheck" => each(value, |key, node| {
                if key == "test" {
                    shell_test(node);
                }
            }),
            "deploy" => each(value, |key, node| {
                if key == "labels" {
                    pairs(node);
                }
            }),
            "post_start" | "pre_stop" | "pre_start" => items(value, |item| hook(item, problems)),
            "develop" => each(value, |_, watch| {
                items(watch, |row| {
                    each(row, |key, node| match key {
                        "exec" => hook(node, problems),
                        "ignore" | "include" => listed(node),
                        _ => {}
                    });
                });
            }),
            "provider" => each(value, |key, node| {
                if key == "options" {
                    each(node, |_, option| listed(option));
                }
            }),
            _ => {}
        }
    }
}

/// A command that runs before or after something.
fn hook(node: &mut Node, problems: &mut Problems) {
    each(node, |key, node| match key {
        "command" => command(node, problems),
        "environment" => pairs(node),
        _ => {}
    });
}

/// A network, volume, secret or config: labels, and `external` with a name in it.
fn object(node: &mut Node, problems: &mut Problems) {
    let Value::Map(map) = &mut node.value else { return };
    let mut name = None;
    for entry in &mut map.entries {
        match entry.key.as_str() {
            "labels" => pairs(&mut entry.value),
            "external" => {
                if let Value::Map(inner) = &mut entry.value.value {
                    name = inner.remove("name");
                    entry.value = Node::plain("true", entry.value.span).along(&entry.value.trail);
                }
            }
            _ => {}
        }
    }
    let Some(name) = name else { return };
    if let Some(other) = map.entry("name") {
        let message = "`name` and `external.name` are both given";
        let finding = problems.add(&problem::CONFLICT, name.key_span, message, "keep `name`");
        finding.related.push((other.key_span, "`name` is here".to_owned()));
    } else {
        map.entries.push(name);
    }
}

fn includes(node: &mut Node) {
    listed(node);
    items(node, |item| {
        wrap(item, "path");
        each(item, |key, node| {
            if matches!(key, "path" | "env_file") {
                listed(node);
            }
        });
    });
}

fn build(node: &mut Node) {
    wrap(node, "context");
    let span = node.span;
    if let Value::Map(map) = &mut node.value
        && map.get("context").is_none()
    {
        map.entries.push(Entry::made("context", span, Node::text(".", span)));
    }
    each(node, |key, node| match key {
        "args" | "labels" | "additional_contexts" | "ssh" => pairs(node),
        "secrets" => items(node, |item| wrap(item, "source")),
        "extra_hosts" => hosts(node),
        _ => {}
    });
}

/// A string becomes the list of it.
fn listed(node: &mut Node) {
    if node.as_text().is_some() {
        let (span, mark) = (node.span, node.mark);
        let item = Node { mark: crate::node::Mark::None, ..node.clone() };
        *node = Node { mark, ..Node::list(vec![item], span) };
    }
}

/// A string becomes a mapping with it under a key.
fn wrap(node: &mut Node, key: &str) {
    if node.as_text().is_some() {
        let (span, mark) = (node.span, node.mark);
        let item = Node { mark: crate::node::Mark::None, ..node.clone() };
        *node = Node { mark, ..Node::map(vec![Entry::made(key, span, item)], span) };
    }
}

fn items(node: &mut Node, mut change: impl FnMut(&mut Node)) {
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(&mut change);
    }
}

/// A list of names becomes a mapping of them to what they mean when nothing is said.
fn named(node: &mut Node, default: impl Fn(Span) -> Node, problems: &mut Problems) {
    let Value::List(items) = &node.value else { return };
    let mut seen = std::collections::BTreeSet::new();
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = item.as_text() else { continue };
        if seen.insert(name.clone()) {
            entries.push(Entry::made(&name, item.span, default(item.span).along(&item.trail)));
        } else {
            let message = format!("`{}` is listed twice", crate::yaml::shown(&name));
            problems.add(&problem::DUPLICATE_KEY, item.span, message, "keep one of the two");
        }
    }
    node.value = Value::Map(Map { entries });
}

fn started(span: Span) -> Node {
    Node::map(
        vec![
            Entry::made("condition", span, Node::text("service_started", span)),
            Entry::made("required", span, Node::plain("true", span)),
        ],
        span,
    )
}

/// `NAME=value` rows become a mapping; a row without `=` has no value, and the last of a name holds.
fn pairs(node: &mut Node) {
    let Value::List(items) = &node.value else { return };
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    let mut places = std::collections::BTreeMap::new();
    for item in items {
        let Some(text) = item.as_text() else { continue };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Node::text(value, item.span).along(&item.trail)),
            None => (text.as_str(), Node::plain("", item.span).along(&item.trail)),
        };
        let entry = Entry::made(name, item.span, value);
        if let Some(old) = places.get(name).and_then(|at: &usize| entries.get_mut(*at)) {
            *old = entry;
        } else {
            places.insert(name.to_owned(), entries.len());
            entries.push(entry);
        }
    }
    node.value = Value::Map(Map { entries });
}

/// `NAME=ADDRESS` or `NAME:ADDRESS` rows become a mapping of names to lists of addresses.
fn hosts(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => {
            let mut map = Map::default();
            let mut places = std::collections::BTreeMap::new();
            for item in items {
                let Some(text) = item.as_text() else { continue };
                let (name, address) =
                    text.split_once('=').or_else(|| text.split_once(':')).unwrap_or((text.as_str(), ""));
                let address = address.trim_start_matches('[').trim_end_matches(']');
                let address = Node::text(address, item.span).along(&item.trail);
                let place = *places.entry(name.to_owned()).or_insert(map.entries.len());
                match map.entries.get_mut(place).map(|e| &mut e.value.value) {
                    Some(Value::List(addresses)) => addresses.push(address),
                    _ => map.entries.push(Entry::made(name, item.span, Node::list(vec![address], item.span))),
                }
            }
            node.value = Value::Map(map);
        }
        Value::Map(map) => map.entries.iter_mut().for_each(|e| listed(&mut e.value)),
        Value::Scalar(_) => {}
    }
}

/// A command line becomes arguments.
fn command(node: &mut Node, problems: &mut Problems) {
    let Some(text) = node.as_text() else { return };
    let span = node.span;
    match spell::words(&text) {
        Some(line) => {
            node.value = Value::List(line.words.into_iter().map(|w| Node::text(w, span)).collect());
            if let Some(c) = line.dropped_from {
                let message = format!("what follows `{c}` in the command is dropped");
                let next = "write a list of arguments, or `sh -c '…'` where a shell is meant";
                problems.add(&problem::DROPPED, span, message, next);
            }
        }
        None => {
            problems.add(
                &problem::BAD_VALUE,
                span,
                "a quote or a bracket in the command is not closed",
                "close it, or write a list of arguments",
            );
        }
    }
}

fn shell_test(node: &mut Node) {
    if let Some(text) = node.as_text() {
        let span = node.span;
        node.value = Value::List(vec![Node::text("CMD-SHELL", span), Node::text(text, span)]);
    }
}
