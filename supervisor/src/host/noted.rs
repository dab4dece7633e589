//! What was read of this machine on the way to a judgement, noted, so that it can be told later whether all of it is still so.
//!
//! Of what was found only a hash is kept. Deliberately absent: what follows where it is.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compose::Host;
use compose::host::{Look, ReadError};
use serde::{Deserialize, Serialize};

use crate::decide::hash;

/// One question to the machine, and the hash of its answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    path: PathBuf,
    asked: Asked,
    answer: String,
}

/// What was asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Asked {
    /// Its bytes, at most so many.
    Read(u64),
    /// What is there.
    Look,
    /// Where it leads.
    Resolve,
}

impl Note {
    /// Whether the machine would answer the same now.
    pub fn holds(&self, host: &dyn Host) -> bool {
        let now = match self.asked {
            Asked::Read(limit) => read(&host.read(&self.path, limit)),
            Asked::Look => looked(&host.look(&self.path)),
            Asked::Resolve => hash::of(&host.resolve(&self.path)),
        };
        now == self.answer
    }
}

/// A machine whose answers are noted.
pub struct Noting<'a> {
    host: &'a dyn Host,
    notes: RefCell<BTreeSet<Note>>,
}

impl<'a> Noting<'a> {
    /// Nothing is noted yet.
    pub const fn new(host: &'a dyn Host) -> Self {
        Self { host, notes: RefCell::new(BTreeSet::new()) }
    }

    /// What was noted.
    pub fn notes(self) -> BTreeSet<Note> {
        self.notes.into_inner()
    }

    fn note(&self, path: &Path, asked: Asked, answer: String) {
        self.notes.borrow_mut().insert(Note { path: path.to_owned(), asked, answer });
    }
}

impl Host for Noting<'_> {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let bytes = self.host.read(path, limit);
        self.note(path, Asked::Read(limit), read(&bytes));
        bytes
    }

    fn look(&self, path: &Path) -> Look {
        let look = self.host.look(path);
        self.note(path, Asked::Look, looked(&look));
        look
    }

    fn resolve(&self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        let led = self.host.resolve(path);
        self.note(path, Asked::Resolve, hash::of(&led));
        led
    }
}

fn read(found: &Result<Vec<u8>, ReadError>) -> String {
    match found {
        Ok(bytes) => hash::of(&("there", bytes)),
        Err(error) => hash::of(&("not", format!("{error:?}"))),
    }
}

fn looked(look: &Look) -> String {
    // Its fields are numbers and paths, and `Debug` shows all of them.
    hash::of(&format!("{look:?}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::host::files::Files;

    /// Whether everything that was asked of these is told to be the same after such a change.
    #[track_caller]
    fn check(change: impl FnOnce(&Path), expected: bool) {
        let bed = tempfile::tempdir().unwrap();
        let at = |name: &str| bed.path().join(name);
        fs::write(at("file"), "one").unwrap();
        fs::write(at("other"), "one").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink(at("file"), at("link")).unwrap();
        let noting = Noting::new(&Files);
        assert_eq!(noting.read(&at("file"), 9).unwrap(), b"one");
        noting.read(&at("missing"), 9).unwrap_err();
        noting.look(&at("link"));
        noting.look(&at("folder"));
        noting.resolve(&at("link"));
        let notes = noting.notes();
        assert_eq!(notes.len(), 5);
        let notes: BTreeSet<Note> = serde_json::from_str(&serde_json::to_string(&notes).unwrap()).unwrap();
        change(bed.path());
        assert_eq!(notes.iter().all(|note| note.holds(&Files)), expected);
    }

    #[test]
    fn what_is_still_so_is_told_from_what_is_not() {
        check(|_| {}, true);
        check(|bed| fs::write(bed.join("other"), "two").unwrap(), true);
        check(|bed| fs::write(bed.join("file"), "one").unwrap(), true);
        check(|bed| fs::write(bed.join("file"), "two").unwrap(), false);
        check(|bed| fs::write(bed.join("file"), "longer than nine").unwrap(), false);
        check(|bed| fs::write(bed.join("missing"), "").unwrap(), false);
        check(|bed| fs::remove_file(bed.join("file")).unwrap(), false);
        check(
            |bed| fs::set_permissions(bed.join("folder"), fs::Permissions::from_mode(0o711)).unwrap(),
            false,
        );
        let lead_elsewhere = |bed: &Path| {
            fs::remove_file(bed.join("link")).unwrap();
            symlink(bed.join("other"), bed.join("link")).unwrap();
        };
        check(lead_elsewhere, false);
    }
}
