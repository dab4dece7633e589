//! Published ports: on which addresses, and whether that is clear.

use std::net::IpAddr;

use crate::model::{PublishedPort, Service};
use crate::policy::{Change, Hit, Site, Stack};
use crate::rules::is_any;

/// What the edge may publish beyond loopback.
const PUBLIC: &[(u16, &str)] = &[(80, "tcp"), (443, "tcp"), (443, "udp")];

pub(super) fn ports_beyond_loopback(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let edge = stack.is_edge(&service.name);
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { host_ip, address, published, target, protocol, .. } = &port.value;
        let public = edge && published.is_some_and(|number| PUBLIC.contains(&(number, protocol.as_str())));
        let unclear = host_ip.is_some() && address.is_none();
        if public || unclear || address.is_some_and(|address| loopback(&address)) {
            return None;
        }
        let whole = host_ip.as_deref().unwrap_or("every address");
        let number = published.map_or_else(|| "a random port".to_owned(), |number| format!("port {number}"));
        let published = published.unwrap_or(*target);
        let own = if address.is_some_and(|address| address.is_ipv6()) { "[::1]" } else { "127.0.0.1" };
        Some(
            Hit::at(port, format!("{number}/{protocol} is published on {whole}"))
                .fix(format!("{own}:{published}:{target}{}", suffix(protocol))),
        )
    });
    hits.collect()
}

/// The same port on loopback. A port on the host that is left to chance is for the author to choose.
pub(super) fn on_loopback(site: &Site<'_>) -> Vec<Change> {
    let own = |address: &str| if address.contains(':') { "::1" } else { "127.0.0.1" };
    if site.get(&["published"]).is_some() {
        let address = site.get(&["host_ip"]).unwrap_or_default();
        return vec![Change::Set(&["host_ip"], format!("\"{}\"", own(&address)))];
    }
    site.text(|port| {
        let (front, target) = port.rsplit_once(':')?;
        let (address, published) = match front.rsplit_once(':') {
            None => ("127.0.0.1", front),
            Some((address, published)) if address.contains(':') => ("[::1]", published),
            Some((_, published)) => ("127.0.0.1", published),
        };
        (!published.is_empty()).then(|| Change::Text(format!("{address}:{published}:{target}")))
    })
}

pub(super) fn suffix(protocol: &str) -> String {
    if protocol == "tcp" { String::new() } else { format!("/{protocol}") }
}

/// 127.0.0.0/8, `::1`, and the first mapped into IPv6.
pub(crate) fn loopback(address: &IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

pub(super) fn ports_unclear(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { host_ip, address, published, target, protocol, .. } = &port.value;
        if let (Some(written), None) = (host_ip, address) {
            let message = format!("`{written}` is not an address");
            let number = published.unwrap_or(*target);
            return Some(
                Hit::at(port, message).fix(format!("127.0.0.1:{number}:{target}{}", suffix(protocol))),
            );
        }
        // Without an address as well, it is the address that has to be said.
        let number = published.filter(|number| *number != 0);
        if *target == 0 {
            return Some(Hit::at(port, "the port in the container is 0"));
        }
        (number.is_none() && address.is_some()).then(|| {
            Hit::at(port, "the port on the host is left to chance")
                .fix(format!("127.0.0.1:{target}:{target}{}", suffix(protocol)))
        })
    });
    hits.collect()
}

pub(super) fn ports_odd(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.ports.iter().filter_map(|port| {
        let PublishedPort { protocol, mode, .. } = &port.value;
        if !["tcp", "udp"].contains(&protocol.as_str()) {
            return Some(Hit::at(port, format!("protocol `{protocol}`")));
        }
        let mode = mode.as_deref().filter(|mode| !is_any(mode, &["", "host"]))?;
        Some(Hit::at(port, format!("port mode `{mode}`")).fix("mode: host"))
    });
    hits.collect()
}

pub(super) fn host_mode(site: &Site<'_>) -> Vec<Change> {
    let odd = site.get(&["mode"]).is_some_and(|mode| !is_any(&mode, &["", "host"]));
    odd.then(|| Change::Set(&["mode"], "host".into())).into_iter().collect()
}
