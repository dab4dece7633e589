//! Prometheus's tool for the test of our alerts, unpacked from Debian's package `prometheus` without installing it.
//!
//! Deliberately absent: Prometheus itself.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::say;
use crate::{cache, debian};

/// The package, and where its tool is in it.
const PACKAGE: &str = "prometheus";
const PROGRAM: &str = "root/usr/bin/promtool";

/// The tool, of the machine's own release.
pub(crate) fn binary() -> Result<PathBuf> {
    let name = format!("promtool-{}", cache::key(&[PACKAGE, include_str!("promtool.rs")]));
    let folder = cache::entry(&name, |folder| {
        say("unpacking Prometheus's tool from Debian's packages");
        debian::download_own(folder, &[PACKAGE])?;
        debian::unpack(folder, PACKAGE, &folder.join("root"))
    })?;
    Ok(folder.join(PROGRAM))
}
