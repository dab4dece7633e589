//! The real images of Caddy and OpenClaw, built from package registries: no container registry is asked.
//!
//! The root file systems are kept in the cache by version and recipe; an engine gets them by import, once. Deliberately
//! absent: any registry's name. Debian's mirror and the npm registry are those that the machine is configured with.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::api::Api;
use crate::cache;
use crate::engine::{self, Place, Private};
use crate::recipes;
use crate::shell::say;

/// Caddy's image on an engine, and its archive in the cache.
const CADDY: &str = "supervisor-demo-caddy";
/// OpenClaw's.
const OPENCLAW: &str = "supervisor-demo-openclaw";

/// Image ids on an engine, `sha256:…`.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    /// Caddy.
    pub(crate) caddy: String,
    /// OpenClaw.
    pub(crate) openclaw: String,
}

/// Builds both into the machine's engine, or only into the cache where there is none.
pub(crate) fn run() -> Result<()> {
    let images = match engine::of_the_machine() {
        Some(api) => ensure(&api)?,
        None => ensure(&Private::start("test", Place::OwnNetwork)?.api)?,
    };
    println!("CADDY_IMAGE={}\nOPENCLAW_IMAGE={}", images.caddy, images.openclaw);
    Ok(())
}

/// Both images on this engine: as they are there, else imported, else built first.
pub(crate) fn ensure(api: &Api) -> Result<Images> {
    Ok(Images {
        caddy: caddy(api)?,
        openclaw: import(api, OPENCLAW, &openclaw_tag(), &recipes::OPENCLAW_LINES, recipes::openclaw)?,
    })
}

/// Caddy's image alone.
pub(crate) fn caddy(api: &Api) -> Result<String> {
    import(api, CADDY, &recipe(), &recipes::CADDY_LINES, recipes::caddy)
}

/// The archive of Caddy's root file system, without any engine.
pub(crate) fn caddy_root() -> Result<PathBuf> {
    root(CADDY, &recipe(), recipes::caddy)
}

/// The archive of OpenClaw's root file system, without any engine.
pub(crate) fn openclaw_root() -> Result<PathBuf> {
    root(OPENCLAW, &openclaw_tag(), recipes::openclaw)
}

fn root(name: &str, tag: &str, build: fn(&Path) -> Result<()>) -> Result<PathBuf> {
    Ok(cache::entry(&format!("images/{name}-{tag}"), build)?.join("root.tar"))
}

fn openclaw_tag() -> String {
    format!("{}-{}", recipes::OPENCLAW, recipe())
}

fn recipe() -> String {
    cache::key(&[include_str!("recipes.rs")])
}

fn import(
    api: &Api,
    name: &str,
    tag: &str,
    changes: &[&str],
    build: fn(&Path) -> Result<()>,
) -> Result<String> {
    let id = || -> Option<String> {
        let image = api.get(&format!("/images/{name}:{tag}/json")).ok()?;
        Some(image.get("Id")?.as_str()?.to_owned())
    };
    if let Some(id) = id() {
        return Ok(id);
    }
    let root = root(name, tag, build)?;
    say(format!("importing {name}"));
    let mut tar = File::open(root)?;
    let length = tar.metadata()?.len();
    let changes: String = changes.iter().flat_map(|line| ["&changes=".to_owned(), escape(line)]).collect();
    api.send("POST", &format!("/images/create?fromSrc=-&repo={name}&tag={tag}{changes}"), &mut tar, length)?;
    id().with_context(|| format!("the engine does not have `{name}:{tag}` after its import"))
}

/// Percent-encodes what a query may not hold as it is.
fn escape(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dockerfile_line_survives_a_query() {
        assert_eq!(escape(r#"CMD ["a b"]"#), "CMD%20%5B%22a%20b%22%5D");
    }
}
