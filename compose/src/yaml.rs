//! Text to a tree of spanned nodes, with every limit that keeps a hostile text cheap.
//!
//! The only place that names the YAML crate. Anchors, aliases and `<<` are resolved here, so that no later phase
//! knows of them. Deliberately absent: what any key means.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::budget::Budget;
use crate::node::{Entry, Map, Mark, Node, Scalar, Value};
use crate::problem::{self, Problems};
use crate::scalar::Kind;
use crate::source::{MOST_BYTES, Source, SourceId, Span};
use crate::way::Way;

pub(crate) mod outline;
mod places;
mod tabs;

use places::Places;
use tabs::Tabs;

/// Deepest nesting.
const DEEPEST: usize = 100;

/// Most marks of flow style within one outermost pair of brackets or braces: the parser keeps all that is between them
/// until they close. A stack of 700 services as JSON has about as many; line by line, none has any to speak of.
const MOST_IN_BRACKETS: usize = 64_000;

/// Reads one text. `None` where nothing can be said of it; the problems say why.
pub(crate) fn parse(
    source: &Source,
    id: SourceId,
    budget: &mut Budget,
    problems: &mut Problems,
) -> Option<Node> {
    if !is_fit(source, id, problems) {
        return None;
    }
    let places = Places::new(source.text(), id);
    let mut builder = Builder {
        problems,
        frames: Vec::new(),
        anchors: BTreeMap::new(),
        budget,
        root: None,
        gave_up: false,
    };
    let mut documents = 0;
    let mut tabs = Tabs::new(source.text());
    let mut parser = Parser::new_from_str(source.text());
    while let Some(next) = parser.next_event() {
        let (event, mark) = match next {
            Ok(next) => next,
            Err(error) => {
                let span = places.at(error.marker().index());
                builder.problems.add(
                    &problem::NOT_YAML,
                    span,
                    error.info().to_owned(),
                    "mend the syntax here or just above",
                );
                return None;
            }
        };
        if let Some(tabs) = &mut tabs {
            tabs.event(&event, places.whole(mark), mark.start.col());
        }
        let span = places.of(&event, mark);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    builder.problems.add(
                        &problem::MANY_DOCUMENTS,
                        span,
                        "a second document starts here",
                        "keep one document a file, and give further files with `-f`",
                    );
                    return None;
                }
            }
            Event::StreamEnd => break,
            event => builder.event(event, span),
        }
        if builder.gave_up {
            return None;
        }
    }
    if let Some(at) = tabs.and_then(|tabs| tabs.first()) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let message = "a tab that Docker Compose does not take for a blank";
        builder.problems.add(&problem::NOT_YAML, Span::new(id, at, at + 1), message, "write spaces");
        return None;
    }
    builder.root.or_else(|| Some(Node::plain("", places.at(0))))
}

/// What a text begins with, where that is this key and a plain value of it: no tag, no anchor, no alias. Nothing after it is read.
pub(crate) fn first(source: &Source, id: SourceId, key: &str) -> Option<Node> {
    if !is_fit(source, id, &mut Problems::default()) {
        return None;
    }
    let places = Places::new(source.text(), id);
    let events = Parser::new_from_str(source.text());
    for (place, event) in events.enumerate() {
        let (event, mark) = event.ok()?;
        let span = places.of(&event, mark);
        match (place, event) {
            (0, Event::StreamStart) | (1, Event::DocumentStart(_)) | (2, Event::MappingStart(0, None)) => {}
            (3, Event::Scalar(text, _, 0, None)) if text == key => {}
            (4, Event::Scalar(text, style, 0, None)) => {
                let scalar = Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let value = Node::new(Value::Scalar(scalar), span);
                return value.as_text().is_some().then_some(value);
            }
            _ => return None,
        }
    }
    None
}

/// Length and characters.
fn is_fit(source: &Source, id: SourceId, problems: &mut Problems) -> bool {
    let text = source.text();
    if text.len() as u64 > MOST_BYTES {
        let message = format!("the file has {} bytes, more than {MOST_BYTES}", text.len());
        problems.add(
            &problem::TOO_MUCH,
            Span::new(id, 0, 0),
            message,
            "split it, or remove what is not needed",
        );
        return false;
    }
    if let Some(at) = crowded(text) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let message = format!("more than {MOST_IN_BRACKETS} marks between one pair of brackets");
        problems.add(
            &problem::TOO_MUCH,
            Span::new(id, at, at),
            message,
            "write it line by line, without brackets",
        );
        return false;
    }
    if let Some(at) = source.invalid_at() {
        problems.add(
            &problem::NOT_TEXT,
            Span::new(id, at, at),
            "a byte that is not UTF-8",
            "save the file as UTF-8",
        );
        return false;
    }
    if let Some(at) = directive(text) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        problems.add(
            &problem::NOT_YAML,
            Span::new(id, at, at),
            "a directive that Docker Compose does not read",
            "remove the line",
        );
        return false;
    }
    let odd = text
        .char_indices()
        .find(|(_, c)| is_line_end(*c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    if let Some((at, c)) = odd {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let what = if is_line_end(c) {
            "a character that ends a line for some readers alone"
        } else {
            "a control character"
        };
        let message = format!("{what}, U+{:04X}", u32::from(c));
        problems.add(
            &problem::NOT_TEXT,
            Span::new(id, at, at),
            message,
            "remove it, or write it as an escape in double quotes",
        );
        return false;
    }
    true
}

/// Where a directive stands before the document that is neither a tag's nor says the version that Compose's parser knows.
fn directive(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let mut words = line.trim_start_matches('\u{feff}').split_whitespace();
        match (words.next(), words.next()) {
            (Some("%TAG") | None, _) | (Some("%YAML"), Some("1.1")) => {}
            (Some(word), _) if word.starts_with('#') => {}
            (Some(word), _) => return word.starts_with('%').then_some(at),
        }
        at += line.len();
    }
    None
}

/// A line end of YAML 1.1, which Compose's own parser knows, and not of YAML 1.2: in a comment it would hide a key from us.
const fn is_line_end(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Where there is too much between brackets. Quotes and comments are not told apart: what is counted there is far less.
fn crowded(text: &str) -> Option<usize> {
    let (mut depth, mut marks) = (0_usize, 0_usize);
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' | b'?' => {}
            _ => return false,
        }
        marks = if depth == 0 { 0 } else { marks + 1 };
        marks > MOST_IN_BRACKETS
    })
}

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

struct Builder<'a> {
    problems: &'a mut Problems,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, (Node, Size)>,
    budget: &'a mut Budget,
    root: Option<Node>,
    gave_up: bool,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) {
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

/// A key for a message: its beginning, so that a message stays one line.
pub(crate) fn shown(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests;
