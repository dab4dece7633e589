//! What the last `up` that had nothing to do went by, kept in the cache: one file a project.
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

/// What was kept of such a call, of whichever project it was; nothing out of a folder that others can write in.
pub fn find(cache: &Path, call: &str) -> Option<Unchanged> {
    let kept = |file: fs::DirEntry| -> Option<Unchanged> {
        let bytes = fs::read(file.path()).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|kept: &Unchanged| kept.call == call)
    };
    state::is_private(cache).then(|| fs::read_dir(cache).ok())??.flatten().find_map(kept)
}

/// Keeps it, in place of what was kept of its project before.
///
/// # Errors
/// The folder cannot be made or written to, or is somebody else's; what was kept before stays whole.
pub fn keep(cache: &Path, unchanged: &Unchanged) -> io::Result<()> {
    state::private_folder(cache).map_err(io::Error::other)?;
    state::keep(cache, &name(&unchanged.sought.scope.project), unchanged)
}

/// Forgets what was kept of a project.
///
/// # Errors
/// It is there and cannot be removed.
pub fn forget(cache: &Path, project: &str) -> io::Result<()> {
    state::remove(&cache.join(name(project))).map(drop)
}

fn name(project: &str) -> String {
    format!("{project}.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::engine::Scope;

    #[test]
    fn what_is_kept_is_found_by_its_call_alone() {
        let bed = tempfile::tempdir().unwrap();
        let cache = bed.path().join("cache");
        let unchanged = |call: &str, project: &str| Unchanged {
            call: call.to_owned(),
            sought: Sought { scope: Scope::project(project), ..Sought::default() },
            ..Unchanged::default()
        };
        assert_eq!(find(&cache, "up"), None);
        for project in ["shop", "mail"] {
            keep(&cache, &unchanged(&format!("up in {project}"), project)).unwrap();
        }
        assert_eq!(find(&cache, "up in mail").unwrap().sought.scope.project, "mail");
        assert_eq!(find(&cache, "up"), None);
        keep(&cache, &unchanged("up -d", "mail")).unwrap();
        assert_eq!(find(&cache, "up in mail"), None);
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(find(&cache, "up -d"), None, "out of a folder that others can write in");
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(find(&cache, "up -d").is_some());
        for _ in 0..2 {
            forget(&cache, "mail").unwrap();
        }
        assert_eq!(find(&cache, "up -d"), None);
        fs::write(cache.join(name("shop")), "{").unwrap();
        assert_eq!(find(&cache, "up in shop"), None);
    }
}
