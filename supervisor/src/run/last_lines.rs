//! What a container wrote last before it ended on its own or was found to be unwell: for the log and for `/status`.
//!
//! One that was told to end has nothing to explain. Deliberately absent: decisions; healing does not read this.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::decide::seen::Health;
use crate::engine::{Engine, EngineEvent, EventKind, LogQuery};
use crate::render::plain;
use crate::serve::snapshot::Snapshot;

/// How many lines are kept of each container.
const LINES: u64 = 10;
/// How long a line may be, in characters.
const LONGEST: usize = 400;
/// For the engine to give them.
const WITHIN: Duration = Duration::from_secs(5);

/// The last lines of each container that has something to explain.
#[derive(Debug, Default)]
pub(super) struct LastLines {
    lines: BTreeMap<String, Vec<String>>,
    /// Containers by engine id that were signalled since they were started.
    signalled: BTreeSet<String>,
}

impl LastLines {
    /// Whether the container of this event has something to explain.
    pub(super) fn hear(&mut self, event: &EngineEvent) -> bool {
        match event.kind {
            EventKind::Kill(_) => {
                self.signalled.insert(event.id.clone());
                false
            }
            EventKind::Start | EventKind::Destroy => {
                self.signalled.remove(&event.id);
                false
            }
            EventKind::Die(code) => code != 0 && !self.signalled.contains(&event.id),
            EventKind::OutOfMemory | EventKind::Health(Health::Unhealthy) => true,
            _ => false,
        }
    }

    /// Keeps them.
    pub(super) fn keep(&mut self, container: String, lines: Vec<String>) {
        self.lines.insert(container, lines);
    }

    /// Puts them beside every container that is not as it should be, and forgets those of the others.
    pub(super) fn show(&mut self, snapshot: &mut Snapshot) {
        let containers = snapshot.services.values_mut().flat_map(|service| &mut service.containers);
        let mut kept = BTreeMap::new();
        for container in containers.filter(|container| !container.state.is_good()) {
            if let Some(lines) = self.lines.remove(&container.name) {
                container.last_lines.clone_from(&lines);
                kept.insert(container.name.clone(), lines);
            }
        }
        self.lines = kept;
    }
}

/// Asks the engine for them; none where it does not give any.
pub(super) async fn read<E: Engine>(engine: &E, container: &str) -> Vec<String> {
    let query = LogQuery { tail: Some(LINES), ..LogQuery::default() };
    let chunks = engine.logs(container, &query).filter_map(async |chunk| chunk.ok());
    let pieces = tokio::time::timeout(WITHIN, pin!(chunks).collect::<Vec<_>>()).await.unwrap_or_default();
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|chunk| chunk.bytes).collect();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().map(|line| plain(line).chars().take(LONGEST).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind) -> EngineEvent {
        EngineEvent {
            at: jiff::Timestamp::UNIX_EPOCH,
            id: "ab".into(),
            name: "shop-web-1".into(),
            service: None,
            kind,
        }
    }

    #[track_caller]
    fn check(kinds: &[EventKind], expect: &[bool]) {
        let mut lines = LastLines::default();
        let heard: Vec<bool> = kinds.iter().map(|kind| lines.hear(&event(*kind))).collect();
        assert_eq!(heard, expect);
    }

    #[test]
    fn who_ended_on_its_own_explains_itself_and_who_was_told_to_does_not() {
        use EventKind::{Die, Health as Healthy, Kill, OutOfMemory, Start};
        check(&[Start, Die(1)], &[false, true]);
        check(&[Start, Die(0)], &[false, false]);
        check(&[Start, Kill(15), Die(143)], &[false, false, false]);
        check(&[Kill(15), Die(143), Start, Die(1)], &[false, false, false, true]);
        check(&[OutOfMemory, Healthy(Health::Unhealthy)], &[true, true]);
    }
}
