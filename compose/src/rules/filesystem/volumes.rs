//! Volumes that are not what their names say.

use std::collections::BTreeMap;
use std::path::Path;

use crate::policy::{Hit, Stack};
use crate::rules::is_any;
use crate::source::At;

use super::paths::normal;
use super::sockets::socket_route;

pub(super) fn volume_options(stack: &Stack<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for volume in stack.project.volumes.values() {
        if let Some(driver) = volume.driver.as_ref().filter(|driver| !is_any(&driver.value, &["", "local"])) {
            hits.push(Hit::at(driver, format!("volume driver `{}` is a program of the host", driver.value)));
        }
        if let Some(hit) = disguised(stack, &volume.driver_opts) {
            hits.push(hit);
        }
    }
    hits
}

/// The option that makes a volume more than a folder of the engine's or a bounded tmpfs. Sockets have a rule of their own.
pub(super) fn disguised(stack: &Stack<'_>, options: &BTreeMap<String, At<String>>) -> Option<Hit> {
    let device = options.get("device").map(|device| device.value.as_str());
    if let Some(device) = device {
        let path = normal(Path::new(device.trim_start_matches(':')));
        if socket_route(stack, &path, device).is_some() {
            return None;
        }
    }
    let plain = options.iter().map(|(name, value)| (name.as_str(), value.value.as_str())).collect();
    let (name, message, fix) = odd_option(&plain)?;
    let hit = Hit::at(options.get(name)?, message);
    Some(match fix {
        Some(fix) => hit.fix(fix),
        None => hit,
    })
}

/// A volume's option that the policy does not let through: its name, what it does, and what to write instead.
pub(super) fn odd_option<'a>(
    options: &BTreeMap<&'a str, &str>,
) -> Option<(&'a str, String, Option<&'static str>)> {
    let of =
        |wanted: &str| options.iter().find(|(name, _)| **name == wanted).map(|(name, value)| (*name, *value));
    if let Some((name, device)) = of("device").filter(|(_, device)| *device != "tmpfs") {
        return Some((name, format!("the volume is really `{device}`"), None));
    }
    if let Some((name, kind)) = of("type").filter(|(_, kind)| *kind != "tmpfs") {
        return Some((name, format!("the volume is really of type `{kind}`"), None));
    }
    let unbounded = "a tmpfs without a size".to_owned();
    if let Some((name, flags)) = of("o") {
        let bad = flags.split(',').map(str::trim).find(|flag| {
            let name = flag.split('=').next().unwrap_or_default();
            !["size", "mode", "uid", "gid", "noexec", "nosuid", "nodev", "nr_inodes", ""].contains(&name)
        });
        if let Some(bad) = bad {
            return Some((name, format!("the volume is mounted with `{bad}`"), None));
        }
        let sizes = flags.split(',').filter_map(|flag| flag.trim().strip_prefix("size="));
        let sizes: Vec<Option<i64>> = sizes.map(crate::spell::bytes).collect();
        if sizes.is_empty() {
            return Some((name, unbounded, Some("o: size=64m")));
        }
        if !sizes.iter().all(|size| size.is_some_and(|bytes| bytes > 0)) {
            return Some((name, "a tmpfs whose size is no bound".to_owned(), Some("o: size=64m")));
        }
        if flags
            .split(',')
            .any(|flag| flag.trim().strip_prefix("nr_inodes=").is_some_and(|n| n.trim() == "0"))
        {
            return Some((name, "a tmpfs with any number of files".to_owned(), None));
        }
    } else if let Some((name, _)) = of("type") {
        return Some((name, unbounded, Some("o: size=64m")));
    }
    let unknown = options.keys().find(|name| !["device", "type", "o"].contains(name));
    unknown.map(|name| (*name, format!("volume option `{name}` is not known"), None))
}

/// Why a volume that is on the engine already may not be used, by the same rules as one that a file describes.
pub fn volume_elsewhere(driver: &str, options: &BTreeMap<String, String>) -> Option<String> {
    if !is_any(driver, &["", "local"]) {
        return Some(format!("volume driver `{driver}` is a program of the host"));
    }
    let plain = options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    odd_option(&plain).map(|(_, message, _)| message)
}

pub(super) fn external_volumes(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.volumes.values().filter_map(|volume| {
        let external = volume.external.as_ref().filter(|external| external.value)?;
        Some(Hit::at(external, format!("volume `{}` is made elsewhere", volume.key)))
    });
    hits.collect()
}
