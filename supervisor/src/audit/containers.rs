//! Every container that runs on this host, whoever started it: the engine's word, and the kernel's.
//!
//! Deliberately absent: comparing with a promise; `attest` does, for the stack (`stack`).

use super::evidence::{Container, Evidence, Read, Source};
use super::{Judged, Row, not_applicable, unless};

const ENABLED: Source = Source::File("/sys/module/apparmor/parameters/enabled");
const READ: &[Source] = &[Source::Containers];

pub(super) const ROWS: &[Row] = &[
    row("AU181", "no container has the engine's socket", "whoever reaches it is root", "5.4, B", |e| {
        each(e, |c| {
            let sockets = c.binds.iter().filter(|path| reaches_a_socket(path));
            sockets.map(|path| format!("mounts `{path}`")).collect()
        })
    }),
    row(
        "AU182",
        "every container has limits of memory, processors and processes",
        "one that runs wild takes the host with it",
        "5.2, B",
        |e| {
            each(e, |c| {
                let limits = [("memory", c.memory), ("processors", c.nano_cpus), ("processes", c.pids)];
                limits
                    .iter()
                    .filter(|(_, n)| *n <= 0)
                    .map(|(what, _)| format!("no limit of {what}"))
                    .collect()
            })
        },
    ),
    Row {
        id: "AU183",
        title: "AppArmor is enforced on every container",
        reason: "it is what still holds where a file system or a capability was given by mistake",
        guide: "2.3, B",
        read: &[Source::Containers, ENABLED],
        fix: "start it through `supervisor up`, which makes and loads a profile for each service",
        judge: apparmor,
    },
    row(
        "AU184",
        "every container's system calls are filtered, and it gets no new privileges",
        "the kernel is the one wall between containers",
        "5.8, B",
        |e| each(e, filtered),
    ),
    row("AU185", "no container is privileged", "it is the host, then", "5, B", |e| {
        each(e, |c| if c.privileged { vec!["privileged".to_owned()] } else { Vec::new() })
    }),
    row(
        "AU186",
        "no container shares a namespace of the host",
        "it sees and reaches what the host does",
        "8.1",
        |e| each(e, |c| c.host_namespaces.iter().map(|name| format!("the host's {name}")).collect()),
    ),
    row(
        "AU187",
        "every container's root is read-only",
        "what was broken into stays as it was made, and nothing is left behind",
        "5.3",
        |e| {
            each(
                e,
                |c| if c.read_only_root { Vec::new() } else { vec!["a root that can be written".to_owned()] },
            )
        },
    ),
];

const fn row(
    id: &'static str,
    title: &'static str,
    reason: &'static str,
    guide: &'static str,
    judge: fn(&Evidence) -> Judged,
) -> Row {
    let fix = "describe it in a Compose file and start it through `supervisor up`, which refuses or fills in all of this; \
               stop what was started by hand";
    Row { id, title, reason, guide, read: READ, fix, judge }
}

fn each(e: &Evidence, wrong: fn(&Container) -> Vec<String>) -> Judged {
    let containers = e.containers()?;
    let found =
        containers.iter().flat_map(|c| wrong(c).into_iter().map(|what| format!("{}: {what}", c.name)));
    unless(found.collect(), format!("{} containers looked at", containers.len()))
}

/// A socket of an engine or runtime, or a folder that has them.
fn reaches_a_socket(path: &str) -> bool {
    let folders = ["/", "/run", "/var", "/var/run", "/run/docker", "/run/containerd", "/run/podman"];
    let sockets = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock"];
    folders.contains(&path.trim_end_matches('/'))
        || path == "/"
        || sockets.iter().any(|name| path.ends_with(name))
}

fn apparmor(e: &Evidence) -> Judged {
    if e.optional(ENABLED)?.is_none_or(|text| text.trim() != "Y") {
        return Err(not_applicable("the kernel has no AppArmor; `AU221` says so"));
    }
    each(e, |c| match &c.label {
        Read::Text(label) if label.trim_end().ends_with("(enforce)") => Vec::new(),
        Read::Text(label) => vec![label.trim().to_owned()],
        Read::Missing => vec!["no label".to_owned()],
        Read::Unreadable(why) => vec![format!("its label cannot be read: {why}")],
    })
}

/// The value of a line of `/proc/PID/status`.
fn status<'a>(c: &'a Container, key: &str) -> Option<&'a str> {
    let Read::Text(text) = &c.status else { return None };
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()
}

/// The user that its first process is on the host.
pub(super) fn user(c: &Container) -> Option<u32> {
    status(c, "Uid")?.parse().ok()
}

fn filtered(c: &Container) -> Vec<String> {
    let wanted =
        [("Seccomp", "2", "its calls are not filtered"), ("NoNewPrivs", "1", "it can get new privileges")];
    let kept = |key, value| status(c, key) == Some(value);
    wanted.iter().filter(|(key, value, _)| !kept(key, value)).map(|(.., what)| (*what).to_owned()).collect()
}
