//! The ground that a project's containers stand on, kept in its state folder between two runs of `up`.
//!
//! A hint: lost, old or unreadable, it costs two requests. Deliberately absent: any check of it; `engine::ground` does.

use std::io;
use std::path::Path;

use super::state;
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
        return state::remove(&folder.join(NAME)).map(drop);
    };
    state::keep(folder, NAME, ground)
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
