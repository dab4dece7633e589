//! A later tree over an earlier one, by Compose's rules for each key. Both are canonical.
//!
//! Mappings are merged, lists appended, scalars replaced; the exceptions are named here. Deliberately absent: which
//! files are merged and in which order (`load`).

use std::collections::BTreeMap;

use crate::node::{Entry, Map, Mark, Node, Value};
use crate::source::Span;
use crate::way::{self, Way};

mod unique;

/// A tree with nothing beneath it: entries of lists that must be unique are.
pub(crate) fn alone(mut tree: Node) -> Node {
    unique::enforce(&mut tree);
    tree
}

/// `over` merged over `base`.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    let mut merged = node(base, over, &mut Vec::new());
    unique::enforce(&mut merged);
    merged
}

/// Takes what is empty over something out of a later tree, before it is looked at: Compose passes it over, down to the keys
/// of services and of other objects. Those keys that it replaces as a whole are left to it.
pub(crate) fn pass_over_empty(base: &Node, over: &mut Node, depth: u8) {
    let (Some(base), Value::Map(over)) = (base.as_map(), &mut over.value) else { return };
    let index = base.index();
    over.entries.retain_mut(|entry| {
        let under = index.get(entry.key.as_str()).and_then(|at| base.entries.get(*at));
        let Some(under) = under.filter(|under| !under.value.is_null()) else { return true };
        if depth > 0 {
            pass_over_empty(&under.value, &mut entry.value, depth - 1);
        }
        let replaced = depth == 0 && matches!(entry.key.as_str(), "command" | "entrypoint" | "logging");
        replaced || entry.key.starts_with("x-") || entry.value.mark != Mark::None || !entry.value.is_null()
    });
}

/// An entry that an included file and the file that includes it declare differently.
#[derive(Debug)]
pub(crate) struct Clash {
    /// What it is called, with its section.
    pub(crate) name: String,
    /// Its key in the file that includes.
    pub(crate) own: Span,
    /// Its key in the included file.
    pub(crate) included: Span,
}

/// What `include` brings becomes part of the file that includes it: entries of sections alone. What both declare has to
/// be the same; where it is not, the file's own is merged over the other, so that the rest can be judged.
pub(crate) fn include(included: Node, file: &mut Node) -> Vec<Clash> {
    let mut clashes = Vec::new();
    let (Value::Map(included), Value::Map(file)) = (included.value, &mut file.value) else { return clashes };
    for section in included.entries.into_iter().filter(|section| SECTIONS.contains(&section.key.as_str())) {
        let own = file.entries.iter_mut().find(|own| own.key == section.key).map(|own| &mut own.value.value);
        match (section.value.value, own) {
            (Value::Map(names), Some(Value::Map(own))) => {
                let mut index: BTreeMap<String, usize> =
                    own.index().into_iter().map(|(name, at)| (name.to_owned(), at)).collect();
                for mut entry in names.entries {
                    let Some(old) = index.get(&entry.key).and_then(|at| own.entries.get_mut(*at)) else {
                        index.insert(entry.key.clone(), own.entries.len());
                        own.entries.push(entry);
                        continue;
                    };
                    if old.value.mark == Mark::Reset {
                        entry.value.mark = Mark::Override;
                        *old = entry;
                    } else if !old.value.says_the_same(&entry.value) {
                        let name = format!("{}.{}", section.key, entry.key);
                        clashes.push(Clash { name, own: old.key_span, included: entry.key_span });
                        let mut path = vec![section.key.clone(), entry.key];
                        let over = std::mem::replace(&mut old.value, Node::plain("", old.key_span));
                        old.value = node(entry.value, over, &mut path);
                    }
                }
            }
            (names @ Value::Map(_), own) => {
                let value = Node::new(names, section.value.span);
                match own {
                    Some(own) => *own = value.value,
                    None => file.entries.push(Entry { value, ..section }),
                }
            }
            (Value::List(_) | Value::Scalar(_), _) => {}
        }
    }
    clashes
}

/// What an included file adds to; the rest of it is about itself.
const SECTIONS: [&str; 6] = ["services", "networks", "volumes", "secrets", "configs", "models"];

