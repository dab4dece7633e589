//! Who its processes are and what they may do: user, groups, capabilities, seccomp, AppArmor, process 1.

use std::collections::BTreeMap;

use profiles::AppArmor;

use super::{Case, Check, Verdict};
use crate::decide::denials;
use crate::observe::kernel::status::CapabilitySets;
use crate::observe::kernel::{Denied, Process, Read, Unread, capability, inward};

/// Real, effective, saved and file system id are all the promised one.
pub(super) fn user(case: &Case<'_>) -> Vec<Check> {
    let ids = case.evidence.ids.as_ref();
    let promised = match (case.spec.confinement.user(), ids) {
        (Some(user), Ok(ids)) if user.split(':').next() != Some(&ids.uid.to_string()) => {
            format!("{user}, which is {}:{}", ids.uid, ids.gid)
        }
        (Some(user), _) => user.to_owned(),
        (None, Ok(ids)) => format!("the image's, which is {}:{}", ids.uid, ids.gid),
        (None, Err(_)) => "the image's".to_owned(),
    };
    let seen = ids.map_err(Clone::clone).and_then(|ids| {
        let status = case.evidence.status()?;
        let uids = inside(status.uids, case.evidence.uid_map.as_ref())?;
        let gids = inside(status.gids, case.evidence.gid_map.as_ref())?;
        let kept = uids == [Some(ids.uid); 4] && gids == [Some(ids.gid); 4];
        let word = match (uids, gids) {
            ([Some(uid), ..], [Some(gid), ..]) if uids == [Some(uid); 4] && gids == [Some(gid); 4] => {
                format!("{uid}:{gid}")
            }
            _ => format!("uids {:?}, gids {:?} of the host", status.uids, status.gids),
        };
        Ok((word, kept))
    });
    vec![Check::compared("user", promised, seen)]
}

/// Ids of the host as the container numbers them.
fn inside(ids: [u32; 4], map: Result<&Vec<[u64; 3]>, &Unread>) -> Read<[Option<u32>; 4]> {
    let map = map.map_err(Clone::clone)?;
    Ok(ids.map(|id| inward(map, id)))
}

/// No supplementary group beyond those of the promise and of the image's user.
pub(super) fn groups(case: &Case<'_>) -> Vec<Check> {
    let ids = case.evidence.ids.as_ref();
    let list = |groups: &std::collections::BTreeSet<u32>| {
        let all: Vec<String> = groups.iter().map(u32::to_string).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(",") }
    };
    let promised =
        ids.map_or_else(|_| "those of its user".to_owned(), |ids| format!("at most {}", list(&ids.groups)));
    let seen = ids.map_err(Clone::clone).and_then(|ids| {
        let map = case.evidence.gid_map.as_ref().map_err(Clone::clone)?;
        let seen = &case.evidence.status()?.groups;
        // A group that is nobody's inside keeps its number, which no promise has.
        let groups = seen.iter().map(|group| inward(map, *group).unwrap_or(*group)).collect();
        Ok((list(&groups), groups.is_subset(&ids.groups) && seen.iter().all(|g| inward(map, *g).is_some())))
    });
    vec![Check::compared("groups", promised, seen)]
}

/// Nothing inheritable or ambient, and the bounding set exactly as promised: what is bounded away is out of reach
/// for good. What is effective is at most that; a program that is not root has none of it.
pub(super) fn capabilities(case: &Case<'_>) -> Vec<Check> {
    let allowed = allowed(case);
    let promised = match allowed {
        0 => "none".to_owned(),
        mask => format!("at most {}", capability::list(mask)),
    };
    let seen = case.evidence.status().map(|status| {
        let sets = status.capabilities;
        (describe(sets), within(sets, allowed) && sets.bounding == allowed)
    });
    vec![Check::compared("capabilities", promised, seen)]
}

/// No program that it executes gains rights.
pub(super) fn no_new_privileges(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.status().map(|s| (on_off(s.no_new_privs).to_owned(), s.no_new_privs));
    vec![Check::compared("no new privileges", "on", seen)]
}

