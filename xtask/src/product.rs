//! The product's binary: for tests as it is developed, for everything else released and linked statically.
//!
//! Deliberately absent: running it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::shell::{command, loud, output, say};

/// Builds the development binary; its path.
pub(crate) fn development() -> Result<PathBuf> {
    say("building supervisor");
    loud(&mut command(cargo(), ["build", "--quiet", "--package", "supervisor"]))?;
    Ok(target()?.join("debug/supervisor"))
}

/// The cargo that runs this.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

fn target() -> Result<PathBuf> {
    let mut metadata = command(cargo(), ["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let text = output(metadata.current_dir(workspace()))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    target.map(PathBuf::from).context("cargo does not say where it builds to")
}
