//! The walls around a service: seccomp, AppArmor, namespaces, devices, kernel parameters.

use crate::finding::Severity;
use crate::model::Service;
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};
use crate::source::At;

use super::{is_any, place};

/// `ipc: private` is filled in under this id.
pub(crate) const IPC: &str = "SV126";
/// `cgroup: private` is filled in under this id.
pub(crate) const CGROUP: &str = "SV128";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV120",
        title: "seccomp stays on",
        reason: "unconfined, a program may make every call of the kernel, those included through which containers are escaped from",
        severity: Severity::Error,
        fix: "remove the option; a profile is made for the service",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - seccomp:unconfined # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:true\n",
        place: place("5.8", "5.22", "6"),
        exempt: Exempt::Never,
        check: Check::Service(seccomp_unconfined),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV121",
        title: "no seccomp profile from a file",
        reason: "a profile from elsewhere may allow more than the engine's default, and the engine takes it unread",
        severity: Severity::Error,
        fix: "remove the option; a profile is made for the service, from `x-supervisor.runtime`",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - seccomp=./seccomp.json # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    x-supervisor: {runtime: go}\n",
        place: place("5.8", "5.22", "6"),
        exempt: Exempt::Never,
        check: Check::Service(seccomp_file),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV122",
        title: "AppArmor stays on",
        reason: "unconfined, nothing but file permissions stands between a program and the host's files that it sees",
        severity: Severity::Error,
        fix: "remove the option; a profile is made for the service",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - apparmor=unconfined # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:true\n",
        place: place("5.8", "5.2", "6"),
        exempt: Exempt::Never,
        check: Check::Service(apparmor),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV123",
        title: "no label or path protection is switched off",
        reason: "SELinux labels and masked paths keep the host's files and kernel settings out of reach",
        severity: Severity::Error,
        fix: "remove the option",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - systempaths=unconfined # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:true\n",
        place: place("5.8", "5.3", "6"),
        exempt: Exempt::Never,
        check: Check::Service(labels_and_paths),
        repair: Repair::By(labels_and_paths_kept),
    },
    Rule {
        id: "SV124",
        title: "no unknown security option",
        reason: "an option that is not known cannot be judged, and is never passed on unread",
        severity: Severity::Error,
        fix: "remove the option",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - magic=on # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:true\n",
        place: place("5.8", "", "6"),
        exempt: Exempt::Never,
        check: Check::Service(unknown_option),
        repair: Repair::Author,
    },
    Rule {
        id: "SV125",
        title: "processes of its own",
        reason: "in a shared process namespace a program sees, signals and reads the processes of others",
        severity: Severity::Error,
        fix: "remove `pid`; a private namespace is the default",
        bad: "services:\n  web:\n    image: caddy:2\n    pid: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "5.16", ""),
        exempt: Exempt::Never,
        check: Check::Service(pid),
        repair: Repair::Remove,
    },
    Rule {
        id: IPC,
        title: "shared memory of its own",
        reason: "in a shared IPC namespace a program reads and writes the memory that others share",
        severity: Severity::Error,
        fix: "write `ipc: private`, or remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    ipc: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    ipc: private\n",
        place: place("", "5.17", ""),
        exempt: Exempt::Never,
        check: Check::Service(ipc),
        repair: Repair::Value("private"),
    },
    Rule {
        id: "SV127",
        title: "a host name of its own",
        reason: "in the host's UTS namespace a program can rename the host",
        severity: Severity::Error,
        fix: "remove `uts`",
        bad: "services:\n  web:\n    image: caddy:2\n    uts: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    hostname: web\n",
        place: place("", "5.21", ""),
        exempt: Exempt::Never,
        check: Check::Service(uts),
        repair: Repair::Remove,
    },
    Rule {
        id: CGROUP,
        title: "a cgroup tree of its own",
        reason: "the host's cgroup tree shows every limit, and on old kernels is a way to run programs as root",
        severity: Severity::Error,
        fix: "write `cgroup: private`, or remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    cgroup: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    cgroup: private\n",
        place: place("", "5.25", ""),
        exempt: Exempt::Never,
        check: Check::Service(cgroup),
        repair: Repair::Value("private"),
    },
    Rule {
        id: "SV129",
        title: "users that are mapped where the engine maps them",
        reason: "`userns_mode: host` makes root in the container root on the host again",
        severity: Severity::Error,
        fix: "remove `userns_mode`",
        bad: "services:\n  web:\n    image: caddy:2\n    userns_mode: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("5.1", "5.31", "11"),
        exempt: Exempt::Never,
        check: Check::Service(userns),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV130",
        title: "a network of its own",
        reason: "in the network namespace of the host or of another container a program reaches every port there, loopback included",
        severity: Severity::Error,
        fix: "remove `network_mode`, and join declared networks under `networks`",
        bad: "services:\n  web:\n    image: caddy:2\n    network_mode: host # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\nnetworks:\n  backend:\n    internal: true\n",
        place: place("5.6", "5.10", "5"),
        exempt: Exempt::Never,
        check: Check::Service(network_namespace),
        repair: Repair::Author,
    },
    Rule {
        id: "SV131",
        title: "no device of the host",
        reason: "a device reaches the kernel's drivers, and many reach memory or disks directly",
        severity: Severity::Error,
        fix: "remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    devices: # <-\n      - /dev/sda\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "5.18", ""),
        exempt: Exempt::Never,
        check: Check::Keys(&[
            "devices",
            "device_cgroup_rules",
            "gpus",
            "deploy.resources.reservations.devices",
        ]),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV132",
        title: "no program of the host",
        reason: "these keys start a program on the host, outside of every container",
        severity: Severity::Error,
        fix: "remove it",
        bad: "services:\n  web:\n    image: caddy:2\n    provider: # <-\n      type: vault\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Keys(&["provider", "models", "credential_spec"]),
        repair: Repair::Author,
    },
    Rule {
        id: "SV133",
        title: "only a known runtime",
        reason: "a runtime is a program that the engine runs as root on the host",
        severity: Severity::Error,
        fix: "remove `runtime`, or name `runc`, `runsc`, `kata` or `sysbox-runc`",
        bad: "services:\n  web:\n    image: caddy:2\n    runtime: nvidia # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    runtime: runsc\n",
        place: place("", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(runtime),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV134",
        title: "only kernel parameters that stay in the container",
        reason: "other parameters change the host, or open what the container's walls close",
        severity: Severity::Error,
        fix: "remove the parameter, or set it on the host",
        bad: "services:\n  web:\n    image: caddy:2\n    sysctls:\n      net.ipv4.ip_forward: \"1\" # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    sysctls:\n      net.ipv4.ip_unprivileged_port_start: \"0\"\n",
        place: place("2.2", "", ""),
        exempt: Exempt::Never,
        check: Check::Service(sysctls),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV135",
        title: "no cgroup outside of the engine's",
        reason: "under another parent the limits of the stack do not hold",
        severity: Severity::Error,
        fix: "remove `cgroup_parent`",
        bad: "services:\n  web:\n    image: caddy:2\n    cgroup_parent: system.slice # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n",
        place: place("", "5.25", "7"),
        exempt: Exempt::Never,
        check: Check::Keys(&["cgroup_parent"]),
        repair: Repair::Remove,
    },
];

