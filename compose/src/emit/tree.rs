//! A small tree of what is to be written, and its two printers. Text is escaped here, and only here.
//!
//! Deliberately absent: any key of the format.

use std::fmt::Write as _;

use crate::source::{At, Origin};

/// What is written, with the rule that filled it in.
#[derive(Debug)]
pub(super) struct Tree {
    value: Value,
    filled: Option<&'static str>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Word(String),
    Null,
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// A string; `$` is doubled, since every reader of the format interpolates.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::new(Value::Text(text.as_ref().replace('$', "$$")))
    }

    /// A string in which a variable stands.
    pub(super) fn variable(text: impl Into<String>) -> Self {
        Self::new(Value::Text(text.into()))
    }

    /// A number or boolean, as it is spelled.
    pub(super) fn word(word: impl ToString) -> Self {
        Self::new(Value::Word(word.to_string()))
    }

    pub(super) const fn null() -> Self {
        Self::new(Value::Null)
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Value::List(items.into_iter().collect()))
    }

    pub(super) const fn map() -> Self {
        Self::new(Value::Map(Vec::new()))
    }

    const fn new(value: Value) -> Self {
        Self { value, filled: None }
    }

    /// Names the rule, if one filled in the value that this was made from.
    pub(super) fn from<T>(mut self, at: &At<T>) -> Self {
        if let Origin::Filled(rule) = at.origin {
            self.filled = Some(rule);
        }
        self
    }

    /// Names the rule under which this is always so.
    pub(super) const fn filled(mut self, rule: &'static str) -> Self {
        self.filled = Some(rule);
        self
    }

    /// Puts a key into a mapping.
    pub(super) fn put(&mut self, key: &str, tree: Self) {
        if let Value::Map(entries) = &mut self.value {
            entries.push((key.to_owned(), tree));
        }
    }

    /// Puts a key if there is something to say.
    pub(super) fn put_some(&mut self, key: &str, tree: Option<Self>) {
        if let Some(tree) = tree {
            self.put(key, tree);
        }
    }

    /// Puts a key if the list or mapping has anything in it.
    pub(super) fn put_full(&mut self, key: &str, tree: Self) {
        if !tree.is_empty() {
            self.put(key, tree);
        }
    }

    fn is_empty(&self) -> bool {
        match &self.value {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    pub(super) fn to_yaml(&self) -> String {
        let mut out = String::new();
        self.yaml(&mut out, 0);
        out
    }

    /// What follows a key or a dash: on the same line, or below it.
    fn yaml_after(&self, out: &mut String, depth: usize, in_list: bool) {
        let mark = self.filled.map(|rule| format!("  # {rule}")).unwrap_or_default();
        match &self.value {
            Value::List(items) if !items.is_empty() => {
                let _ = writeln!(out, "{mark}");
                self.yaml(out, depth + 1);
            }
            Value::Map(entries) if !entries.is_empty() && !in_list => {
                let _ = writeln!(out, "{mark}");
                self.yaml(out, depth + 1);
            }
            Value::Map(entries) if !entries.is_empty() => {
                // A mapping in a list starts beside its dash; a comment of the whole goes above it.
                let mut inner = String::new();
                self.yaml(&mut inner, depth + 1);
                if let Some(rule) = self.filled {
                    let _ = write!(out, " # {rule}\n{inner}");
                } else {
                    out.push(' ');
                    out.push_str(inner.trim_start());
                }
            }
            _ => {
                let _ = writeln!(out, " {}{mark}", self.scalar());
            }
        }
    }

    fn yaml(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        match &self.value {
            Value::Map(entries) => {
                for (key, tree) in entries {
                    let key = yaml_text(key);
                    let _ = match key.len() {
                        0..LONGEST_KEY => write!(out, "{indent}{key}:"),
                        _ => write!(out, "{indent}? {key}\n{indent}:"),
                    };
                    tree.yaml_after(out, depth, false);
                }
            }
            Value::List(items) => {
                for tree in items {
                    let _ = write!(out, "{indent}-");
                    tree.yaml_after(out, depth, true);
                }
            }
            _ => {
                let _ = writeln!(out, "{indent}{}", self.scalar());
            }
        }
    }

    fn scalar(&self) -> String {
        match &self.value {
            Value::Text(text) => yaml_text(text),
            Value::Word(word) => word.clone(),
            Value::Null => "null".into(),
            Value::List(_) => "[]".into(),
            Value::Map(_) => "{}".into(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        let mut filled = Vec::new();
        self.filled_paths("", &mut filled);
        let mut out = String::new();
        self.json(&mut out, 0, &filled);
        out.push('\n');
        out
    }

    /// Dotted paths of what was filled in.
    fn filled_paths(&self, path: &str, out: &mut Vec<(String, &'static str)>) {
        if let Some(rule) = self.filled {
            out.push((path.to_owned(), rule));
        }
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match &self.value {
            Value::Map(entries) => entries.iter().for_each(|(key, tree)| tree.filled_paths(&join(key), out)),
            Value::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, tree)| tree.filled_paths(&join(&at.to_string()), out));
            }
            _ => {}
        }
    }

    fn json(&self, out: &mut String, depth: usize, filled: &[(String, &'static str)]) {
        let indent = "  ".repeat(depth + 1);
        let end = "  ".repeat(depth);
        match &self.value {
            Value::Map(entries) => {
                let mut rows: Vec<String> = Vec::new();
                for (key, tree) in entries {
                    let mut row = format!("{indent}{}: ", quoted(key));
                    tree.json(&mut row, depth + 1, &[]);
                    rows.push(row);
                }
                if !filled.is_empty() {
                    let inner: Vec<String> = filled
                        .iter()
                        .map(|(path, rule)| format!("{indent}  {}: {}", quoted(path), quoted(rule)))
                        .collect();
                    rows.push(format!("{indent}\"x-filled\": {{\n{}\n{indent}}}", inner.join(",\n")));
                }
                if rows.is_empty() {
                    out.push_str("{}");
                } else {
                    let _ = write!(out, "{{\n{}\n{end}}}", rows.join(",\n"));
                }
            }
            Value::List(items) if items.is_empty() => out.push_str("[]"),
            Value::List(items) => {
                let rows: Vec<String> = items
                    .iter()
                    .map(|tree| {
                        let mut row = indent.clone();
                        tree.json(&mut row, depth + 1, &[]);
                        row
                    })
                    .collect();
                let _ = write!(out, "[\n{}\n{end}]", rows.join(",\n"));
            }
            Value::Text(text) => out.push_str(&quoted(text)),
            Value::Word(word) => out.push_str(word),
            Value::Null => out.push_str("null"),
        }
    }
}

/// A reader of YAML looks no further than 1024 characters for the colon of a key that is not said to be one (YAML 1.2.2, 7.4.2).
const LONGEST_KEY: usize = 1000;

/// Plain where every YAML reader takes it for a string, else in double quotes.
fn yaml_text(text: &str) -> String {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || "/_.".contains(c));
    let rest = text.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-@$+".contains(c));
    let odd = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
        .iter()
        .any(|w| text.eq_ignore_ascii_case(w));
    let number = text.parse::<f64>().is_ok();
    let dots = text.starts_with('.') && !text.starts_with("./") && !text.starts_with("..");
    if first && rest && !odd && !number && !dots { text.to_owned() } else { quoted(text) }
}

/// In double quotes with the escapes that YAML and JSON share.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}') =>
            {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
