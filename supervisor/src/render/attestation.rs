//! Promises beside evidence, as tables for people and as JSON.
//!
//! Deliberately absent: comparing, and finding out how wide the terminal is.

use serde::Serialize;

use super::{plain, plain_json};
use crate::attest::{Check, Verdict, holds};

/// What `attest` found out about a stack.
#[derive(Clone, Debug, Serialize)]
pub struct Attestation {
    /// Project name.
    pub project: String,
    /// Every promise that could be looked at is kept, and there was one.
    pub holds: bool,
    /// One row a container, by service.
    pub containers: Vec<Container>,
    /// What is about the whole stack.
    pub stack: Vec<Check>,
}

/// One container.
#[derive(Clone, Debug, Serialize)]
pub struct Container {
    /// Service, by the file or else by the container's label.
    pub service: String,
    /// Engine name.
    pub name: String,
    /// What could be looked at.
    pub state: State,
    /// Every promise is kept; `false` where nothing could be compared.
    pub holds: bool,
    /// The items.
    pub checks: Vec<Check>,
}

/// What could be looked at of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was running.
    Running,
    /// It ended while it was looked at.
    Gone,
    /// It is not there or does not run.
    NotRunning,
    /// It runs under the project's label, and the file makes no such container.
    Foreign,
}

impl Container {
    /// A container with what was compared of it.
    pub fn new(service: &str, name: &str, state: State, checks: Vec<Check>) -> Self {
        Self { service: service.to_owned(), name: name.to_owned(), state, holds: holds(&checks), checks }
    }
}

/// As JSON, one value.
pub fn json(attestation: &Attestation) -> String {
    let text = serde_json::to_string_pretty(attestation).unwrap_or_default();
    format!("{}\n", plain_json(&text))
}

/// One table a container, then what is about the whole stack; cells are broken to fit `width` columns.
pub fn human(attestation: &Attestation, width: usize, colour: bool) -> String {
    let mut out = String::new();
    for container in &attestation.containers {
        let kept = container.checks.iter().filter(|check| check.holds()).count();
        let word = match container.state {
            State::Running if container.holds => format!("as promised, {kept} items"),
            State::Running => format!(
                "NOT as promised, {} of {} items",
                container.checks.len() - kept,
                container.checks.len()
            ),
            State::Gone => "gone: it ended while it was looked at".to_owned(),
            State::NotRunning => "not running: nothing to look at".to_owned(),
            State::Foreign => "FOREIGN: the file makes no such container".to_owned(),
        };
        let title = format!("{} ({}): {word}", plain(&container.service), plain(&container.name));
        out.push_str(&paint(&title, if colour { Some("1") } else { None }));
        out.push('\n');
        out.push_str(&rows(&container.checks, width, colour));
        out.push('\n');
    }
    if !attestation.stack.is_empty() {
        out.push_str(&paint("the whole stack", if colour { Some("1") } else { None }));
        out.push('\n');
        out.push_str(&rows(&attestation.stack, width, colour));
        out.push('\n');
    }
    let verdict = if attestation.holds { "as promised" } else { "NOT as promised" };
    out + &format!("{}: {verdict}\n", plain(&attestation.project))
}

/// The widest that a column of words gets where there is room for more.
const WIDEST: usize = 60;
/// The narrowest that it gets where there is not.
const NARROWEST: usize = 16;

fn rows(checks: &[Check], width: usize, colour: bool) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let item = checks.iter().map(|check| check.item.chars().count()).max().unwrap_or(0).max("ITEM".len());
    // Two blanks, mark and word, and two blanks between each two columns.
    let left = width.saturating_sub(2 + 8 + 2 + item + 2 + 2);
    let longest =
        checks.iter().map(|check| check.promised.chars().count()).max().unwrap_or(0).max("PROMISED".len());
    let promised = longest.min(WIDEST).min((left / 2).max(NARROWEST));
    let seen = left.saturating_sub(promised).max(NARROWEST);
    let mut out = format!("  {:<8}  {:<item$}  {:<promised$}  SEEN\n", "", "ITEM", "PROMISED");
    for check in checks {
        let (mark, code) = match check.verdict {
            Verdict::Kept => ("✓ kept", "32"),
            Verdict::Noted => ("- noted", "2"),
            Verdict::Broken => ("✗ BROKEN", "1;31"),
            Verdict::Unread => ("✗ UNREAD", "1;31"),
        };
        let (left_cell, right_cell) =
            (wrap(&plain(&check.promised), promised), wrap(&plain(&check.seen), seen));
        for line in 0..left_cell.len().max(right_cell.len()) {
            let cell = |lines: &[String]| lines.get(line).cloned().unwrap_or_default();
            let (mark, name) = if line == 0 { (mark, check.item.as_str()) } else { ("", "") };
            let mark = paint(&format!("{mark:<8}"), if colour { Some(code) } else { None });
            let row = format!(
                "  {mark}  {:<item$}  {:<promised$}  {}",
                plain(name),
                cell(&left_cell),
                cell(&right_cell)
            );
            out.push_str(row.trim_end());
            out.push('\n');
        }
    }
    out
}

