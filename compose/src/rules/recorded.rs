//! Recorded profiles: what `x-supervisor.seccomp` names may narrow a service's base, and nothing else.
//!
//! Deliberately absent: reading of the file (`lower`), and the table of system calls, which comes in with the policy.

use crate::finding::Severity;
use crate::model::{Runtime, Service};
use crate::policy::{Call, Check, Exempt, Hit, Repair, Rule, Stack};

use super::place;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV136",
        title: "a recorded profile names calls that Linux has",
        reason: "the engine passes over a name that it does not know, so that a misspelled call is denied in silence",
        severity: Severity::Error,
        fix: "correct the name in the profile, or remove its line",
        bad: "services:\n  web:\n    image: app:1\n    x-supervisor:\n      seccomp: ./profiles/misspelled.yaml # - accpet4\n",
        good: "services:\n  web:\n    image: app:1\n    x-supervisor:\n      seccomp: ./profiles/web.yaml\n",
        place: place("5.8", "5.22", "6"),
        exempt: Exempt::Never,
        check: Check::Service(unknown),
        repair: Repair::Author,
    },
    Rule {
        id: "SV137",
        title: "a recorded profile stays within the service's base",
        reason: "a recorded profile narrows what the base grants; one that was edited to grant more is no promise",
        severity: Severity::Error,
        fix: "remove the line from the profile, or name under `x-supervisor.runtime` the base that the service needs",
        bad: "services:\n  web:\n    image: app:1\n    x-supervisor:\n      seccomp: ./profiles/beyond.yaml # - ptrace\n",
        good: "services:\n  web:\n    image: app:1\n    x-supervisor:\n      seccomp: ./profiles/web.yaml\n",
        place: place("5.8", "5.22", "6"),
        exempt: Exempt::Never,
        check: Check::Service(beyond),
        repair: Repair::Author,
    },
];

fn unknown(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(recorded) = &service.supervisor.seccomp else { return Vec::new() };
    let names = recorded.value.calls.iter().chain(&recorded.value.left_out);
    let hits = names.filter_map(|call| match (stack.calls)(service, &call.value) {
        Call::Unknown { near } => {
            let name = crate::yaml::shown(&call.value);
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            Some(Hit::at(call, format!("Linux has no system call `{name}`{near}")))
        }
        Call::Granted | Call::Beyond { .. } => None,
    });
    hits.collect()
}

fn beyond(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(recorded) = &service.supervisor.seccomp else { return Vec::new() };
    let hits = recorded.value.calls.iter().filter_map(|call| match (stack.calls)(service, &call.value) {
        Call::Beyond { base, why, others } => {
            let others = match others {
                [] => "no base grants it".to_owned(),
                others => format!("the base `{}` grants it", others.join("` or `")),
            };
            let message = format!("`{}` is beyond the base `{base}`: {why}; {others}", call.value);
            Some(Hit::at(call, message))
        }
        Call::Granted | Call::Unknown { .. } => None,
    });
    let own = service.supervisor.runtime.as_ref().map_or(Runtime::Generic, |runtime| runtime.value);
    let base = &recorded.value.base;
    let other = (base.value != own).then(|| {
        let (there, here) = (base.value.name(), own.name());
        let message = format!("recorded within the base `{there}`, and the service's is `{here}`");
        Hit::at(base, message).only(Severity::Warning)
    });
    hits.chain(other).collect()
}
