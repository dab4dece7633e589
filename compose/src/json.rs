//! JSON text, written in one place.
//!
//! Deliberately absent: reading it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A value of JSON. Numbers are kept as they are spelled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Map(BTreeMap<String, Json>),
}

impl Json {
    /// The value under a key of a mapping.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Map(map) => map.get_mut(key),
            _ => None,
        }
    }

    /// Indented by two spaces a level, keys in order.
    pub(crate) fn write(&self, out: &mut String, deep: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                let rows = items.iter().map(|item| (None, item));
                write_rows(rows, ['[', ']'], out, deep);
            }
            Self::Map(map) => {
                let rows = map.iter().map(|(key, value)| (Some(key.as_str()), value));
                write_rows(rows, ['{', '}'], out, deep);
            }
        }
    }
}

fn write_rows<'a>(
    rows: impl Iterator<Item = (Option<&'a str>, &'a Json)>,
    [open, close]: [char; 2],
    out: &mut String,
    deep: usize,
) {
    out.push(open);
    let mut is_empty = true;
    for (key, value) in rows {
        out.push_str(if is_empty { "\n" } else { ",\n" });
        is_empty = false;
        out.push_str(&"  ".repeat(deep + 1));
        if let Some(key) = key {
            write_text(key, out);
            out.push_str(": ");
        }
        value.write(out, deep + 1);
    }
    if !is_empty {
        out.push('\n');
        out.push_str(&"  ".repeat(deep));
    }
    out.push(close);
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
