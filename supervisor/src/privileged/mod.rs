//! What needs the machine's rights: asked for as one of a fixed set of requests, and answered in place or by a process
//! beside.
//!
//! `run` starts that process first of all, and gives its own capabilities up after that: whoever takes `run` over can ask
//! for what is in [`request`] and for nothing else, and each request is judged before it is carried out (`permit`).
//! Commands that an administrator gives carry the same requests out in place. Deliberately absent: deciding anything.

mod carry_out;
pub mod failure;
pub mod inside;
mod permit;
pub mod process;
pub mod request;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compose::Host;
use compose::host::{Look, ReadError};

use crate::decide::guard::Ruleset;
use crate::decide::live::LiveFile;
use crate::decide::seen::{SeenGuard, SeenTable};
use crate::host::apparmor::LoadError;
use crate::host::contents::Staged;
use crate::host::guard::{self, GuardError};
use crate::host::live::Deed;
use crate::observe::denials::{Running, Whose};
use crate::observe::kernel::records::{Record, What};
use crate::observe::kernel::{Evidence, EvidenceError, Sought};
use carry_out::Done;
use process::Lanes;
use request::{Answer, Request};

/// Who carries out what needs the machine's rights.
#[derive(Clone, Debug, Default)]
pub enum Rights {
    /// This process, by its own.
    #[default]
    Own,
    /// The process beside.
    Beside(Arc<Lanes>),
}

impl Rights {
    /// Asks. What comes with a request, or with its answer, as bytes is beside it: it is never printed.
    fn ask(&self, request: &Request, body: &[u8]) -> io::Result<(Answer, Vec<u8>)> {
        self.done(request, body).map(|done| (done.answer, done.body))
    }

