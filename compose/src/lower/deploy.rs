//! `deploy`: limits, replicas and the restart policy, beside the older keys that say the same.
//!
//! Deliberately absent: Swarm's own keys, which are refused by their class.

use crate::keys::{Class, DEPLOY};
use crate::model::{FailureAction, Restart, Service, Update, UpdateOrder};
use crate::node::Node;
use crate::problem::{self, Problems};
use crate::source::At;

use super::{entries, read, whole};

pub(super) fn deploy(service: &mut Service, node: &Node, problems: &mut Problems) {
    for entry in entries(Some(node)) {
        let row = DEPLOY.iter().find(|k| k.name == entry.key && k.class == Class::Refused);
        if row.is_some() && !entry.value.is_null() {
            service.refused.push((refused_name(&entry.key), whole(entry)));
        }
    }
    if let Some(mode) = node.get("mode").filter(|n| n.as_text().is_some_and(|t| t != "replicated")) {
        service.refused.push(("deploy.mode", mode.span));
    }
    let limit = |key| node.get("resources").and_then(|r| r.get("limits")).and_then(|l| l.get(key));
    let reserve = |key| node.get("resources").and_then(|r| r.get("reservations")).and_then(|l| l.get(key));
    let name = "deploy.resources.limits";
    let cpus = limit("cpus").and_then(|n| read::cpus(n, &format!("{name}.cpus"), problems));
    let memory = limit("memory").and_then(|n| read::amount(n, &format!("{name}.memory"), problems));
    let pids = limit("pids").and_then(|n| read::whole(n, &format!("{name}.pids"), problems));
    let reserved =
        reserve("memory").and_then(|n| read::amount(n, "deploy.resources.reservations.memory", problems));
    let replicas = node.get("replicas").and_then(|n| read::small(n, "deploy.replicas", problems));
    one(&mut service.cpus, cpus, ["cpus", "deploy.resources.limits.cpus"], problems);
    one(&mut service.memory, memory, ["mem_limit", "deploy.resources.limits.memory"], problems);
    one(&mut service.pids, pids, ["pids_limit", "deploy.resources.limits.pids"], problems);
    one(
        &mut service.memory_reservation,
        reserved,
        ["mem_reservation", "deploy.resources.reservations.memory"],
        problems,
    );
    one(&mut service.scale, replicas, ["scale", "deploy.replicas"], problems);
    for (key, name) in [
        ("devices", "deploy.resources.reservations.devices"),
        ("generic_resources", "deploy.resources.reservations.generic_resources"),
    ] {
        if let Some(devices) =
            reserve(key).filter(|n| !n.is_null() && n.as_list().is_none_or(|l| !l.is_empty()))
        {
            service.refused.push((name, devices.span));
        }
    }
    service.update = node.get("update_config").and_then(|n| update(n, "update_config", problems));
    service.rollback = node.get("rollback_config").and_then(|n| update(n, "rollback_config", problems));
    if let Some(policy) = node.get("restart_policy") {
        let restart = restart_policy(policy, problems);
        if service.restart.is_none() {
            service.restart = restart;
        }
    }
}

fn update(node: &Node, name: &str, problems: &mut Problems) -> Option<At<Update>> {
    node.as_map()?;
    let name = |key: &str| format!("deploy.{name}.{key}");
    let mut time = |key: &str| {
        let value = node.get(key).and_then(|n| read::duration(n, &name(key), problems));
        value.map(|value| value.value)
    };
    let (delay, monitor) = (time("delay"), time("monitor"));
    let parallelism = node.get("parallelism").and_then(|n| read::small(n, &name("parallelism"), problems));
    let failure_action = {
        let rows = [
            ("continue", FailureAction::Continue),
            ("pause", FailureAction::Pause),
            ("rollback", FailureAction::Rollback),
        ];
        word(node, "failure_action", &name("failure_action"), &rows, problems)
    };
    let order = {
        let rows = [("start-first", UpdateOrder::StartFirst), ("stop-first", UpdateOrder::StopFirst)];
        word(node, "order", &name("order"), &rows, problems)
    };
    let ratio = node.get("max_failure_ratio").filter(|n| !n.is_null());
    let max_failure_ratio = ratio.and_then(|n| {
        let value = n.as_text().as_deref().and_then(thousandths);
        if value.is_none() {
            read::bad(n, &name("max_failure_ratio"), "a number from 0 to 1", problems);
        }
        value
    });
    let update = Update {
        parallelism: parallelism.map(|n| n.value),
        delay,
        failure_action,
        monitor,
        max_failure_ratio,
        order,
    };
    Some(At::file(update, node.span))
}

/// One of a few words.
fn word<T: Copy>(
    node: &Node,
    key: &str,
    name: &str,
    rows: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let node = node.get(key).filter(|n| !n.is_null())?;
    let text = node.as_text().unwrap_or_default();
    let found = rows.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let words: Vec<String> = rows.iter().map(|(word, _)| format!("`{word}`")).collect();
        read::bad(node, name, &words.join(" or "), problems);
    }
    found
}

/// A share from 0 to 1, in thousandths; what is finer is cut off, so that no more may fail than was said.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let whole: u16 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    if !part.bytes().all(|byte| byte.is_ascii_digit()) || (whole, part) == (0, "") && !text.contains('0') {
        return None;
    }
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    let share = whole.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    (share <= 1000).then_some(share)
}

/// The name under which a refused key of `deploy` is known to the policy.
fn refused_name(key: &str) -> &'static str {
    match key {
        "endpoint_mode" => "deploy.endpoint_mode",
        _ => "deploy.placement",
    }
}

/// Two keys that say the same: either one, or both alike.
fn one<T: Copy + PartialEq>(
    old: &mut Option<At<T>>,
    new: Option<At<T>>,
    names: [&str; 2],
    problems: &mut Problems,
) {
    match (&old, new) {
        (_, None) => {}
        (None, Some(new)) => *old = Some(new),
        (Some(kept), Some(new)) if kept.value == new.value => {}
        (Some(kept), Some(new)) => {
            let [first, second] = names;
            if let Some(span) = new.span() {
                let message = format!("`{first}` and `{second}` say different things");
                let finding = problems.add(&problem::CONFLICT, span, message, "keep one of the two");
                finding.related.extend(kept.span().map(|s| (s, format!("`{first}` is here"))));
            }
        }
    }
}

fn restart_policy(node: &Node, problems: &mut Problems) -> Option<At<Restart>> {
    let attempts =
        node.get("max_attempts").and_then(|n| read::small(n, "max_attempts", problems)).map(|n| n.value);
    for key in ["delay", "window"] {
        let _ = node.get(key).and_then(|n| read::duration(n, key, problems));
    }
    let condition = node.get("condition");
    let restart = match condition.and_then(Node::as_text).as_deref() {
        None | Some("any" | "always") => Some(Restart::Always),
        Some("none" | "no") => Some(Restart::No),
        Some("on-failure") => Some(Restart::OnFailure(attempts)),
        Some("unless-stopped") => Some(Restart::UnlessStopped),
        Some(_) => None,
    };
    if let Some(condition) = condition.filter(|_| restart.is_none()) {
        read::bad(condition, "deploy.restart_policy.condition", "`none`, `on-failure` or `any`", problems);
    }
    restart.map(|restart| At::file(restart, node.span))
}
