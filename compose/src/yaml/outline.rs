//! A text's outline: every key, value, item and alias with its bytes and its style, as an edit has to know them.
//!
//! What `parse` resolves stands here as it is written: an alias is an alias, and `<<` is a key. Deliberately absent:
//! problems; only a text that has been loaded is outlined.

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::source::{SourceId, Span};

use super::places::{Places, skip_properties};

/// Every part of one text, in the order of writing.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) parts: Vec<Part>,
}

/// Number of a part in its outline.
pub(crate) type Id = usize;

/// A scalar, a collection or an alias.
#[derive(Debug)]
pub(crate) struct Part {
    /// What it is.
    pub(crate) form: Form,
    /// All of its bytes, an anchor and a tag included.
    pub(crate) span: Span,
    /// Its first byte after anchor and tag.
    pub(crate) body: usize,
    /// An alias elsewhere may mean it.
    pub(crate) anchored: bool,
    /// The collection around it.
    pub(crate) parent: Option<Id>,
    /// What it is there.
    pub(crate) role: Role,
    /// Items; or key, value, key, value.
    pub(crate) children: Vec<Id>,
}

/// How a part is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text without quotes.
    Plain(String),
    /// Text in `'`.
    Single(String),
    /// Text in `"`.
    Double(String),
    /// Text after `|` or `>`.
    Block(String),
    /// `- item` lines.
    BlockList,
    /// `key: value` lines.
    BlockMap,
    /// `[a, b]`.
    FlowList,
    /// `{a: b}`.
    FlowMap,
    /// `*name`.
    Alias,
}

/// What a part is in the collection around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The whole document.
    Root,
    /// An item of a list.
    Item,
    /// A key of a mapping.
    Key,
    /// The value of this key.
    Value(Id),
}

impl Form {
    /// The text of a scalar, without quotes and escapes.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Single(text) | Self::Double(text) | Self::Block(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a collection in brackets or braces.
    pub(crate) const fn is_flow(&self) -> bool {
        matches!(self, Self::FlowList | Self::FlowMap)
    }

    /// Whether it is a mapping.
    pub(crate) const fn is_map(&self) -> bool {
        matches!(self, Self::BlockMap | Self::FlowMap)
    }
}

impl Part {
    /// First byte, anchor and tag included.
    pub(crate) const fn start(&self) -> usize {
        self.span.start as usize
    }

    /// One past the last byte.
    pub(crate) const fn end(&self) -> usize {
        self.span.end as usize
    }
}

impl Outline {
    /// The outline of a text that has been loaded; of any other, as far as it goes.
    pub(crate) fn of(text: &str, source: SourceId) -> Self {
        let places = Places::new(text, source);
        let mut builder = Builder { text, parts: Vec::new(), open: Vec::new() };
        let mut parser = Parser::new_from_str(text);
        while let Some(Ok((event, mark))) = parser.next_event() {
            let span = places.of(&event, mark);
            builder.event(event, span);
        }
        Self { parts: builder.parts }
    }

    /// The part with this number.
    pub(crate) fn get(&self, id: Id) -> Option<&Part> {
        self.parts.get(id)
    }

    /// The value, item or whole document that has exactly these bytes; the innermost, where a list that is not indented
    /// under its key begins and ends with its only item.
    pub(crate) fn value_at(&self, span: Span) -> Option<Id> {
        self.parts.iter().rposition(|part| part.span == span && part.role != Role::Key)
    }

    /// The key of the entry that has exactly these bytes, or of the one whose key alone has them.
    pub(crate) fn entry_at(&self, span: Span) -> Option<Id> {
        self.parts.iter().enumerate().position(|(id, part)| {
            let end = self.value_of(id).and_then(|value| self.get(value)).map(|value| value.span.end);
            part.role == Role::Key
                && part.span.start == span.start
                && (part.span.end == span.end || end == Some(span.end))
        })
    }

