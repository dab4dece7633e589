//! Who may reach the edge: the address blocks that `x-supervisor.edge_from` names, for every layer that keeps others out.
//!
//! Deliberately absent: fetching such a list; its owner publishes it, the operator refreshes the file.

use crate::model::Project;
use crate::prefix::Prefix;

/// The blocks from which the edge may be reached; `None` where the file restricts nothing. In the order of the list,
/// each once.
pub fn ranges(project: &Project) -> Option<Vec<Prefix>> {
    let from = project.stack.edge_from.as_ref()?;
    let mut ranges: Vec<Prefix> = Vec::new();
    for range in from.value.ranges.iter().map(|range| range.value) {
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    Some(ranges)
}
