//! How a port that a service publishes is reached on the host.
//!
//! The engine drops, without a word, a port of a container that is on internal networks alone (moby#36174). On loopback
//! the supervisor takes its place. Deliberately absent: what else may be published (`rules::network`).

use crate::model::{Network, Project, PublishedPort, Service};

/// Who answers on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The engine.
    Published,
    /// The supervisor, while it runs; it passes what comes on to the container.
    Relayed,
    /// Nobody, and why.
    Dropped(&'static str),
}

/// How a port of a service is reached.
pub fn reach(project: &Project, service: &Service, port: &PublishedPort) -> Reach {
    let edge = project.stack.edge.as_ref().is_some_and(|edge| edge.value == service.name);
    let networks = || service.networks.keys().map(|key| project.networks.get(key));
    if edge || service.networks.is_empty() || !networks().all(|network| network.is_some_and(is_internal)) {
        return Reach::Published;
    }
    if port.protocol != "tcp" {
        return Reach::Dropped("only TCP is relayed");
    }
    if !port.address.is_some_and(|address| address.to_canonical().is_loopback()) {
        return Reach::Dropped("only a port on loopback is relayed");
    }
    if port.published.is_none_or(|number| number == 0) {
        return Reach::Dropped("only a port whose number is said is relayed");
    }
    if networks().flatten().any(is_isolated) {
        return Reach::Dropped("the host has no address on a network in mode `isolated`");
    }
    Reach::Relayed
}

/// Without a word on it, a network of inner services is made internal.
fn is_internal(network: &Network) -> bool {
    let external = network.external.as_ref().is_some_and(|external| external.value);
    !external && network.internal.as_ref().is_none_or(|internal| internal.value)
}

fn is_isolated(network: &Network) -> bool {
    let mode = network.driver_opts.get("com.docker.network.bridge.gateway_mode_ipv4");
    mode.is_some_and(|mode| mode.value.eq_ignore_ascii_case("isolated"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::rules::tests::judge;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (admitted, report) = judge(text);
        let admitted = admitted.unwrap_or_else(|| panic!("{:?}", report.findings));
        let project = admitted.project();
        let mut said = String::new();
        for service in project.services.values() {
            for port in &service.ports {
                let reach = reach(project, service, &port.value);
                writeln!(said, "{} {}: {reach:?}", service.name, port.value.target).unwrap();
            }
        }
        expect.assert_eq(&said);
    }

    #[test]
    fn loopback_is_relayed_where_the_engine_would_drop_it() {
        check(
            "
x-supervisor: {edge: web}
services:
  web: {image: a, ports: ['127.0.0.1:1:1'], networks: [back]}
  said: {image: a, ports: ['127.0.0.1:2:2', '[::1]:3:3', '127.0.0.1:4:4/udp'], networks: [back]}
  silent: {image: a, ports: ['127.0.0.1:5:5']}
  apart: {image: a, ports: ['127.0.0.1:6:6'], networks: [back, apart]}
networks:
  back: {internal: true}
  apart: {internal: true, driver_opts: {com.docker.network.bridge.gateway_mode_ipv4: isolated}}
",
            expect![[r#"
                apart 6: Dropped("the host has no address on a network in mode `isolated`")
                said 2: Relayed
                said 3: Relayed
                said 4: Dropped("only TCP is relayed")
                silent 5: Relayed
                web 1: Published
            "#]],
        );
    }
}
