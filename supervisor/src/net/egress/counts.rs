//! What was allowed and what was denied, counted by service and name and written down once each.
//!
//! Deliberately absent: what passed. A name that a client invents is counted under `other` when there are too many.

use std::collections::BTreeMap;

use serde::Serialize;

/// Different rows that are kept; more could only be a client that makes names up.
const MOST: usize = 1000;
/// In place of a name that is one too many.
const OTHER: &str = "other";

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A connection was made.
    Allowed,
    /// It was not to be made.
    Denied,
    /// It was to be made, and could not.
    Failed,
}

/// What was asked for: service, name, port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Asked {
    /// The service; `?` where an address is nobody's.
    pub service: String,
    /// The name, as asked for.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// Every row so far.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<(Asked, Outcome), u64>);

/// One row, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row<'a> {
    /// What was asked for.
    #[serde(flatten)]
    pub asked: &'a Asked,
    /// How it ended.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
}

impl Counts {
    /// Counts one.
    pub fn add(&mut self, asked: &Asked, outcome: Outcome) {
        let mut key = (asked.clone(), outcome);
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            OTHER.clone_into(&mut key.0.name);
            key.0.port = 0;
        }
        let count = self.0.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// The rows, by service and name.
    pub fn rows(&self) -> Vec<Row<'_>> {
        self.0
            .iter()
            .map(|((asked, outcome), count)| Row { asked, outcome: *outcome, count: *count })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_invented_names_have_one_row() {
        let mut counts = Counts::default();
        for n in 0..5000 {
            let asked = Asked { service: "web".into(), name: format!("{n}.example.com"), port: 443 };
            counts.add(&asked, Outcome::Denied);
        }
        let asked = Asked { service: "web".into(), name: "0.example.com".into(), port: 443 };
        counts.add(&asked, Outcome::Denied);
        let rows = counts.rows();
        assert_eq!(rows.len(), MOST + 1);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 5001);
        assert!(rows.contains(&Row { asked: &asked, outcome: Outcome::Denied, count: 2 }));
    }
}
