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
mod tests {
    use super::*;
    use crate::budget::Budget;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use std::fmt::Write as _;

    fn environment() -> BTreeMap<String, String> {
        [("SET", "val"), ("EMPTY", ""), ("DOLLAR", "$SET")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    fn substituted(text: &str) -> (String, Vec<Fault>) {
        let environment = environment();
        substitute(text, &|name| environment.get(name).map(String::as_str), &mut Budget::default().text)
    }

    /// One text a line; the answer is the value, or what is wrong and the bytes that it is about.
    #[track_caller]
    fn check(texts: &[&str], expect: Expect) {
        let lines: Vec<_> = texts
            .iter()
            .map(|text| {
                let (value, faults) = substituted(text);
                let mut line = format!("{text} => {value}");
                for fault in faults {
                    let at = text.get(fault.start..fault.end).unwrap();
                    write!(line, " [{:?} at {at}]", fault.kind).unwrap();
                }
                line
            })
            .collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_dollar_that_starts_no_variable_stays() {
        check(
            &["$", "5$", "$ x", "$1", "$$", "$$$SET", "$${SET}", "$SET$", "$SETé", "x${SET}y$SET-z", "$_x"],
            expect![[r#"
            $ => $
            5$ => 5$
            $ x => $ x
            $1 => $1
            $$ => $
            $$$SET => $val
            $${SET} => ${SET}
            $SET$ => val$
            $SETé => valé
            x${SET}y$SET-z => xvalyval-z
            $_x =>  [Unset("_x") at $_x]"#]],
        );
    }

    #[test]
    fn defaults_requirements_and_replacements() {
        check(
            &[
                "${A:-d}",
                "${A-d}",
                "${EMPTY:-d}",
                "${EMPTY-d}",
                "${SET:-d}",
                "${SET:+x}",
                "${EMPTY:+x}",
                "${EMPTY+x}",
                "${A+x}",
                "${A:?}",
                "${A?m}",
                "${EMPTY?m}",
                "${EMPTY:?m}",
                "${A:?m ${SET}}",
                "${SET?-x}",
                "${A:- x }",
                "${A:-a:-b}",
            ],
            expect![[r#"
                ${A:-d} => d
                ${A-d} => d
                ${EMPTY:-d} => d
                ${EMPTY-d} => 
                ${SET:-d} => val
                ${SET:+x} => x
                ${EMPTY:+x} => 
                ${EMPTY+x} => x
                ${A+x} => 
                ${A:?} =>  [Required("A", "") at ${A:?}]
                ${A?m} =>  [Required("A", "m") at ${A?m}]
                ${EMPTY?m} => 
                ${EMPTY:?m} =>  [Required("EMPTY", "m") at ${EMPTY:?m}]
                ${A:?m ${SET}} =>  [Required("A", "m val") at ${A:?m ${SET}}]
                ${SET?-x} => val
                ${A:- x } =>  x 
                ${A:-a:-b} => a:-b"#]],
        );
    }

    #[test]
    fn nesting_and_braces_as_compose_counts_them() {
        check(
            &[
                "${A-${B:-c}}",
                "${A:-$SET}",
                "${A:-$DOLLAR}",
                "${A:-$$x}",
                "${A:-a}b}",
                "${A:-}}",
                "${A:-{}",
                "${A:-{}}",
                "${A:-$${B}}",
                "${A:-$${B}",
                r#"${SET:-{"a": 1}}"#,
                "${A:- {{.Name}} }",
                "${SET:-${A:?no}}",
                "${SET:+${EMPTY:-q}}",
            ],
            expect![[r#"
                ${A-${B:-c}} => c
                ${A:-$SET} => val
                ${A:-$DOLLAR} => $SET
                ${A:-$$x} => $x
                ${A:-a}b} => ab}
                ${A:-}} => }
                ${A:-{} => {
                ${A:-{}} => {}
                ${A:-$${B}} => ${B}
                ${A:-$${B} => ${B
                ${SET:-{"a": 1}} => val
                ${A:- {{.Name}} } =>  {{.Name} }
                ${SET:-${A:?no}} => val [Required("A", "no") at ${A:?no}]
                ${SET:+${EMPTY:-q}} => q"#]],
        );
    }

    #[test]
    fn what_breaks_the_grammar() {
        check(
            &[
                "${",
                "${}",
                "${A",
                "${A:}",
                "${1A}",
                "${A.b}",
                "${ A }",
                "${A:=x}",
                "${A!x}",
                "${A:-${}}",
                "a ${A:-${B",
            ],
            expect![[r#"
                ${ =>  [Invalid at ${]
                ${} =>  [Invalid at ${}]
                ${A =>  [Invalid at ${A]
                ${A:} =>  [Invalid at ${A:}]
                ${1A} =>  [Invalid at ${1A}]
                ${A.b} =>  [Invalid at ${A.b}]
                ${ A } =>  [Invalid at ${ A }]
                ${A:=x} =>  [Invalid at ${A:=x}]
                ${A!x} =>  [Invalid at ${A!x}]
                ${A:-${}} =>  [Invalid at ${}]
                a ${A:-${B => a  [Invalid at ${A:-${B]"#]],
        );
    }

    #[test]
    fn a_long_value_is_put_in_a_few_times_only_used_or_not() {
        let long = "v".repeat(Budget::default().text.most() / 3);
        let count = |text: &str| {
            let (value, faults) = substitute(text, &|_| Some(long.as_str()), &mut Budget::default().text);
            let kinds: Vec<_> =
                faults.iter().map(|f| format!("{:?} at {}..{}", f.kind, f.start, f.end)).collect();
            (value.len() / long.len(), kinds.join(", "))
        };
        assert_eq!(count("$A$A$A"), (3, String::new()));
        assert_eq!(count("$A$A$A$A$A"), (3, "TooMuch at 6..8".to_owned()));
        assert_eq!(count("${A:-$A$A$A$A}"), (0, "TooMuch at 11..13, TooMuch at 0..14".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "[$\\{\\}:?+A-C_a1 -]{0,80}") {
            let (value, faults) = substituted(&text);
            prop_assert!(faults.iter().all(|f| text.get(f.start..f.end).is_some()));
            prop_assert_eq!((value, faults), substituted(&text));
        }

        #[test]
        fn a_text_without_dollars_stays(text in "[^$]{0,40}") {
            prop_assert_eq!(substituted(&text).0, text);
        }
    }
}
