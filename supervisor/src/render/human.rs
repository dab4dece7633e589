//! Findings for people: each under its line, with a caret, the reason and what to write instead.
//!
//! Deliberately absent: deciding whether there is a terminal.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use compose::fix::{Done, Fixed};
use compose::{Finding, Report, Severity, Span, rules};

use super::{location, plain};

/// Longest line that is shown, in bytes.
const LONGEST: usize = 2000;
/// Of so many warnings of one rule a command tells that goes on all the same: a stack of hundreds of services would hide its
/// own progress, and drawing them was a third of what finding nothing to do costs.
const MOST: usize = 3;

/// Every finding, notes included.
pub fn report(report: &Report, colour: bool) -> String {
    render(report, colour, |_| true)
}

/// Errors and warnings; empty where there are none.
pub fn without_notes(report: &Report, colour: bool) -> String {
    render(report, colour, |finding| finding.severity != Severity::Note)
}

/// What a command says of a file that it goes on with: of each rule the first three warnings, and how many more there are.
/// A file that is refused is told of in full.
pub fn in_short(report: &Report, colour: bool) -> String {
    if report.unreadable || report.refuses() {
        return without_notes(report, colour);
    }
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = render(report, colour, |finding| {
        let is_told = finding.severity != Severity::Note;
        let of_its_rule = told.entry(finding.rule).or_default();
        *of_its_rule += usize::from(is_told);
        is_told && *of_its_rule <= MOST
    });
    for (rule, all) in told.iter().filter(|(_, all)| **all > MOST) {
        let more = all - MOST;
        let _ =
            writeln!(text, "warning[{rule}]: and {more} more like these, which `supervisor check` shows\n");
    }
    text
}

/// One line on the whole: `refused: 2 errors, 1 warning; 9 notes`.
pub fn summary(report: &Report) -> String {
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(|severity| report.count(severity));
    let word = if report.unreadable {
        "cannot be read"
    } else if report.refuses() {
        "refused"
    } else {
        "admitted"
    };
    format!("{word}: {}, {}, {}\n", count(errors, "error"), count(warnings, "warning"), count(notes, "note"))
}

/// What `--fix` wrote: one line a finding that is no more.
pub fn fixed(fixed: &Fixed) -> String {
    let line = |done: &Done| format!("fixed[{}]: {} ({})\n", done.rule, done.message, done.file);
    plain(&fixed.done.iter().map(line).collect::<Vec<_>>().concat())
}

/// What it would write, in one sentence.
pub fn would_fix(fixed: &Fixed) -> String {
    let (findings, files) = (fixed.done.len(), fixed.files.len());
    let left = fixed.report.findings.iter().filter(|finding| finding.unfixed.is_some()).count();
    let left =
        if left == 0 { String::new() } else { format!("; {} left as they are", count(left, "finding")) };
    if findings == 0 {
        return format!("nothing would be written{left}\n");
    }
    format!("{} would be put right in {}{left}\n", count(findings, "finding"), count(files, "file"))
}

/// Where more is said of a rule: the command, and the same in the documents.
fn see(rule: &str) -> String {
    format!("`{}`, or {}", super::explains(rule), super::explained_at(rule))
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn render(report: &Report, colour: bool, mut wanted: impl FnMut(&Finding) -> bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    let mut explained = BTreeSet::new();
    for finding in report.findings.iter().filter(|finding| wanted(finding)) {
        let mut group = group(report, finding);
        // Where to read on, once a rule.
        if explained.insert(finding.rule) {
            group = group.element(Level::NOTE.with_name(Some("see")).message(see(finding.rule)));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

fn group<'a>(report: &'a Report, finding: &'a Finding) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = Group::with_title(level.primary_title(plain(&finding.message)).id(finding.rule));
    let hide = rules::hides_text(finding.rule);
    if let Some(span) = finding.span {
        group = shown(group, report, span, hide);
    }
    for (span, what) in &finding.related {
        group = group.element(Level::NOTE.message(plain(what)));
        // A place that is shown already is not shown again.
        if Some(*span) != finding.span {
            group = shown(group, report, *span, hide);
        }
    }
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(plain(&finding.help)));
    }
    if let Some(fix) = &finding.fix {
        group = group.element(Level::HELP.with_name(Some("write")).message(plain(fix)));
    }
    if let Some(why) = &finding.unfixed {
        group = group.element(Level::NOTE.message(format!("not written by `--fix`: {}", plain(why))));
    }
    group
}

/// The line under its place; of a line that nobody would read, the place alone.
fn shown<'a>(group: Group<'a>, report: &'a Report, span: Span, hide: bool) -> Group<'a> {
    match Line::of(report, span, hide) {
        Some(line) => group.element(line.snippet()),
        None => match location(report, Some(span)) {
            Some(at) => group
                .element(Origin::path(plain(at.file)).line(at.line as usize).char_column(at.column as usize)),
            None => group,
        },
    }
}

/// The line that a finding starts on, made harmless, with the part that is meant.
struct Line<'a> {
    file: &'a str,
    number: usize,
    text: String,
    marked: Range<usize>,
}

