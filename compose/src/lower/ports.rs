//! `ports`: one published port an entry.
//!
//! Deliberately absent: which addresses and ports may be published.

use std::net::IpAddr;

use crate::model::PublishedPort;
use crate::node::Node;
use crate::problem::Problems;
use crate::source::At;
use crate::spell;

use super::read;

pub(super) fn ports(node: &Node, problems: &mut Problems) -> Vec<At<PublishedPort>> {
    node.as_list().unwrap_or_default().iter().filter_map(|item| port(item, problems)).collect()
}

fn port(item: &Node, problems: &mut Problems) -> Option<At<PublishedPort>> {
    item.as_map()?;
    let target = read::required(item, "target", "the port", problems)?;
    let target: u16 = read::small(target, "target", problems)?.value;
    let published = match item.get("published").filter(|n| !n.is_null()) {
        None => None,
        Some(node) if node.as_text().is_some_and(|t| t.is_empty()) => None,
        Some(node) => match node.as_text().and_then(|t| spell::range(&t)) {
            Some((first, last)) if first == last => Some(first),
            // Of a range the engine takes one that is free.
            Some(_) => None,
            None => {
                read::bad(node, "published", "a port from 1 to 65535", problems);
                return None;
            }
        },
    };
    let text = |key| item.get(key).and_then(Node::as_text);
    let host_ip = text("host_ip");
    let address: Option<IpAddr> = host_ip.as_deref().and_then(|t| t.parse().ok());
    // Compose refuses names such as `localhost` too, and nothing at all.
    if let Some(node) = item.get("host_ip").filter(|_| host_ip.is_some() && address.is_none()) {
        read::bad(node, "host_ip", "an address such as `127.0.0.1`", problems);
    }
    Some(At::file(
        PublishedPort {
            address,
            host_ip,
            published,
            target,
            protocol: text("protocol").unwrap_or_else(|| "tcp".to_owned()).to_ascii_lowercase(),
            // What was filled in for Compose's own output was not said by anybody, and has the place of the whole.
            mode: item.get("mode").filter(|n| n.span != item.span).and_then(Node::as_text),
        },
        item.span,
    ))
}