/// One service merged over the one that it extends.
pub(crate) fn service(base: Node, over: Node) -> Node {
    let mut merged = node(base, over, &mut vec!["services".to_owned(), "*".to_owned()]);
    unique::service(&mut merged);
    merged
}

/// Takes out what is reset, and forgets marks. Last of all: a mark holds for every earlier file.
pub(crate) fn settle(tree: &mut Node) {
    tree.mark = Mark::None;
    match &mut tree.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            items.iter_mut().for_each(settle);
        }
        Value::Map(map) => {
            map.entries.retain(|entry| entry.value.mark != Mark::Reset);
            map.entries.iter_mut().for_each(|entry| settle(&mut entry.value));
        }
    }
}

fn node(mut base: Node, mut over: Node, path: &mut Vec<String>) -> Node {
    if over.mark != Mark::None || base.mark == Mark::Reset {
        over.trail.push(base.span, Way::Over);
        return over;
    }
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    if is_replaced(&words, &base, &over) {
        over.trail.push(base.span, Way::Over);
        return over;
    }
    if base.as_scalar().is_some() {
        over.trail.push(base.span, Way::Over);
    } else {
        way::hand_down(&mut base);
        way::hand_down(&mut over);
    }
    let trail = std::mem::take(&mut over.trail);
    let (span, mark) = (over.span, base.mark);
    let value = match (base.value, over.value) {
        (Value::Map(base), Value::Map(over)) => Value::Map(maps(base, over, path)),
        (Value::List(base), Value::List(over)) if words.ends_with(&["ipam", "config"]) => {
            Value::List(pools(base, over, path))
        }
        (Value::List(mut items), Value::List(over)) => {
            items.extend(over);
            Value::List(items)
        }
        // Nothing over something says nothing; over a scalar it is `null`.
        (kept @ (Value::Map(_) | Value::List(_)), Value::Scalar(s))
            if s.kind() == crate::scalar::Kind::Null =>
        {
            return Node { mark, ..Node::new(kept, base.span) };
        }
        (_, value) => value,
    };
    Node { mark, trail, ..Node::new(value, span) }
}

fn maps(mut base: Map, over: Map, path: &mut Vec<String>) -> Map {
    let index: BTreeMap<String, usize> = base.index().into_iter().map(|(k, i)| (k.to_owned(), i)).collect();
    for entry in over.entries {
        let place = index.get(&entry.key).copied();
        match place.and_then(|at| base.entries.get_mut(at)) {
            None => base.entries.push(entry),
            Some(old) => {
                path.push(entry.key.clone());
                let under = std::mem::replace(&mut old.value, Node::plain("", entry.key_span));
                let value = node(under, entry.value, path);
                *old = Entry { value, ..entry };
                path.pop();
            }
        }
    }
    base
}

/// Whether a later value takes the whole place of an earlier one of the same kind.
fn is_replaced(path: &[&str], base: &Node, over: &Node) -> bool {
    match path {
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"] => true,
        // Options of one driver mean nothing to another.
        ["services", _, "logging"] => {
            let driver = |node: &Node| node.get("driver").and_then(Node::as_text);
            driver(base).zip(driver(over)).is_some_and(|(a, b)| a != b)
        }
        _ => false,
    }
}

/// Address pools of the same subnet are one.
fn pools(mut base: Vec<Node>, over: Vec<Node>, path: &mut Vec<String>) -> Vec<Node> {
    let subnet = |node: &Node| node.get("subnet").and_then(Node::as_text);
    let mut known = BTreeMap::new();
    for (at, pool) in base.iter().enumerate() {
        // Of several the first counts.
        known.entry(subnet(pool)).or_insert(at);
    }
    for pool in over {
        let name = subnet(&pool);
        let same = name.is_some().then(|| known.get(&name)).flatten().copied();
        if let Some(old) = same.and_then(|at| base.get_mut(at)) {
            let under = old.clone();
            path.push("*".to_owned());
            *old = node(under, pool, path);
            path.pop();
        } else {
            known.entry(name).or_insert(base.len());
            base.push(pool);
        }
    }
    base
}
