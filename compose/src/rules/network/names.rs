//! What a service is called and what it calls others: addresses, hosts, links, resolvers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Service;
use crate::policy::{Change, Hit, Site, Stack};
use crate::prefix::Prefix;
use crate::rules::is_any;

use super::networks::{networks, prefixes};

pub(super) fn links(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let apart = service.links.iter().filter(|link| {
        let other = stack.project.services.get(&link.value.service);
        other
            .is_some_and(|other| !other.networks.keys().any(|network| service.networks.contains_key(network)))
    });
    let hits = apart.map(|link| {
        let message =
            format!("`{}` links to `{}`, and no network is of both", service.name, link.value.service);
        Hit::at(link, message)
    });
    hits.collect()
}

pub(super) fn addresses(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (key, attachment) in &service.networks {
        let Some(network) = stack.project.networks.get(key) else { continue };
        if network.external.as_ref().is_some_and(|external| external.value) {
            continue;
        }
        let v4 = attachment.value.ipv4_address.map(IpAddr::V4);
        let v6 = attachment.value.ipv6_address.map(IpAddr::V6);
        for address in v4.into_iter().chain(v6) {
            let pool = prefixes(network).find(|(prefix, _)| prefix.contains(address));
            let message = match pool {
                None => format!("`{address}` is in no declared subnet of network `{key}`"),
                Some((_, pool)) if pool.value.gateway.as_deref() == Some(&address.to_string()) => {
                    format!("`{address}` is the gateway of network `{key}`")
                }
                Some(_) => continue,
            };
            hits.push(Hit::at(attachment, message));
        }
    }
    hits
}

pub(super) fn extra_hosts(stack: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let hits = service.extra_hosts.iter().filter_map(|row| {
        let (name, written) = &row.value;
        let text = written.trim().trim_start_matches('[').trim_end_matches(']');
        let why = if is_any(text, &["host-gateway"]) {
            "reaches the host"
        } else {
            match text.parse::<IpAddr>() {
                Err(_) => "is not an address",
                Ok(address) => reaches_host(stack, address)?,
            }
        };
        Some(Hit::at(row, format!("`{name}` is given `{written}`, which {why}")))
    });
    hits.collect()
}

/// Metadata services: all of IPv4's link-local addresses, Azure's host agent, Alibaba's and Oracle's.
pub const METADATA_V4: [&str; 4] = ["100.100.100.200", "168.63.129.16", "169.254.0.0/16", "192.0.0.192"];
/// The same in IPv6: Amazon's, Google's, and all link-local addresses.
pub const METADATA_V6: [&str; 3] = ["fd00:ec2::254", "fd20:ce::254", "fe80::/10"];

/// Addresses of the host, of a bridge, or of a cloud's metadata service.
fn reaches_host(stack: &Stack<'_>, address: IpAddr) -> Option<&'static str> {
    if let IpAddr::V6(v6) = address
        && let Some(v4) = behind(v6)
        && let Some(why) = reaches_host(stack, IpAddr::V4(v4))
    {
        return Some(why);
    }
    let is = |known: &&str| {
        known.parse() == Ok(address) || Prefix::parse(known).is_some_and(|prefix| prefix.contains(address))
    };
    if METADATA_V4.iter().chain(&METADATA_V6).any(is) {
        return Some("reaches the cloud's metadata service");
    }
    let docker0 = address == IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1));
    let gateway = networks(stack).any(|network| {
        prefixes(network).any(|(prefix, pool)| match &pool.value.gateway {
            Some(gateway) => gateway.parse() == Ok(address),
            None => first_address(prefix) == Some(address),
        })
    });
    (docker0 || gateway || address.is_unspecified()).then_some("is the host on a bridge")
}

/// Where in IPv4 an address of IPv6 leads: written as one (RFC 4291, section 2.5.5), through a translator (RFC 6052 and
/// 8215) or a relay (RFC 3056).
fn behind(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, front, end]
        | [0x64, 0xff9b, 0, 0, 0, 0, front, end]
        | [0x64, 0xff9b, 1, _, _, _, front, end]
        | [0x2002, front, end, ..] => Some(Ipv4Addr::from_bits(u32::from(front) << 16 | u32::from(end))),
        _ => None,
    }
}

/// What the engine gives a bridge whose gateway is not said.
fn first_address(prefix: Prefix) -> Option<IpAddr> {
    match prefix.address() {
        IpAddr::V4(v4) => Some(IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().checked_add(1)?))),
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().checked_add(1)?))),
    }
}

/// A name for the host has one repair. An address may be mistyped: the author has to say.
pub(super) fn without_host_gateway(site: &Site<'_>) -> Vec<Change> {
    site.text(|row| {
        let address = row.rsplit(['=', ':']).next()?;
        is_any(address, &["host-gateway"]).then_some(Change::Remove)
    })
}

pub(super) fn dns(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let odd = service.dns.iter().filter(|resolver| resolver.value.trim().parse::<IpAddr>().is_err());
    odd.map(|resolver| Hit::at(resolver, format!("resolver `{}` is not an address", resolver.value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv4_is_found_in_every_dress_of_ipv6() {
        for dressed in [
            "::169.254.1.2",
            "::ffff:169.254.1.2",
            "64:ff9b::a9fe:102",
            "64:ff9b:1:7::a9fe:102",
            "2002:a9fe:102::1",
        ] {
            assert_eq!(behind(dressed.parse().unwrap()), Some(Ipv4Addr::new(169, 254, 1, 2)), "{dressed}");
        }
        for other in ["fd00::a9fe:102", "2001:db8::a9fe:102", "64:ff9b:2::a9fe:102", "fe80::1"] {
            assert_eq!(behind(other.parse().unwrap()), None, "{other}");
        }
    }
}
