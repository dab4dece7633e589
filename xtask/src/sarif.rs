//! The schema of SARIF 2.1.0, for the test of our SARIF: from the npm registry that the machine is configured with, into the cache.
//!
//! It is another project's and not copied into this one. Deliberately absent: the test.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{command, quiet};
use crate::{cache, debian};

/// A package of matchers for tests that holds the standard's schema.
const PACKAGE: &str = "@microsoft/jest-sarif@1.0.0-beta.0";
/// Where it has it.
const SCHEMA: &str = "package/lib/schemas/sarif-2.1.0-rtm.5.json";

/// The schema's path.
pub(crate) fn schema() -> Result<PathBuf> {
    let folder = cache::entry("tools/sarif-2.1.0", |folder| {
        debian::install(&[("npm", "npm"), ("tar", "tar")])?;
        quiet(command("npm", ["pack", "--silent", PACKAGE]).current_dir(folder))?;
        let archive = "microsoft-jest-sarif-1.0.0-beta.0.tgz";
        quiet(command("tar", ["xzf", archive, SCHEMA]).current_dir(folder))
    })?;
    Ok(folder.join(SCHEMA))
}
