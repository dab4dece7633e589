//! What a value may look like before anyone asks what it means: kinds of scalars, lists, mappings, known keys.
//!
//! Deliberately absent: the keys themselves (`keys`), and whether a value of the right kind makes sense (`lower`).

use crate::keys::Key;
use crate::node::{Map, Mark, Node, Scalar, Value};
use crate::problem::{self, Problems};
use crate::scalar::{self, Kind};
use crate::source::Span;
use crate::yaml::shown;

/// Which values are allowed in a place, by what they are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    scalars: u8,
    pub(crate) items: Option<&'static Shape>,
    pub(crate) entries: Entries,
}

/// Which entries a mapping may have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entries {
    /// No mapping is allowed.
    None,
    /// Any key, each value of this shape.
    Any(&'static Shape),
    /// Any key of letters, digits, `.`, `_` and `-`.
    Names(&'static Shape),
    /// These keys, and `x-*`.
    Keys(&'static [Key]),
    /// Whatever it says: no phase looks at it.
    Free,
}

/// Which scalars are allowed, by JSON Schema's names.
pub(crate) struct Scalars {
    pub(crate) names: Vec<&'static str>,
    /// A string must spell a boolean.
    pub(crate) is_flag: bool,
}

const TEXT_BIT: u8 = 1;
const NUMBER_BIT: u8 = 2;
const WHOLE_BIT: u8 = 4;
const BOOL_BIT: u8 = 8;
const NULL_BIT: u8 = 16;
/// A boolean is meant: a string must spell one.
const FLAG_BIT: u8 = 32;
/// A date is meant, which is a string to no other reader of YAML.
const DATE_BIT: u8 = 64;

/// The mapping whose entries are services: what is found in one is said to be about it.
const SERVICES: &str = "services";

const fn scalars(scalars: u8) -> Shape {
    Shape { scalars, items: None, entries: Entries::None }
}

/// A string.
pub(crate) const TEXT: Shape = scalars(TEXT_BIT);
/// A day.
pub(crate) const DATE: Shape = scalars(SCALAR.scalars | DATE_BIT);
/// A string or any number.
pub(crate) const NUMBER: Shape = scalars(TEXT_BIT | NUMBER_BIT | WHOLE_BIT);
/// A string or a whole number.
pub(crate) const WHOLE: Shape = scalars(TEXT_BIT | WHOLE_BIT);
/// A whole number that no string spells.
pub(crate) const BARE_WHOLE: Shape = scalars(WHOLE_BIT);
/// A boolean.
pub(crate) const FLAG: Shape = scalars(TEXT_BIT | BOOL_BIT | FLAG_BIT);
/// A boolean that no string spells.
pub(crate) const BARE_FLAG: Shape = scalars(BOOL_BIT | FLAG_BIT);
/// Any scalar.
pub(crate) const SCALAR: Shape = scalars(TEXT_BIT | NUMBER_BIT | WHOLE_BIT | BOOL_BIT | NULL_BIT);
/// Anything at all.
pub(crate) const FREE: Shape = Shape { entries: Entries::Free, ..SCALAR };
/// Strings.
pub(crate) const TEXTS: Shape = Shape::list_only(&TEXT);
/// A string, or strings.
pub(crate) const TEXT_OR_TEXTS: Shape = TEXT.or_list(&TEXT);
/// `NAME=value` rows, or a mapping of names to scalars.
pub(crate) const PAIRS: Shape = TEXTS.or_entries(&SCALAR);

impl Shape {
    /// Only a list of these.
    pub(crate) const fn list_only(items: &'static Self) -> Self {
        Self { scalars: 0, items: Some(items), entries: Entries::None }
    }

    /// Or a list of these.
    pub(crate) const fn or_list(self, items: &'static Self) -> Self {
        Self { items: Some(items), ..self }
    }

    /// Or nothing.
    pub(crate) const fn or_null(self) -> Self {
        Self { scalars: self.scalars | NULL_BIT, ..self }
    }

    /// Or a boolean.
    pub(crate) const fn or_flag(self) -> Self {
        Self { scalars: self.scalars | BOOL_BIT, ..self }
    }

    /// Or a mapping of any keys to these.
    pub(crate) const fn or_entries(self, values: &'static Self) -> Self {
        Self { entries: Entries::Any(values), ..self }
    }

    /// Or a mapping of Compose names to these.
    pub(crate) const fn or_names(self, values: &'static Self) -> Self {
        Self { entries: Entries::Names(values), ..self }
    }

    /// Or a mapping with these keys.
    pub(crate) const fn or_keys(self, keys: &'static [Key]) -> Self {
        Self { entries: Entries::Keys(keys), ..self }
    }

    /// Only a mapping of any keys to these.
    pub(crate) const fn entries_only(values: &'static Self) -> Self {
        Self { scalars: 0, items: None, entries: Entries::Any(values) }
    }

    /// Only a mapping of Compose names to these.
    pub(crate) const fn names_only(values: &'static Self) -> Self {
        Self { scalars: 0, items: None, entries: Entries::Names(values) }
    }

    /// Only a mapping with these keys.
    pub(crate) const fn keys_only(keys: &'static [Key]) -> Self {
        Self { scalars: 0, items: None, entries: Entries::Keys(keys) }
    }

    /// The known keys of a mapping of this shape.
    pub const fn keys(&self) -> &'static [Key] {
        match self.entries {
            Entries::Keys(keys) => keys,
            _ => &[],
        }
    }

    /// The scalars that are allowed.
    pub(crate) fn scalars(&self) -> Scalars {
        let has = |bit| self.scalars & bit != 0;
        let mut names = Vec::new();
        if has(TEXT_BIT) {
            names.push("string");
        }
        if has(NUMBER_BIT) {
            names.push("number");
        } else if has(WHOLE_BIT) {
            names.push("integer");
        }
        if has(BOOL_BIT) {
            names.push("boolean");
        }
        if has(NULL_BIT) {
            names.push("null");
        }
        Scalars { names, is_flag: has(FLAG_BIT) }
    }

    /// What is allowed, in words.
    fn words(&self) -> String {
        let mut words = Vec::new();
        let has = |bit| self.scalars & bit != 0;
        if has(FLAG_BIT) {
            words.push("true or false");
        } else {
            if has(TEXT_BIT) {
                words.push("a string");
            }
            if has(NUMBER_BIT) {
                words.push("a number");
            } else if has(WHOLE_BIT) {
                words.push("a whole number");
            }
            if has(BOOL_BIT) {
                words.push("a boolean");
            }
        }
        if self.items.is_some() {
            words.push("a list");
        }
        if !matches!(self.entries, Entries::None) {
            words.push("a mapping");
        }
        match words.split_last() {
            None => "empty".to_owned(),
            Some((last, [])) => (*last).to_owned(),
            Some((last, first)) => format!("{} or {last}", first.join(", ")),
        }
    }
}

/// Reports what in a tree is not of the shape: wrong types, unknown keys, keys that are not strings. `name` is what
/// the value is called in messages.
pub(crate) fn check(node: &Node, shape: &Shape, name: &str, problems: &mut Problems) {
    walk(node, shape, Name::Is(name), problems);
}

/// What a value is called, put into words only where something is wrong with it.
#[derive(Clone, Copy)]
enum Name<'a> {
    Is(&'a str),
    /// The entry of this key in what is called so.
    In(&'a Name<'a>, &'a str),
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Is(name) => f.write_str(name),
            Self::In(outer, key) => write!(f, "{outer}.{}", shown(key)),
        }
    }
}