/// The safe list of the Pod Security Standards' `baseline` level.
const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

/// A security option's key and value; `=` and the older `:` both separate, and the value may be left out.
pub(crate) fn option(written: &str) -> Option<(&str, &str)> {
    let written = written.trim();
    let (key, value) = written.split_once(['=', ':']).unwrap_or((written, ""));
    Some((key.trim(), value.trim())).filter(|(key, _)| !key.is_empty())
}

fn options<'a>(service: &'a Service, name: &'static str) -> impl Iterator<Item = (&'a At<String>, &'a str)> {
    service.security_opt.iter().filter_map(move |written| {
        let (key, value) = option(&written.value)?;
        key.eq_ignore_ascii_case(name).then_some((written, value))
    })
}

fn seccomp_unconfined(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    options(service, "seccomp")
        .filter(|(_, value)| is_any(value, &["unconfined"]))
        .map(|(at, _)| Hit::at(at, "seccomp is switched off"))
        .collect()
}

fn seccomp_file(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    options(service, "seccomp")
        .filter(|(_, value)| !is_any(value, &["unconfined", "builtin"]))
        .map(|(at, value)| {
            Hit::at(at, format!("seccomp profile `{value}` takes the place of the one that is made"))
        })
        .collect()
}

fn apparmor(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    options(service, "apparmor")
        .filter(|(_, value)| !is_any(value, &["docker-default"]))
        .map(|(at, value)| match value {
            "unconfined" => Hit::at(at, "AppArmor is switched off"),
            name => Hit::at(at, format!("AppArmor profile `{name}` takes the place of the one that is made")),
        })
        .collect()
}

