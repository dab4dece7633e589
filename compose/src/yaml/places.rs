//! Where an event stands in a text, in bytes.
//!
//! The parser counts characters, and counts what follows a closing quote or bracket to it; here both are put right.
//! Deliberately absent: what an event means.

use saphyr_parser::{Event, ScalarStyle};

use crate::source::{SourceId, Span};

/// Turns the parser's places, in characters, into bytes: every 64th character's offset is kept.
pub(super) struct Places<'a> {
    text: &'a str,
    id: SourceId,
    ascii: bool,
    steps: Vec<u32>,
}

const STEP: usize = 64;

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str, id: SourceId) -> Self {
        let ascii = text.is_ascii();
        let steps = if ascii {
            Vec::new()
        } else {
            text.char_indices().step_by(STEP).filter_map(|(at, _)| u32::try_from(at).ok()).collect()
        };
        Self { text, id, ascii, steps }
    }

    fn byte(&self, index: usize) -> usize {
        if self.ascii {
            return index.min(self.text.len());
        }
        let Some(step) = self.steps.get(index / STEP).map(|at| *at as usize) else {
            return self.text.len();
        };
        let rest = self.text.get(step..).unwrap_or_default();
        rest.char_indices().nth(index % STEP).map_or(self.text.len(), |(at, _)| step + at)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let start = self.byte(start);
        let end = self.byte(end).max(start);
        // The parser counts the line break after a block scalar to it; an editor would underline the next line.
        let trimmed = self.text.get(start..end).map_or(0, |s| s.trim_end().len());
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span::new(self.id, offset(start), offset(start + trimmed))
    }

    /// In bytes, with all that the parser counts to it.
    pub(super) fn whole(&self, mark: saphyr_parser::Span) -> (usize, usize) {
        let start = self.byte(mark.start.index());
        (start, self.byte(mark.end.index()).max(start))
    }

    pub(super) fn at(&self, index: usize) -> Span {
        self.span(index, index)
    }

    /// The bytes of an event, an anchor and a tag included, and nothing after it.
    pub(super) fn of(&self, event: &Event<'_>, mark: saphyr_parser::Span) -> Span {
        let span = self.span(mark.start.index(), mark.end.index());
        let (start, end) = (span.start as usize, span.end as usize);
        let end = match event {
            Event::Scalar(_, style @ (ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted), ..) => {
                let body = skip_properties(self.text, start);
                closing_quote(self.text, body, *style == ScalarStyle::DoubleQuoted)
                    .map_or(end, |at| at.min(end))
            }
            Event::SequenceEnd | Event::MappingEnd if end > start => start + 1,
            _ => end,
        };
        Span { end: u32::try_from(end).unwrap_or(u32::MAX), ..span }
    }
}

/// One past the quote that closes the one at `start`.
fn closing_quote(text: &str, start: usize, double: bool) -> Option<usize> {
    let quote = if double { b'"' } else { b'\'' };
    let bytes = text.as_bytes();
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'\\' if double => at += 2,
            byte if *byte == quote && !double && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The first byte after an anchor and a tag, in any order, and the blanks between them.
pub(super) fn skip_properties(text: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if !rest.starts_with(['&', '!']) {
            return if at == start { start } else { at + blank };
        }
        at += blank + rest.find(char::is_whitespace).unwrap_or(rest.len());
    }
}
