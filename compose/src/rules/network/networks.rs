//! Networks: which have a way out, their drivers, options and subnets.

use std::net::IpAddr;

use crate::model::{Network, Service};
use crate::policy::{Hit, Stack};
use crate::prefix::Prefix;
use crate::rules::{is_any, is_engine_name, told_name};
use crate::source::At;

use super::ports::loopback;

pub(super) fn network_mode(_: &Stack<'_>, service: &Service) -> Vec<Hit> {
    let Some(mode) = &service.network_mode else { return Vec::new() };
    let (kind, _) = mode.value.split_once(':').unwrap_or((&mode.value, ""));
    if is_any(kind, &["", "none", "host", "container", "service", "ns"]) {
        return Vec::new();
    }
    vec![Hit::at(mode, format!("network mode `{}`", mode.value))]
}

/// The services that join a network, the edge left out.
pub(crate) fn inner_services<'a>(
    project: &'a crate::model::Project,
    key: &'a str,
) -> impl Iterator<Item = &'a str> {
    let edge = project.stack.edge.as_ref().map(|edge| edge.value.as_str());
    project
        .services
        .values()
        .filter(move |service| service.networks.contains_key(key) && Some(service.name.as_str()) != edge)
        .filter(|service| !crate::egress::is_proxy(project, service))
        .map(|service| service.name.as_str())
}

pub(super) fn way_out(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = stack.project.networks.values().filter_map(|network| {
        let open = network.internal.as_ref().filter(|internal| !internal.value)?;
        let inner = inner_services(stack.project, &network.key).next()?;
        Some(
            Hit::at(open, format!("network `{}` gives `{inner}` a way out", network.key))
                .fix("internal: true"),
        )
    });
    hits.collect()
}

pub(super) fn networks<'a>(stack: &Stack<'a>) -> impl Iterator<Item = &'a Network> {
    stack.project.networks.values()
}

pub(super) fn drivers(stack: &Stack<'_>) -> Vec<Hit> {
    let drivers =
        networks(stack).filter_map(|n| n.driver.as_ref()).filter(|d| !is_any(&d.value, &["", "bridge"]));
    let drivers = drivers.map(|d| Hit::at(d, format!("network driver `{}`", d.value)).fix("driver: bridge"));
    let pools = networks(stack).filter_map(|n| n.ipam_driver.as_ref());
    let pools = pools.filter(|d| !is_any(&d.value, &["", "default"]));
    drivers.chain(pools.map(|d| Hit::at(d, format!("address driver `{}`", d.value)))).collect()
}

pub(super) fn engine_names(stack: &Stack<'_>) -> Vec<Hit> {
    const OWN: &[&str] = &["bridge", "default", "host", "none"];
    let hits = networks(stack).filter_map(|network| {
        let (name, span) = told_name(&network.key, network.name.as_ref(), network.external.as_ref())?;
        let why = if OWN.contains(&name) {
            "is a network of the engine's own"
        } else if is_engine_name(name) {
            return None;
        } else {
            "is no name for a network"
        };
        Some(Hit::on(span.unwrap_or(network.span), format!("`{name}` {why}")))
    });
    hits.collect()
}

pub(super) fn network_options(stack: &Stack<'_>) -> Vec<Hit> {
    let options = networks(stack).flat_map(|network| &network.driver_opts);
    let hits = options.filter_map(|(name, value)| {
        let why = bad_option(name, &value.value)?;
        Some(Hit::at(value, format!("network option `{name}` {why}")))
    });
    hits.collect()
}

/// Why a bridge option is not let through.
pub(super) fn bad_option(name: &str, value: &str) -> Option<&'static str> {
    const PREFIX: &str = "com.docker.network.";
    match name.strip_prefix(PREFIX).unwrap_or_default() {
        "bridge.name" => {
            let odd = value.is_empty()
                || value.len() > 15
                || !value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
                || ["docker0", "lo"].contains(&value)
                || ["eth", "en", "wl"].iter().any(|own| value.starts_with(own));
            odd.then_some("must be a name of at most 15 characters that is no interface of the host's")
        }
        "bridge.gateway_mode_ipv4" | "bridge.gateway_mode_ipv6" => {
            (!is_any(value, &["nat", "isolated"])).then_some("routes other hosts to the containers")
        }
        "bridge.enable_icc" => None,
        "bridge.enable_ip_masquerade" => {
            (!is_any(value, &["true"])).then_some("shows the containers' own addresses to others")
        }
        "bridge.host_binding_ipv4" => {
            let address = value.parse::<IpAddr>();
            (!address.is_ok_and(|address| loopback(&address))).then_some("binds ports beyond loopback")
        }
        "driver.mtu" => value.parse::<u16>().is_err().then_some("is not a number"),
        _ => Some("is not one that is known to open nothing"),
    }
}

/// Why a network that is on the engine already may not be used, by the same rules as one that a file describes.
pub fn network_elsewhere(
    driver: &str,
    options: &std::collections::BTreeMap<String, String>,
) -> Option<String> {
    if !is_any(driver, &["bridge"]) {
        return Some(format!("network driver `{driver}`"));
    }
    options
        .iter()
        .find_map(|(name, value)| Some(format!("network option `{name}` {}", bad_option(name, value)?)))
}

/// Every declared subnet of a network.
pub(super) fn prefixes(network: &Network) -> impl Iterator<Item = (Prefix, &At<crate::model::Pool>)> {
    network.ipam.iter().filter_map(|pool| Some((Prefix::parse(pool.value.subnet.as_deref()?)?, pool)))
}

pub(super) fn subnets(stack: &Stack<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut seen: Vec<(Prefix, &str)> = Vec::new();
    for network in networks(stack) {
        for pool in &network.ipam {
            let Some(text) = pool.value.subnet.as_deref() else { continue };
            let Some(prefix) = Prefix::parse(text) else {
                hits.push(Hit::at(pool, format!("`{text}` is not a subnet")));
                continue;
            };
            if !prefix.is_private() {
                hits.push(Hit::at(pool, format!("subnet `{text}` is not private")));
            }
            if let Some((_, other)) = seen.iter().find(|(other, _)| other.overlaps(prefix)) {
                hits.push(Hit::at(pool, format!("subnet `{text}` overlaps one of network `{other}`")));
            }
            let inside = |part: &str| part.parse().is_ok_and(|address| prefix.contains(address));
            let gateway = pool.value.gateway.as_deref().filter(|gateway| !inside(gateway));
            let range = pool.value.ip_range.as_deref().filter(|range| {
                !Prefix::parse(range)
                    .is_some_and(|r| r.length() >= prefix.length() && prefix.contains(r.address()))
            });
            for outside in gateway.into_iter().chain(range) {
                hits.push(Hit::at(pool, format!("`{outside}` is not in subnet `{text}`")));
            }
            seen.push((prefix, &network.key));
        }
    }
    hits
}

pub(super) fn external(stack: &Stack<'_>) -> Vec<Hit> {
    let hits = networks(stack).filter_map(|network| {
        let external = network.external.as_ref().filter(|external| external.value)?;
        Some(Hit::at(external, format!("network `{}` is made elsewhere", network.key)))
    });
    hits.collect()
}

pub(super) fn unsupported(stack: &Stack<'_>) -> Vec<Hit> {
    let keys = networks(stack).flat_map(|network| &network.refused);
    keys.map(|(key, span)| Hit::on(*span, format!("`{key}` of a network is not supported"))).collect()
}
