//! Which loopback ports the supervisor listens on itself, and where it passes what comes.
//!
//! For ports of services on internal networks alone, of which the engine publishes nothing. Deliberately absent:
//! sockets; `net::relay` has them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::spec::{PortSpec, ServiceSpec, Wanted};

/// One port that is listened on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relay {
    /// On the host's loopback.
    pub listen: SocketAddr,
    /// Whose port it is.
    pub service: String,
}

/// Every port, and where the service's running containers listen, one a replica.
pub fn relays(wanted: &Wanted, address: impl Fn(&str) -> Option<IpAddr>) -> BTreeMap<Relay, Vec<SocketAddr>> {
    let relays = ports(wanted).map(|(service, port)| {
        let to = service.containers.iter().filter_map(|spec| address(&spec.name));
        let to = to.map(|address| SocketAddr::new(address, port.container_port)).collect();
        (Relay { listen: listen(port), service: service.service.clone() }, to)
    });
    relays.collect()
}

/// What `up` and `plan` say of relayed ports where no supervisor runs.
pub fn not_served(wanted: &Wanted, services: &BTreeSet<String>) -> Vec<String> {
    let asked = |service: &ServiceSpec| services.is_empty() || services.contains(&service.service);
    let ports = ports(wanted).filter(|(service, _)| asked(service));
    let lines = ports.map(|(service, port)| {
        format!(
            "port `{}` of service `{}` is served while `supervisor run` keeps this stack, and not without: the \
             service is only on internal networks, of which the engine publishes nothing",
            listen(port),
            service.service
        )
    });
    lines.collect()
}

/// Connections at once on each port: what the process's descriptors allow, less what it needs for itself, fairly
/// shared. A connection takes two sockets, and two pipes while bytes move both ways.
pub fn bound(descriptors: u64, ports: usize) -> usize {
    const OWN: u64 = 512;
    const EACH: u64 = 6;
    const MOST: u64 = 1024;
    let ports = u64::try_from(ports).unwrap_or(u64::MAX).max(1);
    let each = (descriptors.saturating_sub(OWN) / EACH / ports).clamp(1, MOST);
    usize::try_from(each).unwrap_or(1)
}

fn ports(wanted: &Wanted) -> impl Iterator<Item = (&ServiceSpec, &PortSpec)> {
    wanted.services.values().flat_map(|service| service.relayed.iter().map(move |port| (service, port)))
}

fn listen(port: &PortSpec) -> SocketAddr {
    SocketAddr::new(port.host_ip, port.host_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::want;

    const STACK: &str = "
services:
  web: {image: 'i:1', ports: ['127.0.0.1:3000:80', '[::1]:3000:80', '127.0.0.1:53:53/udp']}
  db: {image: 'i:1'}
";

    #[test]
    fn a_port_leads_to_where_its_container_is_now() {
        let address = |name: &str| (name == "shop-web-1").then(|| IpAddr::from([10, 0, 0, 3]));
        let relays: Vec<String> = relays(&want(STACK), address)
            .iter()
            .map(|(relay, to)| format!("{} of {} to {to:?}", relay.listen, relay.service))
            .collect();
        assert_eq!(relays, ["127.0.0.1:3000 of web to [10.0.0.3:80]", "[::1]:3000 of web to [10.0.0.3:80]"]);
    }

    #[test]
    fn what_up_leaves_unserved_is_said_of_the_services_that_were_asked_for() {
        let wanted = want(STACK);
        assert_eq!(not_served(&wanted, &BTreeSet::new()).len(), 2);
        assert_eq!(not_served(&wanted, &["db".to_owned()].into()), [""; 0]);
    }

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        for (descriptors, ports, bound_is) in
            [(1024, 1, 85), (4096, 1, 597), (4096, 4, 149), (524_288, 2, 1024), (100, 9, 1)]
        {
            assert_eq!(bound(descriptors, ports), bound_is, "{descriptors} {ports}");
        }
    }
}
