//! Findings as JSON for machines, in the shape that the command line promises.
//!
//! Deliberately absent: anything that may change; a key is added, never renamed or removed.

use compose::fix::Done;
use compose::{Report, Severity, Span};
use serde::Serialize;

use super::{location, plain_json, severity};

#[derive(Serialize)]
struct Output<'a> {
    findings: Vec<Row<'a>>,
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<Vec<Mended<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<&'a str>,
}

/// What `--fix` or `--diff` adds.
#[derive(Clone, Copy, Debug)]
pub enum Repairs<'a> {
    /// Neither was asked for.
    None,
    /// This was written: `fixed` is a list of findings that are no more.
    Done {
        /// What was put right.
        done: &'a [Done],
    },
    /// This would be written: `diff` is a unified diff.
    Shown {
        /// The diff.
        diff: &'a str,
    },
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
}

#[derive(Serialize)]
struct Mended<'a> {
    rule: &'a str,
    message: &'a str,
    file: &'a str,
    service: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    rule: &'a str,
    severity: &'static str,
    message: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    service: Option<&'a str>,
    help: &'a str,
    fix: Option<&'a str>,
    /// Other places that explain it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
    /// Why `--fix` left it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfixed: Option<&'a str>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// One JSON object on one line.
pub fn report(report: &Report) -> String {
    with_repairs(report, &Repairs::None)
}

/// The same with what `--fix` did or `--diff` shows.
pub fn with_repairs(report: &Report, repairs: &Repairs<'_>) -> String {
    let findings = report.findings.iter().map(|finding| {
        let place = location(report, finding.span);
        Row {
            rule: finding.rule,
            severity: severity(finding),
            message: &finding.message,
            file: place.as_ref().map(|place| place.file),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            service: finding.service.as_deref(),
            help: &finding.help,
            fix: finding.fix.as_deref(),
            related: finding.related.iter().map(|(span, what)| related(report, *span, what)).collect(),
            unfixed: finding.unfixed.as_deref(),
        }
    });
    let output = Output {
        findings: findings.collect(),
        summary: Summary {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            notes: report.count(Severity::Note),
        },
        fixed: match repairs {
            Repairs::Done { done } => Some(done.iter().map(mended).collect()),
            _ => None,
        },
        diff: if let Repairs::Shown { diff } = repairs { Some(diff) } else { None },
    };
    // Serializing text and numbers into memory cannot fail.
    let json = serde_json::to_string(&output).unwrap_or_default();
    format!("{}\n", plain_json(&json))
}

fn related<'a>(report: &'a Report, span: Span, what: &'a str) -> Related<'a> {
    let place = location(report, Some(span));
    Related {
        message: what,
        file: place.as_ref().map(|place| place.file),
        line: place.as_ref().map(|place| place.line),
        column: place.as_ref().map(|place| place.column),
    }
}

fn mended(done: &Done) -> Mended<'_> {
    Mended { rule: done.rule, message: &done.message, file: &done.file, service: done.service.as_deref() }
}

#[cfg(test)]
mod tests {
    use crate::render::judged;

    #[test]
    fn a_finding_has_the_promised_keys() {
        let json = super::report(&judged("services:\n  web:\n    image: caddy:2\n    privileged: true\n"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let findings = json["findings"].as_array().unwrap();
        let row = findings.iter().find(|row| row["rule"] == "SV105").unwrap();
        assert_eq!(row["severity"], "error");
        assert_eq!((row["line"].as_u64(), row["column"].as_u64()), (Some(4), Some(17)));
        assert_eq!((row["file"].as_str(), row["service"].as_str()), (Some("compose.yaml"), Some("web")));
        assert_eq!(row["fix"], "privileged: false");
        assert_eq!(row.as_object().unwrap().len(), 9);
        assert_eq!(json["summary"]["errors"], 1);
        assert_eq!(json.as_object().unwrap().len(), 2);
    }
}