impl<'a> Line<'a> {
    fn of(report: &'a Report, span: Span, hide: bool) -> Option<Self> {
        let source = report.sources.get(span.source)?;
        let text = source.text();
        let start = (span.start as usize).min(text.len());
        let begin = text.get(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let end = text.get(start..)?.find('\n').map_or(text.len(), |at| start + at);
        if end - begin > LONGEST {
            return None;
        }
        let stop = (span.end as usize).clamp(start, end);
        let marked = text.get(start..stop)?;
        let marked = match (hide, source.is_private()) {
            (true, _) => Cow::Borrowed("…"),
            (_, true) => Cow::Owned(without_value(marked)),
            _ => Cow::Owned(plain(marked)),
        };
        let before = plain(text.get(begin..start)?);
        let after = plain(text.get(stop..end)?.trim_end());
        let from = before.len();
        let to = from + marked.trim_end().len();
        let text = format!("{before}{marked}{after}");
        // A place without extent is shown as its whole character: the renderer cuts the text there.
        let one = text.get(from..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        Some(Self {
            file: source.name(),
            number: source.position(span.start).line as usize,
            text,
            marked: from..to.max(from + one),
        })
    }

    fn snippet(self) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
        let end = self.text.len();
        let marked = self.marked.start.min(end)..self.marked.end.min(end.max(1));
        Snippet::source(self.text)
            .path(plain(self.file))
            .line_start(self.number)
            .annotation(AnnotationKind::Primary.span(marked))
    }
}

/// An assignment without its value, which may be a credential.
fn without_value(assignment: &str) -> String {
    let name = assignment.split_once(['=', ':']).map(|(name, _)| plain(name));
    name.map_or_else(|| "…".to_owned(), |name| format!("{name}=…"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::render::judged;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is used")]
    fn check(text: &str, expected: Expect) {
        let judged = judged(text);
        expected.assert_eq(&format!("{}{}", without_notes(&judged, false), summary(&judged)));
    }

    #[test]
    fn a_finding_is_shown_under_its_line_with_the_text_to_write() {
        check(
            "services:\n  web:\n    image: caddy:2\n    privileged: true\n",
            expect![[r#"
                warning[SV100]: `web` does not say which user it runs as
                 --> compose.yaml:2:3
                  |
                2 |   web:
                  |   ^^^
                  |
                  = help: a program that escapes from its container does so as the user that it runs as; name a user other than root, by number
                  = write: user: "1000:1000"
                  = see: `supervisor rules SV100`, or docs/rules.md#sv100

                warning[SV210]: `web` does not say how much memory it needs; `mem_limit: 1g` is filled in
                 --> compose.yaml:2:3
                  |
                2 |   web:
                  |   ^^^
                  |
                  = help: one service without a limit has the kernel kill others, the host's own among them; write the `mem_limit` that the service needs at its peak
                  = see: `supervisor rules SV210`, or docs/rules.md#sv210

                warning[SV260]: nothing tells whether `web` is healthy
                 --> compose.yaml:2:3
                  |
                2 |   web:
                  |   ^^^
                  |
                  = help: a program that hangs looks alive; without a check nothing notices and nothing heals it; add a `healthcheck`, or an HTTP probe under `x-supervisor.probe`
                  = see: `supervisor rules SV260`, or docs/rules.md#sv260

                warning[SV240]: `caddy:2` is not pinned by digest
                 --> compose.yaml:3:12
                  |
                3 |     image: caddy:2
                  |            ^^^^^^^
                  |
                  = help: a tag can mean another image tomorrow, and what is launched is then not what was judged; add the digest that `docker image inspect --format '{{index .RepoDigests 0}}' IMAGE` prints
                  = see: `supervisor rules SV240`, or docs/rules.md#sv240

                error[SV105]: `web` is privileged
                 --> compose.yaml:4:17
                  |
                4 |     privileged: true
                  |                 ^^^^
                  |
                  = help: `privileged` switches off every wall between the container and the host; remove it, and name what the service really needs
                  = write: privileged: false
                  = see: `supervisor rules SV105`, or docs/rules.md#sv105

                refused: 1 error, 4 warnings, 16 notes
            "#]],
        );
    }

    #[test]
    fn what_may_run_all_the_same_is_told_of_in_short_and_what_is_refused_in_full() {
        let service = |text: String, n| text + &format!("  s{n}: {{image: a}}\n");
        let services = |count| (1..=count).fold(String::new(), service);
        let short = |text: &str| {
            let text = in_short(&judged(text), false);
            (
                text.matches("nothing tells whether").count(),
                text.matches("SV260]: and 2 more like these").count(),
            )
        };
        assert_eq!(short(&format!("services:\n{}", services(3))), (3, 0));
        assert_eq!(short(&format!("services:\n{}", services(5))), (3, 1));
        assert_eq!(
            short(&format!("services:\n{}  bad: {{image: a, privileged: true}}\n", services(4))),
            (5, 0)
        );
    }

    #[test]
    fn a_credential_is_never_repeated() {
        let report =
            judged("services:\n  web:\n    image: a\n    environment: {DB_PASSWORD: correct-horse}\n");
        assert!(report.findings.iter().any(|f| f.rule == "SV280"));
        assert!(!super::report(&report, false).contains("correct-horse"));
    }

    #[test]
    fn a_line_that_nobody_would_read_is_named_and_not_shown() {
        let text = format!(
            "x-a: [{}]\nservices: {{web: {{image: a, x-b: {}, bad: 1}}}}\n",
            "a, ".repeat(5),
            "b".repeat(3000)
        );
        let report = judged(&text);
        let shown = super::report(&report, false);
        assert!(
            shown.contains("error[SV013]: unknown key `bad`") && shown.contains("--> compose.yaml:2:"),
            "{shown}"
        );
        assert!(shown.lines().all(|line| line.len() < 1000), "{shown}");
    }

    #[test]
    fn a_place_without_extent_is_shown_as_its_whole_character() {
        check(
            "a: [1\né: 2\n",
            expect![[r#"
                error[SV003]: illegal placement of ':' indicator
                 --> compose.yaml:2:2
                  |
                2 | é: 2
                  |  ^
                  |
                  = help: the text breaks the grammar of YAML, so that nothing after this place can be trusted: mend the syntax here or just above
                  = see: `supervisor rules SV003`, or docs/rules.md

                cannot be read: 1 error, 0 warnings, 0 notes
            "#]],
        );
        let source = compose::Source::from_bytes("compose.yaml", b"a: \xff\n".to_vec());
        assert!(source.invalid_at().is_some());
        let mut sources = compose::Sources::default();
        let span = Span::new(sources.add(source), 3, 3);
        let mut report = judged("a: 1");
        report.sources = sources;
        report.findings.truncate(1);
        report.findings.iter_mut().for_each(|finding| finding.span = Some(span));
        expect![[r#"
            error[SV013]: unknown key `a` in `the file`
             --> compose.yaml:1:4
              |
            1 | a: �
              |    ^
              |
              = help: a key that is ignored protects nobody: a misspelled one never takes effect, and a newer one slips past: remove it, or put it under an `x-` key
              = see: `supervisor rules SV013`, or docs/rules.md

        "#]].assert_eq(&super::report(&report, false));
    }

    #[test]
    fn a_place_at_the_end_of_the_text_is_shown() {
        check(
            "services:",
            expect![[r#"
                error[SV014]: `services` must be a mapping, not empty
                 --> compose.yaml:1:9
                  |
                1 | services:
                  |         ^
                  |
                  = help: Compose refuses the file for it too: write a mapping
                  = see: `supervisor rules SV014`, or docs/rules.md

                cannot be read: 1 error, 0 warnings, 0 notes
            "#]],
        );
    }
}
