//! Environment files as Compose reads them: quotes, escapes, `export`, comments, variables; and its raw format.
//!
//! The grammar is Compose's, measured. Deliberately absent: which file is read, and which of several wins.

use std::collections::BTreeMap;

use crate::budget::Room;
use crate::interpolate::{self, Lookup};
use crate::problem::{self, Problems};
use crate::source::{Source, SourceId, Span};

/// What is wrong with a line. Its words are not repeated: it may be a key that lost its first line.
const NOT_AN_ASSIGNMENT: &str = "a line that is not an assignment";

/// One assignment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) span: Span,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Format {
    /// Compose's own.
    Compose,
    /// `NAME=value` lines, nothing else means anything.
    Raw,
}

/// What variables in a file mean, besides those that the lines above set.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The caller's, which win over the lines above.
    pub(crate) first: &'a Lookup<'a>,
    /// Those of earlier files, over which the lines above win.
    pub(crate) last: &'a Lookup<'a>,
}

/// The assignments of a file in order. A name without a value takes what the scope has, if anything.
pub(crate) fn parse(
    source: &Source,
    id: SourceId,
    format: Format,
    scope: Scope<'_>,
    room: &mut Room,
    problems: &mut Problems,
) -> Vec<Variable> {
    if !problems.is_utf8(source, id) {
        return Vec::new();
    }
    let text = source.text();
    let skip = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader =
        Reader { text, id, at: skip, scope, room, out: Vec::new(), last: BTreeMap::new(), problems };
    match format {
        Format::Compose => reader.compose(),
        Format::Raw => reader.raw(),
    }
    reader.out
}

struct Reader<'a, 'v> {
    text: &'a str,
    id: SourceId,
    at: usize,
    scope: Scope<'v>,
    room: &'a mut Room,
    out: Vec<Variable>,
    /// Where in `out` a name was last assigned.
    last: BTreeMap<&'a str, usize>,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a, '_> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span::new(self.id, offset(start), offset(end))
    }

    /// Past the end of the line.
    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').map_or(self.rest().len(), |n| n + 1);
    }

    fn bad(&mut self, start: usize, message: String) {
        let line = self.rest().split('\n').next().unwrap_or_default().trim_end();
        let span = self.span(start, self.at + line.len());
        self.problems.add(&problem::BAD_ENV_FILE, span, message, "write `NAME=value`");
        self.skip_line();
    }

    fn raw(&mut self) {
        while !self.rest().is_empty() {
            let start = self.at;
            let line = self.rest().split('\n').next().unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            let trimmed = line.trim_start();
            let span = self.span(start + line.len() - trimmed.len(), start + line.len());
            if !trimmed.is_empty() && !trimmed.starts_with('#') {
                let (name, value) = match trimmed.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (trimmed.trim_end(), self.caller(trimmed.trim_end())),
                };
                if name.is_empty() || name.contains(char::is_whitespace) {
                    self.bad(start, NOT_AN_ASSIGNMENT.to_owned());
                    continue;
                }
                self.out.extend(value.map(|value| Variable { name: name.to_owned(), value, span }));
            }
            self.skip_line();
        }
    }

    fn compose(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            let start = self.at;
            let rest = self.rest();
            if rest.is_empty() {
                return;
            }
            if rest.starts_with('#') {
                self.skip_line();
                continue;
            }
            if let Some(tail) = rest.strip_prefix("export").filter(|t| t.starts_with(char::is_whitespace)) {
                self.at += rest.len() - tail.trim_start().len();
            }
            self.assignment(start);
        }
    }

    fn assignment(&mut self, start: usize) {
        let rest = self.rest();
        let end = rest.find(['=', ':', '\n']).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default().trim_end();
        let ok = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
        if name.is_empty() || !name.chars().all(ok) {
            self.bad(start, NOT_AN_ASSIGNMENT.to_owned());
            return;
        }
        if !matches!(rest.as_bytes().get(end), Some(b'=' | b':')) {
            // A name alone takes the value that the caller has.
            let value = self.caller(name);
            let span = self.span(start, self.at + name.len());
            if let Some(value) = value {
                self.assign(name, value, span);
            }
            self.skip_line();
            return;
        }
        let name_end = self.at + name.len();
        let value_at = self.at + end + 1;
        let value = self.text.get(value_at..).unwrap_or_default();
        let blanks = value.len()
            - value.trim_start_matches([' ', '\t', '\r', '\u{b}', '\u{c}', '\u{a0}', '\u{85}']).len();
        let value_at = value_at + blanks;
        let value = self.text.get(value_at..).unwrap_or_default();
        let quote = value.bytes().next().filter(|b| matches!(b, b'"' | b'\''));
        let (text, end) = if let Some(quote) = quote {
            let Some((text, length)) = quoted(value, quote) else {
                self.bad(start, format!("the value of `{name}` has a quote that is not closed"));
                self.at = self.text.len();
                return;
            };
            (text, value_at + length)
        } else {
            let line = value.split('\n').next().unwrap_or_default();
            let kept = line.split(" #").next().unwrap_or_default().trim_end();
            (Text::Expanded(kept.to_owned()), value_at + line.len())
        };
        let span = self.span(start, end);
        let value = match text {
            Text::Literal(text) => text,
            Text::Expanded(text) => self.expand(&text, self.span(start, name_end)),
        };
        self.assign(name, value, span);
        self.at = end;
    }

    fn assign(&mut self, name: &'a str, value: String, span: Span) {
        self.last.insert(name, self.out.len());
        self.out.push(Variable { name: name.to_owned(), value, span });
    }

    /// What a name alone stands for.
    fn caller(&self, name: &str) -> Option<String> {
        (self.scope.first)(name).or_else(|| (self.scope.last)(name)).map(str::to_owned)
    }

    /// Variables are the caller's, then those of the lines above, then those of earlier files. What is wrong is told at the name: a value may be
    /// secret.
    fn expand(&mut self, text: &str, span: Span) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let (above, last, scope) = (&self.out, &self.last, self.scope);
        let lookup = |name: &str| {
            let found = || above.get(*last.get(name)?).map(|variable| variable.value.as_str());
            (scope.first)(name).or_else(found).or_else(|| (scope.last)(name))
        };
        let (value, faults) = interpolate::substitute(text, &lookup, self.room);
        for fault in faults {
            interpolate::report_at(&fault, span, self.problems);
        }
        value
    }
}

