//! What the last `up` that had nothing to do went by, kept in the project's state folder.
//!
//! A hint: lost, old or unreadable, it costs the work of judging and planning. Deliberately absent: whether it still holds, which
//! is `commands::unchanged`'s.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::noted::Note;
use super::state;
use crate::pipeline::Sought;

const NAME: &str = "unchanged.json";

/// All that went into a plan without a step, as hashes where it is much or may be secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// The program, its command line and variables, the day, the kernel.
    pub call: String,
    /// What was read of the host.
    pub notes: BTreeSet<Note>,
    /// What was looked for on the engine.
    pub sought: Sought,
    /// What was seen there.
    pub seen: String,
    /// What was said of the file, as it went to standard error.
    pub said: String,
    /// Warnings of the plan.
    pub warnings: Vec<String>,
}

/// What was kept of such a call, of whichever project under this root it was.
pub fn find(root: &Path, call: &str) -> Option<Unchanged> {
    let kept = |folder: fs::DirEntry| -> Option<Unchanged> {
        let bytes = fs::read(folder.path().join(NAME)).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|kept: &Unchanged| kept.call == call)
    };
    fs::read_dir(root).ok()?.flatten().find_map(kept)
}

/// Keeps it.
///
/// # Errors
/// The folder cannot be written to; what was kept before stays whole.
pub fn keep(folder: &Path, unchanged: &Unchanged) -> io::Result<()> {
    state::keep(folder, NAME, unchanged)
}

/// Forgets what was kept.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Scope;

    #[test]
    fn what_is_kept_is_found_by_its_call_alone() {
        let bed = tempfile::tempdir().unwrap();
        let unchanged = |call: &str, project: &str| Unchanged {
            call: call.to_owned(),
            sought: Sought { scope: Scope::project(project), ..Sought::default() },
            ..Unchanged::default()
        };
        for project in ["shop", "mail"] {
            fs::create_dir(bed.path().join(project)).unwrap();
            keep(&bed.path().join(project), &unchanged(&format!("up in {project}"), project)).unwrap();
        }
        assert_eq!(find(bed.path(), "up in mail").unwrap().sought.scope.project, "mail");
        assert_eq!(find(bed.path(), "up"), None);
        assert_eq!(find(&bed.path().join("nowhere"), "up"), None);
        keep(&bed.path().join("mail"), &unchanged("up -d", "mail")).unwrap();
        assert_eq!(find(bed.path(), "up in mail"), None);
        for _ in 0..2 {
            forget(&bed.path().join("mail")).unwrap();
        }
        assert_eq!(find(bed.path(), "up -d"), None);
        fs::write(bed.path().join("shop").join(NAME), "{").unwrap();
        assert_eq!(find(bed.path(), "up in shop"), None);
    }
}
