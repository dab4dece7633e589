//! Where downloads, images and tools are kept between runs: outside the checkout, rebuilt when missing.
//!
//! Deliberately absent: expiry. Every entry's name holds its version and the hash of what made it; the folder may be
//! removed at any time when nothing runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

/// `${XDG_CACHE_HOME:-~/.cache}/supervisor`, made if it is not there.
pub(crate) fn root() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let root = base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("supervisor");
    fs::create_dir_all(&root).with_context(|| format!("could not make `{}`", root.display()))?;
    Ok(root)
}

/// The entry of this name: as it is if it is there, else made by `make` in a folder beside it and moved into place
/// when it is whole.
pub(crate) fn entry(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let path = root()?.join(name);
    let _lock = lock(&format!("{}.lock", name.replace('/', "-")))?;
    if path.exists() {
        return Ok(path);
    }
    let part = path.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    make(&part)?;
    fs::rename(&part, &path)?;
    Ok(path)
}

/// Waits for and takes a lock of this name; it is let go when the file is dropped, or with this process.
pub(crate) fn lock(name: &str) -> Result<File> {
    let folder = root()?.join("locks");
    fs::create_dir_all(&folder)?;
    let file = File::create(folder.join(name))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        crate::shell::say(format!("waiting for another run that holds the lock `{name}`"));
        flock(&file, FlockOperation::LockExclusive)?;
    }
    Ok(file)
}

/// Eight hexadecimal digits of the SHA-256 of what an entry is made from.
pub(crate) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