enum Text {
    Literal(String),
    Expanded(String),
}

/// A quoted value and its length with the quotes.
fn quoted(text: &str, quote: u8) -> Option<(Text, usize)> {
    let quote = char::from(quote);
    let mut raw = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let text = if quote == '"' { Text::Expanded(unescape(&raw)) } else { Text::Literal(raw) };
            return Some((text, at + 1));
        }
        if c == '\\' {
            let (_, next) = chars.next()?;
            if next != quote {
                raw.push('\\');
            }
            raw.push(next);
            continue;
        }
        raw.push(c);
    }
    None
}

/// The escapes of double quotes. `\$` becomes `$$`, which stays a dollar sign when variables are put in.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('"' | '\\')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::source::Sources;
    use expect_test::{Expect, expect};
    use std::fmt::Write as _;

    #[track_caller]
    fn check(format: Format, text: &str, expect: Expect) {
        let mut sources = Sources::default();
        let source = Source::new("app.env", text);
        let id = sources.add(source.clone());
        let mut problems = Problems::default();
        let caller = |name: &str| (name == "CALLER").then_some("outside");
        let mut out = String::new();
        for v in parse(
            &source,
            id,
            format,
            Scope { first: &caller, last: &|_| None },
            &mut Budget::default().text,
            &mut problems,
        ) {
            let at = text.get(v.span.start as usize..v.span.end as usize).unwrap();
            writeln!(out, "{}={:?} at {at:?}", v.name, v.value).unwrap();
        }
        for f in problems.finish() {
            let at = f.span.map(|s| source.position(s.start).line).unwrap_or_default();
            writeln!(out, "{} line {at}: {}", f.rule, f.message).unwrap();
        }
        expect.assert_eq(&out);
    }

    #[test]
    fn plain_values_comments_and_export() {
        check(
            Format::Compose,
            "# c\nA=1\nexport B = two words  # comment\nC=a#b\nD: yaml\nE=\n\n  F=x\nCALLER\nNOBODY\nG=$A-${CALLER}\n",
            expect![[r#"
                A="1" at "A=1"
                B="two words" at "export B = two words  # comment"
                C="a#b" at "C=a#b"
                D="yaml" at "D: yaml"
                E="" at "E="
                F="x" at "F=x"
                CALLER="outside" at "CALLER"
                G="1-outside" at "G=$A-${CALLER}"
            "#]],
        );
    }

    #[test]
    fn quotes_and_escapes() {
        check(
            Format::Compose,
            "A='$B \\n it\\'s'\nB=\"x\\ty \\\"q\\\" \\$A\"\nC=\"two\nlines\"\nD='#'  # c\n",
            expect![[r##"
                A="$B \\n it's" at "A='$B \\n it\\'s'"
                B="x\ty \"q\" $A" at "B=\"x\\ty \\\"q\\\" \\$A\""
                C="two\nlines" at "C=\"two\nlines\""
                D="#" at "D='#'"
            "##]],
        );
    }

    #[test]
    fn what_is_not_an_assignment_is_said() {
        check(
            Format::Compose,
            "A B=1\n=2\nC=\"open\nD=1\n",
            expect![[r#"
                SV023 line 1: a line that is not an assignment
                SV023 line 2: a line that is not an assignment
                SV023 line 3: the value of `C` has a quote that is not closed
            "#]],
        );
        check(
            Format::Compose,
            "A=${B\nC=${D:?no}\n",
            expect![[r#"
            A="" at "A=${B"
            C="" at "C=${D:?no}"
            SV017 line 1: `${` does not start a variable
            SV018 line 2: the required variable `D` has no value: no
        "#]],
        );
    }

    #[test]
    fn a_value_that_doubles_itself_line_by_line_ends_at_a_limit() {
        let text = format!("A=0123456789\n{}", "A=$A$A\n".repeat(40));
        let source = Source::new("app.env", text);
        let id = Sources::default().add(source.clone());
        let mut problems = Problems::default();
        let all = parse(
            &source,
            id,
            Format::Compose,
            Scope { first: &|_| None, last: &|_| None },
            &mut Budget::default().text,
            &mut problems,
        );
        assert!(all.iter().map(|v| v.value.len()).sum::<usize>() < 10 * 1024 * 1024);
        assert_eq!(problems.finish().first().map(|f| f.rule), Some("SV004"));
    }

    #[test]
    fn the_raw_format_means_nothing_by_quotes_and_dollars() {
        check(
            Format::Raw,
            "# c\nA=\"$B\" # x\n  C = d\nE=1 \r\nCALLER\n",
            expect![[r#"
                A="\"$B\" # x" at "A=\"$B\" # x"
                E="1 " at "E=1 "
                CALLER="outside" at "CALLER"
                SV023 line 3: a line that is not an assignment
            "#]],
        );
    }
}
