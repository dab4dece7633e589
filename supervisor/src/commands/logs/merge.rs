//! Which line of several outputs comes first, and whether that is certain yet.
//!
//! Each output is in order by itself. While they end some time, the earliest is certain once every output has said its
//! next line or its end. While they are followed, one that is silent is waited for a moment only: from then on what it
//! says is later than what has been there for a moment. Deliberately absent: clocks; times come in as values.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::source::Line;

/// For how long the next line of an output is waited for, which may still be reading out what was long ago.
const PATIENCE: Duration = Duration::from_millis(200);
/// For how long a line may be on its way from the container to us.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_millis(50);

/// Whether the earliest line may be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// It may.
    Now,
    /// In so long, if nothing else comes.
    After(Duration),
    /// Not before something else comes.
    OnNews,
}

/// The next line of each output that has said it.
pub(super) struct Heads<S> {
    rows: Vec<(S, Line)>,
}

impl<S> Default for Heads<S> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<S> Heads<S> {
    pub(super) fn push(&mut self, source: S, line: Line) {
        self.rows.push((source, line));
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &S> {
        self.rows.iter().map(|(source, _)| source)
    }

    /// The earliest; of equals the one that came first.
    pub(super) fn pop(&mut self) -> Option<(S, Line)> {
        let earliest = self.rows.iter().enumerate().min_by_key(|(place, (_, line))| (line.at, *place));
        let place = earliest.map(|(place, _)| place)?;
        Some(self.rows.remove(place))
    }

    /// Whether the earliest may be printed. `waits` has for how long each other output has been waited for.
    pub(super) fn release(
        &self,
        waits: impl Iterator<Item = Duration>,
        clock: Timestamp,
        follow: bool,
    ) -> Release {
        let Some(earliest) = self.rows.iter().map(|(_, line)| line.at).min() else { return Release::OnNews };
        let Some(shortest) = waits.min() else { return Release::Now };
        if !follow {
            return Release::OnNews;
        }
        let age = earliest.map_or(ON_ITS_WAY, |at| clock.duration_since(at));
        let young = Duration::try_from(ON_ITS_WAY.saturating_sub(age)).unwrap_or_default().min(PATIENCE);
        match PATIENCE.saturating_sub(shortest).max(young) {
            Duration::ZERO => Release::Now,
            rest => Release::After(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    /// Heads of these ages in milliseconds.
    fn heads(ages: &[i64]) -> Heads<usize> {
        let mut heads = Heads::default();
        for (source, age) in ages.iter().enumerate() {
            let at = clock().checked_sub(SignedDuration::from_millis(*age)).unwrap();
            heads.push(source, Line { at: Some(at), bytes: Vec::new() });
        }
        heads
    }

    #[track_caller]
    fn check(ages: &[i64], waits: &[u64], follow: bool, expect: Release) {
        let waits = waits.iter().map(|wait| Duration::from_millis(*wait));
        assert_eq!(heads(ages).release(waits, clock(), follow), expect);
    }

    #[test]
    fn the_earliest_line_comes_first() {
        let mut heads = heads(&[5, 900, 20, 900]);
        let order: Vec<_> = std::iter::from_fn(|| heads.pop()).map(|(source, _)| source).collect();
        assert_eq!(order, [1, 3, 2, 0]);
    }

    #[test]
    fn what_ends_is_waited_for_however_long_it_takes() {
        check(&[5000], &[60_000], false, Release::OnNews);
        check(&[5000], &[], false, Release::Now);
        check(&[], &[1], false, Release::OnNews);
    }

    #[test]
    fn one_that_is_silent_is_waited_for_a_moment() {
        check(&[5000], &[0, 1000], true, Release::After(Duration::from_millis(200)));
        check(&[5000], &[150, 1000], true, Release::After(Duration::from_millis(50)));
        check(&[5000], &[200, 1000], true, Release::Now);
    }

    #[test]
    fn a_line_that_is_new_waits_for_others_that_are_on_their_way() {
        check(&[10], &[1000], true, Release::After(Duration::from_millis(40)));
        check(&[50], &[1000], true, Release::Now);
        // A clock that was set back does not hold it up.
        check(&[-60_000], &[1000], true, Release::After(Duration::from_millis(200)));
    }
}
