//! What a service sees of files: its root, host paths, engine sockets, volumes, memory file systems.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::finding::Severity;
use crate::host::Kind;
use crate::model::{Bind, ContentSource, MountSource, Service, Tmpfs};
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};
use crate::source::{At, Span};
use crate::spell;

use super::{is_any, place};

/// `read_only: true` is filled in under this id.
pub(crate) const READ_ONLY: &str = "SV150";
/// Options and size of a tmpfs are filled in under this id.
pub(crate) const TMPFS: &str = "SV159";
/// Nothing is created on the host under this id.
pub(crate) const BIND_OPTIONS: &str = "SV157";
/// A tmpfs on `/tmp` is filled in under this id.
pub(crate) const TMP: &str = "SV160";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: READ_ONLY,
        title: "a read-only root",
        reason: "a writable root lets an intruder change the program itself and leave tools behind",
        severity: Severity::Error,
        fix: "write `read_only: true`, and give each path that is written to a tmpfs or a volume",
        bad: "services:\n  web:\n    image: caddy:2\n    read_only: false # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    read_only: true\n    tmpfs:\n      - /tmp:size=64m\n",
        place: place("5.3", "5.13", "8"),
        exempt: Exempt::Possible,
        check: Check::Service(read_only),
        repair: Repair::Value("true"),
    },
    Rule {
        id: "SV151",
        title: "no engine socket, by any route",
        reason: "whoever reaches an engine's socket starts any container with any rights: it is root on the host",
        severity: Severity::Error,
        fix: "remove it; no service of a stack needs the engine",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock:ro # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
        place: place("5.4", "5.32", "1"),
        exempt: Exempt::Never,
        check: Check::Service(sockets_mounted),
        repair: Repair::Author,
    },
    Rule {
        id: "SV152",
        title: "no engine socket through a shared volume, secret or config",
        reason: "a volume's options and a secret's path reach the same files as a mount, with no path in the service",
        severity: Severity::Error,
        fix: "remove it; no service of a stack needs the engine",
        bad: "services:\n  web:\n    image: caddy:2\n    configs: [engine]\nconfigs:\n  engine:\n    file: /run/docker.sock # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    configs: [site]\nconfigs:\n  site:\n    file: ./Caddyfile\n",
        place: place("5.4", "5.32", "1"),
        exempt: Exempt::Never,
        check: Check::Stack(sockets_declared),
        repair: Repair::Author,
    },
    Rule {
        id: "SV153",
        title: "no engine socket through the engine's own key",
        reason: "`use_api_socket` mounts the engine's socket and the user's registry credentials, with no path in the file",
        severity: Severity::Error,
        fix: "remove it; no service of a stack needs the engine",
        bad: "services:\n  web:\n    image: caddy:2\n    use_api_socket: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("5.4", "5.32", "1"),
        exempt: Exempt::Never,
        check: Check::Keys(&["use_api_socket"]),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV154",
        title: "no sensitive path of the host",
        reason: "these paths hold the host's accounts, settings, programs, devices, logs and other containers",
        severity: Severity::Error,
        fix: "use a named volume, or a path inside the stack's own folder",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - /etc:/host/etc:ro # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - ./site:/srv:ro\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Possible,
        check: Check::Service(sensitive_paths),
        repair: Repair::Author,
    },
    Rule {
        id: "SV155",
        title: "no symbolic link on the way to a mount",
        reason: "a link can be pointed elsewhere between the check and the launch",
        severity: Severity::Error,
        fix: "name the path that the link leads to",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - /srv/link/site:/srv:ro # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - /srv/real/site:/srv:ro\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Service(links),
        repair: Repair::Author,
    },
    Rule {
        id: "SV156",
        title: "mounts that do not propagate",
        reason: "with shared propagation, what is mounted in the container appears on the host, and the other way round",
        severity: Severity::Error,
        fix: "remove `propagation`; `rprivate` is the default",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: bind # <-\n        source: ./site\n        target: /srv\n        bind: {propagation: rshared}\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: bind\n        source: ./site\n        target: /srv\n        bind: {propagation: rprivate}\n",
        place: place("", "5.20", "8"),
        exempt: Exempt::Never,
        check: Check::Service(propagation),
        repair: Repair::By(private_mount),
    },
    Rule {
        id: BIND_OPTIONS,
        title: "nothing is created or relabelled on the host, nothing below stays writable",
        reason: "the engine would make folders as root, change the labels of the host's files, or leave mounts below writable",
        severity: Severity::Error,
        fix: "make the folder yourself, and remove the option",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: bind # <-\n        source: ./site\n        target: /srv\n        bind: {create_host_path: true}\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: bind\n        source: ./site\n        target: /srv\n        bind: {create_host_path: false}\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Service(bind_options),
        repair: Repair::By(nothing_created),
    },
    Rule {
        id: "SV158",
        title: "nothing is mounted over the system of the container",
        reason: "over `/`, `/proc`, `/sys`, `/dev` or the loader's preload list a mount changes what every program there does",
        severity: Severity::Error,
        fix: "mount it somewhere else, at an absolute path without `..`",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/proc/sys # <-\nvolumes:\n  data:\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
        place: place("", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Service(targets),
        repair: Repair::Author,
    },
    Rule {
        id: TMPFS,
        title: "a bounded memory file system without programs and devices",
        reason: "a tmpfs is writable by everyone in the container: programs and devices there are an intruder's, and its content is memory",
        severity: Severity::Error,
        fix: "remove `exec`, `suid` and `dev`, and give it a size",
        bad: "services:\n  web:\n    image: caddy:2\n    tmpfs:\n      - /tmp:exec,size=64m # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    tmpfs:\n      - /tmp:noexec,nosuid,nodev,size=64m\n",
        place: place("5.3", "", "8"),
        exempt: Exempt::Never,
        check: Check::Service(tmpfs),
        repair: Repair::By(bounded_tmpfs),
    },
    Rule {
        id: TMP,
        title: "a `/tmp` in memory beside a read-only root",
        reason: "most programs need a place for temporary files, and the root is read-only",
        severity: Severity::Note,
        fix: "write a tmpfs on `/tmp` with the size that the service needs",
        bad: "services:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n    tmpfs:\n      - /tmp:size=64m\n",
        place: place("5.3", "5.13", "8"),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: "SV161",
        title: "memory file systems fit in the memory limit",
        reason: "what lies in a tmpfs counts as memory: a full one has the service killed",
        severity: Severity::Warning,
        fix: "raise the memory limit, or make the tmpfs smaller",
        bad: "services:\n  web:\n    image: caddy:2\n    mem_limit: 128m # <-\n    tmpfs:\n      - /tmp:size=256m\n",
        good: "services:\n  web:\n    image: caddy:2\n    mem_limit: 512m\n    tmpfs:\n      - /tmp:size=256m\n",
        place: place("5.2", "5.11", "7"),
        exempt: Exempt::Possible,
        check: Check::Service(tmpfs_sum),
        repair: Repair::Author,
    },
    Rule {
        id: "SV162",
        title: "only mounts that are known",
        reason: "pipes and cluster volumes reach programs of the host, and an image's content is not judged here",
        severity: Severity::Error,
        fix: "use `volume`, `bind` or `tmpfs`",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: npipe # <-\n        source: //./pipe/docker_engine\n        target: /pipe\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - type: volume\n        source: data\n        target: /data\nvolumes:\n  data:\n",
        place: place("", "", "8"),
        exempt: Exempt::Never,
        check: Check::Service(kinds),
        repair: Repair::Author,
    },
    Rule {
        id: "SV163",
        title: "no mounts of another container",
        reason: "`volumes_from` brings every mount of another container with no path in the file",
        severity: Severity::Error,
        fix: "name each volume that is shared under `volumes`",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes_from: # <-\n      - container:other\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Keys(&["volumes_from"]),
        repair: Repair::Author,
    },
    Rule {
        id: "SV164",
        title: "no host path or network disguised as a volume",
        reason: "a volume's options can bind any path of the host, mount a network file system, or run a plugin as root",
        severity: Severity::Error,
        fix: "remove `driver` and `driver_opts`; only `type: tmpfs` with a size needs them",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n    driver_opts:\n      type: none\n      o: bind\n      device: /etc # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n    driver_opts:\n      type: tmpfs\n      device: tmpfs\n      o: size=64m\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Never,
        check: Check::Stack(volume_options),
        repair: Repair::Author,
    },
    Rule {
        id: "SV165",
        title: "a mounted host path exists",
        reason: "nothing is created on the host: at launch a missing path is an error",
        severity: Severity::Note,
        fix: "make the file or folder before the launch",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - ./missing:/srv:ro # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - ./site:/srv:ro\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(missing),
        repair: Repair::Author,
    },
    Rule {
        id: "SV166",
        title: "a working folder of the container",
        reason: "in `/proc/self/fd` a program can stand in a folder of the host that was left open (CVE-2024-21626)",
        severity: Severity::Error,
        fix: "name an absolute path outside of `/proc`, `/sys` and `/dev`",
        bad: "services:\n  web:\n    image: caddy:2\n    working_dir: /proc/self/fd/8 # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    working_dir: /srv\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(working_dir),
        repair: Repair::Author,
    },
    Rule {
        id: "SV167",
        title: "no device of the host as a mount",
        reason: "a device file that is mounted is as good as one that is handed over",
        severity: Severity::Error,
        fix: "mount a file or a folder",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - /srv/disk:/disk # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/disk\nvolumes:\n  data:\n",
        place: place("", "5.18", ""),
        exempt: Exempt::Never,
        check: Check::Service(device_mounts),
        repair: Repair::Author,
    },
    Rule {
        id: "SV168",
        title: "volumes of the stack's own",
        reason: "a volume made elsewhere can be a host path or a network file system under a harmless name",
        severity: Severity::Warning,
        fix: "declare the volume here, or exempt it with the reason",
        bad: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n    external: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    volumes:\n      - data:/data\nvolumes:\n  data:\n",
        place: place("5.4", "5.6", "8"),
        exempt: Exempt::Possible,
        check: Check::Stack(external_volumes),
        repair: Repair::Author,
    },
];

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

