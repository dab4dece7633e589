//! Ports of services that are on internal networks alone: who answers on the host.

use crate::finding::Severity;
use crate::model::{Exemption, Service};
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};
use crate::reach::{Reach, reach};

use super::network::{LOOPBACK, PLAIN, loopback};
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

/// Ports that nobody will answer, and that may be written so: what is refused as it is written is not said twice.
pub(super) fn dropped(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let exempt = |rule: &str| {
        let named = |exemption: &Exemption| {
            exemption.rule == rule && exemption.service.as_ref().is_none_or(|name| *name == service.name)
        };
        stack.project.stack.exempt.iter().any(|exemption| named(&exemption.value))
    };
    let hits = service.ports.iter().filter_map(|port| {
        let Reach::Dropped(why) = reach(stack.project, service, &port.value) else { return None };
        let beyond = !port.value.address.is_some_and(|address| loopback(&address));
        let chance = port.value.published.is_none_or(|number| number == 0);
        if (beyond && !exempt(LOOPBACK)) || (chance && !exempt(PLAIN)) {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::rules::tests::judge;

    /// What is said of the ports of a stack whose network is internal.
    #[track_caller]
    fn check(exempt: &str, expect: Expect) {
        let (_, report) = judge(&format!(
            "x-supervisor: {{exempt: [{exempt}]}}\nservices:\n  web: {{image: a, ports: ['8080:80', '127.0.0.1::81', '127.0.0.1:82:82/udp']}}\n"
        ));
        let ports =
            report.findings.iter().filter(|finding| ["SV180", "SV181", "SV194"].contains(&finding.rule));
        let said: Vec<String> = ports
            .map(|finding| format!("{} {:?}: {}\n", finding.rule, finding.severity, finding.message))
            .collect();
        expect.assert_eq(&said.concat());
    }

    #[test]
    fn a_port_that_is_refused_is_not_said_to_be_out_of_reach_as_well() {
        check(
            "",
            expect![[r#"
            SV180 Error: port 8080/tcp is published on every address
            SV181 Error: the port on the host is left to chance
            SV194 Warning: port 82 of `web`, which has internal networks alone; only TCP is relayed
        "#]],
        );
        check(
            "{rule: SV180, service: web, reason: a balancer in front of it, until: 2027-01-01}",
            expect![[r#"
                SV194 Warning: port 8080 of `web`, which has internal networks alone; only a port on loopback is relayed
                SV180 Note: port 8080/tcp is published on every address; exempt until 2027-01-01: a balancer in front of it
                SV181 Error: the port on the host is left to chance
                SV194 Warning: port 82 of `web`, which has internal networks alone; only TCP is relayed
            "#]],
        );
    }
}
