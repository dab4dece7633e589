//! The audit: what a hardened host and its stack look like, as rows that judge gathered values.
//!
//! One row one place: its id, title, reason, what it reads, its fix and its verdict. `docs/audit.md` is generated from
//! the rows. Pure. Deliberately absent: reading (`host::gather`), printing (`render::audit`), and what cannot be seen from
//! the host, which [`elsewhere`] lists as such.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod containers;
pub mod elsewhere;
mod engine;
pub mod evidence;
mod files;
mod firewall;
mod kernel;
mod network;
mod ssh;
mod stack;
mod system;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use evidence::{Evidence, Source};

/// One thing that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Stable id: `AU` and three digits. Never reused.
    pub id: &'static str,
    /// What is so on a hardened host, in a few words.
    pub title: &'static str,
    /// Why it matters, in a sentence without a full stop.
    pub reason: &'static str,
    /// Section of the hardening guide; `B` is its checklist.
    pub guide: &'static str,
    /// What it is read from.
    pub read: &'static [Source],
    /// What to do, in a sentence without a full stop.
    pub fix: &'static str,
    /// How it is judged.
    pub(crate) judge: fn(&Evidence) -> Judged,
}

/// What was seen where that is as it should be, else what is not.
pub(crate) type Judged = Result<String, Not>;

/// Why a row did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Not {
    /// It is not so, or could not be looked at: both count.
    So(String),
    /// The question has no object on this host.
    Applicable(String),
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so; what was seen.
    Passed(String),
    /// It is not so, or could not be looked at; what was seen.
    Failed(String),
    /// There is nothing to judge; why.
    NotApplicable(String),
}

/// Rows about one matter.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Its heading.
    pub title: &'static str,
    /// In the order in which they are printed.
    pub rows: &'static [Row],
}

/// Every row.
pub const TOPICS: &[Topic] = &[
    Topic { title: "SSH", rows: ssh::ROWS },
    Topic { title: "Firewall", rows: firewall::ROWS },
    Topic { title: "Network", rows: network::ROWS },
    Topic { title: "Engine", rows: engine::ROWS },
    Topic { title: "Containers", rows: containers::ROWS },
    Topic { title: "Kernel", rows: kernel::ROWS },
    Topic { title: "System", rows: system::ROWS },
    Topic { title: "Files", rows: files::ROWS },
    Topic { title: "Stack", rows: stack::ROWS },
];

/// Every row with its topic's heading, in order.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    TOPICS.iter().flat_map(|topic| topic.rows.iter().map(|row| (topic.title, row)))
}

/// Everything that the rows read, each once.
pub fn sources() -> BTreeSet<Source> {
    rows().flat_map(|(_, row)| row.read.iter().copied()).collect()
}

/// What came of every row, in order.
pub fn judge(evidence: &Evidence) -> Vec<(&'static str, &'static Row, Verdict)> {
    rows().map(|(topic, row)| (topic, row, verdict((row.judge)(evidence)))).collect()
}

fn verdict(judged: Judged) -> Verdict {
    match judged {
        Ok(seen) => Verdict::Passed(seen),
        Err(Not::So(seen)) => Verdict::Failed(seen),
        Err(Not::Applicable(why)) => Verdict::NotApplicable(why),
    }
}

/// A row fails with everything that is wrong, or passes with a word on what is right.
fn unless(wrong: Vec<String>, right: impl Into<String>) -> Judged {
    if wrong.is_empty() { Ok(right.into()) } else { Err(Not::So(wrong.join("; "))) }
}

/// A row fails with this.
fn not_so(seen: impl Into<String>) -> Not {
    Not::So(seen.into())
}

/// A row has nothing to judge.
fn not_applicable(why: impl Into<String>) -> Not {
    Not::Applicable(why.into())
}
