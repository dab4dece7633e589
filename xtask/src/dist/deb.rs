//! The Debian package, by Debian's own program.
//!
//! Deliberately absent: debhelper, whose scripts would start and stop the unit as if containers were its own.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::product::workspace;
use crate::shell::{command, output, quiet};

use super::put;

/// Packs `root`; its control files are put beside it first.
pub(super) fn build(
    root: &Path,
    stage: &Path,
    deb: &Path,
    version: &str,
    architecture: &str,
    epoch: u64,
) -> Result<()> {
    let tree = stage.join("deb");
    quiet(command("cp", ["--archive"]).arg(root).arg(&tree))?;
    let size = output(command("du", ["--apparent-size", "--summarize", "--block-size=1024"]).arg(root))?;
    let size = size.split_whitespace().next().unwrap_or("0").to_owned();
    let source = workspace().join("packaging/debian");
    let control = fs::read_to_string(source.join("control"))?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@SIZE@", &size);
    put(&tree.join("DEBIAN/control"), 0o644, control.as_bytes())?;
    put(&tree.join("DEBIAN/conffiles"), 0o644, &fs::read(source.join("conffiles"))?)?;
    for script in ["postinst", "prerm", "postrm"] {
        put(&tree.join("DEBIAN").join(script), 0o755, &fs::read(source.join(script))?)?;
    }
    put(&tree.join("DEBIAN/md5sums"), 0o644, sums(root)?.as_bytes())?;
    let build = ["--root-owner-group", "-Zxz", "--threads-max=1", "--build"];
    quiet(command("dpkg-deb", build).arg(&tree).arg(deb).env("SOURCE_DATE_EPOCH", epoch.to_string()))
}

/// What dpkg compares installed files with.
fn sums(root: &Path) -> Result<String> {
    let list = output(command("find", [".", "-type", "f", "-printf", "%P\\n"]).current_dir(root))?;
    let mut names: Vec<&str> = list.lines().filter(|name| !name.starts_with("etc/")).collect();
    names.sort_unstable();
    output(command("md5sum", names).current_dir(root))
}
