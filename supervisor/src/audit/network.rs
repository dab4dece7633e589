//! What can be reached: listeners of the host, ports of containers, and the provider's metadata from within them.
//!
//! Deliberately absent: a look from outside, which only another machine has (`elsewhere`).

use std::net::IpAddr;

use super::evidence::{Evidence, Source};
use super::{Judged, Row, not_applicable, not_so, ssh, unless};
use crate::observe::kernel::sockets::{self, Listening, Protocol};

const TCP: Source = Source::File("/proc/1/net/tcp");
const TCP6: Source = Source::File("/proc/1/net/tcp6");
const UDP: Source = Source::File("/proc/1/net/udp");
const UDP6: Source = Source::File("/proc/1/net/udp6");

/// Beyond loopback, besides SSH: HTTP and HTTPS, and the two ports on which a lease is renewed.
const TCP_PORTS: [u16; 2] = [80, 443];
const UDP_PORTS: [u16; 3] = [443, 68, 546];
/// Where engines of old listen without asking who it is.
const ENGINE_PORTS: [u16; 3] = [2375, 2376, 2377];

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "AU141",
        title: "beyond loopback, only SSH, HTTP and HTTPS are listened on",
        reason: "a firewall that fails once leaves open what listens; what does not listen stays closed",
        guide: "4.3, B",
        read: &[TCP, TCP6, UDP, UDP6],
        fix: "`ss -tulpn` says whose they are: bind them to 127.0.0.1, or stop them",
        judge: listeners,
    },
    Row {
        id: "AU142",
        title: "the engine's API is on no port",
        reason: "whoever reaches it is root",
        guide: "5.4",
        read: &[TCP, TCP6],
        fix: "take `tcp://` out of `hosts` in `/etc/docker/daemon.json` and out of the unit's `-H`",
        judge: engine_port,
    },
    Row {
        id: "AU143",
        title: "containers publish nothing but 80 and 443 beyond loopback",
        reason: "a published port is open to the world, whatever ufw says",
        guide: "4.3",
        read: &[Source::Containers],
        fix: "publish on 127.0.0.1, or let the edge pass it on",
        judge: published,
    },
    Row {
        id: "AU144",
        title: "containers do not reach the provider's metadata service",
        reason: "it hands keys and user-data to anybody who asks from this host's address",
        guide: "B",
        read: &[Source::Metadata],
        fix: "drop 169.254.0.0/16 for what is forwarded: `edge.nft` of `supervisor render cloud-init` does",
        judge: metadata,
    },
];

fn listening(e: &Evidence) -> Result<Vec<Listening>, super::Not> {
    let mut all = Vec::new();
    for (source, protocol) in
        [(TCP, Protocol::Tcp), (TCP6, Protocol::Tcp), (UDP, Protocol::Udp), (UDP6, Protocol::Udp)]
    {
        // A kernel without IPv6 has no file for it.
        let text = if matches!(source, TCP6 | UDP6) {
            e.optional(source)?.unwrap_or_default()
        } else {
            e.text(source)?
        };
        all.extend(sockets::parse(text, protocol));
    }
    Ok(all)
}

fn listeners(e: &Evidence) -> Judged {
    let ssh = ssh::ports(e);
    let beyond: Vec<Listening> = listening(e)?.into_iter().filter(Listening::beyond_loopback).collect();
    let known = |socket: &Listening| {
        let port = socket.address.port();
        match socket.protocol {
            Protocol::Tcp => TCP_PORTS.contains(&port) || ssh.contains(&port),
            Protocol::Udp => UDP_PORTS.contains(&port) || is_multicast(socket.address.ip()),
        }
    };
    let wrong: Vec<String> = beyond.iter().filter(|socket| !known(socket)).map(ToString::to_string).collect();
    let right: Vec<String> = beyond.iter().map(ToString::to_string).collect();
    unless(wrong, if right.is_empty() { "nothing".to_owned() } else { right.join(", ") })
}

const fn is_multicast(ip: IpAddr) -> bool {
    ip.is_multicast()
}

fn engine_port(e: &Evidence) -> Judged {
    let found: Vec<String> = listening(e)?
        .iter()
        .filter(|socket| socket.protocol == Protocol::Tcp && ENGINE_PORTS.contains(&socket.address.port()))
        .map(ToString::to_string)
        .collect();
    unless(found, "none of 2375, 2376 and 2377 is listened on")
}

fn published(e: &Evidence) -> Judged {
    let containers = e.containers()?;
    let wrong = containers
        .iter()
        .flat_map(|c| c.published.iter().map(move |(port, text)| (c, port, text)))
        .filter(|(_, port, _)| ![80, 443].contains(*port))
        .map(|(c, _, text)| format!("{}: {text}", c.name))
        .collect();
    unless(wrong, format!("{} containers looked at", containers.len()))
}

fn metadata(e: &Evidence) -> Judged {
    let seen = &e.metadata;
    if !seen.containers.is_empty() {
        return Err(not_so(format!("it answers in {}", seen.containers.join(", "))));
    }
    if !seen.unread.is_empty() {
        return Err(not_so(format!("could not look from {}", seen.unread.join(", "))));
    }
    match (seen.host, seen.tried) {
        (_, 0) => Err(not_applicable("no container with a network of its own runs")),
        (false, _) => Err(not_applicable("this host has no metadata service")),
        (true, tried) => Ok(format!("it answers the host, and none of {tried} containers")),
    }
}
