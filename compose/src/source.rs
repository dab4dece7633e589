//! Where text came from: sources, byte spans in them, and the values that carry one.
//!
//! Deliberately absent: rendering of a finding under its line; that is the command line's.

use std::fmt;
use std::path::{Path, PathBuf};

/// Longest text that is read, in bytes. A Compose file of 1,000 services has about half of it.
pub const MOST_BYTES: u64 = 1024 * 1024;

/// Number of a source in its [`Sources`]; the order in which the texts were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A half-open range of bytes in one source. Ordered by source, then place: file order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text that the bytes are in.
    pub source: SourceId,
    /// First byte, from 0.
    pub start: u32,
    /// One past the last byte; equal to `start` where only a place is known.
    pub end: u32,
}

/// A place for people and editors: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
}

/// One text that was read, under the name that the user gave it.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    path: Option<PathBuf>,
    private: bool,
    text: String,
    line_starts: Vec<u32>,
    invalid_at: Option<u32>,
}

/// Every text that took part in a load.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in a file, there.
    File(Span),
    /// Filled in by hardening, where the file was silent; the id of the rule that says so.
    Filled(&'static str),
}

/// A value and where it comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct At<T> {
    /// The value itself.
    pub value: T,
    /// Where it was written, or which rule filled it in.
    pub origin: Origin,
}

impl<T> At<T> {
    /// A value that a file says.
    pub const fn file(value: T, span: Span) -> Self {
        Self { value, origin: Origin::File(span) }
    }

    /// A value that hardening filled in under the rule with this id.
    pub const fn filled(value: T, rule: &'static str) -> Self {
        Self { value, origin: Origin::Filled(rule) }
    }

    /// The place in a file, if one says it.
    pub const fn span(&self) -> Option<Span> {
        match self.origin {
            Origin::File(span) => Some(span),
            Origin::Filled(_) => None,
        }
    }

    /// The same origin with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> At<U> {
        At { value: f(self.value), origin: self.origin }
    }
}

impl<T: fmt::Debug> fmt::Debug for At<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl SourceId {
    /// Index into the order of reading.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// A place in no text.
    pub(crate) const fn nowhere() -> Self {
        Self { source: SourceId(u32::MAX), start: 0, end: 0 }
    }

    /// From the first byte of `self` to the last of `other`, both in the same source.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { source: self.source, start: self.start, end: other.end.max(self.start) }
    }
}

impl Source {
    /// Takes a text under its name. Texts are at most 1 MiB, so that offsets fit 32 bits.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let mut line_starts = vec![0];
        line_starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, b)| *b == b'\n')
                .filter_map(|(i, _)| u32::try_from(i + 1).ok()),
        );
        Self { name: name.into(), path: None, private: false, text, line_starts, invalid_at: None }
    }

    /// Takes bytes under their name. Where they are not UTF-8, the place is kept and a load says so.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::new(name, text),
            Err(error) => {
                let at = u32::try_from(error.utf8_error().valid_up_to()).unwrap_or(u32::MAX);
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { invalid_at: Some(at), ..Self::new(name, text) }
            }
        }
    }

    /// Says where it was read from, as an absolute path: a Compose file that can be edited there.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Where it was read from, if it is a Compose file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Says that its lines may hold credentials, which no report repeats: an environment file.
    #[must_use]
    pub const fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// Whether no report may repeat its lines.
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// Another text under the same name and path.
    pub(crate) fn with_text(&self, text: String) -> Self {
        Self { path: self.path.clone(), ..Self::new(self.name.clone(), text) }
    }

    /// The first byte that is not UTF-8, if there is one.
    pub const fn invalid_at(&self) -> Option<u32> {
        self.invalid_at
    }

    /// The name that the user gave: a path as typed, or `<stdin>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte; past the end, the last place.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0) as usize;
        let end = (offset as usize).min(self.text.len());
        let column = self.text.get(start..end).map_or(0, |s| s.chars().count());
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}

impl Sources {
    /// Adds a text and gives its number.
    pub fn add(&mut self, source: Source) -> SourceId {
        self.0.push(source);
        SourceId(u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX))
    }

    /// The text with this number.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.index())
    }

    /// Every text, in the order of reading.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }
}
