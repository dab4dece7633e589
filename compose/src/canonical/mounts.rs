//! `volumes`: `[SOURCE:]TARGET[:OPTIONS]` to the long form.
//!
//! Deliberately absent: making relative paths absolute (`lower`), and what a host path leads to (the policy).

use crate::node::{Entry, Map, Node, Value};
use crate::problem::{self, Problems};
use crate::source::Span;

pub(super) fn canonical(node: &mut Node, problems: &mut Problems) {
    let Some(text) = node.as_text() else {
        if let Value::Map(map) = &mut node.value {
            for entry in map.entries.iter_mut().filter(|e| e.key == "target") {
                if let Some(target) = entry.value.as_text() {
                    entry.value = Node::text(clean(&target), entry.value.span);
                }
            }
            if let Some(Value::Map(options)) =
                map.entries.iter_mut().find(|e| e.key == "volume").map(|e| &mut e.value.value)
            {
                options
                    .entries
                    .iter_mut()
                    .filter(|e| e.key == "labels")
                    .for_each(|e| super::pairs(&mut e.value));
            }
        }
        return;
    };
    match short(&text, node.span) {
        Ok(long) => *node = Node { mark: node.mark, ..long }.along(&node.trail),
        Err(what) => {
            let message = format!("the volume `{}` {what}", crate::yaml::shown(&text));
            problems.add(&problem::BAD_VALUE, node.span, message, "write `SOURCE:TARGET[:ro]`");
        }
    }
}

/// Whether a source is a path of the host and not the name of a volume.
pub(crate) fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~']) || is_drive(source)
}

/// `C:\\` or `C:/`.
fn is_drive(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}

/// A path of a container without `.`, `..` and needless slashes, as Compose cleans it.
fn clean(target: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if target.starts_with('/') || parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if target.starts_with('/') { "/" } else { "" };
    let path = format!("{root}{}", parts.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

fn short(text: &str, span: Span) -> Result<Node, &'static str> {
    // A drive of Windows has a colon of its own.
    let drive = if is_drive(text) { 2 } else { 0 };
    let mut parts: Vec<&str> = text.get(drive..).unwrap_or_default().split(':').collect();
    if let Some(first) = parts.first_mut() {
        *first = text.get(..drive + first.len()).unwrap_or_default();
    }
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return Err("has too many colons"),
    };
    if target.is_empty() || source == Some("") {
        return Err("has an empty part");
    }
    let is_bind = source.is_some_and(is_path);
    let mut entries = Vec::new();
    let mut put = |key: &str, value: Node| entries.push(Entry::made(key, span, value));
    put("type", Node::text(if is_bind { "bind" } else { "volume" }, span));
    if let Some(source) = source {
        put("source", Node::text(source, span));
    }
    put("target", Node::text(clean(target), span));
    let mut bind = Map::default();
    let mut volume = Map::default();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => put("read_only", Node::plain("true", span)),
            "nocopy" => volume.set(Entry::made("nocopy", span, Node::plain("true", span))),
            "z" | "Z" => bind.set(Entry::made("selinux", span, Node::text(option, span))),
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                bind.set(Entry::made("propagation", span, Node::text(option, span)));
            }
            "rw" | "cached" | "delegated" | "consistent" => {}
            _ => return Err("has an unknown option"),
        }
    }
    if is_bind {
        put("bind", Node::new(Value::Map(bind), span));
    } else {
        if !bind.entries.is_empty() {
            put("bind", Node::new(Value::Map(bind), span));
        }
        put("volume", Node::new(Value::Map(volume), span));
    }
    Ok(Node::map(entries, span))
}
