//! The system around the containers: AppArmor, the audit log, updates, time, services, mounts, monitors.
//!
//! Deliberately absent: where logs and alerts are sent, which this host cannot prove (`elsewhere`).

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};
use crate::hardened::services::UNNEEDED;
use crate::hardened::watched::WATCHED;

const APPARMOR: Source = Source::File("/sys/module/apparmor/parameters/enabled");
const PROFILES: Source = Source::File("/sys/kernel/security/apparmor/profiles");
const AUDITD: Source = Source::Output(&["systemctl", "is-active", "auditd.service"]);
const RULES: Source = Source::Output(&["auditctl", "-l"]);
const STATUS: Source = Source::Output(&["auditctl", "-s"]);
const APT: Source = Source::Output(&["apt-config", "dump"]);
const UPGRADES: Source = Source::Output(&["systemctl", "is-enabled", "unattended-upgrades.service"]);
const REBOOT: Source = Source::Mode("/run/reboot-required");
const TIME: Source = Source::Output(&["timedatectl", "show", "--property=NTPSynchronized"]);
const TRACKING: Source = Source::Output(&["chronyc", "-n", "tracking"]);
const UNITS: Source =
    Source::Output(&["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager"]);
const MOUNTS: Source = Source::File("/proc/1/mounts");
const AIDE: Source = Source::Mode("/var/lib/aide/aide.db");
/// What watches what programs do, any of which will do: guide 8.3 to 8.5.
const WATCHERS: &[&str] =
    &["falco.service", "falco-modern-bpf.service", "falco-bpf.service", "wazuh-agent.service"];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU221",
        title: "AppArmor is in force",
        reason: "without it, a container's files are guarded by its mounts alone",
        guide: "2.3, B",
        read: &[APPARMOR, PROFILES],
        fix: "install `apparmor`, and boot with `apparmor=1 security=apparmor`",
        judge: apparmor,
    },
    Row {
        id: "AU222",
        title: "auditd runs",
        reason: "after a break-in, its log is what is left to read",
        guide: "2.5, B",
        read: &[AUDITD],
        fix: "install and start `auditd`",
        judge: |e| active(e, AUDITD),
    },
    Row {
        id: "AU223",
        title: "auditd watches the engine, identities and privileges, and its rules cannot be changed",
        reason: "rules that an intruder can take out are for honest people",
        guide: "2.5, B",
        read: &[RULES, STATUS],
        fix: "put the rules of `supervisor render cloud-init` into `/etc/audit/rules.d`, `augenrules --load`, and reboot",
        judge: rules,
    },
    Row {
        id: "AU224",
        title: "security updates install themselves",
        reason: "a hole is used days after its update is out",
        guide: "2.6, B",
        read: &[APT, UPGRADES],
        fix: "install `unattended-upgrades`, and set `APT::Periodic::Unattended-Upgrade \"1\"`",
        judge: updates,
    },
    Row {
        id: "AU225",
        title: "no update waits for a reboot",
        reason: "a kernel that is installed and not booted mends nothing",
        guide: "2.6",
        read: &[REBOOT],
        fix: "`systemctl reboot`: containers come back by themselves",
        judge: reboot,
    },
    Row {
        id: "AU226",
        title: "the clock is right",
        reason: "certificates, logs and one-time codes hold only at the right time",
        guide: "2.7, B",
        read: &[TIME, TRACKING],
        fix: "install `chrony`, and let 123/udp out",
        judge: time,
    },
    Row {
        id: "AU227",
        title: "no service runs that nobody needs",
        reason: "each one is a program that has to be without a fault",
        guide: "2.8, B",
        read: &[UNITS],
        fix: "`systemctl disable --now UNIT`",
        judge: services,
    },
    Row {
        id: "AU228",
        title: "no unit has failed",
        reason: "what guards the host may be what failed",
        guide: "B",
        read: &[UNITS],
        fix: "`systemctl status UNIT` says why",
        judge: failed,
    },
    Row {
        id: "AU229",
        title: "nothing executes from /tmp and /dev/shm",
        reason: "what was smuggled in lands where everybody can write",
        guide: "2.4",
        read: &[MOUNTS],
        fix: "mount both with `noexec,nosuid,nodev`, as `supervisor render cloud-init` does",
        judge: mounts,
    },
    Row {
        id: "AU230",
        title: "files of the system are compared with what they were",
        reason: "a changed program is how an intruder stays",
        guide: "8.4, B",
        read: &[AIDE, UNITS],
        fix: "`aideinit`, then move `aide.db.new` to `aide.db`; or run Wazuh's agent",
        judge: integrity,
    },
    Row {
        id: "AU231",
        title: "something watches what programs do",
        reason: "a shell that starts in a container is worth a call at night",
        guide: "8.3, 8.5, B",
        read: &[UNITS],
        fix: "install Falco, or Wazuh's agent",
        judge: watched,
    },
    Row {
        id: "AU232",
        title: "the host's own figures are collected",
        reason: "a disk fills slowly, and then all at once",
        guide: "8.1, B",
        read: &[UNITS],
        fix: "install `prometheus-node-exporter` as a package, bound to 127.0.0.1; not as a container with the host's namespaces",
        judge: metrics,
    },
];

fn active(e: &Evidence, source: Source) -> Judged {
    match e.optional(source)?.map(str::trim) {
        Some("active") => Ok("active".to_owned()),
        Some(other) => Err(not_so(other)),
        None => Err(not_so("this host has no systemd")),
    }
}

