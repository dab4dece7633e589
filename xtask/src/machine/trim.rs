//! What is changed in a root before it is a disk: less of what only costs time at each boot, and the machine's own files.
//!
//! This file's text and those in `guest/` are part of the disk's key. Deliberately absent: what a test brings along.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::cache;
use crate::engine::unpack::unpacked;

/// AppArmor profiles that stay. Those of the OCI runtimes name what sends signals to containers; the rest is for
/// desktop programs, and takes seconds to load.
const PROFILES: [&str; 4] = ["crun", "runc", "unix-chkpwd", "unprivileged_userns"];

/// Units without use in a machine that lives for minutes and has one console and no network card.
const MASKED: [&str; 22] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "cloud-init-hotplugd.socket",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "ldconfig.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind-varlink.socket",
    "systemd-logind.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp.service",
];

/// Generators that stay: each `daemon-reload` runs them all.
const GENERATORS: [&str; 3] = ["cloud-init-generator", "systemd-debug-generator", "systemd-fstab-generator"];

/// Files that are put in place: path, permission bits, text.
const FILES: [(&str, u32, &str); 8] = [
    ("etc/hostname", 0o644, "machine\n"),
    ("etc/hosts", 0o644, "127.0.0.1 localhost machine\n::1 localhost\n"),
    ("etc/fstab", 0o644, include_str!("guest/fstab")),
    ("etc/cloud/cloud.cfg.d/90-machine.cfg", 0o644, include_str!("guest/cloud.cfg")),
    ("etc/systemd/journald.conf.d/machine.conf", 0o644, "[Journal]\nStorage=volatile\n"),
    ("etc/systemd/system/payload.service", 0o644, include_str!("guest/payload.service")),
    ("etc/systemd/system/pulse.service", 0o644, include_str!("guest/pulse.service")),
    ("usr/local/lib/machine/payload", 0o755, include_str!("guest/payload")),
];

/// Everything that goes into it besides the root, as a part of a key.
pub(super) fn key() -> String {
    let texts: Vec<&str> = FILES.iter().map(|(.., text)| *text).chain([include_str!("trim.rs")]).collect();
    cache::key(&texts)
}

/// Trims a root whose files may be links to those of another: a file is never written, only replaced.
pub(super) fn trim(root: &Path) -> Result<()> {
    for (path, mode, text) in FILES {
        put(&root.join(path), mode, text.as_bytes())?;
    }
    let units = root.join("etc/systemd/system");
    for unit in MASKED {
        mask(&units.join(unit))?;
    }
    fs::create_dir_all(units.join("multi-user.target.wants"))?;
    fs::create_dir_all(units.join("sysinit.target.wants"))?;
    for (unit, target) in [("payload", "multi-user"), ("pulse", "sysinit")] {
        let wanted = units.join(format!("{target}.target.wants/{unit}.service"));
        replace_by_link(&format!("/etc/systemd/system/{unit}.service"), &wanted)?;
    }
    let masked = root.join("etc/systemd/system-generators");
    fs::create_dir_all(&masked)?;
    for name in names(&root.join("usr/lib/systemd/system-generators"))? {
        if !GENERATORS.contains(&name.as_str()) {
            mask(&masked.join(name))?;
        }
    }
    let profiles = root.join("etc/apparmor.d");
    for name in names(&profiles)? {
        if profiles.join(&name).is_file() && !PROFILES.contains(&name.as_str()) {
            fs::remove_file(profiles.join(name))?;
        }
    }
    if let Some(missing) = ["runc", "crun"].iter().find(|name| !profiles.join(name).exists()) {
        bail!("the package `apparmor` has no profile `{missing}`: signals to containers would not be tested");
    }
    // The suite's own init for containers is linked dynamically, and cannot run in an image without a libc.
    put(&root.join("usr/bin/docker-init"), 0o755, &fs::read(unpacked()?.join("root/usr/bin/docker-init"))?)?;
    for folder in ["var/cache/apt", "var/lib/apt/lists", "tmp"] {
        for name in names(&root.join(folder))? {
            let path = root.join(folder).join(name);
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    // One that is set is no first boot, and spares its work.
    put(&root.join("etc/machine-id"), 0o444, b"5a7c1d0e3b2f4a698d7e6c5b4a392817\n")?;
    // Last, for they say that nothing was installed since: else each boot does an update's work again.
    for stamp in ["etc/.updated", "var/.updated"] {
        put(&root.join(stamp), 0o644, b"")?;
    }
    Ok(())
}

fn put(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file without a folder")?)?;
    if path.symlink_metadata().is_ok() {
        fs::remove_file(path)?;
    }
    fs::write(path, bytes)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn mask(unit: &Path) -> Result<()> {
    replace_by_link("/dev/null", unit)
}

fn replace_by_link(target: &str, link: &Path) -> Result<()> {
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link)?;
    }
    symlink(target, link).with_context(|| format!("could not make `{}`", link.display()))
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no folder `{}`", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
