//! The list that `x-supervisor.edge_from` names: one block of addresses a line, `#` before a remark.
//!
//! The form in which owners such as Cloudflare publish theirs. Deliberately absent: which blocks are wise; that is the
//! policy's to ask.

use crate::model::EdgeFrom;
use crate::node::Node;
use crate::problem;
use crate::source::{At, Span};
use crate::yaml::shown;

use super::Context;

/// The list at a path; `None` and a problem where it cannot be read.
pub(super) fn from(node: &Node, context: &mut Context<'_>) -> Option<At<EdgeFrom>> {
    let (path, source, id) =
        context.named_file(node, "; it holds one block of addresses a line, such as `173.245.48.0/20`")?;
    let text = source.text();
    let mut ranges = Vec::new();
    let mut start = 0_usize;
    for line in text.split_inclusive('\n') {
        let word = line.split('#').next().unwrap_or_default();
        let from = start + (word.len() - word.trim_start().len());
        start += line.len();
        let word = word.trim();
        if word.is_empty() {
            continue;
        }
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = Span { source: id, start: place(from), end: place(from + word.len()) };
        if let Ok(range) = word.parse() {
            ranges.push(At::file(range, span));
        } else {
            let message = format!("`{}` is not a block of addresses", shown(word));
            let help = "write an address and a length, such as `173.245.48.0/20` or `2400:cb00::/32`";
            context.problems.add(&problem::BAD_VALUE, span, message, help);
        }
    }
    Some(At::file(EdgeFrom { path, ranges }, node.span))
}
