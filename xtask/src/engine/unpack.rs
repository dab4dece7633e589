//! Unpacking a modern engine from Debian's packages, without installing it.
//!
//! This file's text is part of the cache's key: what is changed here is unpacked again. Deliberately absent: starting it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache;
use crate::debian;
use crate::shell::{command, quiet, say};

/// What the private engine is unpacked from.
const PACKAGES: [&str; 6] = ["docker.io", "containerd", "runc", "docker-compose", "libc6", "libseccomp2"];
/// What it needs of the machine: program and Debian package.
pub(crate) const NEEDS: [(&str, &str); 4] =
    [("iptables", "iptables"), ("ip", "iproute2"), ("patchelf", "patchelf"), ("dpkg-deb", "dpkg")];
/// The unpacked engine's folder, with `docker-compose` in it for comparison.
pub(crate) fn unpacked() -> Result<PathBuf> {
    let name =
        format!("engine-{}", cache::key(&[debian::SUITE, &PACKAGES.join(" "), include_str!("unpack.rs")]));
    let place = cache::root()?.join(&name);
    cache::entry(&name, |folder| {
        debian::install(&NEEDS)?;
        say(format!("unpacking a private Docker Engine from Debian's packages ({})", debian::SUITE));
        let (debs, root, libc) = (folder.join("debs"), folder.join("root"), folder.join("libc"));
        fs::create_dir_all(&debs)?;
        debian::download(&debs, &PACKAGES)?;
        for package in ["docker.io", "containerd", "runc", "docker-compose"] {
            debian::unpack(&debs, package, &root)?;
        }
        // Only runc needs a libc that is newer than Debian 12's.
        for package in ["libc6", "libseccomp2"] {
            debian::unpack(&debs, package, &libc)?;
        }
        let libraries = place.join("libc/usr/lib").join(multiarch()?);
        let loader = find_loader(&libc.join("usr/lib").join(multiarch()?))?;
        let set = ["--set-interpreter".into(), libraries.join(loader), "--set-rpath".into(), libraries];
        quiet(command("patchelf", set).arg(root.join("usr/sbin/runc")))?;
        // The newer suites' init is linked dynamically and cannot run in an image without a libc; the machine's own release
        // has a static one.
        debian::download_own(&debs, &["tini"])?;
        let tini = folder.join("tini");
        debian::unpack(&debs, "tini", &tini)?;
        fs::copy(tini.join("usr/bin/tini-static"), root.join("usr/bin/docker-init"))?;
        Ok(())
    })
}

/// Docker Compose as a program of its own, for comparison.
pub(crate) fn docker_compose() -> Result<PathBuf> {
    Ok(unpacked()?.join("root/usr/libexec/docker/cli-plugins/docker-compose"))
}

/// The folder of libraries of this machine's architecture.
pub(crate) fn multiarch() -> Result<&'static str> {
    match debian::architecture()?.as_str() {
        "amd64" => Ok("x86_64-linux-gnu"),
        "arm64" => Ok("aarch64-linux-gnu"),
        other => bail!("this is only prepared for amd64 and arm64, and this machine is `{other}`"),
    }
}

fn find_loader(libraries: &Path) -> Result<String> {
    let names = fs::read_dir(libraries)?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.into_iter().find(|name| name.starts_with("ld-linux")).context("no dynamic loader in libc6")
}
