//! Events to a tree: anchors, aliases, `<<`, tags and keys, within the budget.
//!
//! Deliberately absent: reading the text.

use std::collections::BTreeMap;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::shown;
use crate::budget::Budget;
use crate::node::{Entry, Map, Mark, Node, Scalar, Value};
use crate::problem::{self, Problems};
use crate::scalar::Kind;
use crate::source::Span;
use crate::way::Way;

/// Deepest nesting.
const DEEPEST: usize = 100;

/// A collection that is open.
struct Frame {
    shape: Shape,
    start: Span,
    end: u32,
    anchor: usize,
    mark: Mark,
    /// Nodes in it so far, for the budget of a later alias.
    size: Size,
}

enum Shape {
    List(Vec<Node>),
    Map { map: Map, seen: Seen, key: Key, merges: Vec<Node> },
}

/// Where the keys of an open mapping were first written. Few are looked for among its entries; many get an index.
#[derive(Default)]
struct Seen {
    /// The first `<<`, which is no entry.
    merge: Option<Span>,
    /// The places of entries among the map's.
    index: BTreeMap<String, usize>,
}

/// From so many entries on there is an index.
const MANY: usize = 24;

impl Seen {
    fn first(&self, map: &Map, key: &str) -> Option<Span> {
        let merge = self.merge.filter(|_| key == "<<");
        merge.or_else(|| map.entries.get(self.place(map, key)?).map(|entry| entry.key_span))
    }

    /// Where among the map's entries the one of this key is.
    fn place(&self, map: &Map, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            map.entries.iter().position(|entry| entry.key == key)
        } else {
            self.index.get(key).copied()
        }
    }

    fn push(&mut self, map: &mut Map, entry: Entry) {
        if !self.index.is_empty() {
            self.index.insert(entry.key.clone(), map.entries.len());
        }
        map.entries.push(entry);
        if self.index.is_empty() && map.entries.len() >= MANY {
            self.index = map.entries.iter().enumerate().map(|(at, e)| (e.key.clone(), at)).collect();
        }
    }
}

/// What a mapping waits for next.
enum Key {
    /// A key.
    Awaited,
    /// The value of this key.
    Is { text: String, span: Span, odd: bool },
    /// The value of `<<`.
    Merge,
    /// The value of a key that was refused.
    Refused,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text: usize,
}