    /// The value of a key: the part after it in their mapping.
    pub(crate) fn value_of(&self, key: Id) -> Option<Id> {
        let around = self.get(self.get(key)?.parent?)?;
        let at = around.children.iter().position(|child| *child == key)?;
        around.children.get(at + 1).copied()
    }

    /// The key and the value of an entry of a mapping, by the key's text.
    pub(crate) fn entry(&self, map: Id, key: &str) -> Option<(Id, Id)> {
        let part = self.get(map).filter(|part| part.form.is_map())?;
        let mut pairs = part.children.chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [at, value] if self.get(*at)?.form.text() == Some(key) => Some((*at, *value)),
            _ => None,
        })
    }

    /// The value below a mapping, key by key.
    pub(crate) fn below(&self, map: Id, path: &[&str]) -> Option<Id> {
        path.iter().try_fold(map, |at, key| self.entry(at, key).map(|(_, value)| value))
    }
}

struct Builder<'a> {
    text: &'a str,
    parts: Vec<Part>,
    /// Collections that are open, and the key that waits for its value in each.
    open: Vec<(Id, Option<Id>)>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let text = text.into_owned();
                let form = match style {
                    ScalarStyle::Plain => Form::Plain(text),
                    ScalarStyle::SingleQuoted => Form::Single(text),
                    ScalarStyle::DoubleQuoted => Form::Double(text),
                    ScalarStyle::Literal | ScalarStyle::Folded => Form::Block(text),
                };
                self.put(form, span, anchor != 0);
            }
            Event::SequenceStart(anchor, _) => self.open(Form::BlockList, Form::FlowList, b'[', span, anchor),
            Event::MappingStart(anchor, _) => self.open(Form::BlockMap, Form::FlowMap, b'{', span, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(_) => {
                self.put(Form::Alias, span, false);
            }
            _ => {}
        }
    }

    fn open(&mut self, block: Form, flow: Form, bracket: u8, span: Span, anchor: usize) {
        let body = skip_properties(self.text, span.start as usize);
        let form = if self.text.as_bytes().get(body) == Some(&bracket) { flow } else { block };
        let id = self.put(form, span, anchor != 0);
        self.open.push((id, None));
    }

    fn close(&mut self, span: Span) {
        let Some((id, _)) = self.open.pop() else { return };
        let last = self.parts.get(id).and_then(|part| part.children.last().copied());
        let last = last.and_then(|child| self.parts.get(child)).map_or(0, |child| child.span.end);
        let Some(part) = self.parts.get_mut(id) else { return };
        // As `parse` has it: a block collection ends with its last child, a flow collection with its bracket.
        let end = if span.end > span.start { span.end } else { last };
        part.span.end = end.max(part.span.end);
    }

    fn put(&mut self, form: Form, span: Span, anchored: bool) -> Id {
        let id = self.parts.len();
        let parent = self.open.last().map(|(id, _)| *id);
        let is_map = parent.and_then(|id| self.parts.get(id)).is_some_and(|around| around.form.is_map());
        let role = match self.open.last_mut() {
            None => Role::Root,
            Some((_, key)) if is_map => {
                let waiting = key.take();
                if waiting.is_none() {
                    *key = Some(id);
                }
                waiting.map_or(Role::Key, Role::Value)
            }
            Some(_) => Role::Item,
        };
        if let Some(around) = parent.and_then(|id| self.parts.get_mut(id)) {
            around.children.push(id);
        }
        let body = skip_properties(self.text, span.start as usize).min(span.end as usize);
        self.parts.push(Part { form, span, body, anchored, parent, role, children: Vec::new() });
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let id = Sources::default().add(crate::Source::new("a", text));
        let outline = Outline::of(text, id);
        let mut out = String::new();
        for part in &outline.parts {
            let depth = std::iter::successors(part.parent, |id| outline.parts[*id].parent).count();
            let role = match part.role {
                Role::Root => "root",
                Role::Item => "item",
                Role::Key => "key",
                Role::Value(_) => "value",
            };
            let bytes = text.get(part.body..part.end()).unwrap();
            let anchored = if part.anchored { " anchored" } else { "" };
            let form = format!("{:?}", part.form);
            let form = form.split('(').next().unwrap();
            writeln!(out, "{}{role} {form}{anchored} {bytes:?}", "  ".repeat(depth)).unwrap();
        }
        expect.assert_eq(&out);
    }

    #[test]
    fn parts_have_their_bytes_and_their_style() {
        check(
            "\u{feff}a: &x\n  - 'p'\n  - !t \"q\" # c\r\nb: {k: *x, <<: [*x]}\nc: |\n  text\nd: !override &y {z: [1]}\n",
            expect![[r#"
                root BlockMap "a: &x\n  - 'p'\n  - !t \"q\" # c\r\nb: {k: *x, <<: [*x]}\nc: |\n  text\nd: !override &y {z: [1]}"
                  key Plain "a"
                  value BlockList anchored "\n  - 'p'\n  - !t \"q\""
                    item Single "'p'"
                    item Double "\"q\""
                  key Plain "b"
                  value FlowMap "{k: *x, <<: [*x]}"
                    key Plain "k"
                    value Alias "*x"
                    key Plain "<<"
                    value FlowList "[*x]"
                      item Alias "*x"
                  key Plain "c"
                  value Block "text"
                  key Plain "d"
                  value FlowMap anchored "{z: [1]}"
                    key Plain "z"
                    value FlowList "[1]"
                      item Plain "1"
            "#]],
        );
    }
    #[test]
    fn a_comment_is_no_part_of_what_stands_before_it() {
        check(
            "a: \"q\" # c\nb: 'q' # c\nc: q # c\nd: !t \"q\" # c\ne: !t 'q' # c\nf: !t q # c\ng: &a \"q\" # c\nh: &b q # c\ni: # c\n  - x # c\nj: &c # c\n  k: !t # c\n    - x # c\n# c\nl: # c\nm: !t # c\nn: [ a, # c\n b ] # c\no: {a: !t b } # c\np: !t |- # c\n  x # n\n# c\n",
            expect![[r##"
                root BlockMap "a: \"q\" # c\nb: 'q' # c\nc: q # c\nd: !t \"q\" # c\ne: !t 'q' # c\nf: !t q # c\ng: &a \"q\" # c\nh: &b q # c\ni: # c\n  - x # c\nj: &c # c\n  k: !t # c\n    - x # c\n# c\nl: # c\nm: !t # c\nn: [ a, # c\n b ] # c\no: {a: !t b } # c\np: !t |- # c\n  x # n"
                  key Plain "a"
                  value Double "\"q\""
                  key Plain "b"
                  value Single "'q'"
                  key Plain "c"
                  value Plain "q"
                  key Plain "d"
                  value Double "\"q\""
                  key Plain "e"
                  value Single "'q'"
                  key Plain "f"
                  value Plain "q"
                  key Plain "g"
                  value Double anchored "\"q\""
                  key Plain "h"
                  value Plain anchored "q"
                  key Plain "i"
                  value BlockList "- x"
                    item Plain "x"
                  key Plain "j"
                  value BlockMap anchored "# c\n  k: !t # c\n    - x"
                    key Plain "k"
                    value BlockList "# c\n    - x"
                      item Plain "x"
                  key Plain "l"
                  value Plain ""
                  key Plain "m"
                  value Plain ""
                  key Plain "n"
                  value FlowList "[ a, # c\n b ]"
                    item Plain "a"
                    item Plain "b"
                  key Plain "o"
                  value FlowMap "{a: !t b }"
                    key Plain "a"
                    value Plain "b"
                  key Plain "p"
                  value Block "|- # c\n  x # n"
            "##]],
        );
    }
}
