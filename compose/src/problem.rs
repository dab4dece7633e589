//! What can be wrong with a file before the policy looks at it: one row a kind of problem, SV001 to SV099.
//!
//! Deliberately absent: the policy's rules (SV100 and up) and any rendering. Ids are never reused.

use std::path::Path;

use crate::finding::{Finding, Severity};
use crate::host::ReadError;
use crate::source::{Source, SourceId, Span};

/// One kind of problem of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable id.
    pub id: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it is a problem, in one sentence.
    pub reason: &'static str,
    /// An error makes the file unreadable; a warning is only said.
    pub severity: Severity,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $id:literal $severity:ident $title:literal: $reason:literal;)*) => {
        $($(#[$doc])* pub const $name: Problem =
            Problem { id: $id, title: $title, reason: $reason, severity: Severity::$severity };)*
        /// Every problem of loading, by id.
        pub const PROBLEMS: &[&Problem] = &[$(&$name),*];
    };
}

problems! {
    /// A file that is missing, not a regular file, too large or not permitted.
    CANNOT_READ = "SV001" Error "a file cannot be read":
        "what cannot be read cannot be judged, and nothing is launched on a guess";
    /// Bytes that no text may hold.
    NOT_TEXT = "SV002" Error "bytes that are not text":
        "a Compose file is UTF-8 text without NUL bytes; other bytes are read differently by different programs";
    /// Not YAML.
    NOT_YAML = "SV003" Error "not YAML":
        "the text breaks the grammar of YAML, so that nothing after this place can be trusted";
    /// Beyond a bound on size.
    TOO_MUCH = "SV004" Error "beyond a limit of size":
        "limits on length, depth and nodes keep a hostile file from using up the machine";
    /// An alias that cannot be followed.
    BAD_ALIAS = "SV005" Error "an alias that cannot be followed":
        "an alias must name an anchor that is complete above it";
    /// The same key twice in one mapping.
    DUPLICATE_KEY = "SV006" Error "a key written twice":
        "programs disagree on which of the two holds, so that a reader can be shown one and the machine the other";
    /// A key that is not a string.
    KEY_NOT_TEXT = "SV007" Error "a key that is not a string":
        "Compose knows string keys only; a number or a mapping as a key is read differently by different programs";
    /// More than one document in a file.
    MANY_DOCUMENTS = "SV008" Error "more than one document":
        "a second document would be merged over the first, far from where a reader looks";
    /// `<<` with something that is not a mapping.
    BAD_MERGE = "SV009" Error "a merge key without a mapping":
        "`<<` takes a mapping or a list of mappings, most often an alias";
    /// A tag that Compose does not have.
    UNKNOWN_TAG = "SV010" Error "an unknown tag":
        "a tag changes what a value is, and only `!reset`, `!override` and those of YAML itself are known";
    /// `yes`, `on` and their kin where a boolean stands.
    ODD_BOOLEAN = "SV011" Error "a boolean that is not spelled true or false":
        "`yes`, `no`, `on`, `off` are booleans in YAML 1.1 and strings in YAML 1.2, so that readers disagree";
    /// `22:22` without quotes.
    SEXAGESIMAL = "SV012" Warning "a number in base 60":
        "YAML 1.1 reads `22:22` without quotes as the number 1342";
    /// A key that the Compose format does not have.
    UNKNOWN_KEY = "SV013" Error "an unknown key":
        "a key that is ignored protects nobody: a misspelled one never takes effect, and a newer one slips past";
    /// A value of the wrong type.
    WRONG_TYPE = "SV014" Error "a value of the wrong type":
        "Compose refuses the file for it too";
    /// A value of the right type that says nothing meaningful.
    BAD_VALUE = "SV015" Error "a value that cannot be understood":
        "a value that is guessed at is not what the author meant";
    /// A required sub-key is not there.
    MISSING_KEY = "SV016" Error "a required key is missing":
        "the entry means nothing without it";
    /// `$` in a place where it means nothing.
    BAD_VARIABLE = "SV017" Error "a variable that cannot be understood":
        "a `$` starts a variable; a plain dollar sign is written `$$`";
    /// `${X:?}` without a value.
    REQUIRED_VARIABLE = "SV018" Error "a required variable has no value":
        "the file itself says that it cannot do without";
    /// `${X}` without a value.
    UNSET_VARIABLE = "SV019" Warning "a variable is not set":
        "an empty string takes its place, which is seldom what was meant";
    /// A name that nothing declares.
    UNKNOWN_NAME = "SV020" Error "a name that nothing declares":
        "what is referred to must exist in the file";
    /// Services that wait for each other.
    CYCLE = "SV021" Error "services that wait for each other":
        "none of them could ever be started";
    /// Two keys that contradict.
    CONFLICT = "SV022" Error "two keys that contradict each other":
        "only one of them can hold, and which one is not for a program to guess";
    /// A line of an environment file that is not an assignment.
    BAD_ENV_FILE = "SV023" Error "an environment file that cannot be understood":
        "a line that is skipped would leave a variable without its value";
    /// A project name that Compose does not allow.
    BAD_PROJECT_NAME = "SV024" Error "a project name that is not allowed":
        "the name is part of the names of containers, networks and volumes: lower-case letters, digits, `-` and `_`, the first a letter or a digit";
    /// A file from elsewhere.
    REMOTE_FILE = "SV025" Error "a file from elsewhere":
        "what is fetched when the stack is loaded can change without the file changing";
    /// `extends` or `include` that cannot be followed.
    BAD_EXTENDS = "SV026" Error "a base that cannot be followed":
        "what is built on must exist, and must not be built on itself";
    /// Top-level `version`.
    OBSOLETE = "SV027" Warning "an obsolete key":
        "Compose ignores it; it suggests an older format than the one that holds";
    /// A secret or config of a variable that is not set.
    NO_CONTENT = "SV028" Warning "a secret or config whose variable is not set":
        "nothing can be launched that is given it, though the file can be judged";
    /// A command line with `;`, `&`, `|`, `<` or `>`.
    DROPPED = "SV029" Warning "a command that is cut off":
        "no shell reads it: Compose drops `;`, `&`, `|`, `<` and `>` and whatever follows";
}

