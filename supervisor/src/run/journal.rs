//! What has to be remembered besides the engine's labels: back-off, crash loops, who was stopped by hand, and an update
//! that did not work.
//!
//! One small file a project, replaced as a whole. Lost or unreadable, it is begun anew: then a back-off starts from
//! nothing, and what somebody had stopped is started. Deliberately absent: anything that the engine knows.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::decide::heal::{Phase, State};

/// The form of the file; another one is not read.
const FORM: u32 = 1;
/// Nobody has so many containers.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    boot: String,
    written: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    form: u32,
    /// The kernel's id of this boot: times mean nothing under another one.
    boot: String,
    #[serde(flatten)]
    memory: Memory,
}

/// What the next process has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// By engine name.
    pub(super) containers: BTreeMap<String, State>,
    /// An update that did not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rejected: Option<Rejected>,
    /// [`hash::wanted`](crate::decide::hash::wanted) of what was well last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) good: Option<String>,
}

/// An update that was tried and taken back: it is not tried again before the file is read anew at somebody's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejected {
    /// [`hash::wanted`](crate::decide::hash::wanted) of what it led to.
    pub(super) wanted: String,
    /// Why, for people.
    pub(super) reason: String,
}

impl Journal {
    /// Opens the journal in a project's state folder, and gives what an earlier process remembered.
    pub(super) fn open(folder: &Path, boot: String) -> (Self, Memory, Option<io::Error>) {
        let path = folder.join("journal.json");
        let (memory, error) = match read(&path) {
            Ok(content) => (recall(content, &boot), None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Memory::default(), None),
            Err(error) => (Memory::default(), Some(error)),
        };
        (Self { path, boot, written: Vec::new() }, memory, error)
    }

    /// Writes what changed, if anything did.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone. The file before stays whole.
    pub(super) fn write(&mut self, memory: Memory) -> io::Result<()> {
        let content = Content { form: FORM, boot: self.boot.clone(), memory };
        let bytes = serde_json::to_vec(&content).map_err(io::Error::other)?;
        if bytes == self.written {
            return Ok(());
        }
        replace(&self.path, &bytes)?;
        self.written = bytes;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Content> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    let content: Content = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    if content.form == FORM { Ok(content) } else { Err(io::Error::other("it is of another form")) }
}

/// After a reboot only an administrator's word is left of containers: everything else is tried afresh.
fn recall(content: Content, boot: &str) -> Memory {
    let same_boot = content.boot == boot;
    let mut memory = content.memory;
    memory.containers.retain(|_, state| same_boot || state.phase == Phase::Stopped);
    memory
}

/// Writes a file of the state folder anew, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn memory() -> Memory {
        let state = |phase| {
            let mut state = State::default();
            (state.container, state.phase, state.restarts) = (Some("abc".into()), phase, 3);
            state
        };
        let until = Duration::from_secs(100);
        let containers = BTreeMap::from([
            ("shop-web-1".to_owned(), state(Phase::BackingOff { until, reason: "ended with code 1".into() })),
            ("shop-db-1".to_owned(), state(Phase::Stopped)),
        ]);
        Memory { containers, rejected: None, good: Some("3c4d".into()) }
    }

    #[test]
    fn the_next_process_of_the_same_boot_remembers_all() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path(), "one".into()).0.write(memory()).unwrap();
        let (_, remembered, error) = Journal::open(folder.path(), "one".into());
        assert_eq!(remembered, memory());
        assert!(error.is_none());
    }

    #[test]
    fn after_a_reboot_only_what_somebody_stopped_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path(), "one".into()).0.write(memory()).unwrap();
        let (_, remembered, _) = Journal::open(folder.path(), "two".into());
        assert_eq!(remembered.containers.into_keys().collect::<Vec<_>>(), ["shop-db-1"]);
    }

    #[test]
    fn an_update_that_did_not_work_and_what_was_well_are_remembered_over_a_reboot() {
        let folder = tempfile::tempdir().unwrap();
        let rejected = Rejected { wanted: "1a2b".into(), reason: "it ended with code 1".into() };
        Journal::open(folder.path(), "one".into())
            .0
            .write(Memory { rejected: Some(rejected.clone()), ..memory() })
            .unwrap();
        let remembered = Journal::open(folder.path(), "two".into()).1;
        assert_eq!((remembered.rejected, remembered.good), (Some(rejected), Some("3c4d".into())));
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"form":2,"boot":"one","containers":{}}"#] {
            std::fs::write(folder.path().join("journal.json"), text).unwrap();
            let (mut journal, remembered, error) = Journal::open(folder.path(), "one".into());
            assert!(remembered == Memory::default() && error.is_some(), "{text}");
            journal.write(memory()).unwrap();
            assert_eq!(Journal::open(folder.path(), "one".into()).1, memory());
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "one".into()).0;
        journal.write(memory()).unwrap();
        std::fs::remove_file(folder.path().join("journal.json")).unwrap();
        journal.write(memory()).unwrap();
        assert!(!folder.path().join("journal.json").exists());
    }
}
