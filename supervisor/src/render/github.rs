//! Findings as workflow commands, which GitHub shows beside the line in a change.
//!
//! Deliberately absent: notes, of which GitHub shows ten a step and then no error.

use std::fmt::Write as _;

use compose::{Report, Severity};

use super::{location, plain, severity};

/// One workflow command a finding.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        let mut properties = Vec::new();
        if let Some(place) = location(report, finding.span) {
            properties.push(format!("file={}", property(place.file)));
            properties.push(format!("line={},col={}", place.line, place.column));
            properties.push(format!("endLine={},endColumn={}", place.end_line, place.end_column));
        }
        properties.push(format!("title={}", finding.rule));
        let fix = finding.fix.as_ref().map(|fix| format!("\nwrite: {fix}")).unwrap_or_default();
        let related = finding.related.iter().fold(String::new(), |out, (span, what)| {
            let place = location(report, Some(*span));
            let place = place.map_or_else(String::new, |place| format!(" ({}:{})", place.file, place.line));
            format!("{out}\n{what}{place}")
        });
        let see = super::explains(finding.rule);
        let message = data(&format!("{}{related}\n{}{fix}\nsee: {see}", finding.message, finding.help));
        let _ = writeln!(out, "::{} {}::{message}", severity(finding), properties.join(","));
    }
    out
}

/// The escapes that a command's message knows.
fn data(text: &str) -> String {
    plain(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// And those that its properties know besides.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use crate::render::judged;

    #[test]
    fn a_message_cannot_start_a_command_of_its_own() {
        let report = judged("services:\n  web:\n    image: \"a\\n::error::b\"\n    privileged: true\n");
        let text = super::report(&report);
        assert!(
            text.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")),
            "{text}"
        );
        assert!(
            text.contains("::error file=compose.yaml,line=4,col=17,endLine=4,endColumn=21,title=SV105::"),
            "{text}"
        );
    }
}
