//! The kernel: User-Mode Linux, built from the source as Debian packs it.
//!
//! Debian's own build of it has no tables of the family inet and no Landlock, and both are what a server's kernel has. This
//! file's text and the configuration's are the cache's key. Deliberately absent: debug information, drivers, and modules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache;
use crate::debian;
use crate::shell::{command, output, quiet, say};

/// What building needs: program, and Debian package.
const NEEDS: [(&str, &str); 8] = [
    ("bc", "bc"),
    ("bison", "bison"),
    ("flex", "flex"),
    ("gcc", "gcc"),
    ("make", "make"),
    ("perl", "perl"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
];
/// The package that depends on the source of the suite's kernel.
const NEWEST: &str = "linux-source";
/// What of the kernel's own defaults does not do.
const CONFIGURATION: &str = include_str!("kernel.config");
/// Files that say what is built in, for whoever asks for a module.
const BUILT_IN: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];

/// The kernel's folder: the program `linux`, and below `modules/VERSION` the lists of what is built in.
pub(super) fn ensure() -> Result<PathBuf> {
    let key = cache::key(&[include_str!("kernel.rs"), CONFIGURATION]);
    cache::entry(&format!("machine-kernel-{key}"), |folder| {
        debian::install(&NEEDS)?;
        let source = source(folder)?;
        build(&source)?;
        keep(&source, folder)?;
        Ok(fs::remove_dir_all(folder.join("source"))?)
    })
}

/// The unpacked source.
fn source(folder: &Path) -> Result<PathBuf> {
    let place = folder.join("source");
    fs::create_dir_all(&place)?;
    let package = debian::dependency(debian::SUITE, NEWEST)?;
    say(format!("unpacking Debian's package {package}"));
    debian::download(&place, &[&package])?;
    debian::unpack(&place, &package, &place)?;
    let archive = place.join("usr/src").join(format!("{package}.tar.xz"));
    quiet(command("tar", ["--extract", "--file"]).arg(&archive).arg("--directory").arg(&place))?;
    Ok(place.join(package))
}

fn build(source: &Path) -> Result<()> {
    fs::write(source.join(".config"), CONFIGURATION)?;
    quiet(&mut make(source, "olddefconfig"))?;
    let lacking = lacking(CONFIGURATION, &fs::read_to_string(source.join(".config"))?);
    if !lacking.is_empty() {
        bail!("the kernel's configuration has not what was asked for: {}", lacking.join(", "));
    }
    say("building the machine's kernel: some minutes");
    quiet(&mut make(source, "linux"))
}

fn make(source: &Path, target: &str) -> std::process::Command {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut make = command("make", ["ARCH=um", "--silent", target]);
    make.arg(format!("--jobs={jobs}")).current_dir(source);
    make
}

/// Lines of the wanted configuration that the one at hand, where what does not go together is left out, has not.
fn lacking<'a>(wanted: &'a str, there: &str) -> Vec<&'a str> {
    let wanted = wanted.lines().filter(|line| line.starts_with("CONFIG_"));
    wanted.filter(|line| !there.lines().any(|other| other == *line)).collect()
}

fn keep(source: &Path, folder: &Path) -> Result<()> {
    let program = folder.join("linux");
    fs::rename(source.join("linux"), &program).context("the build made no `linux`")?;
    quiet(&mut command("strip", [&program]))?;
    let version = output(make(source, "kernelrelease").stderr(std::process::Stdio::null()))?;
    let modules = folder.join("modules").join(version.trim());
    fs::create_dir_all(&modules)?;
    for name in BUILT_IN {
        if source.join(name).exists() {
            fs::rename(source.join(name), modules.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::lacking;

    #[test]
    fn what_is_left_out_of_a_configuration_is_seen() {
        let there = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=y\n";
        assert_eq!(
            lacking("# Why.\nCONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n", there),
            ["CONFIG_B=y", "CONFIG_C=y"]
        );
    }
}
