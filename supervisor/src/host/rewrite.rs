//! Files of the author's, written anew: whole or not at all, and only if they are still what was read.
//!
//! Mode and owner stay, and a symbolic link stays a link to what is rewritten. Deliberately absent: making a file that
//! is not there.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use compose::Host as _;

use super::files::Files;

/// One file, as it was read and as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    /// Where it was read from.
    pub path: &'a Path,
    /// What was read.
    pub before: &'a [u8],
    /// What is written.
    pub after: &'a [u8],
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// It cannot be found or read.
    #[error("cannot read `{}` again", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else wrote it in the meantime, or it is not a regular file any more.
    #[error("`{}` has changed since it was read", .path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// It has other names, which would keep the old text.
    #[error("`{}` has other names (hard links), which would keep the old text", .path.display())]
    Linked {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RewriteError {
    /// What to do next.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Read { .. } => "look at the path and its permissions",
            Self::Changed { .. } => "nothing was written; run the command again",
            Self::Linked { .. } => {
                "nothing was written; use `--diff`, and write the change where it should be"
            }
            Self::Write { .. } => {
                "look at the permissions of the file and of its folder; `--diff` needs none"
            }
        }
    }
}

/// Writes all of them, each by a new file that takes the old one's place. Nothing is written before all can be.
///
/// # Errors
/// One of them cannot be read or written, has changed, or has other names.
pub fn rewrite(files: &[Rewrite<'_>]) -> Result<(), RewriteError> {
    let ready: Vec<Ready> = files.iter().map(prepare).collect::<Result<_, _>>()?;
    ready.iter().try_for_each(Ready::is_as_read)?;
    ready.into_iter().try_for_each(Ready::put)
}

/// A new file beside the one whose place it will take. It goes away with this value.
struct Ready {
    real: PathBuf,
    temporary: PathBuf,
    seen: Metadata,
}

impl Drop for Ready {
    fn drop(&mut self) {
        // After it took its place there is nothing left of it.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn prepare(file: &Rewrite<'_>) -> Result<Ready, RewriteError> {
    let path = || file.path.to_path_buf();
    let read = |source| RewriteError::Read { path: path(), source };
    let write = |source| RewriteError::Write { path: path(), source };
    let real = fs::canonicalize(file.path).map_err(read)?;
    let seen = fs::symlink_metadata(&real).map_err(read)?;
    let limit = file.before.len() as u64;
    if Files.read(&real, limit).ok().as_deref() != Some(file.before) {
        return Err(RewriteError::Changed { path: path() });
    }
    if seen.nlink() > 1 {
        return Err(RewriteError::Linked { path: path() });
    }
    let mut name = OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let temporary = real.with_file_name(name);
    let mut new =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).map_err(write)?;
    let ready = Ready { real, temporary, seen };
    new.write_all(file.after).map_err(write)?;
    keep_owner_and_mode(&new, &ready.seen).map_err(write)?;
    new.sync_all().map_err(write)?;
    Ok(ready)
}

fn keep_owner_and_mode(new: &File, old: &Metadata) -> io::Result<()> {
    let made = new.metadata()?;
    if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    // After the owner, whose change takes some bits away.
    new.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))
}

impl Ready {
    fn is_as_read(&self) -> Result<(), RewriteError> {
        let now = fs::symlink_metadata(&self.real)
            .map_err(|source| RewriteError::Read { path: self.real.clone(), source })?;
        let mark =
            |m: &Metadata| (m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        if mark(&now) == mark(&self.seen) {
            Ok(())
        } else {
            Err(RewriteError::Changed { path: self.real.clone() })
        }
    }

    fn put(self) -> Result<(), RewriteError> {
        let write = |source| RewriteError::Write { path: self.real.clone(), source };
        fs::rename(&self.temporary, &self.real).map_err(write)?;
        // The name is on the disk once its folder is.
        let folder = self.real.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn one(path: &Path, before: &str, after: &str) -> Result<(), RewriteError> {
        rewrite(&[Rewrite { path, before: before.as_bytes(), after: after.as_bytes() }])
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let bed = tempfile::tempdir().unwrap();
        let path = file(bed.path(), "a", "old");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let (ino, open) = (fs::metadata(&path).unwrap().ino(), File::open(&path).unwrap());
        one(&path, "old", "new").unwrap();
        let now = fs::metadata(&path).unwrap();
        assert_eq!((now.mode() & 0o7777, now.ino() == ino), (0o640, false));
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(
            io::read_to_string(open).unwrap(),
            "old",
            "whoever reads the old file reads it to its end"
        );
        assert_eq!(names(bed.path()), ["a"]);
    }

    #[test]
    fn an_owner_stays() {
        // Only root can give a file away; for anybody else the owner is their own, and stays too.
        let bed = tempfile::tempdir().unwrap();
        let path = file(bed.path(), "a", "old");
        let _ = std::os::unix::fs::chown(&path, Some(4711), Some(4712));
        let owner = fs::metadata(&path).map(|m| (m.uid(), m.gid())).unwrap();
        one(&path, "old", "new").unwrap();
        assert_eq!(fs::metadata(&path).map(|m| (m.uid(), m.gid())).unwrap(), owner);
    }

    #[test]
    fn a_link_stays_a_link() {
        let bed = tempfile::tempdir().unwrap();
        fs::create_dir(bed.path().join("deep")).unwrap();
        let real = file(&bed.path().join("deep"), "real", "old");
        symlink("deep/real", bed.path().join("link")).unwrap();
        one(&bed.path().join("link"), "old", "new").unwrap();
        assert!(fs::symlink_metadata(bed.path().join("link")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(real).unwrap(), "new");
        assert_eq!(names(&bed.path().join("deep")), ["real"]);
    }

    #[test]
    fn what_has_changed_or_has_other_names_is_left_and_so_are_the_others() {
        let bed = tempfile::tempdir().unwrap();
        let (a, b) = (file(bed.path(), "a", "old"), file(bed.path(), "b", "newer"));
        let files = [
            Rewrite { path: &a, before: b"old", after: b"new" },
            Rewrite { path: &b, before: b"old", after: b"new" },
        ];
        assert!(matches!(rewrite(&files), Err(RewriteError::Changed { path }) if path == b));
        assert_eq!(fs::read_to_string(&a).unwrap(), "old");
        fs::hard_link(&a, bed.path().join("c")).unwrap();
        assert!(matches!(one(&a, "old", "new"), Err(RewriteError::Linked { .. })));
        assert!(matches!(one(&bed.path().join("d"), "old", "new"), Err(RewriteError::Read { .. })));
        assert_eq!(names(bed.path()), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_written_between_reading_and_replacing_is_seen() {
        let bed = tempfile::tempdir().unwrap();
        let path = file(bed.path(), "a", "old");
        let ready = prepare(&Rewrite { path: &path, before: b"old", after: b"new" }).unwrap();
        fs::write(&path, "own").unwrap();
        assert!(matches!(ready.is_as_read(), Err(RewriteError::Changed { .. })));
        drop(ready);
        assert_eq!(names(bed.path()), ["a"]);
    }
}
