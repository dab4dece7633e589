//! Debian's packages: those that the machine is to have, and those that are unpacked beside it without installing them.
//!
//! The mirror is the one that the machine is configured with. Deliberately absent: any mirror's name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell::{command, has, output, quiet, say};

/// The suite that the modern engine and Caddy come from.
pub(crate) const SUITE: &str = "forky";
/// Of package `debian-archive-keyring`.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Installs what is missing of the packages that have these programs: `(program or file, package)`.
pub(crate) fn install(wanted: &[(&str, &str)]) -> Result<()> {
    if missing(wanted).is_empty() {
        return Ok(());
    }
    // The machine for the tests is made beside them, by another process, and apt waits for nobody who reads its lists.
    let _lock = crate::cache::lock("packages.lock")?;
    let missing = missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    say(format!("installing Debian packages: {}", missing.join(" ")));
    crate::shell::require_root("to install packages")?;
    update()?;
    let mut apt = command("apt-get", ["install", "-qq", "-y", "--no-install-recommends"]);
    quiet(apt.args(missing).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The packages of `wanted` whose program or file is not there.
pub(crate) fn missing<'a>(wanted: &[(&str, &'a str)]) -> Vec<&'a str> {
    let there = |what: &str| if what.starts_with('/') { Path::new(what).exists() } else { has(what) };
    wanted.iter().filter(|(what, _)| !there(what)).map(|(_, package)| *package).collect()
}

fn update() -> Result<()> {
    quiet(&mut command("apt-get", ["update", "-qq"]))
}

/// Downloads packages of [`SUITE`] into a folder.
pub(crate) fn download(folder: &Path, packages: &[&str]) -> Result<()> {
    download_of(SUITE, folder, packages)
}

/// A suite as apt's one-line format names it.
pub(crate) fn source(suite: &str) -> Result<String> {
    install(&[(KEYRING, "debian-archive-keyring")])?;
    Ok(format!("deb [signed-by={KEYRING}] {} {suite} main", mirror()?))
}

/// Downloads packages of a suite into a folder, with package lists of its own: the machine's are left alone.
pub(crate) fn download_of(suite: &str, folder: &Path, packages: &[&str]) -> Result<()> {
    let options = options(suite)?;
    quiet(command("apt-get", &options).args(["download", "-qq"]).args(packages).current_dir(folder))
}

/// The package that one of a suite, which is there for this alone, depends on.
pub(crate) fn dependency(suite: &str, package: &str) -> Result<String> {
    let options = options(suite)?;
    let text = output(command("apt-cache", &options).args(["depends", package]))?;
    let found = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    found.map(String::from).with_context(|| format!("package `{package}` depends on none"))
}

/// Downloads packages of [`SUITE`] into a folder with all that they need and a machine of this `status` file has not.
pub(crate) fn download_for(status: &Path, folder: &Path, packages: &[&str]) -> Result<()> {
    let archives = folder.join("archives");
    fs::create_dir_all(archives.join("partial"))?;
    let mut options = options(SUITE)?;
    for option in [
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache::archives={}", archives.display()),
        "APT::Install-Recommends=false".to_owned(),
    ] {
        options.extend(["-o".to_owned(), option]);
    }
    quiet(command("apt-get", &options).args(["install", "-qq", "--yes", "--download-only"]).args(packages))?;
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            fs::rename(&path, folder.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(fs::remove_dir_all(archives)?)
}

/// Options by which apt reads a suite with lists of its own, which are brought up to date.
fn options(suite: &str) -> Result<Vec<String>> {
    let source = source(suite)?;
    let state = crate::cache::root()?.join("apt").join(suite);
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("cache/archives/partial"))?;
    let list = state.join("sources.list");
    fs::write(&list, format!("{source}\n"))?;
    let options = [
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        format!("Dir::State::lists={}", state.join("lists").display()),
        format!("Dir::Cache={}", state.join("cache").display()),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Check-Valid-Until=false".to_owned(),
        "Acquire::Languages=none".to_owned(),
    ];
    let options: Vec<String> = options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect();
    quiet(command("apt-get", &options).args(["update", "-qq"]))?;
    Ok(options)
}

/// Downloads packages of the machine's own release into a folder.
pub(crate) fn download_own(folder: &Path, packages: &[&str]) -> Result<()> {
    let fetch = || quiet(command("apt-get", ["download", "-qq"]).args(packages).current_dir(folder));
    fetch().or_else(|_| update().and_then(|()| fetch()))
}

/// A container registry: package, and where its program is in it.
pub(crate) const REGISTRY: (&str, &str) = ("docker-registry", "usr/bin/docker-registry");
/// Prometheus's tool for the test of our alerts.
pub(crate) const PROMTOOL: (&str, &str) = ("prometheus", "usr/bin/promtool");

