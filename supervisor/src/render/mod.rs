//! Findings for people and machines: the same values as text under its line, JSON, SARIF and annotations.
//!
//! Deliberately absent: deciding what is a finding. Text from files is made harmless here, and only here.

pub mod attestation;
pub mod audit;
pub mod caddyfile;
pub mod catalogue;
pub mod diff;
pub mod github;
pub mod human;
pub mod json;
pub mod plan;
pub mod sarif;
pub mod status;
pub mod table;

use compose::{Finding, Report, Severity};

/// Text in which no control character but the line feed is left, so that a file cannot drive the terminal.
///
/// Controls, and the marks that change the direction of text, are shown as Rust writes them: `\u{1b}`.
pub fn plain(text: &str) -> String {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push(' '),
            _ if is_hidden(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// A text as part of a URI (RFC 3986): letters, digits and what is also plain there as they are.
pub fn percent_encoded(text: &str, plain: &[u8]) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The command that explains a rule.
pub fn explains(rule: &str) -> String {
    format!("supervisor rules {rule}")
}

/// Its place in the documents. What loading says has a row in the first table there, and no heading of its own.
pub fn explained_at(rule: &str) -> String {
    let heading = compose::rules::find(rule).map(|rule| format!("#{}", rule.id.to_ascii_lowercase()));
    format!("docs/rules.md{}", heading.unwrap_or_default())
}

/// Control characters, and the invisible ones with which a text can be made to look like another.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// JSON in which such characters are escaped, as they are all inside of strings.
fn plain_json(json: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_hidden(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A finding's place for people and editors, all from 1: file, line and column, and where it ends.
#[derive(Debug, PartialEq, Eq)]
struct Location<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

fn location(report: &Report, span: Option<compose::Span>) -> Option<Location<'_>> {
    let span = span?;
    let source = report.sources.get(span.source)?;
    let (start, end) = (source.position(span.start), source.position(span.end));
    Some(Location {
        file: source.name(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    })
}

const fn severity(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Tests judge texts as the commands do, on a host without files.
#[cfg(test)]
pub(crate) fn judged(text: &str) -> Report {
    let request = compose::Request {
        files: vec![compose::Source::new("compose.yaml", text)],
        directory: "/srv/stack".into(),
        project_name: Some("stack".into()),
        environment: compose::Environment::default(),
    };
    let host = compose::host::MemoryHost::default();
    let policy = compose::Policy {
        today: compose::model::Date { year: 2026, month: 11, day: 22 },
        strict: false,
        calls: profiles::recorded::call,
        notes: compose::Notes::Told,
    };
    compose::admit(compose::load(request, &host), &policy, &host).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_sequences_lose_their_power() {
        assert_eq!(plain("a\u{1b}[31mred\u{7}\r\n"), "a\\u{1b}[31mred\\u{7}\\u{d}\n");
        assert_eq!(plain("\u{9b}31m \u{202e}"), "\\u{9b}31m \\u{202e}");
        assert_eq!(plain_json("\"\u{9b}31m\u{202e}\""), "\"\\u009b31m\\u202e\"");
    }

    #[test]
    fn no_format_lets_a_control_character_through() {
        let report =
            judged("services:\n  web:\n    image: \"a\\e[31m\u{9b}\u{202e}\"\n    \"bad\\e[1mkey\": 1\n");
        for text in [human::report(&report, true), github::report(&report)] {
            assert!(!text.contains("\u{1b}[31m") && !text.contains('\u{9b}'), "{text:?}");
        }
        for text in [json::report(&report), sarif::report(&report)] {
            assert!(!text.chars().any(|c| c != '\n' && is_hidden(c)), "{text:?}");
        }
    }
}
