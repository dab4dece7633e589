//! Findings as JSON for machines, in the shape that the command line promises.
//!
//! Deliberately absent: anything that may change; a key is added, never renamed or removed.

use compose::{Report, Severity};
use serde::Serialize;

use super::{location, plain_json, severity};

#[derive(Serialize)]
struct Output<'a> {
    findings: Vec<Row<'a>>,
    summary: Summary,
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
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// One JSON object on one line.
pub fn report(report: &Report) -> String {
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
        }
    });
    let output = Output {
        findings: findings.collect(),
        summary: Summary {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            notes: report.count(Severity::Note),
        },
    };
    // Serializing text and numbers into memory cannot fail.
    let json = serde_json::to_string(&output).unwrap_or_default();
    format!("{}\n", plain_json(&json))
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
