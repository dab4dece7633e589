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
    containers: BTreeMap<String, State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejected>,
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
    pub(super) fn open(
        folder: &Path,
        boot: String,
    ) -> (Self, BTreeMap<String, State>, Option<Rejected>, Option<io::Error>) {
        let path = folder.join("journal.json");
        let (states, rejected, error) = match read(&path) {
            Ok(mut content) => {
                let rejected = content.rejected.take();
                (recall(content, &boot), rejected, None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), None, None),
            Err(error) => (BTreeMap::new(), None, Some(error)),
        };
        (Self { path, boot, written: Vec::new() }, states, rejected, error)
    }

    /// Writes what changed, if anything did.
    ///
    /// # Errors
    /// The disk is full, or the folder is gone. The file before stays whole.
    pub(super) fn write(
        &mut self,
        containers: BTreeMap<String, State>,
        rejected: Option<Rejected>,
    ) -> io::Result<()> {
        let content = Content { form: FORM, boot: self.boot.clone(), containers, rejected };
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

/// After a reboot only an administrator's word is left: everything else is tried afresh.
fn recall(content: Content, boot: &str) -> BTreeMap<String, State> {
    let same_boot = content.boot == boot;
    content.containers.into_iter().filter(|(_, state)| same_boot || state.phase == Phase::Stopped).collect()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
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

    fn states() -> BTreeMap<String, State> {
        let state = |phase| {
            let mut state = State::default();
            (state.container, state.phase, state.restarts) = (Some("abc".into()), phase, 3);
            state
        };
        let until = Duration::from_secs(100);
        BTreeMap::from([
            ("shop-web-1".to_owned(), state(Phase::BackingOff { until, reason: "ended with code 1".into() })),
            ("shop-db-1".to_owned(), state(Phase::Stopped)),
        ])
    }

    #[test]
    fn the_next_process_of_the_same_boot_remembers_all() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path(), "one".into()).0.write(states(), None).unwrap();
        let (_, remembered, _, error) = Journal::open(folder.path(), "one".into());
        assert_eq!(remembered, states());
        assert!(error.is_none());
    }

    #[test]
    fn after_a_reboot_only_what_somebody_stopped_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        Journal::open(folder.path(), "one".into()).0.write(states(), None).unwrap();
        let (_, remembered, _, _) = Journal::open(folder.path(), "two".into());
        assert_eq!(remembered.into_keys().collect::<Vec<_>>(), ["shop-db-1"]);
    }

    #[test]
    fn an_update_that_did_not_work_is_remembered_over_a_reboot() {
        let folder = tempfile::tempdir().unwrap();
        let rejected = Rejected { wanted: "1a2b".into(), reason: "it ended with code 1".into() };
        Journal::open(folder.path(), "one".into()).0.write(states(), Some(rejected.clone())).unwrap();
        assert_eq!(Journal::open(folder.path(), "two".into()).2, Some(rejected));
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{", "[]", r#"{"form":2,"boot":"one","containers":{}}"#] {
            std::fs::write(folder.path().join("journal.json"), text).unwrap();
            let (mut journal, remembered, _, error) = Journal::open(folder.path(), "one".into());
            assert!(remembered.is_empty() && error.is_some(), "{text}");
            journal.write(states(), None).unwrap();
            assert_eq!(Journal::open(folder.path(), "one".into()).1, states());
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "one".into()).0;
        journal.write(states(), None).unwrap();
        std::fs::remove_file(folder.path().join("journal.json")).unwrap();
        journal.write(states(), None).unwrap();
        assert!(!folder.path().join("journal.json").exists());
    }
}