fn walk(node: &Node, shape: &Shape, name: Name<'_>, problems: &mut Problems) {
    // What is reset takes its place from earlier files and has no value of its own.
    if matches!(shape.entries, Entries::Free) || node.mark == Mark::Reset {
        return;
    }
    match &node.value {
        Value::Scalar(scalar) => check_scalar(scalar, node.span, shape, name, problems),
        Value::List(items) => match shape.items {
            Some(item) => items.iter().for_each(|n| walk(n, item, name, problems)),
            None => wrong(node.span, shape, name, "a list", problems),
        },
        Value::Map(map) => check_map(map, node.span, shape, name, problems),
    }
}

fn check_scalar(scalar: &Scalar, span: Span, shape: &Shape, name: Name<'_>, problems: &mut Problems) {
    let has = |bit| shape.scalars & bit != 0;
    let (ok, what) = match scalar.kind() {
        Kind::Null => (has(NULL_BIT), "empty"),
        Kind::Bool(_) => (has(BOOL_BIT), "a boolean"),
        Kind::Int(_) => (has(WHOLE_BIT), "a whole number"),
        Kind::Float(_) => (has(NUMBER_BIT), "a number"),
        Kind::Text => (has(TEXT_BIT), "a string"),
    };
    if ok && scalar.plain && !has(DATE_BIT) && scalar::is_date(&scalar.text) {
        // Compose's parser makes a time of it, which fits nowhere.
        wrong(span, shape, name, "a date", problems);
        problems.amend(|f| f.fix = Some(format!("\"{}\"", scalar.text)));
    } else if !ok {
        wrong(span, shape, name, what, problems);
        if has(TEXT_BIT) && scalar.plain && !scalar.text.is_empty() {
            problems.amend(|f| f.fix = Some(format!("\"{}\"", scalar.text)));
        }
    } else if has(FLAG_BIT) && what == "a string" {
        check_flag(&scalar.text, span, name, problems);
    }
}

