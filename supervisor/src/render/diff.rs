//! Texts before and after as a unified diff, which `patch` and editors read.
//!
//! Edits are few and small, so that the nearest line at which both texts go on is found by looking ahead. Deliberately
//! absent: lines that hold a credential, unless they change themselves.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use compose::fix::Changed;
use compose::{Report, rules};

use super::plain;

/// Lines around a change.
const CONTEXT: usize = 3;

/// For whom the diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Exactly the bytes that are in the files.
    Programs,
    /// Without what could drive a terminal.
    People,
}

/// Every file's changes; `report` is the judgement of the new texts.
pub fn unified(files: &[Changed], report: &Report, reader: For) -> String {
    let mut out = String::new();
    for file in files {
        let name = plain(&file.name);
        let _ = writeln!(out, "--- {name}\n+++ {name}");
        let (old, new) = (lines(&file.before), lines(&file.after));
        for hunk in hunks(&changes(&old, &new), &old, &hidden(file, report)) {
            write_hunk(&mut out, &hunk, &old, &new, reader);
        }
    }
    out
}

/// One change: lines of the old text, and those of the new one that take their place.
type Change = (Range<usize>, Range<usize>);

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    let (mut at, mut to) = (0, 0);
    let mut found = Vec::new();
    while at < old.len() || to < new.len() {
        if at < old.len() && old.get(at) == new.get(to) {
            (at, to) = (at + 1, to + 1);
            continue;
        }
        let (gone, came) = next_same(old.get(at..).unwrap_or_default(), new.get(to..).unwrap_or_default());
        found.push((at..at + gone, to..to + came));
        (at, to) = (at + gone, to + came);
    }
    found
}

/// How many lines of each are passed over until both go on with the same line: as few as can be.
fn next_same(old: &[&str], new: &[&str]) -> (usize, usize) {
    for passed in 1..=old.len() + new.len() {
        for gone in 0..=passed.min(old.len()) {
            let came = passed - gone;
            let same = old.get(gone).is_some_and(|line| new.get(came) == Some(line));
            if same {
                return (gone, came);
            }
        }
    }
    (old.len(), new.len())
}

/// The lines of the new text that hold a credential.
fn hidden<'a>(file: &'a Changed, report: &Report) -> BTreeSet<&'a str> {
    let is_it = |source: &compose::Source| source.name() == file.name;
    let spans = report.findings.iter().filter(|finding| rules::hides_text(finding.rule));
    let spans = spans.filter_map(|finding| finding.span);
    let spans = spans.filter(|span| report.sources.get(span.source).is_some_and(is_it));
    let mut found = BTreeSet::new();
    for span in spans {
        let mut at = 0;
        for line in lines(&file.after) {
            if at < span.end as usize && span.start as usize <= at + line.len() {
                found.insert(line);
            }
            at += line.len();
        }
    }
    found
}

/// Changes with the lines around them; those that meet are one.
fn hunks(changes: &[Change], old: &[&str], hidden: &BTreeSet<&str>) -> Vec<Vec<Change>> {
    let shown = |line: &&&str| !hidden.contains(**line);
    let mut hunks: Vec<Vec<Change>> = Vec::new();
    for (gone, came) in changes {
        let front =
            old.get(..gone.start).unwrap_or_default().iter().rev().take(CONTEXT).take_while(shown).count();
        let back = old.get(gone.end..).unwrap_or_default().iter().take(CONTEXT).take_while(shown).count();
        let wide = (gone.start - front..gone.end + back, came.start - front..came.end + back);
        match hunks.last_mut() {
            Some(hunk) if hunk.first().is_some_and(|whole| whole.0.end >= wide.0.start) => {
                if let Some(whole) = hunk.first_mut() {
                    *whole = (whole.0.start..wide.0.end, whole.1.start..wide.1.end);
                }
                hunk.push((gone.clone(), came.clone()));
            }
            _ => hunks.push(vec![wide, (gone.clone(), came.clone())]),
        }
    }
    hunks
}

