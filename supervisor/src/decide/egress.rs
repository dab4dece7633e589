//! What services asked the egress proxy for: totals over its restarts, and what a file would have to grant for it.
//!
//! Deliberately absent: granting; a proposal is for a person to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use compose::destination::Destination;
use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A connection was made.
    Allowed,
    /// It was not to be made.
    Denied,
    /// It was to be made, and could not.
    Failed,
}

impl Outcome {
    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// The service; `?` where an address is nobody's.
    pub service: String,
    /// The name, as asked for; `other` where a service asked for too many.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// One row, for people and machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What was asked for.
    #[serde(flatten)]
    pub asked: Asked,
    /// How it ended.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
}

/// What a proxy counted since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// When that was, in milliseconds since 1970: another number is another process.
    pub began: u64,
    /// By service and name.
    pub rows: Vec<Row>,
}

/// Counts that only grow, though the proxy that tells them begins at 0 with each start.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    began: u64,
    before: BTreeMap<(Asked, Outcome), u64>,
    last: BTreeMap<(Asked, Outcome), u64>,
}

impl Tally {
    /// Takes what the proxy tells now; gives what is denied for the first time.
    pub fn take(&mut self, counted: Counted) -> Vec<Asked> {
        let told: BTreeMap<_, _> =
            counted.rows.into_iter().map(|r| ((r.asked, r.outcome), r.count)).collect();
        if std::mem::replace(&mut self.began, counted.began) != counted.began {
            for (key, count) in std::mem::take(&mut self.last) {
                let before = self.before.entry(key).or_default();
                *before = before.saturating_add(count);
            }
        }
        let known = |key: &(Asked, Outcome)| self.last.contains_key(key) || self.before.contains_key(key);
        let new = told.keys().filter(|key| key.1 == Outcome::Denied && !known(key));
        let new = new.map(|(asked, _)| asked.clone()).collect();
        self.last = told;
        new
    }

    /// The totals, by service and name.
    pub fn rows(&self) -> Vec<Row> {
        let mut totals = self.before.clone();
        for (key, count) in &self.last {
            let total = totals.entry(key.clone()).or_default();
            *total = total.saturating_add(*count);
        }
        let rows = totals.into_iter().map(|((asked, outcome), count)| Row { asked, outcome, count });
        rows.collect()
    }
}

/// What the file would have to say for all that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// By service, what is granted already included.
    pub grants: BTreeMap<String, BTreeSet<Destination>>,
    /// What cannot be granted, and why.
    pub left: Vec<(Asked, &'static str)>,
}

/// Proposes grants.
pub fn propose(granted: &BTreeMap<String, BTreeSet<Destination>>, rows: &[Row]) -> Proposal {
    let mut proposal = Proposal { grants: granted.clone(), left: Vec::new() };
    for Row { asked, outcome, .. } in rows {
        let own = granted.get(&asked.service);
        let covered = own.is_some_and(|own| own.iter().any(|to| to.covers(&asked.name, asked.port)));
        if covered || *outcome != Outcome::Denied {
            continue;
        }
        match destination(asked) {
            Ok(to) => drop(proposal.grants.entry(asked.service.clone()).or_default().insert(to)),
            Err(why) => proposal.left.push((asked.clone(), why)),
        }
    }
    proposal
}

fn destination(asked: &Asked) -> Result<Destination, &'static str> {
    if asked.service == "?" {
        return Err("nobody knows which service it was");
    }
    if asked.port == 0 {
        return Err("more names than are told apart");
    }
    let to: Destination =
        format!("{}:{}", asked.name, asked.port).parse().map_err(|_| "an address, or no name of the DNS")?;
    if compose::rules::is_local_name(&to) { Err("a name that leads inside") } else { Ok(to) }
}

/// The proposal as it is written into a file.
pub fn yaml(proposal: &Proposal) -> String {
    let mut text = String::from("x-supervisor:\n  egress:\n");
    for (service, grants) in &proposal.grants {
        let rows: Vec<String> = grants.iter().map(|to| format!("      - \"{to}\"\n")).collect();
        let empty = if rows.is_empty() { " []" } else { "" };
        // Writing to a `String` does not fail.
        let _ = write!(text, "    {service}:{empty}\n{}", rows.concat());
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn row(text: &str) -> Row {
        let words: Vec<&str> = text.split(' ').collect();
        let outcome = match words[2] {
            "allowed" => Outcome::Allowed,
            "denied" => Outcome::Denied,
            _ => Outcome::Failed,
        };
        let (name, port) = words[1].rsplit_once(':').unwrap();
        let asked = Asked { service: words[0].into(), name: name.into(), port: port.parse().unwrap() };
        Row { asked, outcome, count: words[3].parse().unwrap() }
    }

    fn rows(texts: &[&str]) -> Vec<Row> {
        texts.iter().map(|text| row(text)).collect()
    }

    #[test]
    fn totals_outlive_the_proxy_and_what_is_denied_is_news_once() {
        let mut tally = Tally::default();
        let first = ["web a.example.org:443 allowed 5", "web b.example.org:443 denied 2"];
        let mut take = |began, texts: &[&str]| tally.take(Counted { began, rows: rows(texts) }).len();
        assert_eq!(take(1, &first), 1);
        assert_eq!(take(1, &first), 0);
        // Another proxy, which happens to have counted the same.
        assert_eq!(take(2, &first), 0);
        assert_eq!(take(2, &["web a.example.org:443 allowed 6", first[1]]), 0);
        let told: Vec<String> = tally
            .rows()
            .iter()
            .map(|r| format!("{} {} {}", r.asked.name, r.outcome.name(), r.count))
            .collect();
        assert_eq!(told, ["a.example.org allowed 11", "b.example.org denied 4"]);
    }

    #[test]
    fn what_was_denied_is_proposed_where_it_can_be_granted() {
        let granted = BTreeMap::from([
            ("job".to_owned(), BTreeSet::new()),
            ("web".to_owned(), BTreeSet::from(["*.example.org:443".parse().unwrap()])),
        ]);
        let asked = rows(&[
            "web a.example.org:443 denied 1",
            "web api.example.net:8443 denied 9",
            "web files.example.net:443 allowed 9",
            "web 169.254.169.254:80 denied 1",
            "web metadata.google.internal:80 denied 1",
            "web other:0 denied 4",
            "? x.example.net:443 denied 1",
        ]);
        let proposal = propose(&granted, &asked);
        expect![[r#"
            x-supervisor:
              egress:
                job: []
                web:
                  - "*.example.org:443"
                  - "api.example.net:8443"
        "#]]
        .assert_eq(&yaml(&proposal));
        let left: Vec<String> = proposal.left.iter().map(|(a, why)| format!("{}: {why}", a.name)).collect();
        assert_eq!(
            left,
            [
                "169.254.169.254: an address, or no name of the DNS",
                "metadata.google.internal: a name that leads inside",
                "other: more names than are told apart",
                "x.example.net: nobody knows which service it was",
            ]
        );
    }
}