    fn done(&self, request: &Request, body: &[u8]) -> io::Result<Done> {
        let done = match self {
            Self::Own => return Ok(carry_out::carry_out(request, body, |_| Ok(()))),
            Self::Beside(lanes) => lanes.ask(request, body)?,
        };
        if let Answer::Refused(why) = done.answer {
            tracing::error!("a request was refused by the process that has the rights for it: {why}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(done)
    }

    /// A socket that listens on a low port of loopback.
    ///
    /// # Errors
    /// Somebody listens there, or it is no such port.
    pub fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        let done = self.done(&Request::Listen { at }, &[])?;
        match (done.answer, done.socket) {
            (Answer::Listening(Ok(())), Some(socket)) => Ok(socket.into()),
            (Answer::Listening(Err(failure)), _) => Err(failure.0),
            _ => Err(another()),
        }
    }

    /// Loads an AppArmor profile, or replaces the one of its name.
    ///
    /// # Errors
    /// As of [`crate::host::apparmor::load`].
    pub fn load_profile(&self, name: &str, text: &str) -> Result<(), LoadError> {
        let request = Request::LoadProfile { name: name.to_owned(), text: text.to_owned() };
        match self.ask(&request, &[]).map_err(LoadError::Run)?.0 {
            Answer::Loaded(outcome) => outcome,
            _ => Err(LoadError::Run(another())),
        }
    }

    /// Takes out the profiles of a project that nothing runs under, but these; their names.
    ///
    /// # Errors
    /// As of [`crate::host::apparmor::unload_unused`].
    pub fn unload_profiles(&self, project: &str, kept: BTreeSet<String>) -> io::Result<Vec<String>> {
        match self.ask(&Request::UnloadProfiles { project: project.to_owned(), kept }, &[])?.0 {
            Answer::Unloaded(outcome) => outcome.map_err(|failure| failure.0),
            _ => Err(another()),
        }
    }

    /// How the guard of a project is.
    pub fn see_guard(&self, folder: &Path, project: &str) -> SeenGuard {
        let request = Request::SeeGuard { folder: folder.to_owned(), project: project.to_owned() };
        let unable = |why: io::Error| SeenGuard {
            table: SeenTable::Unable(format!("the process that asks the kernel does not: {why}")),
            ..SeenGuard::default()
        };
        match self.ask(&request, &[]) {
            Ok((Answer::Guard(seen), _)) => seen,
            Ok(_) => unable(another()),
            Err(why) => unable(why),
        }
    }

    /// Puts a guard in place of the one that is there.
    ///
    /// # Errors
    /// As of [`guard::is_here`] and [`guard::set`].
    pub fn set_guard(&self, folder: &Path, ruleset: &Ruleset) -> Result<(), GuardError> {
        guard::is_here(ruleset)?;
        self.set_guard_as_before(folder, ruleset.project(), &ruleset.hash(), &ruleset.script())
    }

    /// The same by the script that set it once.
    ///
    /// # Errors
    /// As of [`guard::set`].
    pub fn set_guard_as_before(
        &self,
        folder: &Path,
        project: &str,
        ruleset: &str,
        script: &str,
    ) -> Result<(), GuardError> {
        let (folder, project) = (folder.to_owned(), project.to_owned());
        self.guarded(&Request::SetGuard {
            folder,
            project,
            ruleset: ruleset.to_owned(),
            script: script.to_owned(),
        })
    }

    /// Takes a project's guard away.
    ///
    /// # Errors
    /// As of [`guard::remove`].
    pub fn remove_guard(&self, folder: &Path, project: &str) -> Result<(), GuardError> {
        self.guarded(&Request::RemoveGuard { folder: folder.to_owned(), project: project.to_owned() })
    }

    fn guarded(&self, request: &Request) -> Result<(), GuardError> {
        match self.ask(request, &[]).map_err(GuardError::Run)?.0 {
            Answer::GuardSet(outcome) => outcome,
            _ => Err(GuardError::Run(another())),
        }
    }

    /// Looks at a running container.
    ///
    /// # Errors
    /// It is gone, or nobody can look.
    pub fn evidence(&self, sought: &Sought) -> Result<Evidence, EvidenceError> {
        let unable = |why: &io::Error| EvidenceError::Unable {
            container: sought.container.clone(),
            why: why.to_string(),
        };
        match self.ask(&Request::Evidence(Box::new(sought.clone())), &[]).map_err(|why| unable(&why))?.0 {
            Answer::Evidence(outcome) => outcome.map(|evidence| *evidence),
            _ => Err(unable(&another())),
        }
    }

    /// Whether any process of the container with this process 1 is stopped by a signal. `false` where nobody can tell.
    pub fn is_frozen(&self, pid: u32) -> bool {
        matches!(self.ask(&Request::IsFrozen { pid }, &[]), Ok((Answer::Frozen(true), _)))
    }

    /// How often the kernel refused a process to the container with this process 1 for its limit. 0 where nobody can tell.
    pub fn pids_refused(&self, pid: u32) -> u64 {
        match self.ask(&Request::PidsRefused { pid }, &[]) {
            Ok((Answer::Count(count), _)) => count,
            _ => 0,
        }
    }

    /// Puts a secret or config into a file of its owner in the project's state folder, where it is not there already.
    ///
    /// # Errors
    /// The file cannot be written or given to its owner.
    pub fn stage(&self, folder: &Path, staged: &Staged, bytes: &[u8]) -> io::Result<()> {
        let request = Request::Stage { folder: folder.to_owned(), staged: staged.clone() };
        match self.ask(&request, bytes)?.0 {
            Answer::Staged(outcome) => outcome.map_err(|failure| failure.0),
            _ => Err(another()),
        }
    }

    /// Does something to a file of a container whose content is changed under it; whether that changed anything.
    ///
    /// # Errors
    /// The file is not there, or cannot be read or written.
    pub fn change(&self, folder: &Path, file: &LiveFile, deed: Deed, bytes: &[u8]) -> io::Result<bool> {
        let request = Request::Change { folder: folder.to_owned(), file: file.clone(), deed };
        match self.ask(&request, bytes)?.0 {
            Answer::Changed(outcome) => outcome.map_err(|failure| failure.0),
            _ => Err(another()),
        }
    }

    /// What all such files of a project hold: SHA-256 by name.
    ///
    /// # Errors
    /// They are there, and not to be read.
    pub fn see_live(&self, folder: &Path) -> io::Result<BTreeMap<String, String>> {
        match self.ask(&Request::SeeLive { folder: folder.to_owned() }, &[])?.0 {
            Answer::Live(outcome) => outcome.map_err(|failure| failure.0),
            _ => Err(another()),
        }
    }

    /// Whose process it is; `None` where it is no container's, or nobody can tell.
    pub fn whose(&self, pid: u32) -> Option<Whose> {
        match self.ask(&Request::Whose { pid }, &[]) {
            Ok((Answer::Whose(whose), _)) => whose,
            _ => None,
        }
    }

    /// Whose process it was that has ended.
    pub fn by_what_is_left(&self, record: &Record, running: Vec<Running>) -> Option<String> {
        let (What::Call { .. }, Some(uid)) = (&record.denied, record.uid) else { return None };
        let program = record.program.clone();
        match self.ask(&Request::ByWhatIsLeft { uid, program, running }, &[]) {
            Ok((Answer::Name(name), _)) => name,
            _ => None,
        }
    }
}

/// Files of the stack may be other users' and not for everybody.
impl Host for Rights {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
        let failed = |error: io::Error| ReadError::Failed(error.to_string());
        match self.ask(&Request::Read { path: here(path), limit }, &[]).map_err(failed)? {
            (Answer::Read(Ok(())), bytes) => Ok(bytes),
            (Answer::Read(Err(why)), _) => Err(why.into()),
            _ => Err(failed(another())),
        }
    }

    fn look(&self, path: &Path) -> Look {
        match self.ask(&Request::Look { path: here(path) }, &[]) {
            Ok((Answer::Looked(seen), _)) => (*seen).into(),
            _ => nothing(path),
        }
    }

    fn resolve(&self, path: &Path) -> (PathBuf, Vec<PathBuf>) {
        match self.ask(&Request::Resolve { path: here(path) }, &[]) {
            Ok((Answer::Resolved(resolved, links), _)) => (resolved, links),
            _ => (path.to_path_buf(), Vec::new()),
        }
    }
}

/// Whoever answers may be in another folder.
fn here(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// What is known of a path that nobody can look at.
fn nothing(path: &Path) -> Look {
    Look {
        resolved: path.to_path_buf(),
        links: Vec::new(),
        kind: None,
        sockets: Vec::new(),
        identity: None,
        mode: None,
        owner: None,
    }
}

fn another() -> io::Error {
    io::Error::other("the answer is to another question")
}
