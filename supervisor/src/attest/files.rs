//! What it sees and may write: its root, every mount, what the engine hides, devices, and no engine socket.

use profiles::confinement::{MountPromise, MountSource};

use super::engine_word::short;
use super::{Case, Check};
use crate::observe::kernel::inside::{FileId, Kind};
use crate::observe::kernel::mountinfo::{self, MountInfo, below};
use crate::observe::kernel::{Read, Unread, inward};

/// Nothing can be written into the image's own files.
pub(super) fn root(case: &Case<'_>) -> Vec<Check> {
    let read_only = case.spec.confinement.read_only_root();
    let seen = mounts_of(case).and_then(|mounts| {
        let root = mountinfo::at(mounts, "/").ok_or_else(|| Unread("there is no root mount".to_owned()))?;
        Ok((way(root.read_only()).to_owned(), root.read_only() == read_only))
    });
    vec![Check::compared("root", way(read_only), seen)]
}

/// One row a promised mount.
pub(super) fn mounts(case: &Case<'_>) -> Vec<Check> {
    let promises = case.spec.confinement.mounts();
    promises
        .iter()
        .map(|promise| {
            Check::compared(format!("mount {}", promise.target), describe(case, promise), look(case, promise))
        })
        .collect()
}

fn look(case: &Case<'_>, promise: &MountPromise) -> Read<(String, bool)> {
    let Some(mount) = mountinfo::at(mounts_of(case)?, &promise.target) else {
        return Ok(("not mounted".to_owned(), false));
    };
    let (word, same) = match &promise.source {
        MountSource::Bind(path) => bind(case, promise, mount, path)?,
        MountSource::Volume { name, subpath, .. } => {
            volume(case, promise, mount, name.as_deref(), subpath.as_deref())
        }
        MountSource::Image { subpath, .. } => image(case, promise, mount, subpath.as_deref())?,
        MountSource::Tmpfs { size, mode, uid, gid } => tmpfs(case, mount, *size, (*mode, *uid, *gid))?,
        MountSource::Content { kind, key, .. } => content(case, promise, &format!("{kind}/{key}"))?,
    };
    let seen = format!("{word}, {}", way(mount.read_only()));
    if mount.shared() {
        return Ok((format!("{seen}, shared with the host"), false));
    }
    Ok((seen, same && mount.read_only() == promise.read_only))
}

/// The promised path itself, told by its inode with no link followed; or, where the host has replaced a file at
/// that path since, the path that the kernel remembers.
fn bind(case: &Case<'_>, promise: &MountPromise, mount: &MountInfo, path: &str) -> Read<(String, bool)> {
    let inside = inside(case, promise)?;
    if inside.kind == Kind::Socket {
        return Ok((format!("the socket {path}"), false));
    }
    let outside = case.evidence.outside.get(&promise.target);
    if let Some(Ok(outside)) = outside
        && (outside.device, outside.inode) == (inside.device, inside.inode)
    {
        return Ok((path.to_owned(), true));
    }
    let host = case.evidence.host_mounts.as_ref().map_err(Clone::clone)?;
    Ok(match mountinfo::host_path(mount, host) {
        Some(seen) if seen == path && inside.kind == Kind::File => {
            (format!("{path}, replaced on the host since"), true)
        }
        Some(seen) if seen == path => (format!("{path}, but another folder is there by now"), false),
        Some(seen) => (seen, false),
        None => (format!("{}{}", mount.fs_type, mount.root), false),
    })
}

/// The volume of this name by the engine's word, and its folder by the kernel's: a volume that is a host path in
/// disguise has another root.
fn volume(
    case: &Case<'_>,
    promise: &MountPromise,
    mount: &MountInfo,
    name: Option<&str>,
    subpath: Option<&str>,
) -> (String, bool) {
    let Some(point) = case.engine.mounts.iter().find(|point| point.target == promise.target) else {
        return ("unknown to the engine".to_owned(), false);
    };
    let seen = point.name.as_deref().unwrap_or_default();
    if point.kind != "volume" || name.is_some_and(|name| name != seen) {
        return (format!("{} {}", point.kind, if seen.is_empty() { &point.source } else { seen }), false);
    }
    let subpath = subpath.map_or_else(String::new, |path| format!("/{}", path.trim_matches('/')));
    let folder = format!("/{seen}/_data{subpath}");
    let own = mount.fs_type == "tmpfs" && mount.root == "/" || mount.root.ends_with(&folder);
    let word = if name.is_some() { format!("volume {seen}") } else { "a volume of its own".to_owned() };
    if own {
        (word, true)
    } else {
        (format!("{word}, which is really {}{}", mount.fs_type, mount.root), false)
    }
}

