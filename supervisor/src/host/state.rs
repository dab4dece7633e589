//! Where the little that has to outlive the program is kept: one folder a project, for root alone.
//!
//! Deliberately absent: what the engine knows already; labels hold that.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where states are kept on a machine that says nothing else.
pub const DEFAULT: &str = "/var/lib/supervisor";
/// Where the cache is beside it (the Filesystem Hierarchy Standard, section 5.5).
const CACHE: &str = "/var/cache/supervisor";
/// The variable that says something else.
pub const VARIABLE: &str = "SUPERVISOR_STATE_DIR";

/// The project's folder could not be made or is not ours alone.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made.
    #[error("cannot make the state folder `{}`", .path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link, a file, or somebody else's.
    #[error("the state folder `{}` is not a folder of this user", .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
}

impl StateError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Create { .. } => {
                format!("run as root, or choose a folder of your own with `--state-dir` or {VARIABLE}")
            }
            Self::Foreign { path } => {
                format!(
                    "see `ls -ld {}`; choose another folder with `--state-dir` or {VARIABLE}",
                    path.display()
                )
            }
        }
    }
}

/// The folder of one project: `--state-dir`, else the variable, else the usual place. Made where it is missing.
///
/// # Errors
/// It cannot be made, or it is a link or somebody else's.
pub fn project(option: Option<&Path>, project: &str) -> Result<PathBuf, StateError> {
    let root = root(option);
    private_folder(&root)?;
    let path = root.join(project);
    private_folder(&path)?;
    Ok(path)
}

/// Where [`project`] is or would be, for whoever only looks.
pub fn place(option: Option<&Path>, project: &str) -> PathBuf {
    root(option).join(project)
}

/// The folder of all projects' folders.
pub fn root(option: Option<&Path>) -> PathBuf {
    let variable = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()).map(PathBuf::from);
    let root = option.map(Path::to_path_buf).or(variable).unwrap_or_else(|| PathBuf::from(DEFAULT));
    std::path::absolute(&root).unwrap_or(root)
}

/// The folder of what is only kept to be faster. It is not in the state's: `run` writes there, and whoever has taken it over must
/// not be able to tell a later command what it found.
pub fn cache(option: Option<&Path>) -> PathBuf {
    let root = root(option);
    match root.file_name() {
        Some(name) if root != Path::new(DEFAULT) => {
            let mut beside = name.to_owned();
            beside.push(".cache");
            root.with_file_name(beside)
        }
        _ => PathBuf::from(CACHE),
    }
}

/// Makes a folder that nobody else can look into, and refuses one that somebody else could have prepared.
///
/// # Errors
/// It cannot be made, or it is a link or somebody else's.
pub fn private_folder(path: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Create { path: path.to_path_buf(), source };
    let foreign = || StateError::Foreign { path: path.to_path_buf() };
    match std::fs::DirBuilder::new().mode(0o700).recursive(false).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or_else(foreign)?;
            std::fs::create_dir_all(parent).map_err(failed)?;
            return private_folder(path);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    if !is_own(&found) {
        return Err(foreign());
    }
    if is_open(&found) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

fn is_own(found: &Metadata) -> bool {
    found.is_dir() && found.uid() == rustix::process::geteuid().as_raw()
}

/// Whether others may do anything there.
fn is_open(found: &Metadata) -> bool {
    found.mode() & 0o077 != 0
}

/// Whether nobody else can have put anything into a folder.
pub(super) fn is_private(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| is_own(&found) && !is_open(&found))
}

/// Keeps a value in a folder, for root alone.
///
/// # Errors
/// The folder cannot be written to; what was kept before stays whole.
pub(super) fn keep(folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
    std::fs::rename(new, folder.join(name))
}

/// Removes a file; whether it was there.
///
/// # Errors
/// It is there and cannot be removed.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_narrowed_where_it_is_wide() {
        let bed = tempfile::tempdir().unwrap();
        let made = project(Some(&bed.path().join("deep/er")), "shop").unwrap();
        assert_eq!(std::fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        let again = project(Some(&bed.path().join("deep/er")), "shop").unwrap();
        assert_eq!(std::fs::metadata(again).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_cache_is_not_in_the_states_folder() {
        for root in [DEFAULT, "/srv/state", "/srv/state/"] {
            let cache = cache(Some(Path::new(root)));
            assert!(!cache.starts_with(root), "{}", cache.display());
        }
        assert_eq!(cache(Some(Path::new(DEFAULT))), Path::new(CACHE));
    }

    #[test]
    fn a_folder_that_others_can_write_in_is_not_private() {
        let bed = tempfile::tempdir().unwrap();
        let path = bed.path().join("cache");
        assert!(!is_private(&path));
        private_folder(&path).unwrap();
        assert!(is_private(&path));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(!is_private(&path));
        std::os::unix::fs::symlink(&path, bed.path().join("link")).unwrap();
        assert!(!is_private(&bed.path().join("link")));
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let bed = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", bed.path().join("shop")).unwrap();
        let error = project(Some(bed.path()), "shop").unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
    }
}
