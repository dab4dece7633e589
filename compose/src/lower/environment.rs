//! `environment`, `env_file` and `label_file`: the final variables and labels of a service.
//!
//! Later files win over earlier ones and `environment` over all of them, as in Compose. Deliberately absent: which
//! variables hold credentials; no value ever shows in `Debug`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use crate::dotenv::{self, Format, Variable};
use crate::host::ReadError;
use crate::model::{EnvValue, Service};
use crate::node::{Map, Node};
use crate::problem;
use crate::source::{At, Source, Span};

use super::{Context, read};

/// Files that were read, each once.
pub(crate) type Known = BTreeMap<(PathBuf, Format), Rc<[Variable]>>;

pub(super) fn environment(service: &mut Service, map: &Map, context: &mut Context<'_>) {
    let own = written(map.get("environment"), context);
    for row in map.get("env_file").and_then(Node::as_list).unwrap_or_default() {
        let given = file(row, service, context);
        if let Some(first) = given.first() {
            context.read_for.insert((first.span.source, service.name.clone()), row.span);
        }
        for Variable { name, value, span } in given.iter() {
            let value = EnvValue(value.clone());
            service.environment.insert(name.clone(), At::file(Some(value), *span));
        }
    }
    service.environment.extend(own);
    for row in map.get("label_file").and_then(Node::as_list).unwrap_or_default() {
        let Some(written) = row.as_text() else { continue };
        for Variable { name, value, span } in
            variables(&written, row.span, true, Format::Compose, context).iter()
        {
            service.labels.entry(name.clone()).or_insert_with(|| At::file(value.clone(), *span));
        }
    }
}

/// What `environment` says by itself; a name without a value is the caller's.
pub(super) fn written(node: Option<&Node>, context: &Context<'_>) -> BTreeMap<String, At<Option<EnvValue>>> {
    let mut variables = node.map(read::variables).unwrap_or_default();
    for (name, at) in &mut variables {
        if at.value.is_none() {
            at.value = context.environment.get(name).cloned().map(EnvValue);
        }
    }
    variables
}

/// One row of `env_file`.
fn file(row: &Node, service: &mut Service, context: &mut Context<'_>) -> Rc<[Variable]> {
    let Some(path) = read::required(row, "path", "the entry", context.problems) else { return Rc::default() };
    let Some(written) = path.as_text() else { return Rc::default() };
    let required = row.get("required").and_then(read::flag).is_none_or(|f| f.value);
    let format = match row.get("format").map(|n| (n, n.as_text())) {
        None => Format::Compose,
        Some((_, Some(text))) if text == "raw" => Format::Raw,
        Some((_, Some(text))) if text.is_empty() => Format::Compose,
        Some((node, _)) => {
            read::bad(node, "format", "`raw`", context.problems);
            return Rc::default();
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
) -> Rc<[Variable]> {
    let key = (context.path(written), format);
    if let Some(known) = context.variables.get(&key) {
        let known = Rc::clone(known);
        return taken(known, span, context);
    }
    let read = context.budget.try_read(context.host, &key.0, span, context.problems);
    let bytes = match read {
        None => return Rc::default(),
        Some(Ok(bytes)) => bytes,
        Some(Err(ReadError::Missing)) if !required => return Rc::default(),
        Some(Err(error)) => {
            let mut finding = problem::cannot_read(&key.0, &error);
            finding.span = Some(span);
            context.problems.put(finding);
            return Rc::default();
        }
    };
    let source = Source::from_bytes(written, bytes).private();
    let id = context.sources.add(source.clone());
    let environment = context.environment;
    let lookup = |name: &str| environment.get(name).map(String::as_str);
    let scope = dotenv::Scope { first: &lookup, last: &|_| None };
    let found = dotenv::parse(&source, id, format, scope, &mut context.budget.text, context.problems);
    let found: Rc<[Variable]> = found.into();
    context.variables.insert(key, Rc::clone(&found));
    taken(found, span, context)
}

/// Every service has its own copy of what a file gives, as long as there is room.
fn taken(variables: Rc<[Variable]>, span: Span, context: &mut Context<'_>) -> Rc<[Variable]> {
    let length = variables.iter().map(|variable| variable.name.len() + variable.value.len()).sum();
    let room = &mut context.budget.text;
    let is_news = !room.is_spent();
    if room.take(length) {
        return variables;
    }
    // Said once: where it is used up, the other services fare no better.
    if is_news {
        let message = "environment files give more text than is read";
        context.problems.add(&problem::TOO_MUCH, span, message, "use fewer or shorter files");
    }
    Rc::default()
}