/// The image of this id by the engine's word, and by the kernel's a file system like that of the root, which is of an image
/// too. An engine that was restarted leaves an empty folder of the host there, in a file system of another kind.
fn image(
    case: &Case<'_>,
    promise: &MountPromise,
    mount: &MountInfo,
    subpath: Option<&str>,
) -> Read<(String, bool)> {
    let Some(point) = case.engine.mounts.iter().find(|point| point.target == promise.target) else {
        return Ok(("unknown to the engine".to_owned(), false));
    };
    let seen = point.name.as_deref().unwrap_or_default();
    if point.kind != "image" {
        return Ok((format!("{} {seen}", point.kind), false));
    }
    let word = |folder: &str| format!("image {}{folder}", short(seen));
    let root =
        mountinfo::at(mounts_of(case)?, "/").ok_or_else(|| Unread("there is no root mount".to_owned()))?;
    // Other drivers than overlay have the folders of all images in one file system.
    let whole = mount.fs_type != "overlay"
        || mount.device != root.device && mount.root == format!("/{}", folder(subpath));
    if mount.fs_type != root.fs_type || !whole {
        return Ok((word(&format!(", which is really {}{}", mount.fs_type, mount.root)), false));
    }
    let same = case.spec.mounted.get(&promise.target).is_some_and(|id| id == seen);
    Ok((word(&of_folder(subpath)), same))
}

