//! One writer a project: a lock on a file, which the kernel lets go of when its holder ends, however it ends.
//!
//! Deliberately absent: waiting. Whoever comes second is told who is first.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Held while it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The lock was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process changes the project.
    #[error("project `{project}` is being changed by {holder}")]
    Held {
        /// Which.
        project: String,
        /// Its process id and command, as it wrote them.
        holder: String,
    },
    /// The file cannot be opened or locked.
    #[error("cannot lock `{}`", .path.display())]
    Failed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LockError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Held { holder, .. } if holder.contains("`run`") => {
                "a running supervisor keeps this project as its file says: edit the file and reload it \
                 (`systemctl reload supervisor`, or SIGHUP), or end it first"
                    .into()
            }
            Self::Held { .. } => "wait until it has ended, or end it, and run this again".into(),
            Self::Failed { .. } => "run as root, or choose a folder of your own with `--state-dir`".into(),
        }
    }
}

/// Takes the project's lock for a command, `up` or `run`; `folder` is the project's state folder.
///
/// # Errors
/// Somebody has it, or it cannot be locked at all.
pub fn take(folder: &Path, project: &str, command: &str) -> Result<Lock, LockError> {
    let path = folder.join("lock");
    let failed = |source| LockError::Failed { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(200).read_to_string(&mut holder);
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            return Err(LockError::Held { project: project.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    write!(file, "process {} (`{command}`)", std::process::id()).map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first_and_the_third_comes_after() {
        let bed = tempfile::tempdir().unwrap();
        let first = take(bed.path(), "shop", "run").unwrap();
        let error = take(bed.path(), "shop", "up").unwrap_err();
        let first_is = format!("process {} (`run`)", std::process::id());
        assert_eq!(error.to_string(), format!("project `shop` is being changed by {first_is}"));
        assert!(error.help().contains("reload"));
        drop(first);
        take(bed.path(), "shop", "up").unwrap();
    }
}
