//! What is given out: a `.deb`, a tarball, a list of what is in them, and checksums; the same bytes from the same commit.
//!
//! Deliberately absent: signing, and putting any of it anywhere.

mod deb;
mod sbom;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::debian;
use crate::product::{self, workspace};
use crate::shell::{command, loud, output, quiet, say};

/// What packing needs of the machine: program, and Debian package.
const NEEDS: [(&str, &str); 3] = [("dpkg-deb", "dpkg"), ("tar", "tar"), ("gzip", "gzip")];
/// Judges the package, where it can be had.
const LINTIAN: [(&str, &str); 1] = [("lintian", "lintian")];

/// The version of everything here.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Options of `dist`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to put it
    #[arg(long, value_name = "FOLDER", default_value = "dist")]
    to: PathBuf,
    /// Build everything twice, in two folders, and fail unless each byte is the same
    #[arg(long)]
    twice: bool,
    /// Let lintian judge the package
    #[arg(long)]
    lint: bool,
}

/// Builds and packs.
pub(crate) fn run(args: &Args) -> Result<()> {
    debian::install(&NEEDS)?;
    let epoch = epoch()?;
    let binary = product::reproducible("dist")?;
    pack(&binary, &args.to, epoch)?;
    if args.twice {
        again(&args.to, epoch)?;
    }
    if args.lint {
        debian::install(&LINTIAN)?;
        for deb in files(&args.to, "deb")? {
            loud(
                command(
                    "lintian",
                    ["--fail-on", "error,warning", "--allow-root", "--suppress-tags", SUPPRESSED],
                )
                .arg(deb),
            )?;
        }
    }
    for file in files(&args.to, "")? {
        println!("{:>9}  {}", fs::metadata(&file)?.len(), file.display());
    }
    Ok(())
}

/// Tags of lintian that are about what this is: one program, linked statically, whose units are not debhelper's to start
/// and stop, and whose audit reads which packages are there.
const SUPPRESSED: &str = "statically-linked-binary,shared-library-lacks-prerequisites,maintainer-script-calls-systemctl,uses-dpkg-database-directly";

/// The time of everything that is packed: the commit's, in seconds since 1970; `SOURCE_DATE_EPOCH` goes before.
fn epoch() -> Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text.parse().context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let text = output(command("git", ["log", "-1", "--format=%ct"]).current_dir(workspace()))?;
    text.trim().parse().context("git does not say when the commit was made")
}

/// Builds from nothing in another folder, and compares.
fn again(first: &Path, epoch: u64) -> Result<()> {
    say("building everything once more");
    let binary = product::reproducible("dist-again")?;
    let second = first.with_extension("again");
    pack(&binary, &second, epoch)?;
    let mut different = Vec::new();
    for file in files(first, "")? {
        let name = file.file_name().context("a file without a name")?;
        if fs::read(&file)? != fs::read(second.join(name))? {
            different.push(name.to_string_lossy().into_owned());
        }
    }
    fs::remove_dir_all(&second)?;
    product::forget("dist-again")?;
    if !different.is_empty() {
        bail!("two builds of the same commit differ in {}", different.join(", "));
    }
    say("two builds, same bytes");
    Ok(())
}

/// Packs a development binary, unpressed, for a machine that installs it; the package.
pub(crate) fn pack_for_tests(binary: &Path, to: &Path) -> Result<PathBuf> {
    debian::install(&NEEDS)?;
    let stage = to.join("stage");
    let root = stage.join("root");
    fs::create_dir_all(&root)?;
    lay_out(binary, &root, 0)?;
    // What it says of where its code comes from is most of it.
    quiet(command("strip", ["--strip-debug"]).arg(root.join("usr/bin/supervisor")))?;
    let deb = to.join("supervisor.deb");
    let contents = deb::Contents { root: &root, stage: &stage, version: VERSION, epoch: 0 };
    deb::build(&contents, deb::Pressed::No, &deb)?;
    Ok(deb)
}

/// Packs a binary into an empty folder.
fn pack(binary: &Path, to: &Path, epoch: u64) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let stage = to.join("stage");
    let root = stage.join("root");
    fs::create_dir_all(&root)?;
    lay_out(binary, &root, epoch)?;
    let version = VERSION;
    let deb = to.join(format!("supervisor_{version}_{}.deb", debian::architecture()?));
    let contents = deb::Contents { root: &root, stage: &stage, version, epoch };
    deb::build(&contents, deb::Pressed::Yes, &deb)?;
    // Debian has the licence's text on every machine; others get it here.
    let licence = root.join(DOC).join("LICENSE");
    put(&licence, 0o644, &fs::read(workspace().join("LICENSE"))?)?;
    tarball(&stage, to, &format!("supervisor-{version}-{}-linux", std::env::consts::ARCH), epoch)?;
    fs::write(to.join(format!("supervisor-{version}.cdx.json")), sbom::cyclonedx(version, epoch)?)?;
    fs::remove_dir_all(&stage)?;
    checksums(to)
}

/// Where documents are.
const DOC: &str = "usr/share/doc/supervisor";

