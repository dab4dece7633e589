//! One writer a project: a lock on a file, which the kernel lets go of when its holder ends, however it ends.
//!
//! Deliberately absent: waiting. Whoever comes second is told who is first.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Held while it lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
    holder: String,
    settled: String,
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
    take_at(&folder.join("lock"), project, command)
}

/// The same with a lock of another file.
///
/// # Errors
/// As [`take`].
pub fn take_at(path: &Path, project: &str, command: &str) -> Result<Lock, LockError> {
    let failed = |source| LockError::Failed { path: path.to_path_buf(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = lines(&mut file).map(|(holder, _)| holder).unwrap_or_default();
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            return Err(LockError::Held { project: project.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let (_, settled) = lines(&mut file).map_err(failed)?;
    let holder = format!("process {} (`{command}`)", std::process::id());
    let mut lock = Lock { file, holder, settled };
    lock.write("").map_err(failed)?;
    Ok(lock)
}

/// Who has the project's lock now, for whoever only looks: takes nothing, makes nothing, and disturbs nobody.
pub fn holder(folder: &Path) -> Option<String> {
    holder_at(&folder.join("lock"))
}

/// The same of the lock of another file.
pub fn holder_at(path: &Path) -> Option<String> {
    held(path, |_| true)
}

/// Whether this command holds it now, such as `run`. The kernel's list of locks is read only where the file says so.
pub fn is_held_by(folder: &Path, command: &str) -> bool {
    held(&folder.join("lock"), |holder| holder.contains(&format!("`{command}`"))).is_some()
}

fn held(path: &Path, may_be: impl Fn(&str) -> bool) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let inode = file.metadata().ok()?.ino().to_string();
    let holder = lines(&mut file).ok().map(|(holder, _)| holder).filter(|holder| may_be(holder))?;
    let process = holder.strip_prefix("process ")?.split(' ').next()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().any(|row| has(row, process, &inode)).then_some(holder)
}

/// What the last holder left with [`Lock::settle`], for whoever only looks.
pub fn settled(folder: &Path) -> String {
    settled_at(&folder.join("lock"))
}

/// The same of the lock of another file.
pub fn settled_at(path: &Path) -> String {
    let read = || lines(&mut File::open(path).ok()?).ok();
    read().map(|(_, settled)| settled).unwrap_or_default()
}

/// Whether a row of `/proc/locks` (`proc_locks(5)`) is this process's whole-file lock on this inode:
/// `1: FLOCK  ADVISORY  WRITE 708 08:01:5255 0 EOF`.
fn has(row: &str, process: &str, inode: &str) -> bool {
    let words: Vec<&str> = row.split_whitespace().collect();
    let [_, "FLOCK", _, _, owner, file, ..] = words.as_slice() else { return false };
    *owner == process && file.rsplit(':').next() == Some(inode)
}

impl Lock {
    /// Who has it, as others read it.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// What the last holder that came to its end left with [`Lock::settle`]; empty if one did not.
    pub fn settled(&self) -> &str {
        &self.settled
    }

    /// Leaves a word for the next holder: all that was begun has been done, in this way.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&mut self, word: &str) -> io::Result<()> {
        self.write(word)
    }

    fn write(&mut self, word: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}\n{word}", self.holder)
    }
}

/// Who holds or held it, and what they left.
fn lines(file: &mut File) -> io::Result<(String, String)> {
    let mut text = String::new();
    file.rewind()?;
    file.take(400).read_to_string(&mut text)?;
    let mut lines = text.lines().map(str::to_owned);
    Ok((lines.next().unwrap_or_default(), lines.next().unwrap_or_default()))
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

    #[test]
    fn whoever_only_looks_sees_who_has_it_while_it_is_held() {
        let bed = tempfile::tempdir().unwrap();
        assert_eq!(holder(bed.path()), None);
        let lock = take(bed.path(), "shop", "run").unwrap();
        assert_eq!(holder(bed.path()), Some(format!("process {} (`run`)", std::process::id())));
        assert_eq!(["run", "up"].map(|command| is_held_by(bed.path(), command)), [true, false]);
        drop(lock);
        assert_eq!(holder(bed.path()), None);
        assert!(!is_held_by(bed.path(), "run"));
    }

    #[test]
    fn a_word_is_left_for_the_next_and_lost_by_who_does_not_finish() {
        let bed = tempfile::tempdir().unwrap();
        take(bed.path(), "shop", "up").unwrap().settle("engine").unwrap();
        assert_eq!(settled(bed.path()), "engine");
        let next = take(bed.path(), "shop", "run").unwrap();
        assert_eq!(next.settled(), "engine");
        assert_eq!(settled(bed.path()), "");
        drop(next);
        assert_eq!(take(bed.path(), "shop", "up").unwrap().settled(), "");
    }
}
