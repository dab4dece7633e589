//! Typed reading of single values. A value of the wrong type gives nothing: it has been reported.
//!
//! Deliberately absent: keys.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::EnvValue;
use crate::node::{Node, Value};
use crate::problem::{self, Problems};
use crate::scalar::{self, Kind};
use crate::source::At;
use crate::spell;
use crate::units::{Bytes, NanoCpus};
use crate::yaml::shown;

/// A string.
pub(super) fn text(node: &Node) -> Option<At<String>> {
    node.as_text().map(|text| At::file(text, node.span))
}

/// A list of strings.
pub(super) fn texts(node: &Node) -> Vec<At<String>> {
    node.as_list().unwrap_or_default().iter().filter_map(text).collect()
}

/// A boolean, in any spelling that Compose knows: an odd one has been reported, and is still judged by the policy.
pub(super) fn flag(node: &Node) -> Option<At<bool>> {
    let scalar = node.as_scalar()?;
    let value = match scalar.kind() {
        Kind::Bool(value) => Some(value),
        Kind::Text => match scalar.text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            text => scalar::old_boolean(text),
        },
        _ => None,
    };
    value.map(|value| At::file(value, node.span))
}

/// A whole number.
pub(super) fn whole(node: &Node, name: &str, problems: &mut Problems) -> Option<At<i64>> {
    let scalar = node.as_scalar()?;
    let value = match scalar.kind() {
        Kind::Int(value) => i64::try_from(value).ok(),
        Kind::Text => match scalar::quoted(&scalar.text) {
            Kind::Int(value) => i64::try_from(value).ok(),
            _ => None,
        },
        Kind::Null | Kind::Bool(_) => return None,
        Kind::Float(_) => None,
    };
    if value.is_none() {
        bad(node, name, "a whole number", problems);
    }
    value.map(|value| At::file(value, node.span))
}

/// A whole number of a smaller type.
pub(super) fn small<T: TryFrom<i64>>(node: &Node, name: &str, problems: &mut Problems) -> Option<At<T>> {
    let number = whole(node, name, problems)?;
    let value = T::try_from(number.value).ok();
    if value.is_none() {
        bad(node, name, "a number in range", problems);
    }
    value.map(|value| At::file(value, node.span))
}

/// An amount of memory, -1 and 0 included.
pub(super) fn amount(node: &Node, name: &str, problems: &mut Problems) -> Option<At<i64>> {
    let scalar = node.as_scalar()?;
    let value = match scalar.kind() {
        Kind::Int(value) => i64::try_from(value).ok(),
        Kind::Text | Kind::Float(_) if scalar.text.trim() == "-1" => Some(-1),
        Kind::Text | Kind::Float(_) => spell::bytes(&scalar.text),
        Kind::Null | Kind::Bool(_) => return None,
    };
    if value.is_none_or(|v| v < -1) {
        bad(node, name, "an amount such as `512m` or `2g`", problems);
        return None;
    }
    value.map(|value| At::file(value, node.span))
}

/// An amount of memory that is not negative.
pub(super) fn size(node: &Node, name: &str, problems: &mut Problems) -> Option<At<Bytes>> {
    let amount = amount(node, name, problems)?;
    let value = u64::try_from(amount.value).ok().map(Bytes);
    if value.is_none() {
        bad(node, name, "an amount such as `64m`", problems);
    }
    value.map(|value| At::file(value, node.span))
}

/// CPUs.
pub(super) fn cpus(node: &Node, name: &str, problems: &mut Problems) -> Option<At<NanoCpus>> {
    let scalar = node.as_scalar()?;
    if matches!(scalar.kind(), Kind::Null | Kind::Bool(_)) {
        return None;
    }
    let value = spell::cpus(&scalar.canonical());
    if value.is_none() {
        bad(node, name, "a number of CPUs such as `0.5`", problems);
    }
    value.map(|value| At::file(value, node.span))
}

/// A duration.
pub(super) fn duration(node: &Node, name: &str, problems: &mut Problems) -> Option<At<Duration>> {
    let text = node.as_text()?;
    if node.kind() != Some(Kind::Text) {
        return None;
    }
    let value = spell::duration(&text);
    if value.is_none() {
        bad(node, name, "a duration such as `30s` or `1m30s`", problems);
    }
    value.map(|value| At::file(value, node.span))
}

/// Names to strings; a name without a value is the empty string.
pub(super) fn pairs(node: &Node) -> BTreeMap<String, At<String>> {
    let entries = node.as_map().map(|m| m.entries.as_slice()).unwrap_or_default();
    entries
        .iter()
        .filter(|e| matches!(e.value.value, Value::Scalar(_)))
        .map(|e| (e.key.clone(), At::file(e.value.as_text().unwrap_or_default(), e.span())))
        .collect()
}

/// Labels of one service, network or volume; the longest that are known, rules for a router, come to some dozens.
const LABELS: usize = 100;
/// Bytes of a label's name and value together.
const LABEL: usize = 4096;

/// Reports labels that are too many or too long: the engine holds them in memory, and sends all of them with each of its lists.
pub(super) fn bounded(labels: &BTreeMap<String, At<String>>, problems: &mut Problems) {
    const FIX: &str = "put what is long into a config, and remove what nobody reads";
    if labels.len() > LABELS
        && let Some(span) = labels.values().filter_map(At::span).max_by_key(|span| span.start)
    {
        let message = format!("{} labels on one object, more than {LABELS}", labels.len());
        problems.add(&problem::TOO_MUCH, span, message, FIX);
    }
    for (name, at) in labels {
        let bytes = name.len() + at.value.len();
        if bytes > LABEL
            && let Some(span) = at.span()
        {
            let message = format!("label `{}` has {bytes} bytes, more than {LABEL}", shown(name));
            problems.add(&problem::TOO_MUCH, span, message, FIX);
        }
    }
}

/// Names to values that may be secret.
pub(super) fn variables(node: &Node) -> BTreeMap<String, At<Option<EnvValue>>> {
    let entries = node.as_map().map(|m| m.entries.as_slice()).unwrap_or_default();
    entries
        .iter()
        .filter(|e| matches!(e.value.value, Value::Scalar(_)))
        .map(|e| (e.key.clone(), At::file(e.value.as_text().map(EnvValue), e.span())))
        .collect()
}

/// One of a few words; another is reported, and read all the same.
pub(super) fn word(node: &Node, name: &str, words: &[&str], problems: &mut Problems) -> Option<At<String>> {
    let text = text(node)?;
    if !words.contains(&text.value.as_str()) {
        bad(node, name, &format!("`{}`", words.join("` or `")), problems);
    }
    Some(text)
}

/// Reports a value that is not what it should be.
pub(super) fn bad(node: &Node, name: &str, wanted: &str, problems: &mut Problems) {
    let text = node.as_text().unwrap_or_default();
    let message = format!("`{name}` is `{}`, not {wanted}", shown(&text));
    problems.add(&problem::BAD_VALUE, node.span, message, &format!("write {wanted}"));
}

/// Reports a required key that is not there, and reads it where it is.
pub(super) fn required<'a>(
    node: &'a Node,
    key: &str,
    what: &str,
    problems: &mut Problems,
) -> Option<&'a Node> {
    let found = node.get(key).filter(|n| !n.is_null());
    if found.is_none() {
        let message = format!("{what} has no `{key}`");
        problems.add(&problem::MISSING_KEY, node.span, message, &format!("add `{key}`"));
    }
    found
}
