//! `volumes` and `tmpfs`: one mount an entry.
//!
//! Deliberately absent: what a host path leads to, and which are allowed.

use crate::model::{Bind, Mount, MountSource, Tmpfs};
use crate::node::{Entry, Node};
use crate::problem::Problems;
use crate::scalar::Kind;
use crate::source::{At, Span};
use crate::spell;
use crate::units::Bytes;

use super::{Context, read};

/// What rows say that nothing acts on and that is no default either: how a mount that is not of the host propagates, and
/// labels of a volume that has no name.
pub(super) fn refused(node: &Node) -> Vec<(&'static str, Span)> {
    let mut refused = Vec::new();
    for item in node.as_list().unwrap_or_default() {
        let is_bind = item.get("type").and_then(Node::as_text).as_deref() == Some("bind");
        let part = |options: &str, key: &str| item.get(options).and_then(|options| options.get(key));
        let mode = part("bind", "propagation").and_then(Node::as_text).unwrap_or_default();
        if !is_bind && !matches!(mode.as_str(), "" | "private" | "rprivate") {
            refused.push(("volumes.bind.propagation", item.span));
        }
        if let Some(labels) =
            part("volume", "labels").and_then(Node::as_map).filter(|map| !map.entries.is_empty())
        {
            refused.push(("volumes.volume.labels", labels.entries.first().map_or(item.span, Entry::span)));
        }
    }
    refused
}

pub(super) fn volumes(node: &Node, context: &mut Context<'_>) -> Vec<At<Mount>> {
    node.as_list().unwrap_or_default().iter().filter_map(|item| volume(item, context)).collect()
}

fn volume(item: &Node, context: &mut Context<'_>) -> Option<At<Mount>> {
    item.as_map()?;
    let kind = read::required(item, "type", "the volume", context.problems)?.as_text()?;
    let target = read::required(item, "target", "the volume", context.problems)?.as_text()?;
    let flag = |node: Option<&Node>| node.and_then(read::flag).map(|f| f.value);
    let source = match kind.as_str() {
        "bind" => {
            let written = read::required(item, "source", "the bind mount", context.problems)?.as_text()?;
            let part = |key| item.get("bind").and_then(|b| b.get(key));
            let path = context.path(&written);
            let mut word = |key, words: &[&str]| {
                part(key).and_then(|n| read::word(n, key, words, context.problems)).map(|word| word.value)
            };
            MountSource::Bind(Bind {
                path,
                written,
                propagation: part("propagation").and_then(Node::as_text),
                create_host_path: flag(part("create_host_path")),
                selinux: word("selinux", &["z", "Z"]),
                recursive: word("recursive", &["enabled", "disabled", "writable", "readonly"]),
            })
        }
        "volume" => {
            let part = |key| item.get("volume").and_then(|v| v.get(key));
            MountSource::Volume {
                name: item.get("source").and_then(Node::as_text).filter(|s| !s.is_empty()),
                nocopy: flag(part("nocopy")).unwrap_or(false),
                subpath: subpath(part("subpath")),
            }
        }
        "tmpfs" => {
            let part = |key| item.get("tmpfs").and_then(|t| t.get(key));
            let size = part("size").and_then(|n| read::size(n, "tmpfs.size", context.problems));
            let mode = part("mode").and_then(|n| mode(n, "tmpfs.mode", context.problems));
            MountSource::Tmpfs(Tmpfs { size: size.map(|s| s.value), mode, ..Tmpfs::default() })
        }
        "image" => MountSource::Image {
            // One without a name is read, as with Compose, and refused by the policy.
            image: item
                .get("source")
                .and_then(read::text)
                .unwrap_or_else(|| At::file(String::new(), item.span)),
            subpath: subpath(item.get("image").and_then(|i| i.get("subpath"))),
            read_only: flag(item.get("read_only")),
        },
        "npipe" | "cluster" => MountSource::Other { kind },
        _ => {
            let wanted = "`bind`, `volume`, `tmpfs`, `image`, `cluster` or `npipe`";
            read::bad(item.get("type").unwrap_or(item), "type", wanted, context.problems);
            return None;
        }
    };
    let is_image = matches!(source, MountSource::Image { .. });
    let read_only = is_image || flag(item.get("read_only")).unwrap_or(false);
    Some(At::file(Mount { source, target, read_only }, item.span))
}

/// A folder in what is mounted; an empty one is all of it.
fn subpath(node: Option<&Node>) -> Option<String> {
    node.and_then(Node::as_text).filter(|path| !path.is_empty())
}

/// Permission bits. A plain number is what YAML reads, octal after `0` or `0o`; a string is octal.
pub(super) fn mode(node: &Node, name: &str, problems: &mut Problems) -> Option<u32> {
    let scalar = node.as_scalar()?;
    let value = if scalar.plain {
        match scalar.kind() {
            Kind::Int(value) => u32::try_from(value).ok(),
            Kind::Float(_) => None,
            Kind::Null | Kind::Bool(_) | Kind::Text => return None,
        }
    } else {
        u32::from_str_radix(&scalar.text, 8).ok()
    };
    let value = value.filter(|v| *v <= 0o7777);
    if value.is_none() {
        read::bad(node, name, "permission bits such as `0440`", problems);
    }
    value
}

pub(super) fn tmpfs(node: &Node, problems: &mut Problems) -> Vec<At<Mount>> {
    let items = node.as_list().unwrap_or_default();
    items.iter().filter_map(|item| Some(At::file(short_tmpfs(item, problems)?, item.span))).collect()
}

/// `/path[:option,option]`, the options being those of mount(8).
fn short_tmpfs(item: &Node, problems: &mut Problems) -> Option<Mount> {
    let text = item.as_text()?;
    let (target, options) = text.split_once(':').unwrap_or((&text, ""));
    let mut tmpfs = Tmpfs::default();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let ok = match option.split_once('=') {
            Some(("size", value)) => {
                tmpfs.size = spell::bytes(value).and_then(|n| u64::try_from(n).ok()).map(Bytes);
                tmpfs.size.is_some()
            }
            Some(("mode", value)) => {
                tmpfs.mode = u32::from_str_radix(value, 8).ok().filter(|m| *m <= 0o7777);
                tmpfs.mode.is_some()
            }
            Some(("uid", value)) => {
                tmpfs.uid = value.parse().ok();
                tmpfs.uid.is_some()
            }
            Some(("gid", value)) => {
                tmpfs.gid = value.parse().ok();
                tmpfs.gid.is_some()
            }
            _ => {
                tmpfs.options.push(option.to_owned());
                true
            }
        };
        if !ok {
            read::bad(item, "tmpfs", &format!("a mount whose option `{option}` can be understood"), problems);
        }
    }
    let read_only = tmpfs.options.iter().any(|o| o == "ro");
    Some(Mount { source: MountSource::Tmpfs(tmpfs), target: target.to_owned(), read_only })
}
