//! Whether a text may be parsed: its length, its characters, and what the parser would have to keep of it at once.
//!
//! Deliberately absent: its grammar.

use crate::problem::{self, Problems};
use crate::source::{MOST_BYTES, Source, SourceId, Span};

/// Most marks of flow style within one outermost pair of brackets or braces: the parser keeps all that is between them
/// until they close. A stack of 700 services as JSON has about as many; line by line, none has any to speak of.
const MOST_IN_BRACKETS: usize = 64_000;

/// Says why, where it may not.
pub(super) fn is_fit(source: &Source, id: SourceId, problems: &mut Problems) -> bool {
    let text = source.text();
    let found = if text.len() as u64 > MOST_BYTES {
        let message = format!("the file has {} bytes, more than {MOST_BYTES}", text.len());
        Some((0, &problem::TOO_MUCH, message, "split it, or remove what is not needed"))
    } else if let Some(at) = crowded(text) {
        let message = format!("more than {MOST_IN_BRACKETS} marks between one pair of brackets");
        Some((at, &problem::TOO_MUCH, message, "write it line by line, without brackets"))
    } else if !problems.is_utf8(source, id) {
        return false;
    } else if let Some(at) = directive(text) {
        let message = "a directive that Docker Compose does not read".to_owned();
        Some((at, &problem::NOT_YAML, message, "remove the line"))
    } else {
        odd(text).map(|(at, c)| {
            let what = if is_line_end(c) {
                "a character that ends a line for some readers alone"
            } else {
                "a control character"
            };
            let message = format!("{what}, U+{:04X}", u32::from(c));
            (at, &problem::NOT_TEXT, message, "remove it, or write it as an escape in double quotes")
        })
    };
    let Some((at, row, message, next)) = found else { return true };
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    problems.add(row, Span::new(id, at, at), message, next);
    false
}

/// The first character that no text of a stack needs, and where it is.
fn odd(text: &str) -> Option<(usize, char)> {
    let mut characters = text.char_indices();
    characters.find(|(_, c)| is_line_end(*c) || c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
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