fn labels_and_paths(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let labels = options(service, "label").map(|(at, _)| Hit::at(at, "the SELinux label is changed"));
    let paths = options(service, "systempaths")
        .filter(|(_, value)| !value.is_empty())
        .map(|(at, _)| Hit::at(at, "masked and read-only paths of `/proc` and `/sys` are opened"));
    labels.chain(paths).collect()
}

/// Other labels may be stricter than the default.
fn labels_and_paths_kept(site: &Site<'_>) -> Vec<Change> {
    site.text(|written| {
        let (key, value) = option(written)?;
        let off = key.eq_ignore_ascii_case("label") && is_any(value, &["disable"]);
        (off || key.eq_ignore_ascii_case("systempaths")).then_some(Change::Remove)
    })
}

fn unknown_option(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const KNOWN: &[&str] = &["seccomp", "apparmor", "label", "systempaths", "no-new-privileges"];
    let unknown = service.security_opt.iter().filter(|written| {
        option(&written.value)
            .is_none_or(|(key, _)| !KNOWN.iter().any(|known| key.eq_ignore_ascii_case(known)))
    });
    unknown
        .map(|written| Hit::at(written, format!("security option `{}` is not known", written.value)))
        .collect()
}

fn pid(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    shared(service.pid.as_ref(), &["", "private"], "the process namespace", "")
}

fn ipc(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    shared(service.ipc.as_ref(), &["", "private", "none"], "the IPC namespace", "ipc: private")
}

fn uts(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    shared(service.uts.as_ref(), &["", "private"], "the UTS namespace", "")
}

fn cgroup(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    shared(service.cgroup.as_ref(), &["", "private"], "the cgroup namespace", "cgroup: private")
}

fn userns(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    shared(service.userns_mode.as_ref(), &["", "private"], "the user namespace", "")
}

fn network_namespace(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mode = service.network_mode.as_ref().filter(|mode| {
        let (kind, _) = mode.value.split_once(':').unwrap_or((&mode.value, ""));
        is_any(kind, &["host", "container", "service", "ns"])
    });
    shared(mode, &[], "the network namespace", "")
}

/// Anything but the allowed spellings joins a namespace of the host or of another container.
fn shared(value: Option<&At<String>>, allowed: &[&str], what: &str, fix: &str) -> Vec<Hit> {
    let Some(value) = value.filter(|value| !is_any(&value.value, allowed)) else { return Vec::new() };
    let hit = Hit::at(value, format!("{what} is shared: `{}`", value.value));
    vec![if fix.is_empty() { hit } else { hit.fix(fix) }]
}

fn runtime(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    const KNOWN: &[&str] = &["runc", "runsc", "kata", "sysbox-runc"];
    let foreign = service.runtime.as_ref().filter(|runtime| !KNOWN.contains(&runtime.value.as_str()));
    Hit::if_some(foreign.map(|r| Hit::at(r, format!("runtime `{}` is a program of the host", r.value))))
}

fn sysctls(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let refused = service.sysctls.iter().filter(|(name, _)| {
        let name = name.replace('/', ".");
        !SYSCTLS.contains(&name.as_str())
    });
    refused.map(|(name, value)| Hit::at(value, format!("kernel parameter `{name}` is set"))).collect()
}
