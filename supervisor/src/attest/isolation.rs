//! What separates it from the host: namespaces, user map, the engine's modes, its place among the cgroups.

use std::net::{IpAddr, Ipv4Addr};

use super::{Case, Check, Verdict};
use crate::observe::kernel::{Read, Unread};

/// Kinds of namespace that it must have to itself. The user namespace is the engine's to choose.
const OWN: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/// None of its namespaces is the host's.
pub(super) fn namespaces(case: &Case<'_>) -> Vec<Check> {
    let seen = || -> Read<(String, bool)> {
        let own = case.evidence.main.namespaces.as_ref().map_err(Clone::clone)?;
        let host = case.evidence.host_namespaces.as_ref().map_err(Clone::clone)?;
        let mut shared = Vec::new();
        for kind in OWN {
            let inode = own.get(kind).ok_or_else(|| Unread(format!("there is no {kind} namespace")))?;
            if host.get(kind).is_none_or(|host| host.contains(inode)) {
                shared.push(kind);
            }
        }
        Ok(if shared.is_empty() {
            ("its own".to_owned(), true)
        } else {
            (format!("the host's {}", shared.join(", ")), false)
        })
    };
    vec![Check::compared("namespaces", format!("its own {}", OWN.join(", ")), seen())]
}

/// A whole map without user namespace, or one that maps no root of the host.
pub(super) fn user_map(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.uid_map.as_ref().map_err(Clone::clone).and_then(|rows| {
        let own = case.evidence.main.namespaces.as_ref().map_err(Clone::clone)?;
        let host = case.evidence.host_namespaces.as_ref().map_err(Clone::clone)?;
        let remapped =
            own.get("user").is_some_and(|inode| host.get("user").is_some_and(|host| !host.contains(inode)));
        let maps_root = rows.iter().any(|[_, outside, _]| *outside == 0);
        Ok(match (remapped, maps_root) {
            (false, _) => ("the host's ids".to_owned(), true),
            (true, false) => ("ids of its own".to_owned(), true),
            (true, true) => ("a user namespace that maps the host's root".to_owned(), false),
        })
    });
    vec![Check::compared("user ids", "the host's, or remapped without its root", seen)]
}

/// The modes by which an engine joins a container to something else.
pub(super) fn host_modes(case: &Case<'_>) -> Vec<Check> {
    let engine = case.engine;
    let modes = [
        ("privileged", if engine.privileged { "true" } else { "" }, &[""][..]),
        ("ipc", engine.ipc_mode.as_str(), &["", "private", "none"]),
        ("pid", engine.pid_mode.as_str(), &["", "private"]),
        ("uts", engine.uts_mode.as_str(), &["", "private"]),
        ("userns", engine.userns_mode.as_str(), &["", "private"]),
        ("cgroup", engine.cgroupns_mode.as_str(), &["private"]),
    ];
    let mut strange: Vec<String> = modes
        .iter()
        .filter(|(_, mode, fine)| !fine.contains(mode))
        .map(|(name, mode, _)| format!("{name}={mode}"))
        .collect();
    strange.extend(engine.devices.iter().map(|device| format!("device {device}")));
    if engine.network_mode == "host" || engine.network_mode.starts_with("container:") {
        strange.push(format!("network={}", engine.network_mode));
    }
    let asked = case.spec.runtime.as_deref().unwrap_or_default();
    if !asked.is_empty() && engine.runtime != asked {
        strange.push(format!("runtime={}", engine.runtime));
    }
    let seen =
        if strange.is_empty() { ("all private".to_owned(), true) } else { (strange.join(", "), false) };
    vec![Check::compared("engine's modes", "all private, no device", Ok(seen))]
}

/// Where the engine's own resolver listens in a container's network namespace.
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// What listens in its network namespace. The file promises nothing of it but what it publishes.
pub(super) fn listening(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.listening.as_ref().map(|sockets| {
        let own = sockets.iter().filter(|socket| socket.address.ip() != RESOLVER);
        let names: Vec<String> = own.map(ToString::to_string).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    });
    vec![Check {
        item: "listening".to_owned(),
        promised: "nothing: the service's own affair, on networks of its own".to_owned(),
        seen: seen.unwrap_or_else(|why| format!("could not be read: {why}")),
        verdict: Verdict::Noted,
    }]
}

/// Its cgroup bears its id: the bounds that are read are those of this container.
pub(super) fn cgroup(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.cgroup.as_ref().map_err(Clone::clone);
    let seen = seen.map(|path| {
        let own = path.contains(&case.engine.id) && !case.engine.id.is_empty();
        (if own { "its own".to_owned() } else { path.clone() }, own)
    });
    vec![Check::compared("cgroup", "its own", seen)]
}
