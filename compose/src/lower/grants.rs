//! A service's `secrets` and `configs`.
//!
//! Deliberately absent: their content, which is the top-level entry's.

use crate::model::Grant;
use crate::node::Node;
use crate::problem::Problems;
use crate::source::At;

use super::{mounts, read};

pub(super) fn secrets(node: &Node, problems: &mut Problems) -> Vec<At<Grant>> {
    grants(node, "/run/secrets/", problems)
}

pub(super) fn configs(node: &Node, problems: &mut Problems) -> Vec<At<Grant>> {
    grants(node, "/", problems)
}

/// A target without a leading `/` is a file in the default folder.
fn grants(node: &Node, folder: &str, problems: &mut Problems) -> Vec<At<Grant>> {
    let mut grants = Vec::new();
    for item in node.as_list().unwrap_or_default().iter().filter(|i| i.as_map().is_some()) {
        let Some(source) = read::required(item, "source", "the entry", problems).and_then(Node::as_text)
        else {
            continue;
        };
        let text = |key| item.get(key).and_then(Node::as_text);
        let target = text("target").unwrap_or_else(|| source.clone());
        let target = if target.starts_with('/') { target } else { format!("{folder}{target}") };
        let mode = item.get("mode").and_then(|n| mounts::mode(n, "mode", problems));
        grants.push(At::file(Grant { source, target, uid: text("uid"), gid: text("gid"), mode }, item.span));
    }
    grants
}
