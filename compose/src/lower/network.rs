//! Top-level networks, and a service's place on them.
//!
//! Deliberately absent: which networks are internal, and whether an address lies in its subnet.

use std::collections::BTreeMap;

use crate::model::{Attachment, Network, Pool};
use crate::node::{Entry, Node};
use crate::problem::Problems;
use crate::source::{At, Span};

use super::{Context, entries, read, whole};

pub(super) fn network(entry: &Entry, context: &mut Context<'_>) -> Network {
    let node = &entry.value;
    let problems = &mut *context.problems;
    let mut network = Network::new(entry.key.clone(), entry.key_span);
    network.name = node.get("name").and_then(read::text).filter(|name| !name.value.is_empty());
    network.driver = node.get("driver").and_then(read::text);
    network.driver_opts = node.get("driver_opts").map(read::pairs).unwrap_or_default();
    network.external = node.get("external").and_then(read::flag);
    network.internal = node.get("internal").and_then(read::flag);
    network.enable_ipv6 = node.get("enable_ipv6").and_then(read::flag);
    network.attachable = node.get("attachable").and_then(read::flag);
    network.labels = node.get("labels").map(read::pairs).unwrap_or_default();
    read::bounded(&network.labels, problems);
    let ipv4 = node.as_map().and_then(|m| m.entry("enable_ipv4"));
    let without = ipv4.filter(|e| read::flag(&e.value).is_some_and(|f| !f.value));
    network.refused.extend(without.map(|e| ("enable_ipv4: false", whole(e))));
    if let Some(ipam) = node.get("ipam") {
        network.ipam_driver = ipam.get("driver").and_then(read::text);
        let rows = ipam.get("config").and_then(Node::as_list).unwrap_or_default();
        let rest = rows.iter().filter_map(Node::as_map).filter_map(|m| m.entry("aux_addresses"));
        network.refused.extend(rest.map(|e| ("ipam.config.aux_addresses", whole(e))));
        let options = ipam.as_map().and_then(|m| m.entry("options"));
        network.refused.extend(options.map(|e| ("ipam.options", whole(e))));
        network.ipam = rows.iter().map(|row| At::file(pool(row, problems), row.span)).collect();
    }
    network
}

fn pool(row: &Node, problems: &mut Problems) -> Pool {
    let mut part = |key: &str, is_prefix: bool| {
        let node = row.get(key)?;
        let text = node.as_text()?;
        let ok = if is_prefix { is_cidr(&text) } else { text.parse::<std::net::IpAddr>().is_ok() };
        if !ok {
            let wanted =
                if is_prefix { "a range such as `10.0.0.0/24`" } else { "an address such as `10.0.0.1`" };
            read::bad(node, &format!("ipam.config.{key}"), wanted, problems);
        }
        ok.then_some(text)
    };
    Pool { subnet: part("subnet", true), gateway: part("gateway", false), ip_range: part("ip_range", true) }
}

/// An address and the length of its prefix.
fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.parse::<u8>().is_ok_and(|n| n <= most)
}

/// Keys of a place on a network that no field takes.
pub(super) fn refused(node: &Node) -> Vec<(&'static str, Span)> {
    let keys = [
        ("interface_name", "networks.interface_name"),
        ("link_local_ips", "networks.link_local_ips"),
        ("mac_address", "networks.mac_address"),
        ("driver_opts", "networks.driver_opts"),
    ];
    let rows = entries(Some(node)).filter_map(|e| e.value.as_map());
    rows.flat_map(|row| keys.iter().filter_map(|(key, name)| Some((*name, whole(row.entry(key)?))))).collect()
}

pub(super) fn attachments(node: &Node, problems: &mut Problems) -> BTreeMap<String, At<Attachment>> {
    entries(Some(node)).map(|e| (e.key.clone(), At::file(attachment(&e.value, problems), whole(e)))).collect()
}

fn attachment(node: &Node, problems: &mut Problems) -> Attachment {
    let aliases = node.get("aliases").map(read::texts).unwrap_or_default();
    let number = |key: &str, problems: &mut Problems| {
        node.get(key).and_then(|n| read::whole(n, key, problems)).map(|n| n.value)
    };
    Attachment {
        aliases: aliases.into_iter().map(|a| a.value).collect(),
        ipv4_address: address(node, "ipv4_address", "an IPv4 address", problems),
        ipv6_address: address(node, "ipv6_address", "an IPv6 address", problems),
        priority: number("priority", problems),
        gw_priority: number("gw_priority", problems),
    }
}

fn address<T: std::str::FromStr>(node: &Node, key: &str, wanted: &str, problems: &mut Problems) -> Option<T> {
    let node = node.get(key)?;
    let value = node.as_text()?.parse().ok();
    if value.is_none() {
        read::bad(node, key, wanted, problems);
    }
    value
}
