//! From where the edge may be reached: what may stand in the list under `x-supervisor.edge_from`.

use crate::finding::Severity;
use crate::policy::{Check, Exempt, Hit, Repair, Rule, Stack};

use super::place;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "SV326",
        title: "a restriction of the edge restricts something",
        reason: "a list for no service, an empty one, or one with all addresses looks like a restriction and is none",
        severity: Severity::Error,
        fix: "name the edge service under `x-supervisor.edge`, and list the blocks from which it may be reached",
        bad: "x-supervisor:\n  edge_from: ./ranges.txt # <-\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  edge: web\n  edge_from: ./ranges.txt\nservices:\n  web:\n    image: caddy:2\n",
        place: place("7.8", "", ""),
        exempt: Exempt::Never,
        check: Check::Stack(nothing),
        repair: Repair::Author,
    },
    Rule {
        id: "SV327",
        title: "who reaches the edge is in blocks of somebody's own",
        reason: "a block of private or loopback addresses, or one as large as a twentieth of the internet, is no proxy's in front",
        severity: Severity::Warning,
        fix: "list the blocks that the proxy's owner publishes",
        bad: "x-supervisor:\n  edge: web\n  edge_from: ./near.txt # - 10.0.0.0/8\nservices:\n  web:\n    image: caddy:2\n",
        good: "x-supervisor:\n  edge: web\n  edge_from: ./ranges.txt\nservices:\n  web:\n    image: caddy:2\n",
        place: place("7.8", "", ""),
        exempt: Exempt::Possible,
        check: Check::Stack(unwise),
        repair: Repair::Author,
    },
];

fn nothing(stack: &Stack<'_>) -> Vec<Hit> {
    let Some(from) = &stack.project.stack.edge_from else { return Vec::new() };
    if stack.project.stack.edge.is_none() {
        return vec![Hit::at(from, "there is no edge service that it could restrict")];
    }
    if from.value.ranges.is_empty() {
        return vec![Hit::at(from, "the list is empty: nobody could reach the edge")];
    }
    let all = from.value.ranges.iter().filter(|range| range.value.length() == 0);
    all.map(|range| Hit::at(range, format!("`{}` is every address", range.value))).collect()
}

fn unwise(stack: &Stack<'_>) -> Vec<Hit> {
    let Some(from) = &stack.project.stack.edge_from else { return Vec::new() };
    let hits = from.value.ranges.iter().filter_map(|range| {
        let (block, length) = (range.value, range.value.length());
        let wide = length < if block.address().is_ipv4() { 5 } else { 12 };
        let near = block.is_private() || block.address().is_loopback();
        let why = match (length, near, wide) {
            (0, _, _) | (_, false, false) => return None,
            (_, true, _) => "is of addresses for private use",
            (_, _, true) => "is a large part of the internet",
        };
        Some(Hit::at(range, format!("`{block}` {why}")))
    });
    hits.collect()
}
