//! What listens on the host beyond loopback, beside what the file publishes.
//!
//! About the whole stack, not one container. Others than the stack may listen too, such as an SSH server: that is
//! said and is no broken promise. A port that the file keeps on loopback and that is open beyond it is one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Verdict};
use crate::decide::spec::{PortSpec, Wanted};
use crate::engine::Inspected;
use crate::observe::kernel::Read;
use crate::observe::kernel::sockets::{Listening, Protocol};

/// Two rows: what the stack opens beyond loopback, and what else is open.
pub fn listening(
    wanted: &Wanted,
    running: &BTreeMap<String, Inspected>,
    sockets: &Read<BTreeSet<Listening>>,
) -> Vec<Check> {
    let promised: BTreeSet<&PortSpec> =
        wanted.services.values().flat_map(|s| &s.containers).flat_map(|c| &c.ports).collect();
    let beyond = |ports: &mut dyn Iterator<Item = &PortSpec>| -> BTreeSet<String> {
        ports
            .filter(|p| !p.host_ip.is_loopback())
            .map(|p| format!("{}/{}", p.host_port, p.protocol))
            .collect()
    };
    let wanted_open = beyond(&mut promised.iter().copied());
    let engine_open = beyond(&mut running.values().flat_map(|c| &c.ports));
    let own: BTreeSet<String> = promised.iter().map(|p| format!("{}/{}", p.host_port, p.protocol)).collect();
    let open = sockets.clone().map(|sockets| {
        sockets.iter().filter(|s| s.beyond_loopback()).map(name).collect::<BTreeSet<String>>()
    });
    let stack = open.clone().map(|open| {
        let of_stack = open.iter().filter(|port| own.contains(*port)).cloned();
        let seen: BTreeSet<String> = of_stack.chain(engine_open).collect();
        (list(&seen), seen.is_subset(&wanted_open))
    });
    let others = open.map(|open| open.difference(&own).cloned().collect::<BTreeSet<_>>());
    vec![
        Check::compared("stack's open ports", list(&wanted_open), stack),
        Check {
            item: "other open ports".to_owned(),
            promised: "not this stack's".to_owned(),
            seen: others.map_or_else(|why| format!("could not be read: {why}"), |open| list(&open)),
            verdict: Verdict::Noted,
        },
    ]
}

fn name(socket: &Listening) -> String {
    let protocol = match socket.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    format!("{}/{protocol}", socket.address.port())
}

fn list(ports: &BTreeSet<String>) -> String {
    if ports.is_empty() { "none".to_owned() } else { ports.iter().cloned().collect::<Vec<_>>().join(", ") }
}