/// A program of the machine's own release, unpacked once and not installed; its path.
pub(crate) fn own_program((package, path): (&str, &str)) -> Result<PathBuf> {
    let folder = crate::cache::entry(&format!("{package}-{}", crate::cache::key(&[package])), |folder| {
        say(format!("unpacking Debian's package {package}"));
        download_own(folder, &[package])?;
        unpack(folder, package, &folder.join("root"))
    })?;
    Ok(folder.join("root").join(path))
}

/// Unpacks the package of this name, downloaded into `folder`, to `root`.
pub(crate) fn unpack(folder: &Path, package: &str, root: &Path) -> Result<()> {
    let prefix = format!("{package}_");
    let deb = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .with_context(|| format!("no package `{package}` in `{}`", folder.display()))?;
    quiet(command("dpkg-deb", ["-x"]).arg(deb).arg(root))
}

/// The version of an unpacked package, from its file's name.
pub(crate) fn version(folder: &Path, package: &str) -> Result<String> {
    let prefix = format!("{package}_");
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix(&prefix) {
            let version = rest.split('_').next().unwrap_or(rest);
            return Ok(version.split('-').next().unwrap_or(version).to_owned());
        }
    }
    bail!("no package `{package}` in `{}`", folder.display())
}

/// The Debian mirror: `SUPERVISOR_DEBIAN_MIRROR`, else the one that apt is configured with, else (on Ubuntu) the one that
/// debootstrap takes for Debian.
pub(crate) fn mirror() -> Result<String> {
    if let Ok(mirror) = std::env::var("SUPERVISOR_DEBIAN_MIRROR") {
        return Ok(mirror);
    }
    let debian = fs::read_to_string("/etc/os-release")?.lines().any(|line| line == "ID=debian");
    let found = if debian {
        configured_mirror()?
    } else {
        install(&[("/usr/sbin/debootstrap", "debootstrap")])?;
        debootstrap_mirror()
    };
    found.context("no Debian mirror is configured on this machine; name one in SUPERVISOR_DEBIAN_MIRROR")
}

fn configured_mirror() -> Result<Option<String>> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path()));
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if let Some(uri) = text.lines().filter_map(archive).find(|uri| !uri.contains("security")) {
            return Ok(Some(match uri.strip_prefix("mirror+file:") {
                Some(list) => {
                    fs::read_to_string(list)?.split_whitespace().next().unwrap_or_default().to_owned()
                }
                None => uri.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// The archive's address in a line of either of apt's formats, if the line has one that ends in `debian`.
fn archive(line: &str) -> Option<&str> {
    let line = line.trim();
    let is_entry = line.starts_with("URIs:") || line.starts_with("deb ");
    let mut words = line.split_whitespace().filter(|word| word.contains(":/"));
    words.find(|word| {
        is_entry && (word.starts_with("mirror+file:") || word.trim_end_matches('/').ends_with("debian"))
    })
}

fn debootstrap_mirror() -> Option<String> {
    default_of_debootstrap(&fs::read_to_string("/usr/sbin/debootstrap").ok()?)
}

/// The mirror that this text of debootstrap takes where it is told none; Debian's on Ubuntu, too, since that one's own suites
/// name theirs.
fn default_of_debootstrap(program: &str) -> Option<String> {
    let value = program.lines().find_map(|line| line.strip_prefix("DEF_MIRROR="))?;
    Some(value.trim_matches('"').to_owned()).filter(|mirror| mirror.contains(":/"))
}

/// Debian's name of this machine's architecture.
pub(crate) fn architecture() -> Result<String> {
    Ok(output(&mut command("dpkg", ["--print-architecture"]))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        assert_eq!(archive(line), expected);
    }

    #[test]
    fn the_archive_is_found_in_both_formats() {
        check("URIs: http://mirror.test/debian", Some("http://mirror.test/debian"));
        check(
            "URIs: mirror+file:/etc/apt/mirrors/debian.list",
            Some("mirror+file:/etc/apt/mirrors/debian.list"),
        );
        check(
            "deb [signed-by=/k.gpg] http://mirror.test/debian/ bookworm main",
            Some("http://mirror.test/debian/"),
        );
        check("# deb http://mirror.test/debian bookworm main", None);
        check("URIs: http://mirror.test/node", None);
    }

    #[test]
    fn debootstrap_says_where_debian_is() {
        let text = "MIRRORS=\"\"\nDEF_MIRROR=\"http://mirror.test/debian\"\nDEF_HTTPS_MIRROR=\"https://mirror.test/debian\"\n";
        assert_eq!(default_of_debootstrap(text).as_deref(), Some("http://mirror.test/debian"));
        assert_eq!(default_of_debootstrap("DEF_MIRROR=\n"), None);
    }
}
