//! The variables that interpolation sees: `.env` or `--env-file`, under the caller's environment.
//!
//! Deliberately absent: which files those are, and reading them.

use std::collections::BTreeMap;

use crate::budget::{Budget, Room};
use crate::dotenv::{self, Format};
use crate::finding::Report;
use crate::problem::Problems;
use crate::source::{Source, Sources};

/// The caller's variables and those of environment files in order: a later file wins over an earlier one, the
/// caller over all of them. The report says what in the files cannot be understood.
pub fn environment(
    files: Vec<Source>,
    caller: BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Report) {
    let mut sources = Sources::default();
    let mut problems = Problems::default();
    let found = under(files, caller, &mut Budget::default().text, &mut sources, &mut problems);
    let unreadable = problems.has_errors();
    (found, Report { findings: problems.finish(), sources, unreadable })
}

/// The same, with what was read and what is wrong put where the rest of a load is.
pub(crate) fn under(
    files: Vec<Source>,
    caller: BTreeMap<String, String>,
    room: &mut Room,
    sources: &mut Sources,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for source in files {
        let id = sources.add(source.clone());
        let lookup = |name: &str| caller.get(name).or_else(|| found.get(name)).map(String::as_str);
        let variables = dotenv::parse(&source, id, Format::Compose, &lookup, room, problems);
        found.extend(variables.into_iter().map(|v| (v.name, v.value)));
    }
    found.extend(caller);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_wins_over_later_files_and_those_over_earlier_ones() {
        let files = vec![Source::new("a.env", "A=1\nB=1\nC=1\n"), Source::new("b.env", "B=2$A\nC=2\n")];
        let caller = BTreeMap::from([("C".to_owned(), "3".to_owned())]);
        let (found, report) = environment(files, caller);
        let found: Vec<_> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["A=1", "B=21", "C=3"]);
        assert!(!report.unreadable);
    }
}
