//! The Debian package, by Debian's own program.
//!
//! Deliberately absent: debhelper, whose scripts would start and stop the unit as if containers were its own.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::debian;
use crate::product::workspace;
use crate::shell::{command, output, quiet};

use super::put;

/// What is packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contents<'a> {
    /// The tree that is installed.
    pub(super) root: &'a Path,
    /// A folder for what is made on the way.
    pub(super) stage: &'a Path,
    /// The package's version.
    pub(super) version: &'a str,
    /// The time of every file, in seconds since 1970.
    pub(super) epoch: u64,
}

/// Whether it is made small, which takes its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pressed {
    /// As it is given out.
    Yes,
    /// As it is installed at once.
    No,
}

/// Packs a tree into `deb`, its control files with it.
pub(super) fn build(contents: &Contents<'_>, pressed: Pressed, deb: &Path) -> Result<()> {
    let Contents { root, stage, version, epoch } = *contents;
    let tree = stage.join("deb");
    quiet(command("cp", ["--archive", "--link"]).arg(root).arg(&tree))?;
    let size = output(command("du", ["--apparent-size", "--summarize", "--block-size=1024"]).arg(root))?;
    let size = size.split_whitespace().next().unwrap_or("0").to_owned();
    let source = workspace().join("packaging/debian");
    let control = fs::read_to_string(source.join("control"))?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", &debian::architecture()?)
        .replace("@SIZE@", &size);
    put(&tree.join("DEBIAN/control"), 0o644, control.as_bytes())?;
    put(&tree.join("DEBIAN/conffiles"), 0o644, &fs::read(source.join("conffiles"))?)?;
    for script in ["postinst", "prerm", "postrm"] {
        put(&tree.join("DEBIAN").join(script), 0o755, &fs::read(source.join(script))?)?;
    }
    put(&tree.join("DEBIAN/md5sums"), 0o644, sums(root)?.as_bytes())?;
    let format = match pressed {
        Pressed::Yes => ["-Zxz", "--threads-max=1"],
        Pressed::No => ["-Znone", "--threads-max=1"],
    };
    let mut build = command("dpkg-deb", ["--root-owner-group"]);
    build.args(format).arg("--build").arg(&tree).arg(deb);
    quiet(build.env("SOURCE_DATE_EPOCH", epoch.to_string()))
}

/// What dpkg compares installed files with.
fn sums(root: &Path) -> Result<String> {
    let list = output(command("find", [".", "-type", "f", "-printf", "%P\\n"]).current_dir(root))?;
    let mut names: Vec<&str> = list.lines().filter(|name| !name.starts_with("etc/")).collect();
    names.sort_unstable();
    output(command("md5sum", names).current_dir(root))
}