/// A filter is in force by the kernel's word, and it is ours by the engine's.
pub(super) fn seccomp(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.status().map(|status| {
        let filters = status
            .seccomp_filters
            .map_or_else(String::new, |n| format!(", {n} filter{}", if n == 1 { "" } else { "s" }));
        match status.seccomp {
            2 => (format!("filtering{filters}"), status.seccomp_filters != Some(0)),
            1 => ("strict mode".to_owned(), false),
            _ => ("off".to_owned(), false),
        }
    });
    let wanted = case.spec.confinement.seccomp();
    let given = case
        .engine
        .security_opt
        .iter()
        .find_map(|option| option.strip_prefix("seccomp").and_then(|o| o.strip_prefix(['=', ':'])));
    let (word, kept) = match given {
        Some(profile) if profile == wanted => ("its own".to_owned(), true),
        // What an old runtime is given: the same filter, which writes nothing down.
        Some(profile) if profile == case.spec.confinement.seccomp_without_flags() => {
            ("its own, denials not logged by this runtime".to_owned(), true)
        }
        Some("unconfined") => ("unconfined".to_owned(), false),
        Some(_) => ("another one".to_owned(), false),
        None => ("the engine's default".to_owned(), false),
    };
    vec![
        Check::compared("seccomp", "filtering", seen),
        Check::compared("seccomp profile", "its own", Ok((word, kept))),
    ]
}

/// Under a recorded profile: what was denied, and how it is granted if it belongs to the service. No promise is broken by
/// it, but perhaps the service is.
pub(super) fn denied_calls(case: &Case<'_>) -> Option<Check> {
    if !case.spec.confinement.logs_denials() {
        return None;
    }
    let seen = match &case.evidence.denied {
        Err(why) => format!("could not be read: {why}"),
        Ok(denied) => {
            let news = |name: &&String| denials::call(case.spec, name, false).is_some();
            let denied: BTreeMap<_, _> = denied.iter().filter(|(name, _)| news(name)).collect();
            if denied.is_empty() { "none was seen".to_owned() } else { told(&denied) }
        }
    };
    let promised = "recorded calls alone".to_owned();
    Some(Check { item: super::DENIED_CALLS.to_owned(), promised, seen, verdict: Verdict::Noted })
}

/// Calls that were denied, and the lines that grant them.
fn told(denied: &BTreeMap<&String, &Denied>) -> String {
    let calls = denied.iter();
    let calls = calls.map(|(name, call)| format!("`{name}` {} times, last by {}", call.times, call.program));
    let lines = denied.keys().map(|name| format!("`- {name}`")).collect::<Vec<_>>().join(", ");
    let calls = calls.collect::<Vec<_>>().join("; ");
    format!("{calls}: if it belongs to the service, add {lines} to its recorded profile, or record again")
}

/// The label that the kernel enforces. A kernel without AppArmor promises nothing, and that is said.
pub(super) fn apparmor(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.main.apparmor.as_ref();
    let check = match case.spec.confinement.apparmor() {
        AppArmor::Profile { name, .. } => {
            let wanted = format!("{name} (enforce)");
            let seen = seen.map_err(Clone::clone).map(|label| match label {
                Some(label) => (label.clone(), *label == wanted),
                None => ("the kernel has no AppArmor".to_owned(), false),
            });
            Check::compared("apparmor", wanted, seen)
        }
        AppArmor::Absent => Check {
            item: "apparmor".to_owned(),
            promised: "nothing: the kernel has none".to_owned(),
            seen: seen
                .map_or_else(ToString::to_string, |label| label.clone().unwrap_or_else(|| "none".to_owned())),
            verdict: Verdict::Noted,
        },
    };
    [check].into_iter().chain(policy(case)).collect()
}

