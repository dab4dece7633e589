//! A container registry for tests, unpacked from Debian's package `docker-registry` without installing it.
//!
//! Deliberately absent: starting it; each test starts its own.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::say;
use crate::{cache, debian};

/// The package, and where its program is in it.
const PACKAGE: &str = "docker-registry";
const PROGRAM: &str = "root/usr/bin/docker-registry";

/// The registry's program, of the machine's own release.
pub(crate) fn binary() -> Result<PathBuf> {
    let name = format!("registry-{}", cache::key(&[PACKAGE, include_str!("registry.rs")]));
    let folder = cache::entry(&name, |folder| {
        say("unpacking a container registry from Debian's packages");
        debian::download_own(folder, &[PACKAGE])?;
        debian::unpack(folder, PACKAGE, &folder.join("root"))
    })?;
    Ok(folder.join(PROGRAM))
}
