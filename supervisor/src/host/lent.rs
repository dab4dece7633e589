//! How a service of a project that `run` keeps is asked for and given back: a lock on a file says who wants which, and a
//! second file is `run`'s answer.
//!
//! The kernel lets go of the lock when its holder ends, however it ends, and `run` takes the service back. Deliberately
//! absent: when `run` may let go of it (`run::lend`).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::{self, Lock, LockError};
use super::state;

/// The lock, in the project's state folder.
const ASKED: &str = "lend";
/// The answer: the holder of the lock that was granted its wish.
const GRANTED: &str = "lent";
/// Between two looks at the other's file.
const LOOK: Duration = Duration::from_millis(50);

/// A service in our hands. Dropping it gives the service back.
#[derive(Debug)]
pub struct Lent {
    lock: Lock,
    folder: PathBuf,
}

/// Why a service is not lent.
#[derive(Debug, thiserror::Error)]
pub enum LentError {
    /// Somebody else has one in hand.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The files in the state folder.
    #[error("cannot ask for the service in `{}`", .folder.display())]
    Failed {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `run` has ended meanwhile.
    #[error("the supervisor that keeps the project has ended")]
    Ended,
}

/// Asks for a service, and waits until it is let go of: a plan that is under way is carried out first.
///
/// # Errors
/// Somebody else has a service in hand, or the supervisor that keeps the project ends.
pub async fn borrow(folder: &Path, project: &str, service: &str, command: &str) -> Result<Lent, LentError> {
    let mut lock = lock::take_at(&folder.join(ASKED), project, command)?;
    let failed = |source| LentError::Failed { folder: folder.to_path_buf(), source };
    lock.settle(service).map_err(failed)?;
    let lent = Lent { lock, folder: folder.to_path_buf() };
    while granted(folder).as_deref() != Some(lent.lock.holder()) {
        is_kept(folder)?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(lent)
}

impl Lent {
    /// Gives it back, and waits until the stack is as wanted again.
    ///
    /// # Errors
    /// The supervisor that keeps the project has ended; its next start does what is left.
    pub async fn give_back(self) -> Result<(), LentError> {
        let folder = self.folder.clone();
        drop(self);
        while granted(&folder).is_some() {
            is_kept(&folder)?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

fn is_kept(folder: &Path) -> Result<(), LentError> {
    match lock::holder(folder) {
        Some(holder) if holder.contains("`run`") => Ok(()),
        _ => Err(LentError::Ended),
    }
}

fn granted(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join(GRANTED)).ok()
}

/// For `run`: who asks for a service now, as he wrote it, and for which.
pub fn asked(folder: &Path) -> Option<(String, String)> {
    let path = folder.join(ASKED);
    let holder = lock::holder_at(&path)?;
    let service = lock::settled_at(&path);
    (!service.is_empty()).then_some((holder, service))
}

/// For `run`: answers that this one has what he asked for, or that nobody has anything any more.
///
/// # Errors
/// The answer cannot be written.
pub fn answer(folder: &Path, holder: Option<&str>) -> io::Result<()> {
    let path = folder.join(GRANTED);
    let Some(holder) = holder else {
        return state::remove(&path).map(drop);
    };
    let new = folder.join(".lent.new");
    std::fs::write(&new, holder)?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_asked_for_granted_and_given_back_by_whoever_holds_the_lock() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bed = tempfile::tempdir().unwrap();
        let folder = bed.path();
        let kept = lock::take(folder, "shop", "run").unwrap();
        assert_eq!(asked(folder), None);
        let lent = runtime.block_on(async {
            let (lent, ()) = tokio::join!(borrow(folder, "shop", "web", "profile record"), async {
                let (holder, service) = asked(folder).unwrap();
                assert_eq!(service, "web");
                answer(folder, Some(&holder)).unwrap();
            });
            lent.unwrap()
        });
        let second = runtime.block_on(borrow(folder, "shop", "db", "profile record")).unwrap_err();
        assert!(second.to_string().contains("`profile record`"), "{second}");
        runtime.block_on(async {
            let (back, ()) = tokio::join!(lent.give_back(), async {
                assert_eq!(asked(folder), None);
                answer(folder, None).unwrap();
            });
            back.unwrap();
        });
        drop(kept);
        let ended = runtime.block_on(borrow(folder, "shop", "web", "profile record")).unwrap_err();
        assert!(matches!(ended, LentError::Ended));
    }
}