fn paint(text: &str, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        None => text.to_owned(),
    }
}

/// Lines of at most `width` characters, broken at blanks where there are some.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let Some(line) = lines.last_mut() else { break };
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + rest.len() <= width || used == 0 {
                let taken: Vec<char> = rest.drain(..rest.len().min(width.max(1))).collect();
                line.extend(std::iter::repeat_n(' ', gap).chain(taken));
            }
            if !rest.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn sample() -> Attestation {
        let check = |item: &str, promised: &str, seen: &str, verdict| Check {
            item: item.to_owned(),
            promised: promised.to_owned(),
            seen: seen.to_owned(),
            verdict,
        };
        let checks = vec![
            check("user", "1000:1000", "1000:1000", Verdict::Kept),
            check("apparmor", "nothing: the kernel has none", "none", Verdict::Noted),
            check(
                "capabilities",
                "none",
                "effective SYS_ADMIN; bounding SYS_ADMIN\u{1b}[2J",
                Verdict::Broken,
            ),
        ];
        Attestation {
            project: "shop".to_owned(),
            holds: false,
            containers: vec![
                Container::new("web", "shop-web-1", State::Running, checks),
                Container::new("db", "shop-db-1", State::NotRunning, Vec::new()),
            ],
            stack: vec![check("stack's open ports", "none", "none", Verdict::Kept)],
        }
    }

    #[track_caller]
    fn check(width: usize, expect: Expect) {
        expect.assert_eq(&human(&sample(), width, false));
    }

    #[test]
    fn a_wide_terminal_has_one_line_a_row() {
        check(
            120,
            expect![[r#"
            web (shop-web-1): NOT as promised, 1 of 3 items
                        ITEM          PROMISED                      SEEN
              ✓ kept    user          1000:1000                     1000:1000
              - noted   apparmor      nothing: the kernel has none  none
              ✗ BROKEN  capabilities  none                          effective SYS_ADMIN; bounding SYS_ADMIN\u{1b}[2J

            db (shop-db-1): not running: nothing to look at

            the whole stack
                        ITEM                PROMISED  SEEN
              ✓ kept    stack's open ports  none      none

            shop: NOT as promised
        "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_has_broken_cells() {
        check(
            60,
            expect![[r#"
            web (shop-web-1): NOT as promised, 1 of 3 items
                        ITEM          PROMISED          SEEN
              ✓ kept    user          1000:1000         1000:1000
              - noted   apparmor      nothing: the      none
                                      kernel has none
              ✗ BROKEN  capabilities  none              effective
                                                        SYS_ADMIN;
                                                        bounding
                                                        SYS_ADMIN\u{1b}[
                                                        2J

            db (shop-db-1): not running: nothing to look at

            the whole stack
                        ITEM                PROMISED  SEEN
              ✓ kept    stack's open ports  none      none

            shop: NOT as promised
        "#]],
        );
    }

    #[test]
    fn words_are_broken_where_they_do_not_fit() {
        assert_eq!(wrap("abcdef gh", 4), ["abcd", "ef", "gh"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("ab cd", 5), ["ab cd"]);
    }

    #[test]
    fn machines_get_the_same_values() {
        expect![[r#"
            {
              "project": "shop",
              "holds": false,
              "containers": [
                {
                  "service": "web",
                  "name": "shop-web-1",
                  "state": "running",
                  "holds": false,
                  "checks": [
                    {
                      "item": "user",
                      "promised": "1000:1000",
                      "seen": "1000:1000",
                      "verdict": "kept"
                    },
                    {
                      "item": "apparmor",
                      "promised": "nothing: the kernel has none",
                      "seen": "none",
                      "verdict": "noted"
                    },
                    {
                      "item": "capabilities",
                      "promised": "none",
                      "seen": "effective SYS_ADMIN; bounding SYS_ADMIN\u001b[2J",
                      "verdict": "broken"
                    }
                  ]
                },
                {
                  "service": "db",
                  "name": "shop-db-1",
                  "state": "not_running",
                  "holds": false,
                  "checks": []
                }
              ],
              "stack": [
                {
                  "item": "stack's open ports",
                  "promised": "none",
                  "seen": "none",
                  "verdict": "kept"
                }
              ]
            }
        "#]]
        .assert_eq(&json(&sample()));
    }
}
