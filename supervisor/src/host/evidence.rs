//! What a broken promise looked like, kept in a file of its own in the project's state folder, for root alone.
//!
//! The container is stopped, and may be replaced by a later plan when its file has changed; what was seen of it stays.
//! Deliberately absent: removing anything; whoever has read a file removes it.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::state::private_folder;
use crate::attest::Check;
use crate::engine::Inspected;

/// The folder of kept evidence in the project's.
const FOLDER: &str = "evidence";

/// Writes down everything that was compared; the file.
///
/// # Errors
/// The folder cannot be had, or the file cannot be written.
pub fn keep(folder: &Path, container: &Inspected, checks: &[Check], at: Timestamp) -> io::Result<PathBuf> {
    let folder = folder.join(FOLDER);
    private_folder(&folder).map_err(io::Error::other)?;
    let time = at.strftime("%Y%m%dT%H%M%S.%3fZ");
    let path = folder.join(format!("{}-{time}.json", container.name));
    let report = serde_json::json!({
        "container": container.name,
        "id": container.id,
        "image_id": container.image_id,
        "at": at.to_string(),
        "checks": checks,
    });
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(format!("{report:#}\n").as_bytes())?;
    Ok(path)
}
