//! Sockets that give the host away, by every route to one.

use std::path::{Path, PathBuf};

use crate::host::Kind;
use crate::model::{ContentSource, Service};
use crate::policy::{Hit, Stack};

use super::binds::binds;
use super::paths::normal;

/// Sockets that give the host away, at the paths where engines and systems put them.
pub(crate) const SOCKETS: &[&str] = &[
    "/run/buildkit/buildkitd.sock",
    "/run/containerd/containerd.sock",
    "/run/containerd/containerd.sock.ttrpc",
    "/run/cri-dockerd.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/libvirt/libvirt-sock",
    "/run/podman/podman.sock",
    "/run/snapd.socket",
    "/run/systemd/private",
    "/var/lib/incus/unix.socket",
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
];

/// Names that such sockets have wherever they lie.
const SOCKET_NAMES: &[&str] = &[
    "buildkitd.sock",
    "containerd.sock",
    "containerd.sock.ttrpc",
    "cri-dockerd.sock",
    "crio.sock",
    "docker.sock",
    "docker.sock.raw",
    "libvirt-sock",
    "podman.sock",
    "snapd-snap.socket",
    "snapd.socket",
    "system_bus_socket",
];

pub(super) fn sockets_mounted(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service)
        .filter_map(|(bind, span)| Some(Hit::on(span, socket_route(stack, &bind.path, &bind.written)?)));
    hits.collect()
}

pub(super) fn sockets_declared(stack: &Stack<'_>) -> Vec<Hit> {
    let objects = stack.project.secrets.values().chain(stack.project.configs.values());
    let files = objects.filter_map(|object| match &object.content.value {
        ContentSource::File(path) => {
            let route = socket_route(stack, path, &path.display().to_string())?;
            Some(Hit::on(object.content.span().unwrap_or(object.span), route))
        }
        _ => None,
    });
    let devices = stack.project.volumes.values().filter_map(|volume| {
        let device = volume.driver_opts.get("device")?;
        let path = normal(Path::new(device.value.trim_start_matches(':')));
        Some(Hit::at(device, socket_route(stack, &path, &device.value)?))
    });
    files.chain(devices).collect()
}

/// How a host path leads to an engine's socket, if it does.
pub(super) fn socket_route(stack: &Stack<'_>, path: &Path, written: &str) -> Option<String> {
    if let Some(how) = socket_by_name(path) {
        return Some(format!("`{written}` {how}"));
    }
    let look = stack.look(path)?;
    let resolved = look.resolved.display();
    if let Some(how) = socket_by_name(&look.resolved) {
        return Some(format!("`{written}` leads to `{resolved}`, which {how}"));
    }
    if look.kind == Some(Kind::Socket) || look.identity.is_some_and(|id| stack.engines.contains(&id)) {
        return Some(format!("`{written}` is a socket of the host"));
    }
    let first = look.sockets.first()?;
    Some(format!("`{written}` contains the socket `{}`", first.display()))
}

/// What a path is by its text alone, if it is a known socket or a folder of one.
pub(crate) fn socket_by_name(path: &Path) -> Option<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let known = SOCKETS.iter().map(Path::new).collect::<Vec<_>>();
    let plain = under_run(path);
    if !path.is_absolute() {
        return None;
    }
    if SOCKET_NAMES.contains(&name) || known.contains(&plain.as_path()) {
        return Some("is an engine's or the system's socket".into());
    }
    let inside = known.iter().find(|socket| socket.starts_with(&plain));
    if let Some(socket) = inside {
        return Some(format!("contains `{}`", socket.display()));
    }
    if plain.starts_with("/proc") {
        return Some("reaches every file of the host, its sockets among them, through `/proc/1/root`".into());
    }
    let user_runtime = plain.starts_with("/run/user");
    user_runtime.then(|| "may contain the socket of a rootless engine".into())
}

/// `/var/run` is `/run` on every Linux of this century.
pub(super) fn under_run(path: &Path) -> PathBuf {
    path.strip_prefix("/var/run").map_or_else(|_| path.to_path_buf(), |rest| Path::new("/run").join(rest))
}
