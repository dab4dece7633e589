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

/// Addresses of the host, of a bridge, or of a cloud's metadata service.
pub(super) fn reaches_host(stack: &Stack<'_>, address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    };
    if link_local {
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

/// What the engine gives a bridge whose gateway is not said.
pub(super) fn first_address(prefix: Prefix) -> Option<IpAddr> {
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
