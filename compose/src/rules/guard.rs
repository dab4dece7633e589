//! The host's packet filter: what it means that a stack goes without.
//!
//! Deliberately absent: what the guard lets through; that follows from networks and ports, which have rules of their own.

use crate::finding::Severity;
use crate::model::Guard;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};

use super::place;

pub(crate) const RULES: &[Rule] = &[Rule {
    id: "SV340",
    title: "the host's packet filter guards the stack",
    reason: "without it containers reach the host's services, the metadata service and private networks, and neighbours \
             reach containers past the host's firewall",
    severity: Severity::Warning,
    fix: "remove `guard: off`, and run `up` and `run` as root on a host with nftables",
    bad: "x-supervisor:\n  guard: off # <-\nservices:\n  web:\n    image: caddy:2\n",
    good: "x-supervisor:\n  guard: on\nservices:\n  web:\n    image: caddy:2\n",
    place: place("4.3", "", "5"),
    exempt: Exempt::Possible,
    check: Check::Stack(off),
    repair: Repair::Author,
}];

fn off(stack: &Stack<'_>) -> Vec<Hit> {
    let off = stack.project.stack.guard.as_ref().filter(|guard| guard.value == Guard::Off);
    off.map(|guard| Hit::at(guard, "the stack goes without the guard")).into_iter().collect()
}
