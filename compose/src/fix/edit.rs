//! Changes as edits of a text: bytes that are replaced, and nothing else.
//!
//! Quotes, comments, indentation, line ends, block and flow style stay as they are. Where that cannot be had, there is
//! no edit but a reason. Deliberately absent: whether an edit is wanted (`propose`) and what it leads to (`keep`).

use std::ops::Range;

use crate::keys;
use crate::node::Scalar;
use crate::policy::Change;
use crate::scalar::Kind;
use crate::yaml::outline::{Form, Id, Outline, Part, Role};

use super::Why;
use super::remove;

/// Bytes of a text, and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

impl Edit {
    pub(super) fn new(bytes: Range<usize>, text: impl Into<String>) -> Self {
        Self { start: bytes.start, end: bytes.end, text: text.into() }
    }
}

/// A text with its outline.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) text: &'a str,
    pub(super) outline: &'a Outline,
}

/// The text with the edits made, which are in order and do not overlap.
pub(super) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

impl<'a> Page<'a> {
    pub(super) fn part(self, id: Id) -> Result<&'a Part, Why> {
        self.outline.get(id).ok_or(Why::Shape)
    }

    pub(super) fn slice(self, bytes: Range<usize>) -> &'a str {
        self.text.get(bytes).unwrap_or_default()
    }

    /// The first byte of the line that a byte is on.
    pub(super) fn line_start(self, at: usize) -> usize {
        self.slice(0..at).rfind('\n').map_or(0, |end| end + 1)
    }

    /// One past the last byte of that line, its end included.
    pub(super) fn line_end(self, at: usize) -> usize {
        self.slice(at..self.text.len()).find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    /// Whether a part stands in brackets or braces, however deep.
    fn in_flow(self, part: &Part) -> bool {
        let around = std::iter::successors(part.parent, |id| self.outline.get(*id)?.parent);
        around.filter_map(|id| self.outline.get(id)).any(|part| part.form.is_flow())
    }

    /// How the file ends its lines.
    pub(super) fn newline(self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// Blanks as wide as what stands before a byte on its line.
    pub(super) fn indent(self, at: usize) -> String {
        let before = self.slice(self.line_start(at)..at).trim_start_matches('\u{feff}');
        " ".repeat(before.chars().count())
    }
}

/// The edits that make one change at a part.
pub(super) fn edits(page: Page<'_>, target: Id, change: &Change) -> Result<Vec<Edit>, Why> {
    match change {
        Change::Text(text) => Ok(vec![scalar(page, target, text)?]),
        Change::Remove => remove::part(page, target),
        Change::Set(path, text) => set(page, target, path, text),
        Change::Drop(path) => {
            let [front @ .., last] = path else { return Err(Why::Shape) };
            let map = page.outline.below(target, front).ok_or(Why::Shape)?;
            let (key, _) = page.outline.entry(map, last).ok_or(Why::Shape)?;
            remove::part(page, key)
        }
    }
}

/// Another text in the place of a scalar, in its quotes.
fn scalar(page: Page<'_>, id: Id, text: &str) -> Result<Edit, Why> {
    let part = page.part(id)?;
    let plain = bare(text);
    let written = match &part.form {
        Form::Block(_) => return Err(Why::Block),
        Form::Alias => return Err(Why::Shared),
        form if form.text().is_none() => return Err(Why::Shape),
        form if form.text().is_some_and(|text| text.contains('$')) => return Err(Why::Variable),
        Form::Plain(old) if old.is_empty() => return Err(Why::Shape),
        Form::Single(_) => format!("'{}'", plain.replace('\'', "''")),
        Form::Double(_) => double(plain),
        _ => spelled(text, page.in_flow(part)),
    };
    Ok(Edit::new(part.body..part.end(), written))
}

fn double(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value of ours without the quotes that say that it is a string.
fn bare(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// A value of ours where nothing else has quotes: in quotes only if it would not read as itself.
fn spelled(text: &str, in_flow: bool) -> String {
    let (text, string) = (bare(text), text.starts_with('"'));
    if text.starts_with('{') || is_plain(text, in_flow) && (!string || is_text(text)) {
        return text.to_owned();
    }
    double(text)
}

/// Whether a text without quotes is a string.
fn is_text(text: &str) -> bool {
    Scalar { text: text.to_owned(), plain: true }.kind() == Kind::Text
}

/// Whether a text reads as itself without quotes.
fn is_plain(text: &str, in_flow: bool) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_alphanumeric() || "/._".contains(c));
    let usual = |c: char| c.is_alphanumeric() || "/.:_-=@+~%".contains(c) || c == ',' && !in_flow;
    first && text.chars().all(usual) && !text.ends_with(':')
}

/// A value of ours as JSON has it: names and strings in quotes.
fn json(text: &str) -> String {
    if let Some(pairs) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let pairs = pairs.split(", ").filter_map(|pair| pair.split_once(": "));
        let pairs = pairs.map(|(key, value)| format!("{}: {}", json(key), json(value)));
        return format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "));
    }
    if is_text(text) && !text.starts_with('"') { double(text) } else { text.to_owned() }
}

