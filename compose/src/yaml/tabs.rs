//! Tabs where Docker Compose's parser takes none: before the first token of a line, and after a dash, outside of texts.
//!
//! YAML 1.2 counts them as blanks there, so that our parser passes over them and a file would be read here alone.
//! Deliberately absent: tabs that our own parser refuses.

use saphyr_parser::{Event, ScalarStyle};

/// Where tabs are content, or between brackets. Whatever is asked of a line is known by then, so that a text of tabs is cheap.
pub(super) struct Tabs<'a> {
    text: &'a str,
    /// Scalars outside of brackets and outermost brackets, by where they start.
    covered: Vec<Covered>,
    /// Where each open collection starts, and in which column.
    open: Vec<(usize, usize)>,
}

struct Covered {
    start: usize,
    end: usize,
    kind: Kind,
}

enum Kind {
    /// A block scalar, before whose text no tab may stand: how far it is indented.
    Block(usize),
    /// A plain scalar. Blanks up to this place count to it, as long as no tab stands before this column.
    Plain { blank_until: usize, column: usize },
    /// Quoted, or between brackets.
    Marked,
}

impl<'a> Tabs<'a> {
    /// Nothing where the text has no tab, as almost none has.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        text.contains('\t').then(|| Self { text, covered: Vec::new(), open: Vec::new() })
    }

    /// Takes the next event, which has these bytes, blanks after it included, and starts in this column.
    pub(super) fn event(&mut self, event: &Event<'_>, (start, end): (usize, usize), column: usize) {
        let kind = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => return self.open.push((start, column)),
            Event::SequenceEnd | Event::MappingEnd => {
                let (opened, _) = self.open.pop().unwrap_or((start, column));
                // A block collection ends where the next token starts, and has no bracket there.
                if end > start {
                    self.covered.truncate(self.covered.partition_point(|inner| inner.start < opened));
                    self.covered.push(Covered { start: opened, end, kind: Kind::Marked });
                }
                return;
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                Kind::Block(indentation(self.text.get(start..end).unwrap_or_default()))
            }
            Event::Scalar(_, ScalarStyle::Plain, ..) => {
                let after = self.text.get(end..).unwrap_or_default();
                let blanks = after.len() - after.trim_start().len();
                let around = self.open.last().map_or(0, |(_, column)| *column);
                Kind::Plain { blank_until: end + blanks, column: around + 1 }
            }
            Event::Scalar(..) => Kind::Marked,
            _ => return,
        };
        self.covered.push(Covered { start, end, kind });
    }

    /// The first of them.
    pub(super) fn first(&self) -> Option<usize> {
        let mut at = 0;
        self.text.split_inclusive('\n').find_map(|line| {
            let found = leading(line).map(|offset| at + offset).filter(|tab| self.is_odd(at, *tab));
            at += line.len();
            found
        })
    }

    fn is_odd(&self, line: usize, tab: usize) -> bool {
        let last = self.covered.partition_point(|covered| covered.start <= tab).checked_sub(1);
        let Some(covered) = last.and_then(|at| self.covered.get(at)) else { return true };
        match covered.kind {
            Kind::Block(indentation) if tab < covered.end => tab - line < indentation,
            Kind::Plain { blank_until, column } if tab >= covered.end => {
                tab >= blank_until || tab - line < column
            }
            _ => tab >= covered.end,
        }
    }
}

/// Of a block scalar: that of its first line which has one.
fn indentation(scalar: &str) -> usize {
    let first = scalar.lines().skip(1).find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.len() - first.trim_start_matches(' ').len()
}

/// The first tab of a line that has nothing before it but blanks and the marks of entries.
fn leading(line: &str) -> Option<usize> {
    let mut bytes = line.bytes().enumerate().peekable();
    loop {
        match bytes.next()? {
            (at, b'\t') => return Some(at),
            (_, b' ') => {}
            (_, b'-' | b'?') if bytes.peek().is_some_and(|(_, next)| matches!(next, b' ' | b'\t')) => {}
            _ => return None,
        }
    }
}
