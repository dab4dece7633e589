//! Who a service is: its user, groups and capabilities.

use crate::finding::Severity;
use crate::model::Service;
use crate::policy::{Change, Check, Exempt, Hit, Repair, Rule, Site, Stack};

use super::{is_any, place};

/// `cap_drop` is filled in under this id.
pub(crate) const DROP_ALL: &str = "SV104";
/// `no-new-privileges` is filled in under this id.
pub(crate) const NO_NEW_PRIVILEGES: &str = "SV106";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV100",
        title: "a service runs as a user of its own",
        reason: "a program that escapes from its container does so as the user that it runs as",
        severity: Severity::Warning,
        fix: "name a user other than root, by number",
        bad: "services:\n  web:\n    image: caddy:2\n    user: root # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    user: \"1000:1000\"\n",
        place: place("", "", "2"),
        exempt: Exempt::Possible,
        check: Check::Service(user),
        repair: Repair::Author,
    },
    Rule {
        id: "SV101",
        title: "no group that owns the host",
        reason: "the groups of root, the engine, disks, kernel memory and passwords are as good as root on the host",
        severity: Severity::Error,
        fix: "remove the group, or name by number one that owns nothing but what the service needs",
        bad: "services:\n  web:\n    image: caddy:2\n    group_add:\n      - docker # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    group_add:\n      - \"1500\"\n",
        place: place("", "", "2"),
        exempt: Exempt::Never,
        check: Check::Service(groups),
        repair: Repair::By(without_host_group),
    },
    Rule {
        id: "SV102",
        title: "no capability that gives the host away",
        reason: "each of these capabilities reaches the kernel, the network or the files of others",
        severity: Severity::Error,
        fix: "remove it; only `NET_BIND_SERVICE` needs no exemption",
        bad: "services:\n  web:\n    image: caddy:2\n    cap_add:\n      - SYS_ADMIN # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    cap_add:\n      - NET_BIND_SERVICE\n",
        place: place("5.2", "5.4", "3"),
        exempt: Exempt::Never,
        check: Check::Service(capabilities),
        repair: Repair::Remove,
    },
    Rule {
        id: "SV103",
        title: "a capability over files and users has a written reason",
        reason: "these capabilities let a program pass over the owners and users that keep its files apart",
        severity: Severity::Error,
        fix: "run as the user that owns the files, or exempt the service with the reason",
        bad: "services:\n  web:\n    image: caddy:2\n    cap_add:\n      - CHOWN # <-\n",
        good: "x-supervisor:\n  exempt:\n    - {rule: SV103, service: web, reason: takes over its volume once, until: 2030-01-31}\nservices:\n  web:\n    image: caddy:2\n    cap_add:\n      - CHOWN\n",
        place: place("", "5.4", "3"),
        exempt: Exempt::Possible,
        check: Check::Service(capabilities_with_reason),
        repair: Repair::Author,
    },
    Rule {
        id: DROP_ALL,
        title: "every capability is dropped",
        reason: "the engine's default leaves fourteen capabilities that hardly any service needs",
        severity: Severity::Note,
        fix: "nothing has to be written; `cap_drop: [ALL]` holds whatever the file says",
        bad: "services:\n  web: # <-\n    image: caddy:2\n",
        good: "services:\n  web:\n    image: caddy:2\n    cap_drop: [ALL]\n",
        place: place("", "5.4", "3"),
        exempt: Exempt::Never,
        check: Check::Fill,
        repair: Repair::Author,
    },
    Rule {
        id: "SV105",
        title: "no privileged container",
        reason: "`privileged` switches off every wall between the container and the host",
        severity: Severity::Error,
        fix: "remove it, and name what the service really needs",
        bad: "services:\n  web:\n    image: caddy:2\n    privileged: true # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    privileged: false\n",
        place: place("5.4", "5.5", "3"),
        exempt: Exempt::Never,
        check: Check::Service(privileged),
        repair: Repair::Value("false"),
    },
    Rule {
        id: NO_NEW_PRIVILEGES,
        title: "no new privileges",
        reason: "without it a program gains rights through any setuid file in the image",
        severity: Severity::Error,
        fix: "remove the option, or write `no-new-privileges:true`",
        bad: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:false # <-\n",
        good: "services:\n  web:\n    image: caddy:2\n    security_opt:\n      - no-new-privileges:true\n",
        place: place("5.1", "5.26", "4"),
        exempt: Exempt::Never,
        check: Check::Service(no_new_privileges),
        repair: Repair::By(no_new),
    },
];

