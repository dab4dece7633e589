//! The rows of the table, one an attempt. Where one succeeds it reads a word that nobody should have given it, and does
//! nothing else.
//!
//! Deliberately absent: how an attempt is made (`world`, `client`, `faults`).

use super::Origin::{App, Client, Edge, Fault, Neighbour};
use super::world::{
    ENGINE, METADATA, METADATA6, PRIVATE, PRIVATE6, PUBLIC, PUBLIC6, RESOLVER, RESOLVER6, SERVICE,
};
use super::{Attempt, World, attempt};

/// In place of what the row above says.
const V6: &str = "the same over IPv6";

/// Every attempt, in the order in which they are made.
pub const ATTEMPTS: &[Attempt] = &[
    attempt("loopback", Neighbour, "a port that is published on 127.0.0.1", |w| {
        w.neighbour_gets("http://127.0.0.1:18080/")
    }),
    attempt("loopback-v6", Neighbour, "a service of the host at ::1", |w| {
        w.neighbour_gets(&format!("http://[::1]:{SERVICE}/"))
    }),
    attempt("route-edge", Neighbour, "the edge's container by a route to its address", |w| {
        w.neighbour_gets(&w.url("edge", "front", false, 8080))
    }),
    attempt("route-edge-v6", Neighbour, V6, |w| w.neighbour_gets(&w.url("edge", "front", true, 8080))),
    attempt("route-app", Neighbour, "a container on an internal network by a route to its address", |w| {
        w.neighbour_gets(&w.url("app", "back", false, 8080))
    }),
    attempt("route-app-v6", Neighbour, V6, |w| w.neighbour_gets(&w.url("app", "back", true, 8080))),
    attempt(
        "all-addresses",
        Neighbour,
        "a port that somebody publishes on all addresses for a container on the stack's network, where ufw denies it",
        |w| w.neighbour_gets(&format!("http://{}:19000/", w.host)),
    ),
    attempt("all-addresses-v6", Neighbour, V6, |w| w.neighbour_gets(&format!("http://[{}]:19000/", w.host6))),
    attempt("app-host", App, "a service of the host, by the bridge's address", |w| {
        w.reads("app", &w.gateway("app", "back", false), SERVICE)
    }),
    attempt("app-host-v6", App, V6, |w| w.reads("app", &w.gateway("app", "back", true), SERVICE)),
    attempt("app-host-link", App, "the same by the bridge's link-local address", |w| {
        w.reads_over_the_link("app", "back", SERVICE)
    }),
    attempt("app-host-udp", App, "the same over UDP", |w| {
        w.echoes("app", &w.gateway("app", "back", false), SERVICE)
    }),
    attempt("app-host-udp-v6", App, V6, |w| w.echoes("app", &w.gateway("app", "back", true), SERVICE)),
    attempt("app-host-icmp", App, "the host's answer to a ping", |w| {
        w.pings("app", &w.gateway("app", "back", false))
    }),
    attempt("app-host-icmp-v6", App, V6, |w| w.pings("app", &w.gateway("app", "back", true))),
    attempt("app-engine", App, "the engine's TCP port", |w| {
        w.reads("app", &w.gateway("app", "back", false), ENGINE)
    }),
    attempt("app-engine-v6", App, V6, |w| w.reads("app", &w.gateway("app", "back", true), ENGINE)),
    attempt("app-metadata", App, "the metadata service at 169.254.169.254", |w| w.reads("app", METADATA, 80)),
    attempt("app-metadata-v6", App, "the metadata service at fd00:ec2::254", |w| {
        w.reads("app", METADATA6, 80)
    }),
    attempt("app-private", App, "a host on a private network", |w| w.reads("app", PRIVATE, 80)),
    attempt("app-private-v6", App, V6, |w| w.reads("app", PRIVATE6, 80)),
    attempt("app-stack", App, "another stack's container, by its address", |w| {
        w.reads("app", &w.stranger(false), 80)
    }),
    attempt("app-stack-v6", App, V6, |w| w.reads("app", &w.stranger(true), 80)),
    attempt("app-stack-port", App, "another stack, by its port on the host's address", |w| {
        w.reads("app", &w.host, 19001)
    }),
    attempt("app-stack-port-v6", App, V6, |w| w.reads("app", &w.host6, 19001)),
    attempt("app-public", App, "a host on the internet", |w| w.reads("app", PUBLIC, 80)),
    attempt("app-public-v6", App, V6, |w| w.reads("app", PUBLIC6, 80)),
    attempt("app-public-udp", App, "the same over UDP", |w| w.echoes("app", PUBLIC, 80)),
    attempt("app-public-udp-v6", App, V6, |w| w.echoes("app", PUBLIC6, 80)),
    attempt("app-public-icmp", App, "the same by ping", |w| w.pings("app", PUBLIC)),
    attempt("app-public-icmp-v6", App, V6, |w| w.pings("app", PUBLIC6)),
    attempt("app-dns", App, "a resolver outside, asked itself", |w| w.asks("app", RESOLVER)),
    attempt("app-dns-v6", App, V6, |w| w.asks("app", RESOLVER6)),
    attempt("app-dns-tunnel", App, "a resolver outside, through the engine's", |w| {
        w.asks("app", "127.0.0.11")
    }),
    attempt("app-between", App, "the edge on its other network, by a route", |w| {
        w.reads("app", &w.address("edge", "front", false), 8080)
    }),
    attempt("app-between-v6", App, V6, |w| w.reads("app", &w.address("edge", "front", true), 8080)),
    attempt("edge-host", Edge, "a service of the host, by the bridge's address", |w| {
        w.reads("edge", &w.gateway("edge", "front", false), SERVICE)
    }),
    attempt("edge-host-v6", Edge, V6, |w| w.reads("edge", &w.gateway("edge", "front", true), SERVICE)),
    attempt("edge-host-udp", Edge, "the same over UDP", |w| {
        w.echoes("edge", &w.gateway("edge", "front", false), SERVICE)
    }),
    attempt("edge-host-udp-v6", Edge, V6, |w| w.echoes("edge", &w.gateway("edge", "front", true), SERVICE)),
    attempt("edge-host-icmp", Edge, "the host's answer to a ping", |w| {
        w.pings("edge", &w.gateway("edge", "front", false))
    }),
    attempt("edge-host-icmp-v6", Edge, V6, |w| w.pings("edge", &w.gateway("edge", "front", true))),
    attempt("edge-host-public", Edge, "a service of the host, by the host's own address", |w| {
        w.reads("edge", &w.host, SERVICE)
    }),
    attempt("edge-host-public-v6", Edge, V6, |w| w.reads("edge", &w.host6, SERVICE)),
    attempt("edge-engine", Edge, "the engine's TCP port", |w| {
        w.reads("edge", &w.gateway("edge", "front", false), ENGINE)
    }),
    attempt("edge-engine-v6", Edge, V6, |w| w.reads("edge", &w.gateway("edge", "front", true), ENGINE)),
    attempt("edge-metadata", Edge, "the metadata service at 169.254.169.254", |w| {
        w.reads("edge", METADATA, 80)
    }),
    attempt("edge-metadata-v6", Edge, "the metadata service at fd00:ec2::254", |w| {
        w.reads("edge", METADATA6, 80)
    }),
    attempt("edge-private", Edge, "a host on a private network", |w| w.reads("edge", PRIVATE, 80)),
    attempt("edge-private-v6", Edge, V6, |w| w.reads("edge", PRIVATE6, 80)),
    attempt("edge-private-udp", Edge, "the same over UDP", |w| w.echoes("edge", PRIVATE, 80)),
    attempt("edge-private-udp-v6", Edge, V6, |w| w.echoes("edge", PRIVATE6, 80)),
    attempt("edge-private-icmp", Edge, "the same by ping", |w| w.pings("edge", PRIVATE)),
    attempt("edge-private-icmp-v6", Edge, V6, |w| w.pings("edge", PRIVATE6)),
    attempt("edge-stack", Edge, "another stack's container, by its address", |w| {
        w.reads("edge", &w.stranger(false), 80)
    }),
    attempt("edge-stack-v6", Edge, V6, |w| w.reads("edge", &w.stranger(true), 80)),
    attempt("edge-stack-port", Edge, "another stack, by its port on the host's address", |w| {
        w.reads("edge", &w.host, 19001)
    }),
    attempt("edge-stack-port-v6", Edge, V6, |w| w.reads("edge", &w.host6, 19001)),
    attempt("client-name", Client, "another name", |w| w.tunnels("other.example.org", 443)),
    attempt("client-name-v6", Client, V6, |w| w.tunnels("other6.example.org", 443)),
    attempt("client-shared", Client, "another name at the allowed one's address", |w| {
        w.tunnels("shared.example.org", 443)
    }),
    attempt("client-greeting", Client, "another name in the TLS greeting to the allowed one", |w| {
        w.tunnels_as("shared.example.org", "api.example.org", 443)
    }),
    attempt("client-address", Client, "the allowed one's address, by its number", |w| w.tunnels(PUBLIC, 443)),
    attempt("client-address-v6", Client, V6, |w| w.tunnels(PUBLIC6, 443)),
    attempt("client-port", Client, "the allowed name on another port", |w| {
        w.tunnels("api.example.org", 8443)
    }),
    attempt("client-port-v6", Client, V6, |w| w.tunnels("api6.example.org", 8443)),
    attempt(
        "client-rebound",
        Client,
        "a private address by an allowed name, which led outside before",
        |w| w.rebinds(PRIVATE, 443),
    ),
    attempt("client-rebound-v6", Client, V6, |w| w.rebinds(PRIVATE6, 443)),
    attempt("client-rebound-mapped", Client, "the same as an IPv6 address that means an IPv4 one", |w| {
        w.rebinds("::ffff:10.99.0.1", 443)
    }),
    attempt("client-rebound-metadata", Client, "the metadata service by such a name", |w| {
        w.rebinds(METADATA, 80)
    }),
    attempt("client-rebound-metadata-v6", Client, V6, |w| w.rebinds(METADATA6, 80)),
    attempt("client-rebound-host", Client, "a service of the host by such a name", |w| {
        w.rebinds(&w.client_gateway(), SERVICE)
    }),
    attempt("client-metadata", Client, "the metadata service at 169.254.169.254", |w| {
        w.reads("client", METADATA, 80)
    }),
    attempt("client-udp", Client, "a host on the internet over UDP", |w| w.echoes("client", PUBLIC, 80)),
    attempt("client-udp-v6", Client, V6, |w| w.echoes("client", PUBLIC6, 80)),
    attempt("client-icmp", Client, "the same by ping", |w| w.pings("client", PUBLIC)),
    attempt("client-icmp-v6", Client, V6, |w| w.pings("client", PUBLIC6)),
    attempt("client-dns", Client, "a resolver outside, asked itself", |w| w.asks("client", RESOLVER)),
    attempt("client-dns-v6", Client, V6, |w| w.asks("client", RESOLVER6)),
    attempt("client-dns-tunnel", Client, "a resolver outside, through the engine's", |w| {
        w.asks("client", "127.0.0.11")
    }),
    attempt("proxy-killed", Fault, "the internet by any way, while the egress proxy is dead", |w| {
        w.while_the_proxy_is_dead(|w| {
            w.tunnels("api.example.org", 443)
                || w.tunnels("other.example.org", 443)
                || w.reads("client", PUBLIC6, 80)
        })
    }),
    attempt(
        "engine-killed",
        Fault,
        "the host, the metadata service and the internet by any way, while the engine is dead",
        |w| w.while_the_engine_is_dead(gets_out),
    ),
    attempt(
        "engine-killed-route",
        Fault,
        "a container by a route to its address, from a host on the same link, until the engine that died is back with all it ran",
        |w| {
            let urls = ["edge", "app"].map(|service| w.url(service, "back", false, 8080));
            w.until_the_engine_is_back(|w| urls.iter().any(|url| w.neighbour_gets(url)))
        },
    ),
    attempt("engine-back", Fault, "the host, the metadata service and the internet, once it is back", |w| {
        w.once_the_engine_is_back(gets_out)
    }),
    attempt(
        "table-removed",
        Fault,
        "the host and the metadata service, once the table that was removed is back",
        |w| {
            w.after_the_rules_were_removed(|w| {
                w.reads("app", &w.gateway("app", "back", false), SERVICE) || w.reads("edge", METADATA, 80)
            })
        },
    ),
    attempt(
        "table-removed-begun",
        Fault,
        "the host, over a connection that was begun while the table was away",
        |w| w.goes_on_after_the_rules_were_removed("app", &w.gateway("app", "back", false), SERVICE),
    ),
];

/// Whether any service gets where none should.
fn gets_out(w: &World) -> bool {
    w.reads("app", &w.gateway("app", "back", false), SERVICE)
        || w.reads("app", &w.gateway("app", "back", true), SERVICE)
        || w.reads("app", PUBLIC, 80)
        || w.reads("edge", METADATA, 80)
        || w.reads("edge", METADATA6, 80)
        || w.reads("client", PUBLIC6, 80)
        || w.tunnels("other.example.org", 443)
}
