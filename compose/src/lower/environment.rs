//! `environment`, `env_file` and `label_file`: the final variables and labels of a service.
//!
//! Later files win over earlier ones and `environment` over all of them, as in Compose. Deliberately absent: which
//! variables hold credentials; no value ever shows in `Debug`.

use std::path::Path;

use crate::dotenv::{self, Format, Variable};
use crate::host::ReadError;
use crate::model::{EnvValue, Service};
use crate::node::{Map, Node};
use crate::problem::{self, Problems};
use crate::source::{At, MOST_BYTES, Source, Span};

use super::{Context, read};

pub(super) fn environment(service: &mut Service, map: &Map, context: &mut Context<'_>) {
    let own = map.get("environment").map(read::variables).unwrap_or_default();
    for row in map.get("env_file").and_then(Node::as_list).unwrap_or_default() {
        for variable in file(row, service, context) {
            service
                .environment
                .insert(variable.name, At::file(Some(EnvValue(variable.value)), variable.span));
        }
    }
    for (name, mut at) in own {
        if at.value.is_none() {
            // A name without a value is the caller's.
            at.value = context.environment.get(&name).cloned().map(EnvValue);
        }
        service.environment.insert(name, at);
    }
    for row in map.get("label_file").and_then(Node::as_list).unwrap_or_default() {
        let Some(written) = row.as_text() else { continue };
        for label in variables(&written, row.span, true, Format::Compose, context) {
            service.labels.entry(label.name).or_insert_with(|| At::file(label.value, label.span));
        }
    }
}

/// One row of `env_file`.
fn file(row: &Node, service: &mut Service, context: &mut Context<'_>) -> Vec<Variable> {
    let Some(path) = read::required(row, "path", "the entry", context.problems) else { return Vec::new() };
    let Some(written) = path.as_text() else { return Vec::new() };
    let required = row.get("required").and_then(read::flag).is_none_or(|f| f.value);
    let format = match row.get("format").map(|n| (n, n.as_text())) {
        None => Format::Compose,
        Some((_, Some(text))) if text == "raw" => Format::Raw,
        Some((_, Some(text))) if text.is_empty() => Format::Compose,
        Some((node, _)) => {
            read::bad(node, "format", "`raw`", context.problems);
            return Vec::new();
        }
    };
    service.env_file.push(At::file(context.path(&written), path.span));
    variables(&written, path.span, required, format, context)
}

fn variables(
    written: &str,
    span: Span,
    required: bool,
    format: Format,
    context: &mut Context<'_>,
) -> Vec<Variable> {
    let path = context.path(written);
    let bytes = match context.host.read(&path, MOST_BYTES) {
        Ok(bytes) => bytes,
        Err(ReadError::Missing) if !required => return Vec::new(),
        Err(error) => {
            report(&path, span, &error, context.problems);
            return Vec::new();
        }
    };
    let source = Source::from_bytes(written, bytes);
    let id = context.sources.add(source.clone());
    let environment = context.environment;
    let lookup = |name: &str| environment.get(name).map(String::as_str);
    dotenv::parse(&source, id, format, &lookup, context.problems)
}

/// A file that is named in another and cannot be read, at the place of its name.
pub(crate) fn report(path: &Path, span: Span, error: &ReadError, problems: &mut Problems) {
    let mut finding = problem::cannot_read(path, error);
    finding.span = Some(span);
    problems.put(finding);
}
