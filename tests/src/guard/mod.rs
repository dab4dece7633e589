//! The network's attacks: what a neighbour and an intruder in a container try, one row each, beside what has to work.
//!
//! An intruder's attempts are made from a container's network namespace with all of the machine's rights: what stops them is
//! the network alone, and nothing else that confines a container. Deliberately absent: any host but those of the test's own.

mod world;

use std::fmt::Write as _;

pub use world::{Firewall, World};

/// Where an attempt is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A host on the same link.
    Neighbour,
    /// The service that only is on an internal network.
    App,
    /// The service that has a way out.
    Edge,
}

impl Origin {
    const fn title(self) -> &'static str {
        match self {
            Self::Neighbour => "From a host on the same link",
            Self::App => "From a service on an internal network",
            Self::Edge => "From the edge, which has a way out",
        }
    }
}

/// One attempt.
#[derive(Clone, Copy)]
pub struct Attempt {
    /// Its name.
    pub id: &'static str,
    /// Where it is made from.
    pub from: Origin,
    /// What it is.
    pub tries: &'static str,
    /// Makes it; whether it went through.
    pub make: fn(&World) -> bool,
}

const fn attempt(id: &'static str, from: Origin, tries: &'static str, make: fn(&World) -> bool) -> Attempt {
    Attempt { id, from, tries, make }
}

/// Every attempt. Where one succeeds it reads a word that nobody should have given it, and does nothing else.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("loopback", Origin::Neighbour, "a port that is published on 127.0.0.1", |w| {
        w.neighbour_gets("http://127.0.0.1:18080/")
    }),
    attempt("route-edge", Origin::Neighbour, "the edge's container by a route to its address", |w| {
        w.neighbour_gets(&w.url("edge", "front", false, 8080))
    }),
    attempt("route-edge-v6", Origin::Neighbour, "the same over IPv6", |w| {
        w.neighbour_gets(&w.url("edge", "front", true, 8080))
    }),
    attempt(
        "route-app",
        Origin::Neighbour,
        "a container on an internal network by a route to its address",
        |w| w.neighbour_gets(&w.url("app", "back", false, 8080)),
    ),
    attempt("route-app-v6", Origin::Neighbour, "the same over IPv6", |w| {
        w.neighbour_gets(&w.url("app", "back", true, 8080))
    }),
    attempt(
        "all-addresses",
        Origin::Neighbour,
        "a port that somebody publishes on all addresses for a container on the stack's network, where ufw denies it",
        |w| w.neighbour_gets(&format!("http://{}:19000/", w.host)),
    ),
    attempt("all-addresses-v6", Origin::Neighbour, "the same over IPv6", |w| {
        w.neighbour_gets(&format!("http://[{}]:19000/", w.host6))
    }),
    attempt("app-host", Origin::App, "a service of the host, by the bridge's address", |w| {
        w.reads("app", &w.gateway("app", "back", false), world::SERVICE)
    }),
    attempt("app-host-v6", Origin::App, "the same over IPv6", |w| {
        w.reads("app", &w.gateway("app", "back", true), world::SERVICE)
    }),
    attempt("app-host-udp", Origin::App, "the same over UDP", |w| {
        w.echoes("app", &w.gateway("app", "back", false), world::SERVICE)
    }),
    attempt("app-host-icmp", Origin::App, "the host's answer to a ping", |w| {
        w.pings("app", &w.gateway("app", "back", false))
    }),
    attempt("app-engine", Origin::App, "the engine's TCP port", |w| {
        w.reads("app", &w.gateway("app", "back", false), world::ENGINE)
    }),
    attempt("app-metadata", Origin::App, "the metadata service at 169.254.169.254", |w| {
        w.reads("app", world::METADATA, 80)
    }),
    attempt("app-private", Origin::App, "a host on a private network", |w| {
        w.reads("app", world::PRIVATE, 80)
    }),
    attempt("app-public", Origin::App, "a host on the internet", |w| w.reads("app", world::PUBLIC, 80)),
    attempt("app-public-udp", Origin::App, "the same over UDP", |w| w.echoes("app", world::PUBLIC, 80)),
    attempt("app-public-icmp", Origin::App, "the same by ping", |w| w.pings("app", world::PUBLIC)),
    attempt("app-dns", Origin::App, "a resolver outside, asked itself", |w| w.asks("app", world::RESOLVER)),
    attempt("app-dns-tunnel", Origin::App, "a resolver outside, through the engine's", |w| {
        w.asks("app", "127.0.0.11")
    }),
    attempt("app-between", Origin::App, "the edge on its other network, by a route", |w| {
        w.reads("app", &w.address("edge", "front", false), 8080)
    }),
    attempt("edge-host", Origin::Edge, "a service of the host, by the bridge's address", |w| {
        w.reads("edge", &w.gateway("edge", "front", false), world::SERVICE)
    }),
    attempt("edge-host-v6", Origin::Edge, "the same over IPv6", |w| {
        w.reads("edge", &w.gateway("edge", "front", true), world::SERVICE)
    }),
    attempt("edge-host-public", Origin::Edge, "a service of the host, by the host's own address", |w| {
        w.reads("edge", &w.host, world::SERVICE)
    }),
    attempt("edge-engine", Origin::Edge, "the engine's TCP port", |w| {
        w.reads("edge", &w.gateway("edge", "front", false), world::ENGINE)
    }),
    attempt("edge-metadata", Origin::Edge, "the metadata service at 169.254.169.254", |w| {
        w.reads("edge", world::METADATA, 80)
    }),
    attempt("edge-metadata-v6", Origin::Edge, "the metadata service at fd00:ec2::254", |w| {
        w.reads("edge", world::METADATA6, 80)
    }),
    attempt("edge-private", Origin::Edge, "a host on a private network", |w| {
        w.reads("edge", world::PRIVATE, 80)
    }),
    attempt("edge-private-v6", Origin::Edge, "the same over IPv6", |w| w.reads("edge", world::PRIVATE6, 80)),
    attempt("edge-private-udp", Origin::Edge, "the same over UDP", |w| w.echoes("edge", world::PRIVATE, 80)),
    attempt("edge-private-icmp", Origin::Edge, "the same by ping", |w| w.pings("edge", world::PRIVATE)),
    attempt("edge-stack", Origin::Edge, "another stack's container, by its address", |w| {
        w.reads("edge", &w.stranger(), 80)
    }),
    attempt("edge-stack-port", Origin::Edge, "another stack, by its port on the host's address", |w| {
        w.reads("edge", &w.host, 19001)
    }),
];

