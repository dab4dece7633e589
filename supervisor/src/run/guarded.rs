//! What the loop knows of the guard: how it was at the last look, and all that its rows counted.
//!
//! A table that is set anew counts from nothing; totals here only grow. Deliberately absent: putting it right, which is the
//! plan's.

use crate::decide::guard::listing::Counters;
use crate::decide::guard::{Verdict, Why, judge};
use crate::decide::seen::Seen;
use crate::decide::spec::Wanted;
use crate::serve::snapshot::{GuardState, GuardStatus};

/// The guard as the loop knows it.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    state: Option<GuardState>,
    reason: Option<String>,
    lost: bool,
    /// Of the table that is there.
    now: Counters,
    /// Of those before it.
    past: Counters,
}

impl Guarded {
    /// Takes what a look saw.
    pub(super) fn looked(&mut self, wanted: &Wanted, seen: &Seen) {
        let counters = seen.guard.as_ref().map(|guard| guard.counters.clone()).unwrap_or_default();
        let fell = self.now.iter().any(|(row, was)| {
            counters.get(row).is_none_or(|is| is.packets < was.packets || is.bytes < was.bytes)
        });
        if fell {
            for (row, was) in std::mem::take(&mut self.now) {
                let past = self.past.entry(row).or_default();
                past.packets = past.packets.saturating_add(was.packets);
                past.bytes = past.bytes.saturating_add(was.bytes);
            }
        }
        self.now = counters;
        let verdict = wanted.guard.as_ref().map(|spec| judge(&spec.on(seen.guard.as_ref()), seen));
        self.lost = matches!(verdict, Some(Verdict::Set(Why::Gone | Why::Changed)));
        (self.state, self.reason) = match verdict {
            None => (Some(GuardState::Off), None),
            Some(Verdict::Keep) => (Some(GuardState::Set), None),
            Some(Verdict::Set(why)) => (Some(GuardState::Missing), Some(why.words().to_owned())),
            Some(Verdict::Blocked(why)) => (Some(GuardState::Unable), Some(why.join("; "))),
        };
    }

    /// Somebody took it away or changed it.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// For the endpoint.
    pub(super) fn status(&self) -> Option<GuardStatus> {
        let mut counters = self.past.clone();
        for (row, now) in &self.now {
            let sum = counters.entry(row.clone()).or_default();
            sum.packets = sum.packets.saturating_add(now.packets);
            sum.bytes = sum.bytes.saturating_add(now.bytes);
        }
        Some(GuardStatus { state: self.state?, reason: self.reason.clone(), counters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::guard::listing::Count;
    use crate::decide::seen::SeenTable;
    use crate::decide::testing::{bare, guarded, want_guarded};

    #[test]
    fn totals_outlive_the_table_and_a_loss_is_told() {
        let wanted = want_guarded("services: {web: {image: 'i:1'}}");
        let mut seen = bare();
        guarded(&wanted, &mut seen);
        let mut known = Guarded::default();
        assert!(known.status().is_none());
        let mut look = |packets: Option<u64>, table: Option<SeenTable>| {
            let guard = seen.guard.as_mut().unwrap();
            guard.counters = packets
                .map(|packets| ("to-host".to_owned(), Count { packets, bytes: 2 * packets }))
                .into_iter()
                .collect();
            let whole = guard.table.clone();
            guard.table = table.unwrap_or_else(|| whole.clone());
            known.looked(&wanted, &seen);
            seen.guard.as_mut().unwrap().table = whole;
            let status = known.status().unwrap();
            (status.state, status.counters["to-host"].packets, known.is_lost())
        };
        assert_eq!(look(Some(3), None), (GuardState::Set, 3, false));
        assert_eq!(look(Some(5), None), (GuardState::Set, 5, false));
        assert_eq!(look(None, Some(SeenTable::Absent { was_set: true })), (GuardState::Missing, 5, true));
        assert_eq!(look(Some(1), None), (GuardState::Set, 6, false));
        assert_eq!(look(Some(2), None), (GuardState::Set, 7, false));
        let unable = SeenTable::Unable("`nft` is not installed".to_owned());
        assert_eq!(look(Some(2), Some(unable)), (GuardState::Unable, 7, false));
    }
}
