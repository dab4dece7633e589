//! What listens on the host, by the kernel's word, beside what the file publishes.
//!
//! About the whole stack, not one container. Others than the stack may listen too, such as an SSH server: that is
//! said and is no broken promise. A port that the file keeps on loopback and that is open beyond it is one, and so is a
//! port of the file that another program than the engine's or the supervisor has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::{Check, Verdict};
use crate::decide::spec::{PortSpec, Wanted};
use crate::decide::wanted::Restarts;
use crate::engine::Inspected;
use crate::observe::kernel::Read;
use crate::observe::kernel::owners::Process;
use crate::observe::kernel::sockets::{Listening, Protocol};

/// What binds a published port: the engine itself, its proxy, and those of an engine without root.
const ENGINE: [&str; 5] = ["docker-proxy", "dockerd", "rootlesskit", "rootlessport", "slirp4netns"];
/// What is seen of a port without a socket.
const NOBODY: &str = "nobody listens";
/// What binds a relayed one.
const SUPERVISOR: &str = "supervisor";

/// What the kernel says.
#[derive(Debug)]
pub struct Sockets {
    /// Every socket that takes what comes.
    pub listening: Read<BTreeSet<Listening>>,
    /// Who holds them, where that can be known.
    pub owners: BTreeMap<Listening, Vec<Process>>,
}

/// What the stack opens beyond loopback, what else is open, and each port of the file with whoever listens there.
/// `kept_by` says whether a supervisor keeps the stack.
pub fn listening(
    wanted: &Wanted,
    running: &BTreeMap<String, Inspected>,
    sockets: &Sockets,
    kept_by: Restarts,
) -> Vec<Check> {
    let specs = wanted.services.values().flat_map(|s| &s.containers);
    let promised: BTreeSet<&PortSpec> = specs.clone().flat_map(|c| &c.ports).collect();
    let relayed: BTreeSet<&PortSpec> = wanted.services.values().flat_map(|s| &s.relayed).collect();
    let beyond = |ports: &mut dyn Iterator<Item = &PortSpec>| -> BTreeSet<String> {
        ports
            .filter(|p| !p.host_ip.is_loopback())
            .map(|p| format!("{}/{}", p.host_port, p.protocol))
            .collect()
    };
    let wanted_open = beyond(&mut promised.iter().copied());
    let engine_open = beyond(&mut running.values().flat_map(|c| &c.ports));
    let own = promised.iter().chain(&relayed).map(|p| format!("{}/{}", p.host_port, p.protocol));
    let own: BTreeSet<String> = own.collect();
    let open = sockets.listening.clone().map(|all| -> BTreeMap<String, BTreeSet<Listening>> {
        let mut open: BTreeMap<String, BTreeSet<Listening>> = BTreeMap::new();
        for socket in all.into_iter().filter(Listening::beyond_loopback) {
            open.entry(name(&socket)).or_default().insert(socket);
        }
        open
    });
    let stack = open.clone().map(|open| {
        let of_stack = open.keys().filter(|port| own.contains(*port)).cloned();
        let seen: BTreeSet<String> = of_stack.chain(engine_open).collect();
        let said = seen.iter().map(|port| {
            // Who listens is of interest where nobody should.
            if wanted_open.contains(port) { port.clone() } else { with_owners(port, &open, sockets) }
        });
        (list(said), seen.is_subset(&wanted_open))
    });
    let others = open.map(|open| {
        let others = open.keys().filter(|port| !own.contains(*port));
        list(others.map(|port| with_owners(port, &open, sockets)))
    });
    let mut checks = vec![
        Check::compared("stack's open ports", list(wanted_open.iter().cloned()), stack),
        Check {
            item: "other open ports".to_owned(),
            promised: "not this stack's".to_owned(),
            seen: others.unwrap_or_else(|why| format!("could not be read: {why}")),
            verdict: Verdict::Noted,
        },
    ];
    let running = specs.filter(|spec| running.contains_key(&spec.name));
    let published: BTreeSet<&PortSpec> =
        running.flat_map(|spec| &spec.ports).filter(|port| port.host_port != 0).collect();
    checks.extend(published.into_iter().map(|port| {
        let check = held(port, "published by the engine", &ENGINE, sockets);
        // Without its own proxy, an engine may forward by the packet filter alone.
        if check.seen == NOBODY { Check { verdict: Verdict::Noted, ..check } } else { check }
    }));
    checks.extend(relayed.into_iter().map(|port| match kept_by {
        Restarts::Ours => held(port, "relayed by the supervisor", &[SUPERVISOR], sockets),
        Restarts::Engine => {
            Check { verdict: Verdict::Noted, ..held(port, "relayed while `run` runs", &[], sockets) }
        }
    }));
    checks
}

/// One port of the file and whoever has it.
fn held(port: &PortSpec, promised: &str, by: &[&str], sockets: &Sockets) -> Check {
    let address = SocketAddr::new(port.host_ip, port.host_port);
    let item = format!("port {address}/{}", port.protocol);
    let seen = sockets.listening.clone().map(|all| {
        let protocol = if port.protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        let at: Vec<&Listening> =
            all.iter().filter(|s| s.protocol == protocol && covers(s.address, address)).collect();
        let who: BTreeSet<&Process> = at.iter().filter_map(|s| sockets.owners.get(s)).flatten().collect();
        let foreign = who.iter().any(|process| !by.contains(&process.name.as_str()));
        match (at.is_empty(), who.is_empty()) {
            (true, _) => (NOBODY.to_owned(), false),
            (false, true) => ("somebody listens".to_owned(), true),
            (false, false) => (list(who.iter().map(ToString::to_string)), !foreign),
        }
    });
    Check::compared(item, promised, seen)
}

