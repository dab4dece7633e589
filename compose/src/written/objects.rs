//! Top-level networks, volumes, secrets and configs as Compose prints them.
//!
//! Deliberately absent: which of them are printed.

use std::collections::BTreeMap;

use crate::node::Node;
use crate::paths;

use super::Tree;
use super::values::{as_is, each, fields, flag, labels, nothing, text, text_of, texts};
use crate::json::Json;

pub(super) fn object(section: &str, name: &str, node: Option<&Node>, project: &str, tree: &Tree) -> Json {
    let path = |node: &Node| match node.as_text() {
        Some(written) => text_of(&paths::as_written(&tree.directory, &written, &tree.environment)),
        None => as_is(node),
    };
    let written = node.filter(|n| n.as_map().is_some()).map(|node| {
        fields(node, |key, value| match key {
            "labels" => labels(value),
            "driver_opts" => options(value, &path),
            "external" | "internal" | "attachable" | "enable_ipv4" | "enable_ipv6" => flag(value),
            "file" => path(value),
            "ipam" => ipam(value),
            "name" | "driver" | "environment" | "content" | "template_driver" => text(value),
            _ => as_is(value),
        })
    });
    let Json::Map(mut map) = written.unwrap_or_else(nothing) else { return Json::Null };
    let is_external = map.get("external") == Some(&Json::Bool(true));
    if map.get("external") == Some(&Json::Bool(false)) {
        map.remove("external");
    }
    for key in ["internal", "attachable"] {
        if map.get(key) == Some(&Json::Bool(false)) {
            map.remove(key);
        }
    }
    map.entry("name".to_owned())
        .or_insert_with(|| text_of(&if is_external { name.to_owned() } else { format!("{project}_{name}") }));
    if section == "networks" {
        map.entry("ipam".to_owned()).or_insert_with(nothing);
    }
    map.retain(|key, value| !is_empty(value) || key == "ipam");
    Json::Map(map)
}

/// Driver options, the path of a bind made absolute.
fn options(node: &Node, path: &dyn Fn(&Node) -> Json) -> Json {
    let is_bind = node.get("o").and_then(Node::as_text).is_some_and(|o| o.split(',').any(|w| w == "bind"));
    let Json::Map(mut out) = each(node, text) else { return as_is(node) };
    if let Some(device) = node.get("device").filter(|_| is_bind) {
        // An empty path is the folder itself.
        let itself = device.as_text().is_none_or(|path| path.is_empty());
        let device = if itself { path(&Node::text(".", device.span)) } else { path(device) };
        out.insert("device".to_owned(), device);
    }
    Json::Map(out)
}

fn ipam(node: &Node) -> Json {
    fields(node, |key, value| match key {
        "config" => Json::List(
            value
                .as_list()
                .unwrap_or_default()
                .iter()
                .map(|row| {
                    fields(
                        row,
                        |key, value| if key == "aux_addresses" { each(value, text) } else { text(value) },
                    )
                })
                .collect(),
        ),
        "options" => each(value, text),
        "driver" => text(value),
        _ => texts(value),
    })
}

pub(super) fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Text(text) => text.is_empty(),
        Json::List(items) => items.is_empty(),
        Json::Map(map) => map == &BTreeMap::new(),
        _ => false,
    }
}
