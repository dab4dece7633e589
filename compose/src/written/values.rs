//! Single values in the form in which Compose prints them.
//!
//! Deliberately absent: which key has which form (`service`, `objects`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::node::{Node, Value};
use crate::scalar::{self, Kind};
use crate::spell;

use crate::json::Json;
use crate::model::Date;

/// Whatever it is, by what YAML reads in it. A dollar sign is doubled, so that reading it again gives the same.
pub(super) fn as_is(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => Json::List(items.iter().map(as_is).collect()),
        Value::Map(map) => Json::Map(map.entries.iter().map(|e| (e.key.clone(), as_is(&e.value))).collect()),
        Value::Scalar(scalar) => match scalar.kind() {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(value),
            Kind::Int(value) => Json::Number(value.to_string()),
            Kind::Float(value) if value.is_finite() => Json::Number(scalar::float(value)),
            Kind::Float(_) | Kind::Text => match Date::parse(&scalar.text).filter(|_| scalar.plain) {
                // YAML 1.1 reads a time in it, and JSON writes that as RFC 3339 does. One with a time of day stays as it is.
                Some(day) => Json::Text(format!("{day}T00:00:00Z")),
                None => text_of(&scalar.text),
            },
        },
    }
}

/// A string.
pub(super) fn text_of(text: &str) -> Json {
    Json::Text(text.replace('$', "$$"))
}

/// A string, whatever YAML reads in it; nothing is the empty string.
pub(super) fn text(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(_) => text_of(&node.as_text().unwrap_or_default()),
        _ => as_is(node),
    }
}

/// A list of strings.
pub(super) fn texts(node: &Node) -> Json {
    node.as_list().map_or_else(|| text(node), |items| Json::List(items.iter().map(text).collect()))
}

/// Names to strings; a name without a value keeps none.
pub(super) fn pairs(node: &Node) -> Json {
    each(node, |value| if value.is_null() { Json::Null } else { text(value) })
}

/// Names to strings; a name without a value has the empty one.
pub(super) fn labels(node: &Node) -> Json {
    each(node, text)
}

/// A mapping with its values changed alike.
pub(super) fn each(node: &Node, change: impl Fn(&Node) -> Json) -> Json {
    match node.as_map() {
        Some(map) => Json::Map(map.entries.iter().map(|e| (e.key.clone(), change(&e.value))).collect()),
        None => as_is(node),
    }
}

/// A mapping with each value changed by its key. Extensions are not printed but at the top.
pub(super) fn fields(node: &Node, change: impl Fn(&str, &Node) -> Json) -> Json {
    match node.as_map() {
        Some(map) => {
            let own = map.entries.iter().filter(|e| !e.key.starts_with("x-"));
            Json::Map(own.map(|e| (e.key.clone(), change(&e.key, &e.value))).collect())
        }
        None => as_is(node),
    }
}

/// A number, also where it is written as a string.
pub(super) fn number(node: &Node) -> Json {
    let Some(text) = node.as_text() else { return as_is(node) };
    match scalar::quoted(&text) {
        Kind::Int(value) => Json::Number(value.to_string()),
        Kind::Float(value) if value.is_finite() => Json::Number(scalar::float(value)),
        _ => text_of(&text),
    }
}

/// A boolean, also where it is written as a string.
pub(super) fn flag(node: &Node) -> Json {
    let Some(text) = node.as_text() else { return as_is(node) };
    match text.to_ascii_lowercase().as_str() {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        other => scalar::old_boolean(other).map_or_else(|| text_of(&text), Json::Bool),
    }
}

/// An amount of memory as a string of bytes.
pub(super) fn bytes(node: &Node) -> Json {
    let Some(text) = node.as_text() else { return as_is(node) };
    match spell::bytes(&text) {
        Some(bytes) => Json::Text(bytes.to_string()),
        None => text_of(&text),
    }
}

/// A duration as Go spells it: `1m30s`.
pub(super) fn duration(node: &Node) -> Json {
    let Some(text) = node.as_text() else { return as_is(node) };
    spell::duration(&text).map_or_else(|| text_of(&text), |d| Json::Text(go_duration(d)))
}

fn go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let decimal = |whole: u128, rest: u128, digits: usize| {
        let rest = format!("{rest:0digits$}");
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() { whole.to_string() } else { format!("{whole}.{rest}") }
    };
    if nanos < 1_000 {
        return format!("{nanos}ns");
    }
    if nanos < 1_000_000 {
        return format!("{}µs", decimal(nanos / 1_000, nanos % 1_000, 3));
    }
    if nanos < 1_000_000_000 {
        return format!("{}ms", decimal(nanos / 1_000_000, nanos % 1_000_000, 6));
    }
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let tail = format!("{}s", decimal(u128::from(rest), u128::from(duration.subsec_nanos()), 9));
    match (hours, minutes) {
        (0, 0) => tail,
        (0, minutes) => format!("{minutes}m{tail}"),
        (hours, minutes) => format!("{hours}h{minutes}m{tail}"),
    }
}

/// Adds to a mapping what Compose fills in where nothing is said.
pub(super) fn with_defaults<const N: usize>(json: Json, defaults: [(&str, Json); N]) -> Json {
    match json {
        Json::Map(mut map) => {
            for (key, value) in defaults {
                map.entry(key.to_owned()).or_insert(value);
            }
            Json::Map(map)
        }
        other => other,
    }
}

/// An empty mapping.
pub(super) const fn nothing() -> Json {
    Json::Map(BTreeMap::new())
}
