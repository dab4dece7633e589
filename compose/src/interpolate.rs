//! Variables in values: `$X`, `${X}`, `:-` `-` `:?` `?` `:+` `+`, nested, and `$$` for a dollar sign.
//!
//! The grammar is what Compose does, measured: a `$` before anything else stays, a default is evaluated even if it
//! is not used, and the value of a variable is never looked at again. The environment is an argument. Deliberately
//! absent: keys, which Compose does not interpolate either.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::budget::Room;
use crate::node::{Node, Scalar, Value};
use crate::problem::{self, Problems};
use crate::source::{Sources, Span};

/// Deepest nesting of defaults in defaults.
const DEEPEST: usize = 20;
/// Most faults of one text that are told apart.
const MOST_FAULTS: usize = 1000;

/// Replaces the variables in every value of a tree.
pub(crate) fn interpolate(
    node: &mut Node,
    environment: &BTreeMap<String, String>,
    room: &mut Room,
    sources: &Sources,
    problems: &mut Problems,
) {
    let _ = walk(node, environment, room, sources, problems);
}

/// Breaks where there is no room for more.
fn walk(
    node: &mut Node,
    environment: &BTreeMap<String, String>,
    room: &mut Room,
    sources: &Sources,
    problems: &mut Problems,
) -> ControlFlow<()> {
    let span = node.span;
    match &mut node.value {
        Value::List(items) => {
            items.iter_mut().try_for_each(|n| walk(n, environment, room, sources, problems))
        }
        Value::Map(map) => {
            map.entries.iter_mut().try_for_each(|e| walk(&mut e.value, environment, room, sources, problems))
        }
        Value::Scalar(scalar) => {
            if !scalar.text.contains('$') {
                return ControlFlow::Continue(());
            }
            let lookup = |name: &str| environment.get(name).map(String::as_str);
            let (text, faults) = substitute(&scalar.text, &lookup, room);
            let is_full = faults.iter().any(|fault| fault.kind == FaultKind::TooMuch);
            for fault in faults {
                report(&fault, scalar, span, sources, problems);
            }
            *scalar = Scalar { text, plain: false };
            if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
}

/// The value of a variable, if it has one.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// Something wrong with a variable, in bytes of the text that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    start: usize,
    end: usize,
    kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FaultKind {
    /// It breaks the grammar.
    Invalid,
    /// Defaults nested too deeply.
    TooDeep,
    /// Values longer than there is room for.
    TooMuch,
    /// `:?` or `?` without a value: the name and the file's message.
    Required(String, String),
    /// No value and no default.
    Unset(String),
}

fn report(fault: &Fault, scalar: &Scalar, span: Span, sources: &Sources, problems: &mut Problems) {
    let span = place(fault, scalar, span, sources);
    report_at(fault, span, problems);
}

/// Says what is wrong with a variable that stands at `span`.
pub(crate) fn report_at(fault: &Fault, span: Span, problems: &mut Problems) {
    match &fault.kind {
        FaultKind::Invalid => {
            problems.add(
                &problem::BAD_VARIABLE,
                span,
                "`${` does not start a variable",
                "write `${NAME}`, or `$$` for a dollar sign",
            );
        }
        FaultKind::TooDeep => {
            let message = format!("defaults are nested deeper than {DEEPEST} levels");
            problems.add(&problem::TOO_MUCH, span, message, "nest less");
        }
        FaultKind::TooMuch => {
            let message = "variables put in more text than is read";
            problems.add(&problem::TOO_MUCH, span, message, "use shorter values");
        }
        FaultKind::Required(name, word) => {
            let word = if word.is_empty() { String::new() } else { format!(": {word}") };
            let message = format!("the required variable `{name}` has no value{word}");
            problems.add(
                &problem::REQUIRED_VARIABLE,
                span,
                message,
                "set it in the environment, in `.env` or with `--env-file`",
            );
        }
        FaultKind::Unset(name) => {
            let message = format!("the variable `{name}` is not set");
            problems.add(
                &problem::UNSET_VARIABLE,
                span,
                message,
                "set it, or say what holds without it: `${NAME:-default}`",
            );
        }
    }
}

/// The exact place of a variable where the text stands in the file as it is; else the whole value's.
fn place(fault: &Fault, scalar: &Scalar, span: Span, sources: &Sources) -> Span {
    let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let written = sources.get(span.source).and_then(|s| s.text().get(span.start as usize..span.end as usize));
    let skip = match written {
        Some(w) if w == scalar.text => 0,
        Some(w) if w.get(1..w.len().saturating_sub(1)) == Some(&scalar.text) => 1,
        _ => return span,
    };
    let start = span.start + skip;
    Span::new(span.source, start + offset(fault.start), start + offset(fault.end))
}

/// A variable that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention<'a> {
    pub(crate) name: &'a str,
    /// The bytes of what holds where it has no value, if the text says so.
    pub(crate) default: Option<std::ops::Range<usize>>,
}

/// The variables in a text as it is written, in order, those in defaults too, each once.
pub(crate) fn mentions(text: &str) -> Vec<Mention<'_>> {
    let mut found: Vec<Mention<'_>> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(tail) = after.strip_prefix('$') {
            rest = tail;
            continue;
        }
        let body = after.strip_prefix('{').and_then(|inner| inner.get(..closing(inner)?));
        let name = name(body.unwrap_or(after));
        let word = body.and_then(|body| operator(body.get(name.len()..)?));
        let default =
            word.filter(|(operator, _)| matches!(operator.action, Action::Default)).map(|(_, word)| {
                // The word ends where the brace closes.
                let end = text.len() - after.len() + 1 + body.map_or(0, str::len);
                end - word.len()..end
            });
        if !name.is_empty() && !found.iter().any(|mention| mention.name == name) {
            found.push(Mention { name, default });
        }
        rest = after;
    }
    found
}

