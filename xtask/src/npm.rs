//! npm itself, for the test of real clients: from the npm registry that the machine is configured with, into the cache.
//!
//! The machine's own may be spread over packages that a container does not have. Deliberately absent: the test.

use std::path::PathBuf;

use anyhow::Result;

use crate::shell::{command, quiet};
use crate::{cache, debian};

/// A version that Node.js of the real image runs.
const NPM: &str = "11.19.1";

/// Its folder, with all that it needs.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = cache::entry(&format!("tools/npm-{NPM}"), |folder| {
        debian::install(&[("npm", "npm"), ("tar", "tar")])?;
        quiet(command("npm", ["pack", "--silent", &format!("npm@{NPM}")]).current_dir(folder))?;
        quiet(command("tar", ["xzf", &format!("npm-{NPM}.tgz")]).current_dir(folder))
    })?;
    Ok(folder.join("package"))
}
