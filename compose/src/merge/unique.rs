//! Lists in which an entry stands once: a later one takes the place of an earlier one that means the same.
//!
//! Deliberately absent: entries that contradict each other without meaning the same place; those are problems.

use std::collections::BTreeMap;

use crate::node::{Node, Value};

/// In a whole file.
pub(super) fn enforce(file: &mut Node) {
    let Value::Map(top) = &mut file.value else { return };
    let services = top.entries.iter_mut().find(|e| e.key == "services");
    if let Some(Value::Map(map)) = services.map(|e| &mut e.value.value) {
        map.entries.iter_mut().for_each(|e| service(&mut e.value));
    }
}

/// In one service.
pub(super) fn service(service: &mut Node) {
    let Value::Map(map) = &mut service.value else { return };
    for entry in &mut map.entries {
        let same: fn(&Node) -> Option<String> = match entry.key.as_str() {
            "cap_add"
            | "cap_drop"
            | "dns"
            | "dns_opt"
            | "dns_search"
            | "expose"
            | "links"
            | "profiles"
            | "external_links"
            | "device_cgroup_rules" => text,
            "tmpfs" => target_of_short,
            "env_file" => |n| n.get("path").and_then(Node::as_text),
            "ports" => port,
            "volumes" => |n| n.get("target").and_then(Node::as_text),
            "secrets" | "configs" => |n| n.get("target").or_else(|| n.get("source")).and_then(Node::as_text),
            "networks" => {
                aliases(&mut entry.value);
                continue;
            }
            _ => continue,
        };
        once(&mut entry.value, same);
    }
}

fn aliases(networks: &mut Node) {
    let Value::Map(map) = &mut networks.value else { return };
    for network in &mut map.entries {
        let Value::Map(map) = &mut network.value.value else { continue };
        map.entries.iter_mut().filter(|e| e.key == "aliases").for_each(|e| once(&mut e.value, text));
    }
}

/// Keeps the place of the first and the value of the last; what has no identity stays.
fn once(list: &mut Node, identity: fn(&Node) -> Option<String>) {
    let Value::List(items) = &mut list.value else { return };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Node> = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        let Some(id) = identity(&item) else {
            kept.push(item);
            continue;
        };
        if let Some(old) = places.get(&id).and_then(|at| kept.get_mut(*at)) {
            *old = item;
        } else {
            places.insert(id, kept.len());
            kept.push(item);
        }
    }
    *items = kept;
}

fn text(node: &Node) -> Option<String> {
    node.as_text()
}

/// `tmpfs` rows are the same if their path is.
fn target_of_short(node: &Node) -> Option<String> {
    node.as_text().map(|t| t.split(':').next().unwrap_or_default().to_owned())
}

/// No address is every one of IPv4.
fn port(node: &Node) -> Option<String> {
    let part = |key| node.get(key).and_then(Node::as_text).unwrap_or_default();
    node.as_map()?;
    let address = node.get("host_ip").map_or_else(|| "0.0.0.0".to_owned(), |_| part("host_ip"));
    Some(format!("{address}:{}:{}/{}", part("published"), part("target"), part("protocol")))
}
