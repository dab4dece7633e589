//! Where an attempt can write: the first of the usual places that lets it.
//!
//! Folders are made and files removed by the calls that newer architectures have, for a filter may deny the older ones: what
//! an attempt does besides must not be what stops it. Deliberately absent: what is written there.

use std::ffi::c_long;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use crate::kernel::{AT_FDCWD, errno, error, path, zero};
use crate::number;

/// Places that a service may write to, those in memory first: the images of the suite, then those of the real stack.
const PLACES: [&str; 6] =
    ["/scratch", "/tmp", "/data", "/home/node/.cache", "/home/node/.openclaw", "/dev/shm"];

/// The first place that can be written to.
pub(crate) fn scratch() -> Result<PathBuf> {
    let mut places = PLACES.iter().map(PathBuf::from);
    places.find(|place| writes(place).is_ok()).ok_or_else(|| error(errno::ENOENT))
}

/// A name in the first place that can be written to, for this process alone.
pub(crate) fn fresh(name: &str) -> Result<PathBuf> {
    Ok(scratch()?.join(format!("{name}-{}", std::process::id())))
}

/// Creates a file in a folder and removes it.
pub(crate) fn writes(folder: &Path) -> Result<()> {
    let probe = folder.join(format!("attack-{}", std::process::id()));
    fs::write(&probe, "written")?;
    remove(&probe);
    Ok(())
}

/// Makes a folder.
pub(crate) fn folder(folder: &Path) -> Result<()> {
    zero(&[number::MKDIRAT, AT_FDCWD, path(&folder.to_string_lossy()), 0o755])
}

/// Removes a file or an empty folder, if that is possible.
pub(crate) fn remove(what: &Path) {
    const AT_REMOVEDIR: c_long = 0x200;
    for flags in [0, AT_REMOVEDIR] {
        let _ = zero(&[number::UNLINKAT, AT_FDCWD, path(&what.to_string_lossy()), flags]);
    }
}

/// Prints every folder below in which a file can be created, without the kernel's own file systems.
pub(crate) fn print_writable(folder: &Path) {
    if writes(folder).is_ok() {
        println!("{}", folder.display());
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let kernel = ["/proc", "/sys"].iter().any(|path| entry.path() == Path::new(path));
        if !kernel && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            print_writable(&entry.path());
        }
    }
}