/// What the Pod Security Standards' `restricted` level lets through too.
pub(crate) const FREE: &[&str] = &["NET_BIND_SERVICE"];
/// What a service may have by exemption.
pub(crate) const BY_REASON: &[&str] = &["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];
/// Group names that are as good as root somewhere.
const GROUPS: &[&str] = &[
    "root",
    "adm",
    "admin",
    "sudo",
    "wheel",
    "docker",
    "podman",
    "containerd",
    "lxd",
    "incus",
    "libvirt",
    "kvm",
    "disk",
    "kmem",
    "shadow",
    "systemd-journal",
    "tty",
    "video",
];

/// A capability as the kernel's header spells it, without `CAP_`.
pub(crate) fn capability(written: &str) -> String {
    let upper = written.trim().to_ascii_uppercase();
    upper.strip_prefix("CAP_").map_or_else(|| upper.clone(), str::to_owned)
}

fn user(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let name = &service.name;
    let Some(user) = &service.user else {
        let message = format!("`{name}` does not say which user it runs as");
        return vec![Hit::on(service.span, message).fix("user: \"1000:1000\"")];
    };
    if is_root(&user.value) {
        vec![Hit::at(user, format!("`{name}` runs as root")).fix("user: \"1000:1000\"")]
    } else {
        Vec::new()
    }
}

/// Whether `user[:group]` is root, whatever the group.
pub(super) fn is_root(user: &str) -> bool {
    let who = user.split(':').next().unwrap_or_default();
    who.trim().is_empty() || who.trim() == "root" || who.trim().parse::<i64>() == Ok(0)
}

fn groups(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.group_add.iter().filter_map(|group| {
        let name = group.value.trim();
        let Ok(number) = name.parse::<u32>() else {
            let what = if is_any(name, GROUPS) {
                "is as good as root on the host"
            } else {
                "is a name, which the image resolves as it likes"
            };
            return Some(Hit::at(group, format!("group `{name}` {what}")));
        };
        let message = if number == 0 {
            "group 0 is root's".to_owned()
        } else if stack.engine_groups.contains(&number) {
            format!("group {number} owns an engine's socket on this host")
        } else {
            return None;
        };
        Some(Hit::at(group, message))
    });
    hits.collect()
}

/// A group by its name or number alone is as good as root on every host; one that owns a socket is that on this host.
fn without_host_group(site: &Site<'_>) -> Vec<Change> {
    site.text(|name| (is_any(name, GROUPS) || name.trim().parse() == Ok(0)).then_some(Change::Remove))
}

fn capabilities(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let refused = service.cap_add.iter().filter(|cap| {
        let name = capability(&cap.value);
        !FREE.contains(&name.as_str()) && !BY_REASON.contains(&name.as_str())
    });
    refused.map(|cap| Hit::at(cap, format!("capability `{}` is added", cap.value.trim()))).collect()
}

fn capabilities_with_reason(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.cap_add.iter().filter(|cap| BY_REASON.contains(&capability(&cap.value).as_str()));
    hits.map(|cap| {
        Hit::at(cap, format!("capability `{}` is added without a written reason", cap.value.trim()))
    })
    .collect()
}

fn privileged(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hit = service.privileged.as_ref().filter(|p| p.value);
    Hit::if_some(
        hit.map(|p| Hit::at(p, format!("`{}` is privileged", service.name)).fix("privileged: false")),
    )
}

fn no_new_privileges(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.security_opt.iter().filter(|option| {
        super::isolation::option(&option.value).is_some_and(|(key, value)| {
            key == "no-new-privileges" && !value.is_empty() && !is_any(value, &["true", "1", "t"])
        })
    });
    hits.map(|option| Hit::at(option, "new privileges are allowed").fix("no-new-privileges:true")).collect()
}

fn no_new(site: &Site<'_>) -> Vec<Change> {
    site.text(|option| {
        let (key, _) = option.split_at_checked(option.find([':', '='])? + 1)?;
        Some(Change::Text(format!("{key}true")))
    })
}