fn check_flag(text: &str, span: Span, name: Name<'_>, problems: &mut Problems) {
    if matches!(text.to_ascii_lowercase().as_str(), "true" | "false") {
        return;
    }
    if let Some(value) = scalar::old_boolean(text) {
        let message = format!("`{name}` is spelled `{text}`");
        problems.add(&problem::ODD_BOOLEAN, span, message, &format!("write `{value}`")).fix =
            Some(value.to_string());
    } else {
        let message = format!("`{name}` is `{}`, not a boolean", shown(text));
        problems.add(&problem::BAD_VALUE, span, message, "write `true` or `false`");
    }
}

fn check_map(map: &Map, span: Span, shape: &Shape, name: Name<'_>, problems: &mut Problems) {
    match shape.entries {
        Entries::None => wrong(span, shape, name, "a mapping", problems),
        Entries::Free => {}
        Entries::Any(value) => {
            odd_keys(map, name, problems);
            map.entries.iter().for_each(|e| walk(&e.value, value, Name::In(&name, &e.key), problems));
        }
        Entries::Names(value) => {
            let is_services = matches!(name, Name::Is(SERVICES));
            odd_keys(map, name, problems);
            for entry in &map.entries {
                if entry.key.starts_with("x-") {
                    continue;
                }
                if !is_name(&entry.key) {
                    let message = format!("`{}` is not a name for an entry of `{name}`", shown(&entry.key));
                    problems.add(
                        &problem::BAD_VALUE,
                        entry.key_span,
                        message,
                        "use letters, digits, `.`, `_` and `-`",
                    );
                }
                if is_services {
                    problems.service = Some(entry.key.clone());
                }
                walk(&entry.value, value, Name::In(&name, &entry.key), problems);
                if is_services {
                    problems.service = None;
                }
            }
        }
        Entries::Keys(keys) => check_keys(map, keys, name, problems),
    }
}

/// Where anything goes, keys are strings all the same.
fn free(node: &Node, name: Name<'_>, problems: &mut Problems) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|n| free(n, name, problems)),
        Value::Map(map) => {
            odd_keys(map, name, problems);
            map.entries.iter().for_each(|e| free(&e.value, name, problems));
        }
    }
}

fn odd_keys(map: &Map, name: Name<'_>, problems: &mut Problems) {
    for entry in map.entries.iter().filter(|e| e.odd && !e.key.starts_with("x-")) {
        let message = format!("the key `{}` in `{name}` is not a string", shown(&entry.key));
        problems.add(&problem::KEY_NOT_TEXT, entry.key_span, message, "put it in quotes").fix =
            Some(format!("\"{}\"", entry.key));
    }
}

fn check_keys(map: &Map, keys: &'static [Key], name: Name<'_>, problems: &mut Problems) {
    for entry in &map.entries {
        match keys.iter().find(|k| k.name == entry.key) {
            Some(key) => {
                walk(&entry.value, key.shape, Name::Is(key.name), problems);
            }
            // Exit codes are numbers, and read by us alone.
            None if entry.key == "x-supervisor" => {}
            None if entry.key.starts_with("x-") => free(&entry.value, Name::Is(&entry.key), problems),
            None => {
                unknown(&entry.key, entry.key_span, &name.to_string(), keys.iter().map(|k| k.name), problems);
            }
        }
    }
}

/// Reports an unknown key with the nearest known spelling.
pub(crate) fn unknown<'a>(
    key: &str,
    span: Span,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) {
    if problems.is_full() {
        return;
    }
    let place = if name.is_empty() { String::new() } else { format!(" in `{name}`") };
    let message = format!("unknown key `{}`{place}", shown(key));
    match nearest(key, known) {
        Some(near) => {
            problems.add(&problem::UNKNOWN_KEY, span, message, &format!("did you mean `{near}`?")).fix =
                Some(near.to_owned());
        }
        None => {
            problems.add(&problem::UNKNOWN_KEY, span, message, "remove it, or put it under an `x-` key");
        }
    }
}

fn wrong(span: Span, shape: &Shape, name: Name<'_>, what: &str, problems: &mut Problems) {
    let message = format!("`{name}` must be {}, not {what}", shape.words());
    problems.add(&problem::WRONG_TYPE, span, message, &format!("write {}", shape.words()));
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The known word that is at most a third of its letters away.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    // A hostile file could declare as many names as it misspells.
    known
        .take(1000)
        .map(|k| (distance(&word, k), k))
        .filter(|(d, k)| *d <= (k.len() / 3).max(1))
        .min()
        .map(|(_, k)| k)
}

/// Letters to add, drop, change or swap with a neighbour to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut cost =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spelling_is_close_or_none() {
        let known = || ["privileged", "ports", "image", "cap_drop"].into_iter();
        assert_eq!(nearest("privilegd", known()), Some("privileged"));
        assert_eq!(nearest("imgae", known()), Some("image"));
        assert_eq!(nearest("cap-drop", known()), Some("cap_drop"));
        assert_eq!(nearest("port", known()), Some("ports"));
        assert_eq!(nearest("secrets", known()), None);
    }
}