/// A folder in an image, by its names alone.
fn folder(subpath: Option<&str>) -> String {
    let parts = subpath.unwrap_or_default().split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

fn of_folder(subpath: Option<&str>) -> String {
    let folder = folder(subpath);
    if folder.is_empty() { folder } else { format!(", {folder}") }
}

fn tmpfs(case: &Case<'_>, mount: &MountInfo, size: u64, owner: (u32, u32, u32)) -> Read<(String, bool)> {
    if mount.fs_type != "tmpfs" {
        return Ok((mount.fs_type.clone(), false));
    }
    let uids = case.evidence.uid_map.as_ref().map_err(Clone::clone)?;
    let gids = case.evidence.gid_map.as_ref().map_err(Clone::clone)?;
    // The kernel leaves out what is its default: mode 1777, owner and group 0.
    let number = |name: &str, radix, default| {
        mount.super_option(name).map_or(Some(default), |text| u32::from_str_radix(text, radix).ok())
    };
    let inside = |map: &[[u64; 3]], id: Option<u32>| id.and_then(|id| inward(map, id));
    let seen =
        (number("mode", 8, 0o1777), inside(uids, number("uid", 10, 0)), inside(gids, number("gid", 10, 0)));
    let flags = ["nosuid", "nodev", "noexec"].iter().filter(|flag| !mount.options.contains(**flag));
    let missing: Vec<String> = flags.map(|flag| format!("without {flag}")).collect();
    let bytes = mount.super_option("size").and_then(bytes);
    let same = missing.is_empty()
        && seen == (Some(owner.0), Some(owner.1), Some(owner.2))
        && bytes.is_some_and(|bytes| bytes.abs_diff(size) < 65_536);
    let number = |n: Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let mode = seen.0.map_or_else(|| "?".to_owned(), |mode| format!("{mode:o}"));
    let mode = format!("mode {mode} of {}:{}", number(seen.1), number(seen.2));
    let mut words = vec![format!("tmpfs of {} KiB", bytes.unwrap_or_default() / 1024), mode];
    words.extend(missing);
    Ok((words.join(", "), same))
}

/// A staged file: what it says is what was hashed into the promise.
fn content(case: &Case<'_>, promise: &MountPromise, key: &str) -> Read<(String, bool)> {
    let inside = inside(case, promise)?;
    let wanted = case.spec.content.get(key);
    Ok(match (&inside.sha256, wanted) {
        _ if inside.kind != Kind::File => ("no regular file".to_owned(), false),
        (Some(seen), Some(wanted)) if seen == wanted => (format!("{key}, same content"), true),
        (Some(_), _) => (format!("{key}, other content"), false),
        (None, _) => return Err(Unread(format!("the content of {}", promise.target))),
    })
}

/// No mount besides those promised and those that every engine makes.
pub(super) fn other_mounts(case: &Case<'_>) -> Vec<Check> {
    let seen = mounts_of(case).map(|mounts| {
        let promised = case.spec.confinement.mounts();
        let strange: Vec<String> = mounts
            .iter()
            .filter(|mount| !promised.iter().any(|promise| promise.target == mount.target))
            .filter(|mount| !engine_made(case, mount))
            .map(|mount| strange(case, mount))
            .collect();
        if strange.is_empty() { ("none".to_owned(), true) } else { (some(&strange, "; "), false) }
    });
    vec![Check::compared("other mounts", "none", seen)]
}

fn strange(case: &Case<'_>, mount: &MountInfo) -> String {
    let image_volume =
        case.engine.mounts.iter().any(|point| point.target == mount.target && point.kind == "volume");
    let host = case.evidence.host_mounts.as_deref().unwrap_or_default();
    let from = mountinfo::host_path(mount, host).unwrap_or_else(|| mount.fs_type.clone());
    let hint = if image_volume {
        format!(" (the image declares this VOLUME: name `{}` under `volumes` or `tmpfs`)", mount.target)
    } else {
        String::new()
    };
    format!("{} from {from}, {}{hint}", mount.target, way(mount.read_only()))
}

/// What an engine mounts by itself: kernel file systems, its three files in `/etc`, and its init.
fn engine_made(case: &Case<'_>, mount: &MountInfo) -> bool {
    let target = mount.target.as_str();
    let kernel = ["proc", "tmpfs", "devtmpfs"].contains(&mount.fs_type.as_str());
    match target {
        "/" => true,
        "/proc" => mount.fs_type == "proc",
        "/dev" | "/dev/shm" => mount.fs_type == "tmpfs",
        "/dev/pts" | "/dev/console" => mount.fs_type == "devpts",
        "/dev/mqueue" => mount.fs_type == "mqueue",
        "/sys" => mount.fs_type == "sysfs" && mount.read_only(),
        "/etc/resolv.conf" | "/etc/hostname" | "/etc/hosts" => mount.root.contains(&case.engine.id),
        _ if super::INITS.contains(&target) => mount.read_only() && case.spec.confinement.init(),
        // Where root is remapped, the engine leaves its cgroup writable (moby's `oci_linux.go`: it cannot be remounted in a
        // user namespace), and its files belong to nobody of the container.
        _ if below("/sys/fs/cgroup", target).is_some() => {
            let closed = mount.read_only() || remapped(case);
            mount.fs_type == "tmpfs" || mount.fs_type.starts_with("cgroup") && closed
        }
        // There no device can be made either: the host's harmless ones are bound.
        _ if mount.fs_type == "devtmpfs" && below("/dev", target).is_some() => {
            let usual = USUAL.iter().any(|name| mount.root.strip_prefix('/') == Some(name));
            remapped(case) && usual && target.strip_prefix("/dev") == Some(&mount.root)
        }
        // Hidden by the engine: an empty folder, or `/dev/null` over a file; or the same again, read-only.
        _ if below("/proc", target).is_some() => kernel,
        _ if below("/sys", target).is_some() => kernel && mount.read_only(),
        _ => false,
    }
}

/// Whether nobody of the container is root outside.
fn remapped(case: &Case<'_>) -> bool {
    case.evidence
        .uid_map
        .as_ref()
        .is_ok_and(|map| !map.is_empty() && map.iter().all(|[_, outside, _]| *outside != 0))
}

/// Devices that every container has.
const USUAL: [&str; 8] = ["console", "full", "null", "ptmx", "random", "tty", "urandom", "zero"];

/// What the engine hides in `/proc`, or makes read-only, is not writable in its own right.
pub(super) fn system_paths(case: &Case<'_>) -> Vec<Check> {
    let seen = mounts_of(case).map(|mounts| {
        let open: Vec<&str> = case
            .evidence
            .system_paths
            .iter()
            .map(String::as_str)
            .filter(|path| mountinfo::at(mounts, path).is_none_or(|m| !m.read_only() && m.root != "/null"))
            .collect();
        if open.is_empty() {
            ("hidden".to_owned(), true)
        } else {
            (format!("open: {}", open.join(" ")), false)
        }
    });
    vec![Check::compared("system paths", "hidden or read-only", seen)]
}

/// No device but those that every container has.
pub(super) fn devices(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.devices.as_ref().map_err(Clone::clone).map(|names| {
        let strange: Vec<String> =
            names.iter().filter(|name| !USUAL.contains(&name.as_str())).cloned().collect();
        if strange.is_empty() { ("the usual".to_owned(), true) } else { (some(&strange, " "), false) }
    });
    vec![Check::compared("devices", "the usual", seen)]
}

/// No mount shows a socket by which an engine is commanded, at any path and under any name.
pub(super) fn engine_sockets(case: &Case<'_>) -> Vec<Check> {
    let seen = mounts_of(case).and_then(|mounts| {
        let host = case.evidence.host_mounts.as_ref().map_err(Clone::clone)?;
        let shown: Vec<String> = mounts
            .iter()
            .filter_map(|mount| {
                let shown = mountinfo::host_path(mount, host)?;
                let socket =
                    case.evidence.engine_sockets.iter().find(|socket| below(&shown, socket).is_some())?;
                Some(format!("{socket} under {}", mount.target))
            })
            .collect();
        Ok(if shown.is_empty() { ("none".to_owned(), true) } else { (shown.join("; "), false) })
    });
    vec![Check::compared("engine sockets", "none", seen)]
}

fn mounts_of<'a>(case: &Case<'a>) -> Read<&'a [MountInfo]> {
    case.evidence.mounts.as_deref().map_err(Clone::clone)
}

