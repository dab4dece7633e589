//! The ground that a project's containers stand on, kept in its state folder between two runs of `up`.
//!
//! A hint: lost, old or unreadable, it costs two requests. Deliberately absent: any check of it; `engine::ground` does.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::engine::ground::Ground;

const NAME: &str = "ground.json";

/// What was kept, if it can be read.
pub fn read(folder: &Path) -> Option<Ground> {
    serde_json::from_slice(&std::fs::read(folder.join(NAME)).ok()?).ok()
}

/// Keeps it, or forgets what was kept.
///
/// # Errors
/// The folder cannot be written to; what was kept before stays whole.
pub fn write(folder: &Path, ground: Option<&Ground>) -> io::Result<()> {
    let Some(ground) = ground else {
        return match std::fs::remove_file(folder.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    let new = folder.join(format!("{NAME}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(ground).map_err(io::Error::other)?)?;
    std::fs::rename(new, folder.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_what_is_broken_is_nothing() {
        let bed = tempfile::tempdir().unwrap();
        assert_eq!(read(bed.path()), None);
        write(bed.path(), Some(&Ground::default())).unwrap();
        assert_eq!(read(bed.path()), Some(Ground::default()));
        std::fs::write(bed.path().join(NAME), "{").unwrap();
        assert_eq!(read(bed.path()), None);
        write(bed.path(), None).unwrap();
        assert_eq!(std::fs::read_dir(bed.path()).unwrap().count(), 0);
    }
}