/// A tree that is being built.
pub(super) struct Builder<'a> {
    pub(super) problems: &'a mut Problems,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, Size)>,
    budget: &'a mut Budget,
    /// The whole, once it is complete.
    pub(super) root: Option<Node>,
    /// It is too much: nothing can be said of it.
    pub(super) gave_up: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(budget: &'a mut Budget, problems: &'a mut Problems) -> Self {
        Self { problems, frames: Vec::new(), anchors: BTreeMap::new(), budget, root: None, gave_up: false }
    }

    pub(super) fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let (plain, mark) = self.tag(tag.as_deref(), plain, span);
                let mut node = Node::new(Value::Scalar(Scalar { text: text.into_owned(), plain }), span);
                node.mark = mark;
                if node.as_scalar().is_some_and(|scalar| scalar.text.contains('\0')) {
                    let next = "remove it: no name, path, argument or variable can hold one";
                    self.problems.add(&problem::NOT_TEXT, span, "an escape that stands for NUL", next);
                }
                let size = Size { nodes: 1, text: node.as_scalar().map_or(0, |s| s.text.len()) };
                self.complete(node, size, anchor);
            }
            Event::SequenceStart(anchor, tag) => {
                let (_, mark) = self.tag(tag.as_deref(), false, span);
                self.open(Shape::List(Vec::new()), span, anchor, mark);
            }
            Event::MappingStart(anchor, tag) => {
                let (_, mark) = self.tag(tag.as_deref(), false, span);
                let shape = Shape::Map {
                    map: Map::default(),
                    seen: Seen::default(),
                    key: Key::Awaited,
                    merges: Vec::new(),
                };
                self.open(shape, span, anchor, mark);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    /// What a tag says: whether a scalar is plain, and what merging does with the node.
    fn tag(&mut self, tag: Option<&Tag>, plain: bool, span: Span) -> (bool, Mark) {
        let Some(tag) = tag else { return (plain, Mark::None) };
        match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("!", "reset") => (plain, Mark::Reset),
            ("!", "override") => (plain, Mark::Override),
            ("!", "") | ("", "!") | ("tag:yaml.org,2002:", "str") => (false, Mark::None),
            ("tag:yaml.org,2002:", "int" | "float" | "bool" | "null") => (true, Mark::None),
            ("tag:yaml.org,2002:", "seq" | "map") => (plain, Mark::None),
            _ => {
                self.problems.add(
                    &problem::UNKNOWN_TAG,
                    span,
                    format!("the tag `{tag}` is not known"),
                    "remove the tag",
                );
                (plain, Mark::None)
            }
        }
    }

    fn open(&mut self, shape: Shape, start: Span, anchor: usize, mark: Mark) {
        if self.frames.len() >= DEEPEST {
            self.problems.add(
                &problem::TOO_MUCH,
                start,
                format!("nested deeper than {DEEPEST} levels"),
                "nest less",
            );
            self.gave_up = true;
            return;
        }
        self.frames.push(Frame {
            shape,
            start,
            end: start.end,
            anchor,
            mark,
            size: Size { nodes: 1, text: 0 },
        });
    }

    fn close(&mut self, span: Span) {
        let Some(mut frame) = self.frames.pop() else { return };
        // A block collection ends with its last child, a flow collection with its bracket.
        let end = if span.end > span.start { span.end } else { frame.end };
        let whole = Span::new(frame.start.source, frame.start.start, end.max(frame.start.end));
        let value = match frame.shape {
            Shape::List(items) => Value::List(items),
            Shape::Map { mut map, merges, mut seen, .. } => {
                for merged in merges {
                    // A tag on what is merged in is one on the mapping around it, which is what it is about to earlier files.
                    if frame.mark == Mark::None && merged.mark != Mark::None {
                        frame.mark = Mark::Override;
                    }
                    if merged.mark != Mark::Reset {
                        self.merge(&mut map, &mut seen, merged);
                    }
                }
                Value::Map(map)
            }
        };
        let node = Node { mark: frame.mark, ..Node::new(value, whole) };
        self.complete(node, frame.size, frame.anchor);
    }

    /// Entries of a `<<` that the mapping does not have itself, or resets; of several, the first wins.
    fn merge(&mut self, map: &mut Map, seen: &mut Seen, merged: Node) {
        let span = merged.span;
        let trail = merged.trail;
        match merged.value {
            Value::Map(from) => {
                for mut entry in from.entries {
                    entry.value.trail.extend(&trail);
                    let place = seen.place(map, &entry.key);
                    let Some(own) = place.and_then(|at| map.entries.get_mut(at)) else {
                        if seen.first(map, &entry.key).is_none() {
                            seen.push(map, entry);
                        }
                        continue;
                    };
                    if own.value.mark == Mark::Reset && entry.value.mark != Mark::Reset {
                        // `!reset` takes back what earlier files say, and says nothing itself: what is merged in holds.
                        entry.value.mark = Mark::Override;
                        *own = entry;
                    }
                }
            }
            Value::List(items) if items.iter().all(|i| i.as_map().is_some()) => {
                for item in items {
                    self.merge(map, seen, item);
                }
            }
            _ => {
                self.problems.add(
                    &problem::BAD_MERGE,
                    span,
                    "`<<` is not given a mapping",
                    "write `<<: *name` of an anchored mapping",
                );
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            self.problems.add(
                &problem::BAD_ALIAS,
                span,
                "the alias is inside its own anchor",
                "name an anchor that ends above",
            );
            self.gave_up = true;
            return;
        };
        let size = *size;
        if !self.budget.text.take(size.text) || !self.budget.values.take(size.nodes) {
            self.problems.add(
                &problem::TOO_MUCH,
                span,
                "aliases repeat more text than is read",
                "write it out, or repeat less",
            );
            self.gave_up = true;
            return;
        }
        let mut node = node.clone();
        node.trail.push(span, Way::Alias);
        // The alias is what stands here; its end is what the collection around it ends with.
        if let Some(frame) = self.frames.last_mut() {
            frame.end = frame.end.max(span.end);
        }
        self.place(node, size, Some(span));
    }

    /// A node is whole: remember it under its anchor, and put it into what is open.
    fn complete(&mut self, node: Node, size: Size, anchor: usize) {
        if anchor != 0 {
            // The copy kept counts like any other node: nested anchors would multiply otherwise.
            if !self.budget.text.take(size.text) || !self.budget.values.take(size.nodes) {
                self.too_much(node.span);
                return;
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.end = frame.end.max(node.span.end);
        }
        self.place(node, size, None);
    }

    fn too_much(&mut self, span: Span) {
        let message = format!("more than {} values", self.budget.values.most());
        let next = "split the stack, or remove what is not needed";
        self.problems.add(&problem::TOO_MUCH, span, message, next);
        self.gave_up = true;
    }

    fn place(&mut self, node: Node, size: Size, alias: Option<Span>) {
        // What an alias repeats has been taken.
        if alias.is_none() && !self.budget.values.take(1) {
            self.too_much(node.span);
            return;
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.size.nodes += size.nodes;
        frame.size.text += size.text;
        match &mut frame.shape {
            // Of an item nothing earlier is known that could be taken back.
            Shape::List(_) if node.mark == Mark::Reset => {}
            Shape::List(items) => items.push(node),
            Shape::Map { map, seen, key, merges } => match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => *key = read_key(node, alias, map, seen, self.problems),
                Key::Is { text, span, odd } => {
                    if text == "*" && is_marked(&node) {
                        let next = "name each entry that is meant";
                        let message =
                            "to Compose, a tag under the key `*` is about every entry of earlier files";
                        self.problems.add(&problem::UNKNOWN_TAG, span, message, next);
                    }
                    seen.push(map, Entry { key: text, key_span: span, odd, value: node });
                }
                Key::Merge => merges.push(node),
                Key::Refused => {}
            },
        }
    }
}

/// Whether a tag of merging is anywhere in it.
fn is_marked(node: &Node) -> bool {
    node.mark != Mark::None
        || match &node.value {
            Value::Scalar(_) => false,
            Value::List(items) => items.iter().any(is_marked),
            Value::Map(map) => map.entries.iter().any(|entry| is_marked(&entry.value)),
        }
}

/// What a node in the place of a key is.
fn read_key(node: Node, alias: Option<Span>, map: &Map, seen: &mut Seen, problems: &mut Problems) -> Key {
    let span = alias.unwrap_or(node.span);
    let Value::Scalar(scalar) = node.value else {
        problems.add(&problem::KEY_NOT_TEXT, span, "a list or a mapping stands as a key", "write a string");
        return Key::Refused;
    };
    if let Some(first) = seen.first(map, &scalar.text) {
        let message = format!("`{}` is written twice", shown(&scalar.text));
        let finding = problems.add(&problem::DUPLICATE_KEY, span, message, "keep one of the two");
        finding.related.push((first, "first written here".to_owned()));
        return Key::Refused;
    }
    if scalar.plain && scalar.text == "<<" {
        seen.merge = Some(span);
        return Key::Merge;
    }
    let odd = scalar.kind() != Kind::Text;
    Key::Is { text: scalar.text, span, odd }
}
