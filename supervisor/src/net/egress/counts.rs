//! What was allowed and what was denied, counted by service and name.
//!
//! Deliberately absent: what passed. Names that a client invents are counted under `other` when there are too many of its
//! service; another service's rows are never crowded out.

use std::collections::BTreeMap;

pub use crate::decide::egress::{Asked, Counted, Outcome, Row};

/// Different rows that are kept of a service; more could only be a client that makes names up.
const MOST: usize = 100;
/// In place of a name that is one too many.
const OTHER: &str = "other";

/// Every row so far, by service.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<String, BTreeMap<(Asked, Outcome), u64>>);

impl Counts {
    /// Counts one.
    pub fn add(&mut self, asked: &Asked, outcome: Outcome) {
        let of_service = self.0.entry(asked.service.clone()).or_default();
        let mut key = (asked.clone(), outcome);
        if of_service.len() >= MOST && !of_service.contains_key(&key) {
            OTHER.clone_into(&mut key.0.name);
            key.0.port = 0;
        }
        let count = of_service.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// The rows, by service and name.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self.0.values().flatten();
        rows.map(|((asked, outcome), count)| Row { asked: asked.clone(), outcome: *outcome, count: *count })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_invented_names_have_one_row_and_crowd_nobody_out() {
        let mut counts = Counts::default();
        let asked = |service: &str, name: String| Asked { service: service.into(), name, port: 443 };
        for n in 0..5000 {
            counts.add(&asked("web", format!("{n}.example.com")), Outcome::Denied);
        }
        counts.add(&asked("web", "0.example.com".into()), Outcome::Denied);
        counts.add(&asked("job", "late.example.com".into()), Outcome::Allowed);
        let rows = counts.rows();
        let of_web: Vec<&Row> = rows.iter().filter(|row| row.asked.service == "web").collect();
        assert_eq!((of_web.len(), rows.len()), (MOST + 1, MOST + 2));
        assert_eq!(of_web.iter().map(|row| row.count).sum::<u64>(), 5001);
        let twice = Row { asked: asked("web", "0.example.com".into()), outcome: Outcome::Denied, count: 2 };
        assert!(rows.contains(&twice));
    }
}
