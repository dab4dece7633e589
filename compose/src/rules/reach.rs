//! Ports of services that are on internal networks alone: who answers on the host.

use crate::finding::Severity;
use crate::model::Service;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};
use crate::reach::{Reach, reach};

use super::place;

pub(crate) const RULES: &[Rule] = &[Rule {
    id: "SV325",
    title: "a loopback port of an inner service is relayed",
    reason: "the engine publishes nothing of a container on internal networks alone, so that the supervisor listens in its place",
    severity: Severity::Note,
    fix: "nothing: it is served while `supervisor run` runs",
    bad: "services:\n  web:\n    image: caddy:2\n    networks: [backend]\n    ports:\n      - \"127.0.0.1:8080:80\" # <-\nnetworks:\n  backend:\n    internal: true\n",
    good: "x-supervisor:\n  edge: web\nservices:\n  web:\n    image: caddy:2\n    ports:\n      - \"127.0.0.1:8080:80\"\n",
    place: place("5.6", "5.9", ""),
    exempt: Exempt::Never,
    check: Check::Service(relayed),
    repair: Repair::Author,
}];

pub(super) fn dropped(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ports.iter().filter_map(|port| {
        let Reach::Dropped(why) = reach(stack.project, service, &port.value) else { return None };
        let number = port.value.published.unwrap_or(port.value.target);
        let message =
            format!("port {number} of `{}`, which has internal networks alone; {why}", service.name);
        Some(Hit::at(port, message))
    });
    hits.collect()
}

fn relayed(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let ports =
        service.ports.iter().filter(|port| reach(stack.project, service, &port.value) == Reach::Relayed);
    let hits = ports.map(|port| {
        let number = port.value.published.unwrap_or(port.value.target);
        Hit::at(port, format!("port {number} of `{}` is served by the supervisor itself", service.name))
    });
    hits.collect()
}
