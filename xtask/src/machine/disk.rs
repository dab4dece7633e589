//! The disk that every boot starts from: the root with the list of what the kernel has built in, as an ext4 image.
//!
//! This file's text is part of the cache's key. Deliberately absent: writing to it; a boot keeps its changes beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cache;
use crate::shell::{command, quiet, say};

use super::trim;

/// Bytes of the disk; what is not written takes no room.
const SIZE: u64 = 6 << 30;
/// The image's name in its folder.
pub(super) const NAME: &str = "disk";

/// The folder of the image.
pub(super) fn ensure(root: &Path, kernel: &Path) -> Result<PathBuf> {
    let parts = [include_str!("disk.rs"), &trim::key(), &root.to_string_lossy(), &kernel.to_string_lossy()];
    let key = cache::key(&parts);
    cache::entry(&format!("machine-disk-{key}"), |folder| {
        say("writing the machine's disk");
        // Links instead of copies: the root stays as it is.
        let whole = folder.join("whole");
        quiet(command("cp", ["--archive", "--link"]).arg(root).arg(&whole))?;
        trim::trim(&whole)?;
        add_modules(&kernel.join("modules"), &whole)?;
        let image = folder.join(NAME);
        File::create(&image)?.set_len(SIZE)?;
        let format =
            ["-q", "-t", "ext4", "-L", "machine", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-d"];
        quiet(command("mke2fs", format).arg(&whole).arg(&image))?;
        fs::remove_dir_all(&whole)?;
        Ok(())
    })
}

fn add_modules(modules: &Path, root: &Path) -> Result<()> {
    let place = root.join("usr/lib/modules");
    fs::create_dir_all(&place)?;
    for entry in fs::read_dir(modules)? {
        let entry = entry?;
        quiet(command("cp", ["--archive"]).arg(entry.path()).arg(&place))?;
        let version = entry.file_name();
        quiet(command("chroot", [root]).arg("depmod").arg(&version))
            .with_context(|| format!("modules of {}", version.display()))?;
    }
    Ok(())
}