/// The policy under that label is ours: a weaker one that somebody loaded under its name would allow more.
fn policy(case: &Case<'_>) -> Option<Check> {
    let AppArmor::Profile { .. } = case.spec.confinement.apparmor() else { return None };
    let promised = "refuses what it is there against";
    Some(match case.evidence.policy.as_ref() {
        Ok(None) => Check {
            item: "apparmor policy".to_owned(),
            promised: promised.to_owned(),
            seen: "this kernel cannot be asked".to_owned(),
            verdict: Verdict::Noted,
        },
        Ok(Some(allowed)) if allowed.is_empty() => {
            Check::compared("apparmor policy", promised, Ok((promised.to_owned(), true)))
        }
        Ok(Some(allowed)) => Check::compared(
            "apparmor policy",
            promised,
            Ok((format!("allows: {}", allowed.join(", ")), false)),
        ),
        Err(why) => Check::compared("apparmor policy", promised, Err(why.clone())),
    })
}

/// The engine's init reaps what the service leaves behind, where it was asked for.
pub(super) fn process_1(case: &Case<'_>) -> Vec<Check> {
    if !case.spec.confinement.init() {
        return Vec::new();
    }
    let seen = case.evidence.executable.as_ref().map_err(Clone::clone);
    let seen = seen.map(|path| (path.clone(), super::INITS.contains(&path.as_str())));
    vec![Check::compared("process 1", "the engine's init", seen)]
}

/// Every other process of its cgroup has no more rights than process 1 and lives in the same namespaces.
pub(super) fn other_processes(case: &Case<'_>) -> Vec<Check> {
    let seen = case.evidence.others.as_ref().map_err(Clone::clone).and_then(|others| {
        for process in others {
            if let Some(why) = stray(case, process)? {
                return Ok((format!("process {} {why}", process.pid), false));
            }
        }
        Ok((format!("{} alike", others.len()), true))
    });
    vec![Check::compared("other processes", "no more rights than process 1", seen)]
}

/// In which way a process has more rights than promised, or lives elsewhere.
fn stray(case: &Case<'_>, process: &Process) -> Read<Option<String>> {
    let status = process.status.as_ref().map_err(Clone::clone)?;
    let namespaces = process.namespaces.as_ref().map_err(Clone::clone)?;
    let own = case.evidence.main.namespaces.as_ref().map_err(Clone::clone)?;
    let label = process.apparmor.as_ref().map_err(Clone::clone)?;
    let sets = status.capabilities;
    let elsewhere = namespaces.iter().find(|(kind, inode)| own.get(*kind) != Some(inode));
    Ok(if !within(sets, allowed(case)) || sets.bounding & !allowed(case) != 0 {
        Some(format!("has capabilities: {}", describe(sets)))
    } else if !status.no_new_privs {
        Some("may gain privileges".to_owned())
    } else if status.seccomp != 2 {
        Some("has no seccomp filter".to_owned())
    } else if let Some((kind, _)) = elsewhere {
        Some(format!("is in another {kind} namespace"))
    } else if label != case.evidence.main.apparmor.as_ref().map_err(Clone::clone)? {
        Some(format!("has the AppArmor label {}", label.as_deref().unwrap_or("none")))
    } else {
        None
    })
}

fn allowed(case: &Case<'_>) -> u64 {
    capability::mask(case.spec.confinement.capabilities().iter().map(String::as_str))
}

const fn within(sets: CapabilitySets, allowed: u64) -> bool {
    (sets.permitted | sets.effective) & !allowed == 0 && sets.inheritable == 0 && sets.ambient == 0
}

fn describe(sets: CapabilitySets) -> String {
    let named = [
        ("effective", sets.effective),
        ("permitted", sets.permitted & !sets.effective),
        ("inheritable", sets.inheritable),
        ("ambient", sets.ambient),
        ("bounding", sets.bounding),
    ];
    let words: Vec<String> = named
        .iter()
        .filter(|(_, mask)| *mask != 0)
        .map(|(name, mask)| format!("{name} {}", capability::list(*mask)))
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join("; ") }
}

const fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}
