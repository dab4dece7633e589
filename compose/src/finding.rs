//! What was found in a file, as data: problems of reading, refusals and notes of the policy.
//!
//! Deliberately absent: rendering; a finding is the same value for people, JSON, SARIF and annotations.

use crate::source::{Sources, Span};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Refuses the file.
    Error,
    /// Allowed, but the author should change it; an error under `--strict`.
    Warning,
    /// What hardening filled in, or good to know.
    Note,
}

/// One thing found, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable id of the rule: `SV` and three digits. Never reused.
    pub rule: &'static str,
    /// Its weight here.
    pub severity: Severity,
    /// What was found, in one sentence without a full stop.
    pub message: String,
    /// The bytes that the author has to edit; `None` only where no file can be named.
    pub span: Option<Span>,
    /// Other places that explain it: the anchor, the variable's definition.
    pub related: Vec<(Span, String)>,
    /// The service it is about.
    pub service: Option<String>,
    /// Why it matters and what to do.
    pub help: String,
    /// The text to write instead, where there is one.
    pub fix: Option<String>,
    /// Why `check --fix` considered an edit and left it out.
    pub unfixed: Option<String>,
}

/// Everything found in one load, in file order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The findings, ordered by place.
    pub findings: Vec<Finding>,
    /// The texts that the spans point into.
    pub sources: Sources,
    /// `true` where a file could not be read or understood at all: exit code 2 rather than 1.
    pub unreadable: bool,
    /// Notes that are counted and not among the findings.
    pub untold: usize,
}

impl Report {
    /// Whether anything in it refuses the file.
    pub fn refuses(&self) -> bool {
        self.unreadable || self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Puts the findings in file order, those without a place first, and keeps each once.
    pub fn sort(&mut self) {
        fn key(f: &Finding) -> impl Ord {
            (f.span, f.severity, f.rule, f.service.as_deref(), f.message.as_str())
        }
        // A finding is large: references are put in order, and each finding is moved once.
        let mut order: Vec<(usize, &Finding)> = self.findings.iter().enumerate().collect();
        order.sort_by(|(_, a), (_, b)| key(a).cmp(&key(b)));
        let order: Vec<usize> = order.into_iter().map(|(number, _)| number).collect();
        let mut findings: Vec<Option<Finding>> =
            std::mem::take(&mut self.findings).into_iter().map(Some).collect();
        self.findings = order.into_iter().filter_map(|number| findings.get_mut(number)?.take()).collect();
        self.findings.dedup();
    }

    /// How many findings weigh this much, those that are only counted included.
    pub fn count(&self, severity: Severity) -> usize {
        let untold = if severity == Severity::Note { self.untold } else { 0 };
        untold + self.findings.iter().filter(|f| f.severity == severity).count()
    }
}
