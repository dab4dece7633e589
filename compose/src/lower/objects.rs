//! Top-level volumes, secrets and configs.
//!
//! Deliberately absent: reading of files; a secret's content is taken at launch, never kept in the model.

use crate::model::{ContentSource, FileObject, Volume};
use crate::node::{Entry, Node};
use crate::problem::{self, Problems};
use crate::source::At;

use super::{Context, read};

pub(super) fn volume(entry: &Entry, problems: &mut Problems) -> Volume {
    let node = &entry.value;
    if node.get("external").and_then(read::flag).is_some_and(|f| f.value) {
        let map = node.as_map();
        for other in
            ["driver", "driver_opts", "labels"].iter().filter_map(|key| map.and_then(|m| m.entry(key)))
        {
            let message = format!("`external` and `{}` are both given", other.key);
            problems.add(
                &problem::CONFLICT,
                other.key_span,
                message,
                "what is made elsewhere is not described here",
            );
        }
    }
    let labels = node.get("labels").map(read::pairs).unwrap_or_default();
    read::bounded(&labels, problems);
    Volume {
        key: entry.key.clone(),
        span: entry.key_span,
        name: node.get("name").and_then(read::text).filter(|name| !name.value.is_empty()),
        driver: node.get("driver").and_then(read::text),
        driver_opts: node.get("driver_opts").map(read::pairs).unwrap_or_default(),
        external: node.get("external").and_then(read::flag),
        labels,
    }
}

pub(super) fn secret(entry: &Entry, context: &mut Context<'_>) -> Option<FileObject> {
    object(entry, "secret", &["file", "environment"], context)
}

pub(super) fn config(entry: &Entry, context: &mut Context<'_>) -> Option<FileObject> {
    object(entry, "config", &["file", "content", "environment"], context)
}

fn object(entry: &Entry, what: &str, kinds: &[&str], context: &mut Context<'_>) -> Option<FileObject> {
    let node = &entry.value;
    let given: Vec<(&str, &Node)> =
        kinds.iter().filter_map(|k| node.get(k).filter(|n| n.as_text().is_some()).map(|n| (*k, n))).collect();
    let external = node.get("external").filter(|n| read::flag(n).is_some_and(|f| f.value));
    let content = match (given.as_slice(), external) {
        (_, Some(external)) => At::file(ContentSource::External, external.span),
        ([(kind, value)], None) => At::file(content(kind, value, context)?, value.span),
        ([], None) => {
            let message = format!("the {what} `{}` has no content", entry.key);
            let next = format!("give one of `{}`", kinds.join("`, `"));
            context.problems.add(&problem::MISSING_KEY, entry.key_span, message, &next);
            return None;
        }
        ([(first, _), (second, node), ..], None) => {
            let message = format!("the {what} `{}` has both `{first}` and `{second}`", entry.key);
            context.problems.add(&problem::CONFLICT, node.span, message, "keep one of them");
            return None;
        }
    };
    Some(FileObject {
        key: entry.key.clone(),
        span: entry.key_span,
        content,
        name: node.get("name").and_then(read::text),
        refused: ["driver", "driver_opts", "template_driver"]
            .into_iter()
            .filter_map(|key| node.as_map().and_then(|m| m.entry(key)).map(|e| (key, e.span())))
            .collect(),
        from_environment: node.get("environment").and_then(read::text),
    })
}

fn content(kind: &str, node: &Node, context: &mut Context<'_>) -> Option<ContentSource> {
    let text = node.as_text()?;
    match kind {
        "file" => Some(ContentSource::File(context.path(&text))),
        "environment" => {
            let value = context.environment.get(&text).cloned();
            if value.is_none() {
                let message =
                    format!("the variable `{text}`, whose value is given to containers, is not set");
                context.problems.add(&problem::NO_CONTENT, node.span, message, "set it, or use `file`");
            }
            Some(value.map_or(ContentSource::Unset(text), ContentSource::Inline))
        }
        _ => Some(ContentSource::Inline(text)),
    }
}