/// Whether a socket takes what comes for an address: it is bound to it, or to all of them.
fn covers(socket: SocketAddr, address: SocketAddr) -> bool {
    let (bound, asked) = (socket.ip().to_canonical(), address.ip().to_canonical());
    socket.port() == address.port()
        && (bound == asked
            || (bound.is_unspecified() && (bound.is_ipv6() || asked.is_ipv4()))
            || (asked.is_unspecified() && bound.is_unspecified()))
}

fn with_owners(port: &str, open: &BTreeMap<String, BTreeSet<Listening>>, sockets: &Sockets) -> String {
    let held = open.get(port).into_iter().flatten().filter_map(|socket| sockets.owners.get(socket));
    let who: BTreeSet<String> = held.flatten().map(ToString::to_string).collect();
    if who.is_empty() { port.to_owned() } else { format!("{port} by {}", list(who).replace(", ", " and ")) }
}

fn name(socket: &Listening) -> String {
    let protocol = match socket.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    format!("{}/{protocol}", socket.address.port())
}

fn list(rows: impl IntoIterator<Item = String>) -> String {
    let rows: Vec<String> = rows.into_iter().collect();
    if rows.is_empty() { "none".to_owned() } else { rows.join(", ") }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::decide::testing::want;

    const STACK: &str = "
x-supervisor: {edge: web}
services:
  web: {image: 'i:1', ports: ['443:443', '127.0.0.1:8080:80'], networks: [front]}
  app: {image: 'i:1', ports: ['127.0.0.1:3000:3000'], networks: [back]}
networks: {front: {}, back: {internal: true}}
";

    /// Rows of `ADDRESS NAME`, the engine away: what its containers publish is in the test of the real engine.
    #[track_caller]
    fn check(rows: &str, kept_by: Restarts, expect: Expect) {
        let (mut all, mut owners) = (BTreeSet::new(), BTreeMap::new());
        for (row, pid) in rows.lines().zip(1..) {
            let (address, name) = row.split_once(' ').unwrap_or((row, ""));
            let socket = Listening { protocol: Protocol::Tcp, address: address.parse().unwrap() };
            all.insert(socket);
            if !name.is_empty() {
                owners.insert(socket, vec![Process { name: name.to_owned(), pid }]);
            }
        }
        let sockets = Sockets { listening: Ok(all), owners };
        let checks = listening(&want(STACK), &BTreeMap::new(), &sockets, kept_by);
        let said = checks.iter().map(|c| format!("{:?} {}\n", c.verdict, c.sentence()));
        expect.assert_eq(&said.collect::<String>());
    }

    #[test]
    fn what_is_open_beyond_the_file_is_named_with_its_process() {
        check(
            "0.0.0.0:443 docker-proxy\n0.0.0.0:8080 nginx\n0.0.0.0:22 sshd\n127.0.0.1:3000 supervisor",
            Restarts::Ours,
            expect![[r#"
                Broken stack's open ports: promised 443/tcp, seen 443/tcp, 8080/tcp by nginx (2)
                Noted other open ports: promised not this stack's, seen 22/tcp by sshd (3)
                Kept port 127.0.0.1:3000/tcp: promised relayed by the supervisor, seen supervisor (4)
            "#]],
        );
    }

    #[test]
    fn a_relayed_port_that_another_has_or_nobody_is_no_kept_promise() {
        let [served, taken, unknown] = ["", "127.0.0.1:3000 python3", "0.0.0.0:3000"];
        let relayed =
            |verdict: &str, rest: &str| format!("{verdict} port 127.0.0.1:3000/tcp: promised {rest}\n");
        for (rows, kept_by, last) in [
            (served, Restarts::Ours, relayed("Broken", "relayed by the supervisor, seen nobody listens")),
            (served, Restarts::Engine, relayed("Noted", "relayed while `run` runs, seen nobody listens")),
            (taken, Restarts::Ours, relayed("Broken", "relayed by the supervisor, seen python3 (1)")),
            (unknown, Restarts::Ours, relayed("Kept", "relayed by the supervisor, seen somebody listens")),
        ] {
            let sockets = |row: &str| -> Sockets {
                let (address, name) = row.split_once(' ').unwrap_or((row, ""));
                let socket = address.parse().map(|address| Listening { protocol: Protocol::Tcp, address });
                let owner = |s| (s, vec![Process { name: name.to_owned(), pid: 1 }]);
                let owners = socket.iter().filter(|_| !name.is_empty()).copied().map(owner).collect();
                Sockets { listening: Ok(socket.into_iter().collect()), owners }
            };
            let checks = listening(&want(STACK), &BTreeMap::new(), &sockets(rows), kept_by);
            let row = checks.last().map(|c| format!("{:?} {}\n", c.verdict, c.sentence()));
            assert_eq!(row.unwrap(), last);
        }
    }

    #[test]
    fn a_socket_on_all_addresses_covers_each_of_its_family() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (socket, address, covers_it) in [
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "0.0.0.0:1", false),
            ("[::]:1", "0.0.0.0:1", true),
        ] {
            assert_eq!(covers(at(socket), at(address)), covers_it, "{socket} {address}");
        }
    }
}