/// A hunk is its whole range, then its changes.
fn write_hunk(out: &mut String, hunk: &[Change], old: &[&str], new: &[&str], reader: For) {
    let Some(((before, after), changes)) = hunk.split_first() else { return };
    let _ = writeln!(out, "@@ -{} +{} @@", range(before), range(after));
    let mut at = before.start;
    for (gone, came) in changes {
        write_lines(out, ' ', old.get(at..gone.start), reader);
        write_lines(out, '-', old.get(gone.clone()), reader);
        write_lines(out, '+', new.get(came.clone()), reader);
        at = gone.end;
    }
    write_lines(out, ' ', old.get(at..before.end), reader);
}

/// First line from 1 and number of lines; of no lines, the line before.
fn range(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => (lines.start + 1).to_string(),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn write_lines(out: &mut String, mark: char, lines: Option<&[&str]>, reader: For) {
    for line in lines.unwrap_or_default() {
        let bare = line.strip_suffix('\n');
        let text = bare.unwrap_or(line);
        let text = match reader {
            For::Programs => text.to_owned(),
            For::People => plain(text.strip_suffix('\r').unwrap_or(text)),
        };
        let _ = writeln!(out, "{mark}{text}");
        if bare.is_none() {
            out.push_str("\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn changed(before: &str, after: &str) -> Changed {
        Changed { name: "compose.yaml".into(), path: None, before: before.into(), after: after.into() }
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written where it is used")]
    fn check(before: &str, after: &str, expected: Expect) {
        // A carriage return as it is written, since no text of a test can hold one.
        let shown = unified(&[changed(before, after)], &Report::default(), For::Programs);
        expected.assert_eq(&shown.replace('\r', "\\r"));
    }

    #[test]
    fn changes_stand_among_the_lines_around_them() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n",
            "1\n2\n3\nfour\n5\n6\n7\n8\n9\n10\n11\n13\n14\n",
            expect![[r#"
                --- compose.yaml
                +++ compose.yaml
                @@ -1,7 +1,7 @@
                 1
                 2
                 3
                -4
                +four
                 5
                 6
                 7
                @@ -9,5 +9,5 @@
                 9
                 10
                 11
                -12
                 13
                +14
            "#]],
        );
        check(
            "a\nb",
            "a\n",
            expect![[r#"
            --- compose.yaml
            +++ compose.yaml
            @@ -1,2 +1 @@
             a
            -b
            \ No newline at end of file
        "#]],
        );
        check(
            "",
            "a\n",
            expect![[r#"
            --- compose.yaml
            +++ compose.yaml
            @@ -0,0 +1 @@
            +a
        "#]],
        );
        check(
            "a: 1\r\nb: 2\r\n",
            "a: 1\r\nb: 3\r\n",
            expect![[r#"
            --- compose.yaml
            +++ compose.yaml
            @@ -1,2 +1,2 @@
             a: 1\r
            -b: 2\r
            +b: 3\r
        "#]],
        );
    }

    #[test]
    fn people_get_nothing_that_drives_a_terminal() {
        let files = [changed("a: \u{9b}31m\u{202e}\r\n", "b\r\n")];
        let text = unified(&files, &Report::default(), For::People);
        assert_eq!(text, "--- compose.yaml\n+++ compose.yaml\n@@ -1 +1 @@\n-a: \\u{9b}31m\\u{202e}\n+b\n");
    }

    #[test]
    fn a_credential_beside_a_change_is_left_out() {
        let before = "services:\n  web:\n    image: a\n    privileged: true\n    environment:\n      \
                      DB_PASSWORD: correct-horse\n      A: b\n";
        let after = before.replace("true", "false");
        let text = unified(&[changed(before, &after)], &crate::render::judged(&after), For::Programs);
        assert!(
            text.contains("-    privileged: true\n+    privileged: false\n     environment:\n"),
            "{text}"
        );
        assert!(!text.contains("correct-horse"), "{text}");
    }
}
