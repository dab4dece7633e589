//! The machine's root file system: Debian's packages, as they are.
//!
//! This file's text is part of the cache's key. Deliberately absent: what is changed for a boot (`trim`), and what the
//! kernel says of its modules, which is added with the disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache;
use crate::debian;
use crate::shell::{command, output, quiet, say};

/// What is installed.
const PACKAGES: [&str; 26] = [
    "apparmor",
    "busybox-static",
    "ca-certificates",
    "cloud-init",
    "containerd",
    "curl",
    "dbus",
    "docker-cli",
    "docker.io",
    "e2fsprogs",
    "iproute2",
    "iptables",
    "kmod",
    "nftables",
    "openssl",
    "passwd",
    "procps",
    "runc",
    "systemd",
    "systemd-sysv",
    "uidmap",
    "udev",
    "util-linux",
    "zstd",
    "libstdc++6",
    "mount",
];

/// The unpacked root.
pub(super) fn ensure() -> Result<PathBuf> {
    let key = cache::key(&[include_str!("root.rs")]);
    let entry = cache::entry(&format!("machine-root-{key}"), |folder| build(&folder.join("root")))?;
    Ok(entry.join("root"))
}

fn build(root: &Path) -> Result<()> {
    say(format!("unpacking a machine from Debian's packages ({})", debian::SUITE));
    let mut bootstrap = command("mmdebstrap", ["--quiet", "--mode=root", "--variant=minbase"]);
    bootstrap.arg(format!("--include={}", PACKAGES.join(",")));
    for option in [
        "Acquire::Check-Valid-Until \"false\"",
        "APT::Install-Recommends \"false\"",
        "Acquire::Languages \"none\"",
    ] {
        bootstrap.arg(format!("--aptopt={option}"));
    }
    for path in ["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*"] {
        bootstrap.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    quiet(bootstrap.arg(debian::SUITE).arg(root).arg(debian::source(debian::SUITE)?))?;
    for folder in ["mnt/payload", "mnt/results", "mnt/machine"] {
        fs::create_dir_all(root.join(folder))?;
    }
    say(format!("the machine has {}", versions(root)?));
    Ok(())
}

/// The versions that matter, in one line.
fn versions(root: &Path) -> Result<String> {
    let mut query = command("dpkg-query", ["--show", "--showformat=${Package} ${Version}, "]);
    query.arg(format!("--admindir={}", root.join("var/lib/dpkg").display()));
    let text = output(query.args(["apparmor", "cloud-init", "docker.io", "runc", "systemd"]))?;
    Ok(text.trim_end_matches(", ").to_owned())
}
