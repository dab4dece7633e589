//! `check --fix`: findings to edits of the texts, to new texts that say the same but for what was refused.
//!
//! An edit is made only if the stack, loaded and judged anew with it, has that finding no more, has no new error or
//! warning, and says everything else as before. Each rule's row says what is written (`policy::Repair`).
//! Deliberately absent: reading and writing of files; the texts go in and come out.

mod edit;
mod keep;
mod propose;
mod remove;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::finding::Report;
use crate::host::{Host, Look, ReadError};
use crate::node::Node;
use crate::source::Source;
use crate::{Admitted, Policy, Request};

use edit::Edit;
use propose::Proposal;

/// A round makes every edit that can be made at once; what overlaps waits for the next one.
const MOST_ROUNDS: usize = 16;
/// Most judgements in search of the edits that have to be left out.
const MOST_TRIES: usize = 256;

/// What became of a stack.
#[derive(Debug)]
pub struct Fixed {
    /// The hardened stack, if the new texts have no error.
    pub admitted: Option<Admitted>,
    /// The judgement of the texts that went in.
    pub before: Report,
    /// The judgement of the new texts. Where an edit was considered and left out, its finding says why.
    pub report: Report,
    /// The texts that differ from those that went in, in the order of their names.
    pub files: Vec<Changed>,
    /// What was put right, in the order of doing.
    pub done: Vec<Done>,
}

/// A text before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Under which name it was read.
    pub name: String,
    /// Where it was read from; `None` of standard input.
    pub path: Option<PathBuf>,
    /// As it was read.
    pub before: String,
    /// As it should be.
    pub after: String,
}

/// One finding that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The rule's id.
    pub rule: &'static str,
    /// The name of the file that was edited for it.
    pub file: String,
    /// The service it was about.
    pub service: Option<String>,
    /// What was found.
    pub message: String,
}

/// Why an edit is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// More than one thing could be meant.
    Author,
    /// A variable's value may be another one elsewhere.
    Variable,
    /// It stands after `|` or `>`.
    Block,
    /// Other services or other keys read the same text.
    Shared,
    /// Nothing that an edit is known for.
    Shape,
    /// The stack does not load as it is.
    Unread,
    /// The new text would not load.
    Unreadable,
    /// The finding would still be there.
    Stays,
    /// This would be found then.
    Brings(&'static str),
    /// This would be said differently then.
    Changes(String),
    /// The search was given up.
    TooMany,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Author => "only its author can say what belongs there",
            Self::Variable => "its value comes from a variable, which may have another one elsewhere",
            Self::Block => "it is written as a block of text",
            Self::Shared => "other services or keys read the same text through an anchor or a base",
            Self::Shape => "it is written in a way that no edit is known for",
            Self::Unread => "something in the stack cannot be read",
            Self::Unreadable => "the file could not be read with that edit",
            Self::Stays => "the finding would still be there",
            Self::TooMany => "too many other edits have to be left out",
            Self::Brings(rule) => return write!(f, "{rule} would be found then"),
            Self::Changes(what) => return write!(f, "`{what}` would change with it"),
        })
    }
}

/// Which text: by path, or by place in the order of `-f` where it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Given(usize),
    Path(PathBuf),
}

/// The texts as they are in a round.
#[derive(Clone)]
struct Texts {
    request: Request,
    /// Texts of included and extended files that differ from what the host has.
    changed: BTreeMap<PathBuf, String>,
}

/// The host with other texts in some of its files.
struct Overlay<'a> {
    host: &'a dyn Host,
    texts: &'a BTreeMap<PathBuf, String>,
}

impl Host for Overlay<'_> {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        match self.texts.get(path) {
            None => self.host.read(path, limit),
            Some(text) if text.len() as u64 > limit => Err(ReadError::TooLarge(text.len() as u64)),
            Some(text) => Ok(text.clone().into_bytes()),
        }
    }

    fn look(&self, path: &Path) -> Look {
        self.host.look(path)
    }

    fn resolve(&self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        self.host.resolve(path)
    }
}

/// A judgement of texts, and the tree that was judged.
struct Judged {
    admitted: Option<Admitted>,
    report: Report,
    root: Option<Node>,
}

impl Texts {
    fn judge(&self, policy: &Policy, host: &dyn Host) -> Judged {
        let host = Overlay { host, texts: &self.changed };
        let loaded = crate::load(self.request.clone(), &host);
        let root = loaded.tree.as_ref().map(|tree| tree.root.clone());
        let (admitted, report) = crate::admit(loaded, policy, &host);
        Judged { admitted, report, root }
    }

    /// Which text a source of a judgement is, if it is a Compose file.
    fn key(&self, index: usize, source: &Source) -> Option<Key> {
        match source.path() {
            Some(path) => Some(Key::Path(path.to_path_buf())),
            None => (index < self.request.files.len()).then_some(Key::Given(index)),
        }
    }