fn apparmor(e: &Evidence) -> Judged {
    if e.optional(APPARMOR)?.is_none_or(|text| text.trim() != "Y") {
        return Err(not_so("the kernel has none, or it is switched off"));
    }
    let enforced = e.text(PROFILES)?.lines().filter(|line| line.ends_with("(enforce)")).count();
    if enforced == 0 {
        Err(not_so("no profile is enforced"))
    } else {
        Ok(format!("{enforced} profiles are enforced"))
    }
}

fn rules(e: &Evidence) -> Judged {
    let Some(rules) = e.optional(RULES)? else { return Err(not_so("auditd is not installed")) };
    let status = e.optional(STATUS)?.unwrap_or_default();
    let missing: Vec<&str> = WATCHED
        .iter()
        .map(|(place, ..)| *place)
        .chain(["execve"])
        .filter(|part| !rules.contains(part))
        .collect();
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("not watched: {}", missing.join(", ")));
    }
    if !status.lines().any(|line| line.trim() == "enabled 2") {
        wrong.push("the rules can be changed until the next boot".to_owned());
    }
    unless(wrong, format!("{} rules, unchangeable", rules.lines().count()))
}

fn updates(e: &Evidence) -> Judged {
    let Some(apt) = e.optional(APT)? else { return Err(not_applicable("this host has no apt")) };
    let on = |key: &str| {
        apt.lines().any(|line| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start() != "\"0\";" && rest.starts_with(" \""))
        })
    };
    let mut wrong = Vec::new();
    for key in ["APT::Periodic::Update-Package-Lists", "APT::Periodic::Unattended-Upgrade"] {
        if !on(key) {
            wrong.push(format!("{key} is not on"));
        }
    }
    match e.optional(UPGRADES)?.map(str::trim) {
        Some("enabled") => {}
        other => wrong.push(format!("unattended-upgrades.service is {}", other.unwrap_or("not there"))),
    }
    unless(wrong, "on, every day")
}

fn reboot(e: &Evidence) -> Judged {
    match e.optional(REBOOT)? {
        None => Ok("none".to_owned()),
        Some(_) => Err(not_so("`/run/reboot-required` is there")),
    }
}

fn time(e: &Evidence) -> Judged {
    let synchronized = e.optional(TIME)?.is_some_and(|text| text.trim() == "NTPSynchronized=yes");
    let leap =
        e.optional(TRACKING)?.and_then(|text| text.lines().find(|line| line.starts_with("Leap status")));
    match (synchronized, leap) {
        (true, _) => Ok("synchronized".to_owned()),
        (false, Some(line)) if line.ends_with("Normal") => Ok("chrony follows a server".to_owned()),
        _ => Err(not_so("it follows no time server")),
    }
}

/// Unit, and its active state, of every line of `systemctl list-units`.
fn units(e: &Evidence) -> Result<Vec<(&str, &str)>, super::Not> {
    let Some(text) = e.optional(UNITS)? else { return Err(not_applicable("this host has no systemd")) };
    Ok(text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.nth(1)?))
        })
        .collect())
}

fn is_active(units: &[(&str, &str)], names: &[&str]) -> Option<String> {
    units
        .iter()
        .find(|(unit, state)| names.contains(unit) && *state == "active")
        .map(|(unit, _)| (*unit).to_owned())
}

fn services(e: &Evidence) -> Judged {
    let wrong: Vec<String> = units(e)?
        .into_iter()
        .filter(|(unit, state)| UNNEEDED.contains(unit) && *state == "active")
        .map(|(unit, _)| unit.to_owned())
        .collect();
    unless(wrong, "none of those that are known")
}

fn failed(e: &Evidence) -> Judged {
    let wrong: Vec<String> = units(e)?
        .into_iter()
        .filter(|(_, state)| *state == "failed")
        .map(|(unit, _)| unit.to_owned())
        .collect();
    unless(wrong, "none")
}

fn mounts(e: &Evidence) -> Judged {
    let text = e.text(MOUNTS)?;
    let mut wrong = Vec::new();
    for place in ["/tmp", "/dev/shm"] {
        // The last one on a place is the one that is seen.
        let mounted = text.lines().rev().find(|line| line.split(' ').nth(1) == Some(place));
        let Some(mounted) = mounted else {
            wrong.push(format!("{place} is no mount of its own"));
            continue;
        };
        let options: Vec<&str> = mounted.split(' ').nth(3).unwrap_or_default().split(',').collect();
        let missing: Vec<&str> =
            ["noexec", "nosuid", "nodev"].into_iter().filter(|option| !options.contains(option)).collect();
        if !missing.is_empty() {
            wrong.push(format!("{place} without {}", missing.join(",")));
        }
    }
    unless(wrong, "both noexec,nosuid,nodev")
}

fn integrity(e: &Evidence) -> Judged {
    if e.optional(AIDE)?.is_some() {
        return Ok("AIDE has a database".to_owned());
    }
    match is_active(&units(e)?, &["wazuh-agent.service"]) {
        Some(unit) => Ok(unit),
        None => Err(not_so("AIDE has no database, and Wazuh's agent does not run")),
    }
}

fn watched(e: &Evidence) -> Judged {
    is_active(&units(e)?, WATCHERS).ok_or_else(|| not_so("neither Falco nor Wazuh's agent runs"))
}

fn metrics(e: &Evidence) -> Judged {
    is_active(&units(e)?, &["prometheus-node-exporter.service", "node_exporter.service"])
        .ok_or_else(|| not_so("no node exporter runs"))
}
