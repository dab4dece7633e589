//! Findings as SARIF 2.1.0, which code scanners and editors read.
//!
//! Deliberately absent: optional parts that no known reader uses.

use std::collections::BTreeMap;

use compose::{Finding, Report, Severity, Span, problem, rules};
use serde_json::{Value, json};

use super::{location, percent_encoded, plain_json, severity};

/// One SARIF log with one run.
pub fn report(report: &Report) -> String {
    let ids: std::collections::BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let index: BTreeMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "supervisor",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": ids.iter().map(|id| descriptor(id)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": report.findings.iter().map(|f| result(report, f, &index)).collect::<Vec<_>>(),
        }],
    });
    format!("{}\n", plain_json(&log.to_string()))
}

/// What is known of a rule, be it of the policy or of loading.
fn descriptor(id: &str) -> Value {
    let (title, reason, fix, level) = match (rules::find(id), problem::PROBLEMS.iter().find(|p| p.id == id)) {
        (Some(rule), _) => (rule.title, rule.reason, rule.fix, rule.severity),
        (None, Some(problem)) => (problem.title, problem.reason, problem.title, problem.severity),
        (None, None) => (id, id, id, Severity::Error),
    };
    json!({
        "id": id,
        "shortDescription": {"text": title},
        "fullDescription": {"text": reason},
        "help": {
            "text": format!("{fix}\n`{}` says more.", super::explains(id)),
            "markdown": format!("{fix}\n\n[{id}]({}), or `{}`", super::explained_at(id), super::explains(id)),
        },
        "defaultConfiguration": {"level": level_name(level)},
    })
}

const fn level_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(report: &Report, finding: &Finding, index: &BTreeMap<&str, usize>) -> Value {
    let fix = finding.fix.as_ref().map(|fix| format!("\nWrite: {fix}")).unwrap_or_default();
    let related: Vec<Value> = finding
        .related
        .iter()
        .filter_map(|(span, what)| {
            let place = physical(report, Some(*span))?;
            Some(json!({"physicalLocation": place.get("physicalLocation"), "message": {"text": what}}))
        })
        .collect();
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index.get(finding.rule),
        "level": severity(finding),
        "message": {"text": format!("{}\n{}{fix}", finding.message, finding.help)},
        "locations": physical(report, finding.span).into_iter().collect::<Vec<_>>(),
    });
    if let (Some(object), false) = (result.as_object_mut(), related.is_empty()) {
        object.insert("relatedLocations".into(), related.into());
    }
    result
}

fn physical(report: &Report, span: Option<Span>) -> Option<Value> {
    let place = location(report, span)?;
    let region = json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    });
    Some(json!({"physicalLocation": {"artifactLocation": {"uri": uri(place.file)}, "region": region}}))
}

/// A path as a URI reference: what RFC 3986 does not allow in a path is percent-encoded.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", percent_encoded(path, b"-._~/!$&'()*+,;=@"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::judged;

    #[test]
    fn results_name_their_rules_and_places() {
        let log = report(&judged("services:\n  web:\n    image: caddy:2\n    privileged: true\n"));
        let log: Value = serde_json::from_str(&log).unwrap();
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        let result = results.iter().find(|r| r["ruleId"] == "SV105").unwrap();
        assert_eq!(result["level"], "error");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "compose.yaml");
        assert_eq!(
            place["region"],
            json!({"startLine": 4, "startColumn": 17, "endLine": 4, "endColumn": 21})
        );
        for result in results {
            let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][at]["id"], result["ruleId"]);
        }
    }

    #[test]
    fn paths_are_encoded() {
        assert_eq!(uri("./my stack/a#b.yaml"), "my%20stack/a%23b.yaml");
        assert_eq!(uri("/srv/a.yaml"), "file:///srv/a.yaml");
    }
}