/// One run of every attempt: those that went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column(pub Vec<&'static str>);

/// Makes every attempt.
#[track_caller]
pub fn attack(world: &World) -> Column {
    world.route_out();
    Column(ATTEMPTS.iter().filter(|attempt| (attempt.make)(world)).map(|attempt| attempt.id).collect())
}

/// The document of a run: Docker Compose with the guide's firewall, and ours.
pub fn document(compose: &Column, ours: &Column) -> String {
    let through = |column: &Column| format!("{} of {}", column.0.len(), ATTEMPTS.len());
    let mut text = format!(
        "# The network, attacked

Made by `cargo xtask docs --attacks` from a run on a real engine; do not edit.

One stack: an edge with a way out and a published port, and a service on an internal network, both with IPv6. It is
started by Docker Compose, with ufw's denial of what comes in and the rules for `DOCKER-USER` of the hardening guide; and
by `supervisor up`, with no other firewall at all. A neighbour is a network namespace on a link with the host. An intruder is
a program with all of the machine's rights in a container's network, which it gives a route out where it has none: the
network alone has to stop it. What is reached
are hosts of the test's own, the metadata service at its real address among them.

| | went through |
|---|---|
| Docker Compose with the guide's firewall | {} |
| `supervisor up` | {} |
",
        through(compose),
        through(ours)
    );
    for from in [Origin::Neighbour, Origin::App, Origin::Edge] {
        let _ = write!(
            text,
            "\n## {}\n\n| attempt | reaches | Compose | ours |\n|---|---|---|---|\n",
            from.title()
        );
        for attempt in ATTEMPTS.iter().filter(|attempt| attempt.from == from) {
            let cell =
                |column: &Column| if column.0.contains(&attempt.id) { "**through**" } else { "stopped" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                attempt.id,
                attempt.tries,
                cell(compose),
                cell(ours)
            );
        }
    }
    text
}
