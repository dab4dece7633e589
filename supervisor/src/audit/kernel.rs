//! The kernel: its parameters, the modules that it does not load, and the processor's faults.
//!
//! Deliberately absent: which values (`hardened::sysctl`, `hardened::modules`).

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, unless};
use crate::hardened::modules::{MODULES, is_kept_out};
use crate::hardened::sysctl::{SYSCTLS, Topic};

const MODPROBE: Source = Source::Folder("/etc/modprobe.d");
const LOADED: Source = Source::File("/proc/modules");
const FAULTS: Source = Source::Folder("/sys/devices/system/cpu/vulnerabilities");
const FIX: &str =
    "put the file of `supervisor render cloud-init` into `/etc/sysctl.d`, then `sysctl --system`";

pub(super) const ROWS: &[Row] = &[
    sysctl("AU201", "the kernel keeps its addresses and its users' processes to itself", "2.2, B", |e| {
        sysctls(e, Topic::Kernel)
    }),
    sysctl("AU202", "the network stack believes no stranger", "2.1, 2.2, B", |e| sysctls(e, Topic::Network)),
    sysctl("AU203", "links, pipes and dumps are no trap", "2.1, 2.2, B", |e| sysctls(e, Topic::Files)),
    sysctl("AU204", "the table of connections is large and forgets", "4.5, B", |e| {
        sysctls(e, Topic::Connections)
    }),
    Row {
        id: "AU205",
        title: "modules that no server needs cannot be loaded",
        reason: "opening a socket of a rare kind is enough to load its module, with its faults",
        guide: "2.1, 2.8",
        read: &[MODPROBE, LOADED],
        fix: "put the file of `supervisor render cloud-init` into `/etc/modprobe.d`, and reboot",
        judge: modules,
    },
    Row {
        id: "AU206",
        title: "the processor's known faults are worked around",
        reason: "other customers' machines run on the same processor",
        guide: "B",
        read: &[FAULTS],
        fix: "upgrade the kernel; take `mitigations=off` out of its command line; else the provider has to act",
        judge: faults,
    },
];

const fn sysctl(
    id: &'static str,
    title: &'static str,
    guide: &'static str,
    judge: fn(&Evidence) -> Judged,
) -> Row {
    let reason = "each parameter closes a way that has been used; `sysctl` has them all";
    Row { id, title, reason, guide, read: &[Source::Sysctls], fix: FIX, judge }
}

fn sysctls(e: &Evidence, topic: Topic) -> Judged {
    let text = e.text(Source::Sysctls)?;
    let seen = |key: &str| {
        text.lines()
            .find_map(|line| line.split_once(" = ").filter(|(word, _)| *word == key).map(|(_, value)| value))
    };
    let rows: Vec<_> = SYSCTLS.iter().filter(|row| row.topic == topic).collect();
    let there: Vec<_> = rows.iter().filter_map(|row| Some((row, seen(row.key)?))).collect();
    if there.is_empty() {
        return Err(not_applicable("this kernel has none of these parameters"));
    }
    let wrong = there
        .iter()
        .filter(|(row, value)| !row.takes(value))
        .map(|(row, value)| format!("{} is {value}, not {}", row.key, row.value))
        .collect();
    unless(wrong, format!("{} parameters", there.len()))
}

fn modules(e: &Evidence) -> Judged {
    let text = e.optional(MODPROBE)?.unwrap_or_default();
    // A kernel without modules has none to load.
    let Some(loaded) = e.optional(LOADED)? else { return Ok("the kernel loads no module".to_owned()) };
    let mut wrong = Vec::new();
    let open: Vec<&str> = MODULES.iter().copied().filter(|module| !is_kept_out(text, module)).collect();
    if !open.is_empty() {
        wrong.push(format!("can be loaded: {}", open.join(" ")));
    }
    let there = |module: &&str| {
        loaded.lines().any(|line| line.split(' ').next().is_some_and(|name| name == module.replace('-', "_")))
    };
    let inside: Vec<&str> = MODULES.iter().copied().filter(there).collect();
    if !inside.is_empty() {
        wrong.push(format!("loaded now: {}", inside.join(" ")));
    }
    unless(wrong, format!("{} modules are kept out", MODULES.len()))
}

fn faults(e: &Evidence) -> Judged {
    let Some(text) = e.optional(FAULTS)? else { return Err(not_applicable("this kernel does not say")) };
    let mut name = "";
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("# ") {
            name = path.rsplit('/').next().unwrap_or(path);
        } else if !line.is_empty() {
            count += 1;
            if line.starts_with("Vulnerable") {
                wrong.push(format!("{name}: {line}"));
            }
        }
    }
    if count == 0 {
        Err(not_so("the kernel names no fault"))
    } else {
        unless(wrong, format!("{count} faults looked at"))
    }
}
