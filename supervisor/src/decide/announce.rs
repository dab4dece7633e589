//! When the control plane is told: once that the stack is up, and, where it wants to hear it, every minute how it is.
//!
//! The first is told until it is taken, and never again after that. The second is told, and what does not arrive is not
//! told again: the next one says more. Deliberately absent: who is told, what, and how (`run::control_plane`).

use std::time::Duration;

use super::backoff;

/// Between two heartbeats, before jitter.
pub const HEARTBEAT: Duration = Duration::from_mins(1);

/// Telling that the stack is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    taken: bool,
    failed: u32,
    under_way: bool,
    due: Duration,
}

impl Announcement {
    /// Taken already, by what an earlier process remembered, or not.
    pub const fn new(taken: bool) -> Self {
        Self { taken, failed: 0, under_way: false, due: Duration::ZERO }
    }

    /// Whether it is to be told now; whoever is answered `true` tells it. `is_ready` is whether the stack is up at this
    /// moment: what was up once and is not any more is not announced.
    pub fn begin(&mut self, is_ready: bool, now: Duration) -> bool {
        let begins = is_ready && !self.taken && !self.under_way && now >= self.due;
        self.under_way |= begins;
        begins
    }

    /// It was taken, or is told again after a while.
    pub fn end(&mut self, taken: bool, now: Duration, jitter: u64) {
        self.under_way = false;
        self.taken |= taken;
        self.failed = if taken { 0 } else { self.failed.saturating_add(1) };
        self.due = now + backoff::delay(self.failed, jitter);
    }

    /// When it is told again, while it waits for that.
    pub fn next(&self) -> Option<Duration> {
        (!self.taken && !self.under_way && self.failed > 0).then_some(self.due)
    }

    /// Attempts in a row that failed.
    pub const fn failed(&self) -> u32 {
        self.failed
    }
}

/// Telling how it is, again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    under_way: bool,
    due: Duration,
}

impl Heartbeat {
    /// Whether it is to be told now; whoever is answered `true` tells it.
    pub fn begin(&mut self, now: Duration) -> bool {
        let begins = !self.under_way && now >= self.due;
        self.under_way |= begins;
        begins
    }

    /// It arrived, or did not. The next one comes after a minute and up to a tenth more: those that booted together do not
    /// call together for ever.
    pub fn end(&mut self, now: Duration, jitter: u64) {
        let steps = u32::try_from(jitter % 1001).unwrap_or_default();
        (self.under_way, self.due) = (false, now + HEARTBEAT + HEARTBEAT / 10 * steps / 1000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Seconds at which a control plane is called that takes the call number `takes`, by a supervisor whose stack is up
    /// from second `up` on and which looks at it every second.
    fn calls(up: u64, takes: usize, until: u64) -> Vec<u64> {
        let mut announcement = Announcement::new(false);
        let mut calls = Vec::new();
        for second in 0..until {
            let now = SECOND * u32::try_from(second).unwrap();
            if announcement.begin(second >= up, now) {
                calls.push(second);
                announcement.end(calls.len() == takes, now, 0);
            }
        }
        calls
    }

    #[test]
    fn it_is_told_once_the_stack_is_up_and_never_again_once_it_is_taken() {
        assert_eq!(calls(7, 1, 10_000), [7]);
    }

    #[test]
    fn it_is_told_again_and_again_until_it_is_taken_ever_more_rarely() {
        assert_eq!(calls(0, 6, 10_000), [0, 1, 3, 7, 15, 31]);
        let never = calls(0, usize::MAX, 3600);
        assert!(never.windows(2).all(|pair| pair[1] - pair[0] <= 300), "{never:?}");
        assert_eq!(never.len(), 20, "{never:?}");
    }

    #[test]
    fn what_is_not_up_any_more_is_not_announced_and_what_is_under_way_not_begun_again() {
        let mut announcement = Announcement::new(false);
        assert!(announcement.begin(true, SECOND));
        assert!(!announcement.begin(true, SECOND * 100), "it is under way");
        announcement.end(false, SECOND * 100, 0);
        assert_eq!((announcement.failed(), announcement.next()), (1, Some(SECOND * 101)));
        assert!(!announcement.begin(false, SECOND * 200), "the stack is down");
        assert!(announcement.begin(true, SECOND * 201));
    }

    #[test]
    fn heartbeats_come_a_minute_apart_and_a_little_more() {
        let mut heartbeat = Heartbeat::default();
        assert!(heartbeat.begin(SECOND));
        assert!(!heartbeat.begin(SECOND * 500), "the last one is under way");
        for (jitter, wait) in [(0, 60), (1000, 66)] {
            heartbeat.end(SECOND * 500, jitter);
            assert!(!heartbeat.begin((SECOND * (500 + wait)).saturating_sub(Duration::from_millis(1))));
            assert!(heartbeat.begin(SECOND * (500 + wait)));
        }
    }

    proptest! {
        /// Whatever the network does, and however often the process is killed or the machine boots between two turns, a
        /// control plane takes one call, if what was taken is remembered.
        #[test]
        fn it_is_taken_exactly_once_whatever_fails_and_whoever_dies(
            turns in prop::collection::vec((0_u32..400, any::<bool>(), 0_u8..8, any::<u64>()), 1..200),
        ) {
            let (mut remembered, mut taken, mut last) = (false, 0, None::<(Duration, u32)>);
            let mut announcement = Announcement::new(false);
            let mut now = Duration::ZERO;
            for (pause, is_ready, fate, jitter) in turns {
                now += SECOND * pause;
                if fate == 7 {
                    announcement = Announcement::new(remembered);
                    last = None;
                }
                if !announcement.begin(is_ready, now) {
                    continue;
                }
                if let Some((at, failed)) = last {
                    prop_assert!(now >= at + backoff::delay(failed, 0), "too soon");
                }
                let arrives = fate < 2;
                taken += u32::from(arrives);
                remembered |= arrives;
                announcement.end(arrives, now, jitter);
                last = Some((now, announcement.failed()));
            }
            prop_assert!(taken <= 1);
            prop_assert_eq!(taken == 1, remembered);
        }
    }
}