    /// The same with the edits of proposals, which do not overlap.
    fn with(&self, proposals: &[&Proposal], report: &Report) -> Self {
        let mut edits: BTreeMap<&Key, (usize, BTreeSet<Edit>)> = BTreeMap::new();
        for proposal in proposals {
            let (_, own) = edits.entry(&proposal.key).or_insert((proposal.source, BTreeSet::new()));
            own.extend(proposal.edits.iter().cloned());
        }
        let mut texts = self.clone();
        for (key, (source, edits)) in edits {
            let Some(source) = report.sources.iter().nth(source) else { continue };
            let text = edit::apply(source.text(), &edits.into_iter().collect::<Vec<_>>());
            for (index, file) in texts.request.files.iter_mut().enumerate() {
                let is_it = match key {
                    Key::Given(given) => *given == index,
                    Key::Path(path) => file.path() == Some(path),
                };
                if is_it {
                    *file = file.with_text(text.clone());
                }
            }
            if let Key::Path(path) = key {
                texts.changed.insert(path.clone(), text);
            }
        }
        texts
    }
}

/// Puts right what can be put right without asking, and judges the result.
pub fn fix(request: Request, policy: &Policy, host: &dyn Host) -> Fixed {
    let mut texts = Texts { request, changed: BTreeMap::new() };
    let mut judged = texts.judge(policy, host);
    let (report, before) = (judged.report.clone(), originals(&texts, &judged));
    let mut done = Vec::new();
    let mut left = Vec::new();
    for _ in 0..MOST_ROUNDS {
        // What cannot be read has no model that could be kept.
        if judged.report.unreadable {
            left = propose::repairable(&judged.report).map(|(number, _)| (number, Why::Unread)).collect();
            break;
        }
        let (proposals, refused) = propose::proposals(&texts, &judged);
        left = refused;
        let round = choose(&texts, &judged, &proposals, policy, host);
        left.extend(round.refused);
        let Some((new_texts, new_judged)) = round.result else { break };
        done.extend(round.chosen.iter().flat_map(|proposal| keep::done(&judged, proposal)));
        (texts, judged) = (new_texts, new_judged);
    }
    for (finding, why) in left {
        if let Some(finding) = judged.report.findings.get_mut(finding) {
            finding.unfixed = Some(why.to_string());
        }
    }
    let after = originals(&texts, &judged);
    let files = before.into_iter().filter_map(|(key, (name, before))| {
        let (_, after) = after.get(&key)?;
        let path = if let Key::Path(path) = key { Some(path) } else { None };
        (*after != before).then(|| Changed { name, path, before, after: after.clone() })
    });
    let files = files.collect();
    Fixed { admitted: judged.admitted, before: report, report: judged.report, files, done }
}

/// Every Compose text of a judgement, with its name.
fn originals(texts: &Texts, judged: &Judged) -> BTreeMap<Key, (String, String)> {
    let sources = judged.report.sources.iter().enumerate();
    sources
        .filter_map(|(index, source)| {
            Some((texts.key(index, source)?, (source.name().to_owned(), source.text().to_owned())))
        })
        .collect()
}

/// What a round did. The findings that it refused are numbers in the report that it started from: they hold in the last
/// round, which changes nothing.
struct Round<'a> {
    result: Option<(Texts, Judged)>,
    chosen: Vec<&'a Proposal>,
    refused: Vec<(usize, Why)>,
}

/// As many of the proposals as keep the rest as it is: all at once, else halves of them, down to single ones.
fn choose<'a>(
    texts: &Texts,
    judged: &Judged,
    proposals: &'a [Proposal],
    policy: &Policy,
    host: &dyn Host,
) -> Round<'a> {
    let mut round = Round { result: None, chosen: Vec::new(), refused: Vec::new() };
    let (apart, overlapping) = propose::apart(proposals);
    let mut groups: Vec<Vec<&Proposal>> = overlapping.into_iter().map(|one| vec![one]).collect();
    groups.push(apart);
    let mut tries = 0;
    while let Some(group) = groups.pop() {
        if group.is_empty() || group.iter().any(|one| round.chosen.iter().any(|other| one.overlaps(other))) {
            continue;
        }
        tries += 1;
        if tries > MOST_TRIES {
            let left = group.iter().flat_map(|one| &one.findings);
            round.refused.extend(left.map(|finding| (*finding, Why::TooMany)));
            continue;
        }
        let all: Vec<&Proposal> = round.chosen.iter().copied().chain(group.iter().copied()).collect();
        let tried = texts.with(&all, &judged.report);
        let new = tried.judge(policy, host);
        match (keep::verdict(judged, &new, &all), group.as_slice()) {
            (Ok(()), _) => {
                round.result = Some((tried, new));
                round.chosen = all;
            }
            (Err(why), [one]) => {
                round.refused.extend(one.findings.iter().map(|finding| (*finding, why.clone())));
            }
            (Err(_), group) => {
                let (front, back) = group.split_at(group.len() / 2);
                groups.push(back.to_vec());
                groups.push(front.to_vec());
            }
        }
    }
    round
}