fn read_only(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let writable = service.read_only.as_ref().filter(|read_only| !read_only.value);
    Hit::if_some(
        writable.map(|at| {
            Hit::at(at, format!("the root of `{}` is writable", service.name)).fix("read_only: true")
        }),
    )
}

/// Each bind mount with its place.
fn binds(service: &Service) -> impl Iterator<Item = (&Bind, Span)> {
    service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Bind(bind) => Some((bind, mount.span().unwrap_or(service.span))),
        _ => None,
    })
}

fn sockets_mounted(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service)
        .filter_map(|(bind, span)| Some(Hit::on(span, socket_route(stack, &bind.path, &bind.written)?)));
    hits.collect()
}

fn sockets_declared(stack: &Stack<'_>) -> Vec<Hit> {
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
fn socket_route(stack: &Stack<'_>, path: &Path, written: &str) -> Option<String> {
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
fn under_run(path: &Path) -> PathBuf {
    path.strip_prefix("/var/run").map_or_else(|_| path.to_path_buf(), |rest| Path::new("/run").join(rest))
}

fn sensitive_paths(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
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

fn touches(path: &Path) -> Option<&'static str> {
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

fn links(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
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

fn propagation(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let mode = bind.propagation.as_deref().filter(|mode| !is_any(mode, &["", "private", "rprivate"]))?;
        Some(Hit::on(span, format!("mounts propagate: `{mode}`")).fix("propagation: rprivate"))
    });
    hits.collect()
}

fn private_mount(site: &Site<'_>) -> Vec<Change> {
    const PROPAGATIONS: &[&str] = &["shared", "rshared", "slave", "rslave"];
    if site.get(&["bind", "propagation"]).is_some() {
        return vec![Change::Set(&["bind", "propagation"], "rprivate".into())];
    }
    site.text(|mount| {
        let (front, options) = mount.rsplit_once(':')?;
        let kept: Vec<&str> = options.split(',').filter(|option| !PROPAGATIONS.contains(option)).collect();
        Some(Change::Text(if kept.is_empty() {
            front.to_owned()
        } else {
            format!("{front}:{}", kept.join(","))
        }))
    })
}

fn bind_options(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (bind, span) in binds(service) {
        if bind.create_host_path == Some(true) {
            hits.push(
                Hit::on(span, format!("`{}` would be created by the engine, as root", bind.written))
                    .fix("create_host_path: false"),
            );
        }
        if bind.recursive.as_deref().is_some_and(|mode| is_any(mode, &["writable"])) {
            hits.push(Hit::on(span, format!("mounts below `{}` stay writable", bind.written)));
        }
        if bind.selinux.is_some() && !in_stack_folder(stack, &bind.path) {
            hits.push(Hit::on(
                span,
                format!("`{}` would get another SELinux label on the host", bind.written),
            ));
        }
    }
    hits
}

/// What creates nothing and keeps what is below read-only. A label may be meant: the author has to say.
fn nothing_created(site: &Site<'_>) -> Vec<Change> {
    let created = site.get(&["bind", "create_host_path"]).is_some_and(|flag| is_any(&flag, &["true"]));
    let writable = site.get(&["bind", "recursive"]).is_some_and(|mode| is_any(&mode, &["writable"]));
    let created = created.then(|| Change::Set(&["bind", "create_host_path"], "false".into()));
    created.into_iter().chain(writable.then_some(Change::Drop(&["bind", "recursive"]))).collect()
}

fn targets(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mounts = service.mounts.iter().map(|m| (m.value.target.as_str(), m.span()));
    let grants = service.secrets.iter().chain(&service.configs).map(|g| (g.value.target.as_str(), g.span()));
    let hits = mounts.chain(grants).filter_map(|(target, span)| {
        let why = bad_target(target)?;
        Some(Hit::on(span.unwrap_or(service.span), format!("`{target}` {why}")))
    });
    hits.collect()
}

/// Why nothing may be mounted there.
fn bad_target(target: &str) -> Option<&'static str> {
    const SYSTEM: &[&str] =
        &["/proc", "/sys", "/dev", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.cache"];
    if !target.starts_with('/') {
        return Some("is not an absolute path");
    }
    if target.split('/').any(|part| part == "..") {
        return Some("goes up with `..`");
    }
    let path = normal(Path::new(target));
    if path == Path::new("/") {
        return Some("is the root itself");
    }
    SYSTEM.iter().any(|system| path.starts_with(system)).then_some("belongs to the system of the container")
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

/// Each tmpfs with its place.
fn memory_mounts(service: &Service) -> impl Iterator<Item = (&Tmpfs, Span)> {
    service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Tmpfs(tmpfs) => Some((tmpfs, mount.span().unwrap_or(service.span))),
        _ => None,
    })
}

fn tmpfs(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const KNOWN: &[&str] = &[
        "noexec",
        "nosuid",
        "nodev",
        "rw",
        "ro",
        "noatime",
        "nodiratime",
        "relatime",
        "private",
        "rprivate",
    ];
    let mut hits = Vec::new();
    for (tmpfs, span) in memory_mounts(service) {
        for option in &tmpfs.options {
            if is_any(option, &["exec", "suid", "dev"]) {
                hits.push(
                    Hit::on(span, format!("the tmpfs allows what `{option}` stands for"))
                        .fix(format!("no{option}")),
                );
            } else if !is_any(option, KNOWN) {
                hits.push(Hit::on(span, format!("tmpfs option `{option}` is not known")));
            }
        }
        if tmpfs.size.is_some_and(|size| size.0 == 0) {
            hits.push(Hit::on(span, "a tmpfs of size 0 has no bound").fix("size=64m"));
        }
    }
    hits
}

fn bounded_tmpfs(site: &Site<'_>) -> Vec<Change> {
    let is_zero = |size: &str| spell::bytes(size) == Some(0);
    if site.get(&["tmpfs", "size"]).is_some_and(|size| is_zero(&size)) {
        return vec![Change::Set(&["tmpfs", "size"], "64m".into())];
    }
    site.text(|mount| {
        let (target, options) = mount.split_once(':')?;
        let strict = options.split(',').map(|option| match option.split_once('=') {
            _ if is_any(option, &["exec", "suid", "dev"]) => {
                format!("no{}", option.trim().to_ascii_lowercase())
            }
            Some(("size", size)) if is_zero(size) => "size=64m".to_owned(),
            _ => option.to_owned(),
        });
        Some(Change::Text(format!("{target}:{}", strict.collect::<Vec<_>>().join(","))))
    })
}

fn tmpfs_sum(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(limit) = service.memory.as_ref().filter(|memory| memory.value > 0) else { return Vec::new() };
    let sizes = memory_mounts(service).filter_map(|(tmpfs, _)| tmpfs.size).map(|size| size.0);
    let sum = sizes.fold(0u64, u64::saturating_add);
    if u64::try_from(limit.value).is_ok_and(|limit| sum <= limit) {
        return Vec::new();
    }
    let message = format!(
        "the tmpfs of `{}` may hold {}, more than the limit",
        service.name,
        super::resources::human(sum)
    );
    vec![Hit::at(limit, message)]
}

fn kinds(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.mounts.iter().filter_map(|mount| match &mount.value.source {
        MountSource::Other { kind } => Some(Hit::at(mount, format!("a mount of type `{kind}`"))),
        _ => None,
    });
    hits.collect()
}

fn volume_options(stack: &Stack<'_>) -> Vec<Hit> {
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
fn disguised(stack: &Stack<'_>, options: &BTreeMap<String, At<String>>) -> Option<Hit> {
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
fn odd_option<'a>(options: &BTreeMap<&'a str, &str>) -> Option<(&'a str, String, Option<&'static str>)> {
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
        if !flags.split(',').any(|flag| flag.trim().starts_with("size=")) {
            return Some((name, unbounded, Some("o: size=64m")));
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

fn external_volumes(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.volumes.values().filter_map(|volume| {
        let external = volume.external.as_ref().filter(|external| external.value)?;
        Some(Hit::at(external, format!("volume `{}` is made elsewhere", volume.key)))
    });
    hits.collect()
}

fn missing(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let look = stack.look(&bind.path)?;
        let judged = socket_by_name(&bind.path).is_some()
            || sensitive(stack, &bind.path).is_some()
            || bind.path.starts_with("/dev");
        (look.kind.is_none() && !judged).then(|| Hit::on(span, format!("`{}` is not there", bind.written)))
    });
    hits.collect()
}

fn working_dir(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(folder) = &service.working_dir else { return Vec::new() };
    let path = normal(Path::new(&folder.value));
    let why = if !path.is_absolute() {
        "is not an absolute path"
    } else if ["/proc", "/sys", "/dev"].iter().any(|system| path.starts_with(system)) {
        "belongs to the system of the container"
    } else {
        return Vec::new();
    };
    vec![Hit::at(folder, format!("`{}` {why}", folder.value))]
}

fn device_mounts(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = binds(service).filter_map(|(bind, span)| {
        let look = stack.look(&bind.path);
        let what = match look.and_then(|look| look.kind) {
            _ if [Some(&bind.path), look.map(|look| &look.resolved)]
                .iter()
                .flatten()
                .any(|p| p.starts_with("/dev")) =>
            {
                "shows devices"
            }
            Some(Kind::Device) => "is a device",
            Some(Kind::Other) => "is a pipe or a special file",
            _ => return None,
        };
        let judged = sensitive(stack, &bind.path).is_some();
        (!judged).then(|| Hit::on(span, format!("`{}` {what} of the host", bind.written)))
    });
    hits.collect()
}