/// The text with its variables replaced, and what is wrong with them. A broken variable ends the work: what comes
/// after it cannot be told from it.
pub(crate) fn substitute(text: &str, lookup: &Lookup<'_>, room: &mut Room) -> (String, Vec<Fault>) {
    let mut out = String::with_capacity(text.len());
    let mut expansion = Expansion { lookup, room, faults: Vec::new() };
    let _ = expansion.expand(text, 0, 0, &mut out);
    (out, expansion.faults)
}

/// What goes through the text and the defaults in it.
struct Expansion<'a, 'v> {
    lookup: &'a Lookup<'v>,
    room: &'a mut Room,
    faults: Vec<Fault>,
}

impl<'v> Expansion<'_, 'v> {
    /// `base` is where the text stands in the whole. Breaks where nothing after it can be told.
    fn expand(&mut self, text: &str, base: usize, depth: usize, out: &mut String) -> ControlFlow<()> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let start = base + text.len() - after.len() - 1;
            if let Some(tail) = after.strip_prefix('$') {
                out.push('$');
                rest = tail;
            } else if let Some(inner) = after.strip_prefix('{') {
                let close = closing(inner);
                let tail = close.and_then(|close| inner.get(close + 1..)).unwrap_or_default();
                let place = (start, base + text.len() - tail.len());
                let Some(body) = close.and_then(|close| inner.get(..close)) else {
                    return self.stop(place, FaultKind::Invalid);
                };
                self.braced(body, place, depth, out)?;
                rest = tail;
            } else {
                let name = name(after);
                rest = after.get(name.len()..).unwrap_or_default();
                if name.is_empty() {
                    out.push('$');
                } else {
                    let place = (start, start + 1 + name.len());
                    match (self.lookup)(name) {
                        Some(value) => self.put(value, place, out)?,
                        None => self.fault(place, FaultKind::Unset(name.to_owned())),
                    }
                }
            }
        }
        out.push_str(rest);
        ControlFlow::Continue(())
    }

    /// What stands between braces.
    fn braced(
        &mut self,
        body: &str,
        place: (usize, usize),
        depth: usize,
        out: &mut String,
    ) -> ControlFlow<()> {
        let name = name(body);
        let operation = body.get(name.len()..).unwrap_or_default();
        let Some((operator, word)) = operator(operation).filter(|_| !name.is_empty()) else {
            return self.stop(place, FaultKind::Invalid);
        };
        if depth >= DEEPEST {
            return self.stop(place, FaultKind::TooDeep);
        }
        let mut default = String::new();
        // What is wrong in a default ends the default alone, as it does in Compose.
        let _ = self.expand(word, place.1 - 1 - word.len(), depth + 1, &mut default);
        let value = (self.lookup)(name);
        let value = if operator.empty_is_unset { value.filter(|v| !v.is_empty()) } else { value };
        match (operator.action, value) {
            (Action::Value, None) => self.fault(place, FaultKind::Unset(name.to_owned())),
            (Action::Require, None) => self.fault(place, FaultKind::Required(name.to_owned(), default)),
            (Action::Value | Action::Default | Action::Require, Some(value)) => {
                self.put(value, place, out)?;
            }
            (Action::Default, None) | (Action::Replace, Some(_)) => out.push_str(&default),
            (Action::Replace, None) => {}
        }
        ControlFlow::Continue(())
    }

    fn put(&mut self, value: &'v str, place: (usize, usize), out: &mut String) -> ControlFlow<()> {
        if !self.room.take(value.len()) {
            return self.stop(place, FaultKind::TooMuch);
        }
        out.push_str(value);
        ControlFlow::Continue(())
    }

    fn stop(&mut self, place: (usize, usize), kind: FaultKind) -> ControlFlow<()> {
        self.faults.push(Fault { start: place.0, end: place.1, kind });
        ControlFlow::Break(())
    }

    /// Of many faults of one text, the first are told; what is an error is told always.
    fn fault(&mut self, (start, end): (usize, usize), kind: FaultKind) {
        if self.faults.len() < MOST_FAULTS || !matches!(kind, FaultKind::Unset(_)) {
            self.faults.push(Fault { start, end, kind });
        }
    }
}

#[derive(Clone, Copy)]
struct Operator {
    action: Action,
    empty_is_unset: bool,
}

#[derive(Clone, Copy)]
enum Action {
    Value,
    Default,
    Require,
    Replace,
}

/// What follows the name in braces, and the word after it.
fn operator(text: &str) -> Option<(Operator, &str)> {
    if text.is_empty() {
        return Some((Operator { action: Action::Value, empty_is_unset: false }, ""));
    }
    let (empty_is_unset, text) = text.strip_prefix(':').map_or((false, text), |t| (true, t));
    let action = match text.chars().next()? {
        '-' => Action::Default,
        '?' => Action::Require,
        '+' => Action::Replace,
        _ => return None,
    };
    Some((Operator { action, empty_is_unset }, text.get(1..)?))
}

/// The longest name that the text starts with.
fn name(text: &str) -> &str {
    let ok = |i: usize, b: u8| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit());
    let end = text.bytes().enumerate().find(|(i, b)| !ok(*i, *b)).map_or(text.len(), |(i, _)| i);
    text.get(..end).unwrap_or_default()
}

/// Where the brace closes that was opened just before the text. As Compose counts: the character after an opening
/// brace is not looked at, and where the count does not come out even, the last closing brace of the line counts.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 1_usize;
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    let line = text.split('\n').next().unwrap_or_default();
    line.rfind('}').filter(|at| *at > 0)
}

#[cfg(test)]
mod tests;
