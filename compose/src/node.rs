//! A tree of YAML nodes with their places, as every phase before `lower` sees it.
//!
//! Deliberately absent: parsing (`yaml`) and any knowledge of Compose.

use std::collections::BTreeMap;

use crate::scalar::{self, Kind};
use crate::source::Span;
use crate::way::Trail;

/// One value and where it is written. Through an alias it is the anchor's place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// All of its bytes.
    pub(crate) span: Span,
    /// `!reset` or `!override`.
    pub(crate) mark: Mark,
    /// How it came here.
    pub(crate) trail: Trail,
}

/// What merging does with a node besides the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    None,
    /// `!reset`: what earlier files say there is removed, and so is this.
    Reset,
    /// `!override`: what earlier files say there is replaced, not merged.
    Override,
}

/// A value of YAML.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Text, perhaps of a number, a boolean or nothing.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Map),
}

/// A scalar as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// Without quotes and escapes.
    pub(crate) text: String,
    /// Written without quotes and without a variable, so that it may be a number, a boolean or null.
    pub(crate) plain: bool,
}

/// The entries of a mapping in the order of writing, each key once.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Map {
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key is written.
    pub(crate) key_span: Span,
    /// The key is a plain number, boolean or null, which Compose refuses.
    pub(crate) odd: bool,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// A node without a mark.
    pub(crate) const fn new(value: Value, span: Span) -> Self {
        Self { value, span, mark: Mark::None, trail: Trail::none() }
    }

    /// The same, come here as another did.
    pub(crate) fn along(mut self, trail: &Trail) -> Self {
        self.trail.extend(trail);
        self
    }

    /// Whether it says what another says, wherever both are written. Nothing and an empty mapping say the same.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(a), Value::Scalar(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                let index = b.index();
                let same = |entry: &Entry| {
                    let other = index.get(entry.key.as_str()).and_then(|at| b.entries.get(*at));
                    other.is_some_and(|other| entry.value.says_the_same(&other.value))
                };
                a.entries.len() == b.entries.len() && a.entries.iter().all(same)
            }
            (Value::Map(map), Value::Scalar(_)) => map.entries.is_empty() && other.is_null(),
            (Value::Scalar(_), Value::Map(map)) => map.entries.is_empty() && self.is_null(),
            (Value::List(_), _) | (_, Value::List(_)) => false,
        }
    }

    /// A string.
    pub(crate) fn text(text: impl Into<String>, span: Span) -> Self {
        Self::new(Value::Scalar(Scalar { text: text.into(), plain: false }), span)
    }

    /// A number, boolean or null by its spelling.
    pub(crate) fn plain(text: impl Into<String>, span: Span) -> Self {
        Self::new(Value::Scalar(Scalar { text: text.into(), plain: true }), span)
    }

    /// A sequence.
    pub(crate) const fn list(items: Vec<Self>, span: Span) -> Self {
        Self::new(Value::List(items), span)
    }

    /// A mapping.
    pub(crate) const fn map(entries: Vec<Entry>, span: Span) -> Self {
        Self::new(Value::Map(Map { entries }), span)
    }

    /// Nothing at all, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.kind() == Some(Kind::Null)
    }

    /// What kind of scalar it is, if it is one.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.as_scalar().map(Scalar::kind)
    }

    /// The scalar, if it is one.
    pub(crate) const fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// A string that is not null; numbers and booleans in Compose's spelling.
    pub(crate) fn as_text(&self) -> Option<String> {
        let scalar = self.as_scalar()?;
        (scalar.kind() != Kind::Null).then(|| scalar.canonical())
    }

    /// The items, if it is a sequence.
    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub(crate) const fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under a key, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }
}

impl Scalar {
    /// What it stands for under YAML 1.2's core schema, with the spellings that Compose's parser adds.
    pub(crate) fn kind(&self) -> Kind {
        if self.plain { scalar::kind(&self.text) } else { Kind::Text }
    }

    /// The text as Compose prints the value: `0777` without quotes is `511`, `1.50` is `1.5`.
    pub(crate) fn canonical(&self) -> String {
        if self.plain { scalar::canonical(&self.text) } else { self.text.clone() }
    }
}

impl Entry {
    /// An entry that a phase made from a short form written at `span`.
    pub(crate) fn made(key: &str, span: Span, value: Node) -> Self {
        Self { key: key.to_owned(), key_span: span, odd: false, value }
    }

    /// Key and value together.
    pub(crate) fn span(&self) -> Span {
        if self.key_span.source == self.value.span.source && self.value.span.start >= self.key_span.start {
            self.key_span.to(self.value.span)
        } else {
            self.key_span
        }
    }
}

impl Map {
    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }

    /// The entry with a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Places of the keys, for looking up many.
    pub(crate) fn index(&self) -> BTreeMap<&str, usize> {
        self.entries.iter().enumerate().map(|(i, e)| (e.key.as_str(), i)).collect()
    }

    /// Puts a value under a key, in place of an earlier one.
    pub(crate) fn set(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(at))
    }
}
