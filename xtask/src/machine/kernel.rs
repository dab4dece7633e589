//! The kernels: User-Mode Linux as Debian packs it.
//!
//! This file's text is part of the cache's key. Deliberately absent: building one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cache;
use crate::debian;
use crate::shell::say;

/// Which kernel to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kernel {
    /// The newer suite's: twice as fast, with AppArmor, and without any packet filter.
    Newest,
    /// The older suite's, which has iptables.
    Firewall,
}

impl Kernel {
    pub(super) const ALL: [Self; 2] = [Self::Newest, Self::Firewall];

    /// The Debian suite that it comes from.
    const fn suite(self) -> &'static str {
        match self {
            Self::Newest => debian::SUITE,
            Self::Firewall => "trixie",
        }
    }

    /// Its folder among the kernels.
    pub(super) const fn folder(self) -> &'static str {
        self.suite()
    }
}

/// The folder of the kernels: in each one's own, the program `linux` and its `modules`.
pub(super) fn ensure() -> Result<PathBuf> {
    let key = cache::key(&[include_str!("kernel.rs")]);
    cache::entry(&format!("machine-kernels-{key}"), |folder| {
        for kernel in Kernel::ALL {
            unpack(kernel, folder)?;
        }
        Ok(())
    })
}

fn unpack(kernel: Kernel, folder: &Path) -> Result<()> {
    say(format!("unpacking User-Mode Linux of Debian {}", kernel.suite()));
    let (debs, unpacked) = (folder.join("debs"), folder.join("unpacked"));
    fs::create_dir_all(&debs)?;
    debian::download_of(kernel.suite(), &debs, &["user-mode-linux"])?;
    debian::unpack(&debs, "user-mode-linux", &unpacked)?;
    let place = folder.join(kernel.folder());
    fs::create_dir_all(&place)?;
    fs::rename(unpacked.join("usr/bin/linux.uml"), place.join("linux"))
        .context("the package has no `linux.uml`")?;
    fs::rename(unpacked.join("usr/lib/uml/modules"), place.join("modules"))
        .context("the package has no modules")?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_dir_all(&debs)?;
    Ok(())
}
