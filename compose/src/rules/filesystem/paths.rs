//! Host paths: those that no container sees, the stack's own folder, and links on the way.

use std::path::{Path, PathBuf};

use crate::model::Service;
use crate::policy::{Hit, Stack};

use super::binds::binds;
use super::sockets::{socket_by_name, socket_route};

/// Paths that no container sees: they, what is above them, and what is below them.
const SENSITIVE: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/root",
    "/run",
    "/sbin",
    "/snap",
    "/sys",
    "/tmp",
    "/usr",
    "/var/cache/apparmor",
    "/var/lib/apparmor",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/incus",
    "/var/lib/kubelet",
    "/var/lib/lxd",
    "/var/lib/rancher",
    "/var/lib/supervisor",
    "/var/lib/systemd",
    "/var/log",
    "/var/run",
    "/var/spool/cron",
    "/var/tmp",
];

pub(super) fn sensitive_paths(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        if socket_route(stack, &bind.path, &bind.written).is_some() {
            return None;
        }
        let resolved = stack.look(&bind.path).map_or(bind.path.as_path(), |look| &look.resolved);
        let written = &bind.written;
        let message = if let Some(sensitive) = sensitive(stack, &bind.path) {
            format!("`{written}` shows `{sensitive}` of the host")
        } else {
            let sensitive = sensitive(stack, resolved)?;
            format!("`{written}` leads to `{}`, which shows `{sensitive}` of the host", resolved.display())
        };
        Some(Hit::on(span, message))
    });
    hits.collect()
}

/// The sensitive path that a host path is, contains or lies in, unless it lies in the stack's own folder.
pub(crate) fn sensitive(stack: &Stack<'_>, path: &Path) -> Option<&'static str> {
    if in_stack_folder(stack, path) {
        return None;
    }
    if path == Path::new("/") {
        return Some("/");
    }
    touches(path)
}

pub(super) fn touches(path: &Path) -> Option<&'static str> {
    SENSITIVE
        .iter()
        .copied()
        .find(|sensitive| path.starts_with(sensitive) || Path::new(sensitive).starts_with(path))
}

/// Whether a path lies in the folder of the first Compose file, lexically or with that folder's links resolved.
///
/// A folder that itself contains a sensitive path, such as `/`, makes nothing its own.
pub(crate) fn in_stack_folder(stack: &Stack<'_>, path: &Path) -> bool {
    [&stack.project.directory, &stack.folder.0]
        .into_iter()
        .any(|folder| path.starts_with(folder) && !SENSITIVE.iter().any(|s| Path::new(s).starts_with(folder)))
}

pub(super) fn links(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let link = link_on_the_way(stack, &bind.path)?;
        if sensitive(stack, &bind.path).is_some() || socket_by_name(&bind.path).is_some() {
            return None;
        }
        let resolved =
            stack.look(&bind.path).map(|look| look.resolved.display().to_string()).unwrap_or_default();
        let message = format!("`{}` is a symbolic link; the path leads to `{resolved}`", link.display());
        Some(Hit::on(span, message).fix(resolved))
    });
    hits.collect()
}

/// The first link of a path, those above the stack's own folder left out: nobody but the administrator moves them.
pub(crate) fn link_on_the_way(stack: &Stack<'_>, path: &Path) -> Option<PathBuf> {
    let above = if path.starts_with(&stack.project.directory) { stack.folder.1.len() } else { 0 };
    stack.look(path)?.links.get(above).cloned()
}

/// A path without `.`, `..` and doubled slashes, by its text alone.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
