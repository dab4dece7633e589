//! What a service sees of files: its root, host paths, engine sockets, volumes, memory file systems.

mod binds;
mod memory;
mod paths;
mod sockets;
mod volumes;

use std::path::Path;

use crate::finding::Severity;
use crate::model::Service;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};

use super::place;

pub(crate) use paths::{in_stack_folder, link_on_the_way, normal};
pub(crate) use sockets::{SOCKETS, socket_by_name};
pub use volumes::volume_elsewhere;

use binds::{
    bind_options, device_mounts, kinds, missing, nothing_created, private_mount, propagation, targets,
};
use memory::{bounded_tmpfs, tmpfs, tmpfs_sum};
use paths::{links, sensitive_paths};
use sockets::{sockets_declared, sockets_mounted};
use volumes::{external_volumes, volume_options};

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
        reason: "pipes and cluster volumes reach programs of the host",
        severity: Severity::Error,
        fix: "use `volume`, `bind`, `tmpfs` or `image`",
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

fn read_only(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let writable = service.read_only.as_ref().filter(|read_only| !read_only.value);
    Hit::if_some(
        writable.map(|at| {
            Hit::at(at, format!("the root of `{}` is writable", service.name)).fix("read_only: true")
        }),
    )
}

fn working_dir(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let folders =
        service.working_dir.iter().chain(service.hooks().filter_map(|hook| hook.value.working_dir.as_ref()));
    let odd = folders.filter_map(|folder| {
        let path = normal(Path::new(&folder.value));
        let is_system = ["/proc", "/sys", "/dev"].iter().any(|system| path.starts_with(system));
        let why = match (path.is_absolute(), is_system) {
            (false, _) => "is not an absolute path",
            (true, true) => "belongs to the system of the container",
            (true, false) => return None,
        };
        Some(Hit::at(folder, format!("`{}` {why}", folder.value)))
    });
    odd.collect()
}