/// A value below a mapping: replaced where it is, added where it is not.
fn set(page: Page<'_>, map: Id, path: &[&str], text: &str) -> Result<Vec<Edit>, Why> {
    let [key, rest @ ..] = path else { return Err(Why::Shape) };
    let part = page.part(map)?;
    match &part.form {
        Form::Alias => return Err(Why::Shared),
        form if !form.is_map() => return Err(Why::Shape),
        _ => {}
    }
    match (page.outline.entry(map, key), rest) {
        (Some((_, value)), []) => Ok(vec![scalar(page, value, text)?]),
        (Some((_, value)), rest) => set(page, value, rest, text),
        (None, _) => Ok(vec![add(page, part, path, text)?]),
    }
}

/// A new entry at the end of a mapping.
fn add(page: Page<'_>, map: &Part, path: &[&str], text: &str) -> Result<Edit, Why> {
    let first = map.children.first().and_then(|key| page.outline.get(*key));
    let quoted = matches!(first.map(|key| &key.form), Some(Form::Double(_)));
    let name = |key: &str| if quoted { format!("\"{key}\"") } else { key.to_owned() };
    if map.form == Form::FlowMap {
        let last_part = map.children.last().and_then(|value| page.outline.get(*value));
        let [front @ .., last] = path else { return Err(Why::Shape) };
        let text = if quoted { json(text) } else { spelled(text, true) };
        let innermost = format!("{}: {text}", name(last));
        let inner = front.iter().rev().fold(innermost, |inner, key| format!("{}: {{{inner}}}", name(key)));
        let (at, comma) = last_part.map_or((map.body + 1, ""), |last| (last.end(), ", "));
        return Ok(Edit::new(at..at, format!("{comma}{inner}")));
    }
    let first = first.ok_or(Why::Shape)?;
    let (newline, indent) = (page.newline(), page.indent(first.start()));
    let end = page.line_end(map.end());
    // What follows on the line is a comment, or it is not where a new line can go.
    let rest = page.slice(map.end()..end).trim();
    if !(rest.is_empty() || rest.starts_with('#')) {
        return Err(Why::Shape);
    }
    let lines: Vec<String> = path
        .iter()
        .enumerate()
        .map(|(depth, key)| {
            let value =
                if depth + 1 == path.len() { format!(" {}", spelled(text, false)) } else { String::new() };
            format!("{indent}{}{}:{value}", "  ".repeat(depth), name(key))
        })
        .collect();
    let lines = lines.join(newline);
    let whole = page.slice(map.end()..end).ends_with('\n');
    Ok(Edit::new(end..end, if whole { format!("{lines}{newline}") } else { format!("{newline}{lines}") }))
}

/// Whether a collection may go when nothing is left in it: the value of a service's key that nothing else names.
pub(super) fn may_vanish(page: Page<'_>, collection: &Part) -> Option<Id> {
    let Role::Value(key) = collection.role else { return None };
    let name = page.outline.get(key)?.form.text()?;
    (!collection.anchored && keys::service_key(name).is_some()).then_some(key)
}