/// Every file of the package, below `root` where it belongs.
fn lay_out(binary: &Path, root: &Path, epoch: u64) -> Result<()> {
    let packaging = workspace().join("packaging");
    put(&root.join("usr/bin/supervisor"), 0o755, &fs::read(binary)?)?;
    let units = root.join("usr/lib/systemd/system");
    for unit in ["supervisor.service", "supervisor-privileged.socket", "supervisor-privileged@.service"] {
        put(&units.join(unit), 0o644, &fs::read(packaging.join(unit))?)?;
    }
    for service in ["supervisor.service", "supervisor-privileged@.service"] {
        let place = units.join(format!("{service}.d/packaged.conf"));
        put(&place, 0o644, &fs::read(packaging.join("packaged.conf"))?)?;
    }
    put(&root.join("etc/apparmor.d/supervisor"), 0o644, &fs::read(packaging.join("supervisor.apparmor"))?)?;
    put(&root.join("etc/default/supervisor"), 0o644, &fs::read(packaging.join("supervisor.default"))?)?;
    let doc = root.join(DOC);
    put(&doc.join("copyright"), 0o644, &fs::read(packaging.join("debian/copyright"))?)?;
    let date = output(command("date", ["--utc", "--rfc-email"]).arg(format!("--date=@{epoch}")))?;
    let changelog = fs::read_to_string(packaging.join("debian/changelog"))?
        .replace("@VERSION@", VERSION)
        .replace("@DATE@", date.trim());
    put(&doc.join("changelog"), 0o644, changelog.as_bytes())?;
    quiet(command("gzip", ["-9n"]).arg(doc.join("changelog")))?;
    put(&doc.join("CHANGELOG.md"), 0o644, &fs::read(workspace().join("CHANGELOG.md"))?)?;
    let run = |arguments: &[&str]| output(&mut command(binary, arguments));
    for (shell, place) in [
        ("bash", "usr/share/bash-completion/completions/supervisor"),
        ("zsh", "usr/share/zsh/vendor-completions/_supervisor"),
        ("fish", "usr/share/fish/vendor_completions.d/supervisor.fish"),
    ] {
        put(&root.join(place), 0o644, run(&["completions", shell])?.as_bytes())?;
    }
    for page in run(&["man", "--list"])?.split_whitespace() {
        let text = run(&["man", page])?;
        let place = root.join("usr/share/man/man1").join(format!("{page}.1"));
        put(&place, 0o644, text.as_bytes())?;
        quiet(command("gzip", ["-9n"]).arg(place))?;
    }
    Ok(())
}

fn put(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file without a folder")?)?;
    fs::write(path, bytes)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// The same files in a folder of their own, for any Linux.
fn tarball(stage: &Path, to: &Path, name: &str, epoch: u64) -> Result<()> {
    let archive = to.join(format!("{name}.tar"));
    let time = format!("--mtime=@{epoch}");
    let sorted =
        ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu", "--mode=go-w", &time];
    let mut tar = command("tar", ["--create"]);
    tar.args(sorted).arg(format!("--transform=s,^root,{name},")).arg("--file").arg(&archive);
    quiet(tar.arg("--directory").arg(stage).arg("root"))?;
    quiet(command("gzip", ["-9n"]).arg(&archive))
}

fn checksums(to: &Path) -> Result<()> {
    let names: Vec<String> = files(to, "")?
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let text = output(command("sha256sum", names).current_dir(to))?;
    Ok(fs::write(to.join("SHA256SUMS"), text)?)
}

/// The files of a folder with this ending, sorted.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no folder `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_file() && path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that answers as the product does, where packing asks it.
    const PROGRAM: &str =
        "#!/bin/sh\ncase \"$*\" in\n'man --list') echo supervisor ;;\n*) echo \"$*\" ;;\nesac\n";

    #[test]
    fn packing_twice_gives_the_same_bytes_with_everything_in_its_place() {
        let place = std::env::temp_dir().join(format!("supervisor-dist-{}", std::process::id()));
        let program = place.join("program");
        put(&program, 0o755, PROGRAM.as_bytes()).unwrap();
        let folders = ["one", "two"].map(|name| place.join(name));
        for folder in &folders {
            pack(&program, folder, 1_700_000_000).unwrap();
        }
        let [one, two] = &folders;
        let names = files(one, "").unwrap();
        assert_eq!(names.len(), 4, "{names:?}");
        for file in &names {
            let other = two.join(file.file_name().unwrap());
            assert!(fs::read(file).unwrap() == fs::read(other).unwrap(), "{}", file.display());
        }
        let deb = files(one, "deb").unwrap().pop().unwrap();
        let listed = output(command("dpkg-deb", ["--contents"]).arg(&deb)).unwrap();
        for path in [
            "./usr/bin/supervisor",
            "./usr/lib/systemd/system/supervisor.service",
            "./etc/apparmor.d/supervisor",
            "./etc/default/supervisor",
            "./usr/share/doc/supervisor/changelog.gz",
            "./usr/share/man/man1/supervisor.1.gz",
            "./usr/share/bash-completion/completions/supervisor",
            "./usr/share/zsh/vendor-completions/_supervisor",
            "./usr/share/fish/vendor_completions.d/supervisor.fish",
        ] {
            let line = listed
                .lines()
                .find(|line| line.ends_with(path))
                .unwrap_or_else(|| panic!("no {path}: {listed}"));
            assert!(line.contains(" root/root ") && line.contains("2023-11-14"), "{line}");
        }
        let bom: serde_json::Value =
            serde_json::from_slice(&fs::read(&files(one, ".cdx.json").unwrap()[0]).unwrap()).unwrap();
        let components = bom["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        assert!(named("bollard").unwrap()["hashes"][0]["content"].as_str().unwrap().len() == 64);
        assert!(named("compose").is_some() && named("proptest").is_none() && named("expect-test").is_none());
        fs::remove_dir_all(place).unwrap();
    }
}
