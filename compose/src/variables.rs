//! The variables that interpolation sees: `.env` or `--env-file`, under the caller's environment; and where each was set.
//!
//! Deliberately absent: which files those are, and reading them.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::budget::{Budget, Room};
use crate::dotenv::{self, Format};
use crate::finding::{Finding, Report, Severity};
use crate::interpolate;
use crate::problem::Problems;
use crate::source::{Source, SourceId, Sources, Span};

/// Variables, and where environment files set them.
#[derive(Clone, Default)]
pub struct Environment {
    /// Name to value.
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) definitions: Definitions,
}

/// Where variables have their values from. What is not here has its value from the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    /// Environment files, as they were read.
    files: Vec<Source>,
    /// A variable's name to its bytes; the span's source is its number in `files`.
    places: Places,
}

/// A variable's name to the bytes that set it.
pub(crate) type Places = BTreeMap<String, Span>;

impl Environment {
    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// The caller's alone.
impl From<BTreeMap<String, String>> for Environment {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self { values, definitions: Definitions::default() }
    }
}

/// The same, as a list.
impl<const N: usize> From<[(String, String); N]> for Environment {
    fn from(values: [(String, String); N]) -> Self {
        BTreeMap::from(values).into()
    }
}

/// Names alone: values may be credentials.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The caller's variables and those of environment files in order: a later file wins over an earlier one, the
/// caller over all of them. The report says what in the files cannot be understood.
pub fn environment(files: Vec<Source>, caller: BTreeMap<String, String>) -> (Environment, Report) {
    let mut sources = Sources::default();
    let mut problems = Problems::default();
    let (values, places) = under(files, caller, &mut Budget::default().text, &mut sources, &mut problems);
    let unreadable = problems.has_errors();
    let definitions = Definitions { files: sources.iter().cloned().collect(), places };
    (
        Environment { values, definitions },
        Report { findings: problems.finish(), sources, unreadable, untold: 0 },
    )
}

/// The same, with what was read and what is wrong put where the rest of a load is. The places are those of variables that
/// the caller does not have.
pub(crate) fn under(
    files: Vec<Source>,
    mut caller: BTreeMap<String, String>,
    room: &mut Room,
    sources: &mut Sources,
    problems: &mut Problems,
) -> (BTreeMap<String, String>, Places) {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut places = Places::new();
    for source in files {
        let source = source.private();
        let id = sources.add(source.clone());
        let lookup = |name: &str| caller.get(name).map(String::as_str);
        let earlier = |name: &str| found.get(name).map(String::as_str);
        let scope = dotenv::Scope { first: &lookup, last: &earlier };
        for variable in dotenv::parse(&source, id, Format::Compose, scope, room, problems) {
            if !caller.contains_key(&variable.name) {
                places.insert(variable.name.clone(), variable.span);
            }
            found.insert(variable.name, variable.value);
        }
    }
    for (name, value) in found {
        caller.entry(name).or_insert(value);
    }
    (caller, places)
}

/// What holds where a text stands.
pub(crate) struct Scope<'a> {
    pub(crate) values: &'a BTreeMap<String, String>,
    pub(crate) definitions: &'a Definitions,
    /// Variables of included files, by file: they may have some of their own.
    pub(crate) own: &'a BTreeMap<SourceId, Rc<Places>>,
}

/// Adds to errors and warnings where the variables in their text are set, or that their defaults hold.
pub(crate) fn explain(findings: &mut [Finding], sources: &mut Sources, scope: &Scope<'_>) {
    let mut known: BTreeMap<usize, SourceId> = BTreeMap::new();
    for finding in findings.iter_mut().filter(|finding| finding.severity != Severity::Note) {
        let Some(at) = finding.span else { continue };
        let text = sources.get(at.source).filter(|source| !source.is_private()).map(Source::text);
        let text = text.and_then(|text| text.get(at.start as usize..at.end as usize)).unwrap_or_default();
        // What goes over several lines is a collection: its variables are not what was found.
        if !text.contains('$') || text.contains('\n') {
            continue;
        }
        let mentions = interpolate::mentions(text).into_iter();
        let mentions: Vec<_> = mentions.map(|mention| (mention.name.to_owned(), mention.default)).collect();
        for (name, default) in mentions {
            let set = scope.definitions.places.get(&name).and_then(|set| {
                let file = set.source.index();
                let source = scope.definitions.files.get(file)?;
                let id = *known.entry(file).or_insert_with(|| sources.add(source.clone()));
                Some(Span::new(id, set.start, set.end))
            });
            let set = scope.own.get(&at.source).and_then(|own| own.get(&name)).copied().or(set);
            let value = scope.values.get(&name).filter(|value| !value.is_empty());
            let place = match (set, value, default) {
                (Some(set), ..) => (set, format!("`{name}` is set here")),
                (None, Some(_), _) if name != "COMPOSE_PROJECT_NAME" => {
                    (at, format!("`{name}` is set in the environment of the caller"))
                }
                (None, None, Some(default)) => {
                    let [start, end] =
                        [default.start, default.end].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
                    let span =
                        Span::new(at.source, at.start.saturating_add(start), at.start.saturating_add(end));
                    (span, format!("`{name}` has no value, so that its default holds"))
                }
                _ => continue,
            };
            finding.related.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_wins_over_later_files_and_those_over_earlier_ones() {
        let files =
            vec![Source::new("a.env", "A=1\nB=1\nC=1\n"), Source::new("b.env", "D=$A\nA=4\nB=2$A\nC=2\n")];
        let caller = BTreeMap::from([("C".to_owned(), "3".to_owned())]);
        let (found, report) = environment(files, caller);
        let found: Vec<_> = found.values.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(found, ["A=4", "B=24", "C=3", "D=1"]);
        assert!(!report.unreadable);
    }
}