/// The problem of a file that could not be read, for callers that read files themselves.
pub fn cannot_read(path: &Path, error: &ReadError) -> Finding {
    let path = path.display();
    let (message, help) = match error {
        ReadError::Missing => (format!("`{path}` does not exist"), "give the path of an existing file"),
        ReadError::NotAFile => (format!("`{path}` is not a regular file"), "give the path of a regular file"),
        ReadError::TooLarge(bytes) => (
            format!("`{path}` has {bytes} bytes, more than is read"),
            "split the file or remove what is not needed",
        ),
        ReadError::Failed(word) => {
            (format!("`{path}` cannot be read: {word}"), "check the path and its permissions")
        }
    };
    finding(&CANNOT_READ, None, message, help)
}

/// A finding of a row; the help ends with the row's reason.
fn finding(row: &Problem, span: Option<Span>, message: String, next: &str) -> Finding {
    let help = if next.is_empty() { row.reason.to_owned() } else { format!("{}: {next}", row.reason) };
    Finding {
        rule: row.id,
        severity: row.severity,
        message,
        span,
        related: Vec::new(),
        service: None,
        help,
        fix: None,
        unfixed: None,
    }
}

/// More problems than anyone reads are not kept: a hostile file could have one a byte.
const MOST: usize = 1000;

/// The problems met so far, in any order until [`Problems::finish`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    findings: Vec<Finding>,
    /// The service that is being looked at; new problems are said to be about it.
    pub(crate) service: Option<String>,
    /// Where a problem goes that is one too many, so that callers need no case for it.
    spare: Option<Finding>,
}

impl Problems {
    /// Adds a problem at a place; `next` says what to write instead. The answer takes a fix or related places.
    pub(crate) fn add(
        &mut self,
        row: &Problem,
        span: Span,
        message: impl Into<String>,
        next: &str,
    ) -> &mut Finding {
        self.put(finding(row, Some(span), message.into(), next))
    }

    /// Whether a file is UTF-8; a problem where it is not.
    pub(crate) fn is_utf8(&mut self, source: &Source, id: SourceId) -> bool {
        let Some(at) = source.invalid_at() else { return true };
        self.add(&NOT_TEXT, Span::new(id, at, at), "a byte that is not UTF-8", "save the file as UTF-8");
        false
    }

    /// Adds a problem that no place can be given for.
    pub(crate) fn add_nowhere(
        &mut self,
        row: &Problem,
        message: impl Into<String>,
        next: &str,
    ) -> &mut Finding {
        self.put(finding(row, None, message.into(), next))
    }

    /// Adds a problem made elsewhere.
    pub(crate) fn put(&mut self, mut finding: Finding) -> &mut Finding {
        finding.service.clone_from(&self.service);
        let full = self.findings.len() >= MOST;
        if !full {
            self.findings.push(finding);
            if let Some(last) = self.findings.last_mut() {
                return last;
            }
            return self.spare.get_or_insert_with(|| self::finding(&TOO_MUCH, None, String::new(), ""));
        }
        self.spare.insert(finding)
    }

    /// Changes the problem that was added last.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut Finding)) {
        if let Some(last) = self.findings.last_mut() {
            change(last);
        }
    }

    /// Whether no further problem is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.spare.is_some()
    }

    /// Whether anything met so far makes the file unreadable; what is not kept could.
    pub(crate) fn has_errors(&self) -> bool {
        self.is_full() || self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// All of them in file order, each once.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|a, b| (a.span, a.rule, &a.message).cmp(&(b.span, b.rule, &b.message)));
        self.findings.dedup_by(|a, b| (a.span, a.rule, &a.message) == (b.span, b.rule, &b.message));
        if self.spare.is_some() {
            self.findings.push(finding(
                &TOO_MUCH,
                None,
                format!("more than {MOST} problems; the rest are not listed"),
                "",
            ));
        }
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_ascending_and_below_100() {
        let ids: Vec<_> = PROBLEMS.iter().map(|p| p.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert!(ids.iter().all(|id| id.starts_with("SV0") && id.len() == 5));
    }
}
