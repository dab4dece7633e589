//! Findings to proposals: which bytes of which text a rule's repair would change.
//!
//! Deliberately absent: whether the stack is better for it (`keep`).

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Report, Severity};
use crate::policy::{Change, Repair, Rule, Site};
use crate::rules;
use crate::source::Span;
use crate::yaml::outline::{Id, Outline};

use super::edit::{self, Edit, Page};
use super::keep::{self, Place};
use super::{Judged, Key, Texts, Why};

/// The edits for what one rule found at one place.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) rule: &'static str,
    /// Numbers of the findings in their report.
    pub(super) findings: Vec<usize>,
    pub(super) key: Key,
    /// The text's number among the sources.
    pub(super) source: usize,
    pub(super) edits: Vec<Edit>,
    /// Where the model says what stands there.
    pub(super) places: BTreeSet<Place>,
}

impl Proposal {
    /// Whether the two cannot be made at once. The same edit for two reasons is made once.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let clash = |a: &Edit, b: &Edit| a != b && a.start <= b.end && b.start <= a.end;
        self.key == other.key && self.edits.iter().any(|a| other.edits.iter().any(|b| clash(a, b)))
    }
}

/// Those that can be made at once, in order, and the others.
pub(super) fn apart(proposals: &[Proposal]) -> (Vec<&Proposal>, Vec<&Proposal>) {
    let mut apart: Vec<&Proposal> = Vec::new();
    let mut others = Vec::new();
    // Only neighbours can overlap with edits in order, but an edit may be made of several: the last few are looked at.
    for proposal in proposals {
        if apart.iter().rev().take(64).any(|other| proposal.overlaps(other)) {
            others.push(proposal);
        } else {
            apart.push(proposal);
        }
    }
    (apart, others)
}

/// The findings of rules that have a repair, with their numbers.
pub(super) fn repairable(report: &Report) -> impl Iterator<Item = (usize, &Finding)> {
    let repaired = |rule| rules::find(rule).is_some_and(Rule::is_repaired);
    let findings = report.findings.iter().enumerate();
    findings.filter(move |(_, finding)| finding.severity != Severity::Note && repaired(finding.rule))
}

/// What can be proposed, and the findings whose repair cannot be written, by their numbers in the report.
pub(super) fn proposals(texts: &Texts, judged: &Judged) -> (Vec<Proposal>, Vec<(usize, Why)>) {
    let mut groups: BTreeMap<(Span, &'static str), Vec<usize>> = BTreeMap::new();
    for (number, finding) in repairable(&judged.report) {
        if let Some(span) = finding.span {
            groups.entry((span, finding.rule)).or_default().push(number);
        }
    }
    let mut outlines: BTreeMap<usize, Outline> = BTreeMap::new();
    let targets: BTreeSet<Span> = groups.keys().map(|(span, _)| *span).collect();
    let places = judged.root.as_ref().map(|root| keep::places(root, &targets)).unwrap_or_default();
    let (mut proposals, mut refused) = (Vec::new(), Vec::new());
    for ((span, rule), findings) in groups {
        let Some(source) = judged.report.sources.get(span.source) else { continue };
        let Some(key) = texts.key(span.source.index(), source) else {
            refused.extend(findings.into_iter().map(|finding| (finding, Why::Shape)));
            continue;
        };
        let outline =
            outlines.entry(span.source.index()).or_insert_with(|| Outline::of(source.text(), span.source));
        let page = Page { text: source.text(), outline };
        let places = places.get(&span).cloned().unwrap_or_default();
        let made = edits(page, rule, span).and_then(|edits| {
            let alone = keep::is_alone(judged, &findings, &places);
            if alone { Ok(edits) } else { Err(Why::Shared) }
        });
        match made {
            Ok(edits) => {
                let source = span.source.index();
                proposals.push(Proposal { rule, findings, key, source, edits, places });
            }
            Err(why) => refused.extend(findings.into_iter().map(|finding| (finding, why.clone()))),
        }
    }
    (proposals, refused)
}

/// The edits of a rule's repair at a place.
fn edits(page: Page<'_>, rule: &str, span: Span) -> Result<Vec<Edit>, Why> {
    let (target, changes) = match rules::find(rule).map_or(Repair::Author, |rule| rule.repair) {
        Repair::Author => return Err(Why::Author),
        Repair::Value(text) => (value(page, span)?, vec![Change::Text(text.to_owned())]),
        Repair::Remove => {
            let target = page.outline.entry_at(span).or_else(|| page.outline.value_at(span));
            (target.ok_or(Why::Shape)?, vec![Change::Remove])
        }
        Repair::By(decide) => {
            let target = value(page, span)?;
            let text = page.part(target)?.form.text();
            let below = |path: &[&str]| {
                let found = page.outline.get(page.outline.below(target, path)?)?;
                found.form.text().map(str::to_owned)
            };
            let has = |path: &[&str]| page.outline.below(target, path).is_some();
            (target, decide(&Site { text, below: &below, has: &has }))
        }
    };
    if changes.is_empty() {
        return Err(Why::Author);
    }
    let mut all = Vec::new();
    for change in &changes {
        all.extend(edit::edits(page, target, change)?);
    }
    all.retain(|edit| page.slice(edit.start..edit.end) != edit.text);
    if all.is_empty() {
        return Err(Why::Stays);
    }
    all.sort();
    Ok(merged(all))
}

/// The value that has these bytes, or the value of the entry that has them.
fn value(page: Page<'_>, span: Span) -> Result<Id, Why> {
    let of_entry = || page.outline.value_of(page.outline.entry_at(span)?);
    page.outline.value_at(span).or_else(of_entry).ok_or(Why::Shape)
}

/// Insertions at one place become one, in the order of asking.
fn merged(edits: Vec<Edit>) -> Vec<Edit> {
    let mut out: Vec<Edit> = Vec::new();
    for edit in edits {
        match out.last_mut() {
            Some(last) if last.start == edit.start && last.end == edit.end && edit.start == edit.end => {
                last.text.push_str(&edit.text);
            }
            _ => out.push(edit),
        }
    }
    out
}