fn inside<'a>(case: &Case<'a>, promise: &MountPromise) -> Read<&'a FileId> {
    match case.evidence.inside.get(&promise.target) {
        Some(found) => found.as_ref().map_err(Clone::clone),
        None => Err(Unread(format!("nothing was looked at under {}", promise.target))),
    }
}

fn describe(case: &Case<'_>, promise: &MountPromise) -> String {
    let what = match &promise.source {
        MountSource::Bind(path) => path.clone(),
        MountSource::Volume { name: Some(name), .. } => format!("volume {name}"),
        MountSource::Volume { name: None, .. } => "a volume of its own".to_owned(),
        MountSource::Image { subpath, .. } => {
            let id = case.spec.mounted.get(&promise.target).map_or("unknown", String::as_str);
            format!("image {}{}", short(id), of_folder(subpath.as_deref()))
        }
        MountSource::Tmpfs { size, mode, uid, gid } => {
            format!("tmpfs of {} KiB, mode {mode:o} of {uid}:{gid}", size / 1024)
        }
        MountSource::Content { kind, key, .. } => format!("{kind}/{key}, same content"),
    };
    format!("{what}, {}", way(promise.read_only))
}

/// The first few of a list that may be long, and how many more there are.
fn some(rows: &[String], between: &str) -> String {
    const FEW: usize = 6;
    let shown: Vec<&str> = rows.iter().take(FEW).map(String::as_str).collect();
    match rows.len().saturating_sub(FEW) {
        0 => shown.join(between),
        more => format!("{}{between}and {more} more", shown.join(between)),
    }
}

const fn way(read_only: bool) -> &'static str {
    if read_only { "read-only" } else { "writable" }
}

/// `1024k`, `64m`, `1g` or plain bytes, as the kernel prints a tmpfs's size.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k') => (text.get(..at)?, 1024),
        (at, 'm') => (text.get(..at)?, 1024 * 1024),
        (at, 'g') => (text.get(..at)?, 1024 * 1024 * 1024),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
