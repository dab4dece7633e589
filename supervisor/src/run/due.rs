//! What the loop has heard, what it waits for, and when something is due.
//!
//! Deliberately absent: what is done then (`watch`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::event::Now;
use crate::engine::EngineEvent;

/// Events that are so close may come in any order; one that is older by more says that the engine's calendar was set back.
const ORDER: SignedDuration = SignedDuration::from_secs(1);
/// What is told so late after it happened that a look has come between; a look and an event may still cross.
const OVER: SignedDuration = SignedDuration::from_secs(2);
/// At most so many are remembered, whoever floods us.
const MOST: usize = 1024;

/// How far the engine's events were heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// By the engine's calendar, which people set.
    pub(super) at: Option<Timestamp>,
    /// What was heard of the last second: a stream that is opened again begins within it.
    last: VecDeque<EngineEvent>,
    pub(super) times: u64,
    /// By the engine's calendar, when the last look began.
    looked: Option<Timestamp>,
    /// By the engine's calendar, until when an update watched a container itself, by name.
    updated: BTreeMap<String, Timestamp>,
    /// The calendar's distance from the clock that never jumps.
    offset: SignedDuration,
    /// Times up to this one are of two events each: the calendar was set back.
    twice_until: Option<Timestamp>,
}

impl Heard {
    /// A look has seen what came of all before it.
    pub(super) fn looked(&mut self, began: Duration, now: Now) {
        let ago = SignedDuration::try_from(now.boot.saturating_sub(began)).unwrap_or_default();
        self.looked = now.wall.checked_sub(ago).ok();
    }

    /// An update of these has ended: what happened to them until now is its own doing, or was seen by it, however late it is told.
    pub(super) fn updated(&mut self, names: BTreeSet<String>, now: Now) {
        self.updated.extend(names.into_iter().map(|name| (name, now.wall)));
    }

    /// The calendar was set: what was seen cannot be compared with what is told.
    pub(super) fn turn(&mut self, now: Now) {
        let boot = SignedDuration::try_from(now.boot).unwrap_or_default();
        let offset = now.wall.duration_since(Timestamp::UNIX_EPOCH) - boot;
        if (offset - self.offset).abs() > ORDER {
            self.looked = None;
            self.updated.clear();
        }
        if offset - self.offset < -ORDER {
            let said = Timestamp::UNIX_EPOCH.checked_add(boot + self.offset).ok();
            self.twice_until = self.twice_until.max(said);
        }
        self.offset = offset;
    }

    /// From when on events are to be told. `None`: from now on, and a look tells what came of the rest. An engine asked for all
    /// since a time that was twice tells of the first time too, as of something new.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.at.filter(|at| self.twice_until.is_none_or(|until| *at > until))
    }

    /// Whether an event is of a time that a look has passed already: a stream that was silent and is opened again tells of
    /// everything since, and what is long over is no news.
    pub(super) fn is_over(&self, event: &EngineEvent) -> bool {
        self.looked.is_some_and(|looked| looked.duration_since(event.at) > OVER)
            || self.updated.get(&event.name).is_some_and(|until| event.at < *until)
    }

    /// Whether an event is of a time that is to come: the calendar was set back before this process began, and a stream that is
    /// opened again tells of what was before that as of something new.
    pub(super) fn is_to_come(event: &EngineEvent, now: Now) -> bool {
        event.at.duration_since(now.wall) > OVER
    }

    /// Whether an event was not heard before; it is from then on.
    pub(super) fn is_news(&mut self, event: &EngineEvent) -> bool {
        if self.last.contains(event) {
            return false;
        }
        let is_close = |at: Timestamp| event.at.duration_since(at).abs() <= ORDER;
        self.last.retain(|other| is_close(other.at));
        if self.last.len() >= MOST {
            self.last.pop_front();
        }
        self.last.push_back(event.clone());
        self.at = Some(match self.at {
            Some(at) if event.at < at && is_close(at) => at,
            _ => event.at,
        });
        true
    }
}

/// What was asked for and has not been answered.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    pub(super) loading: bool,
    pub(super) connecting: bool,
    pub(super) looking: bool,
    /// The look that is under way began under another file.
    pub(super) stale: bool,
}

/// When something is due. `None`: not before something else happens.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) load: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) listen: Option<Duration>,
    pub(super) look: Option<Duration>,
    /// Not a time to do it, but a time before which it is not done.
    pub(super) converge: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EventKind;

    #[track_caller]
    fn check(heard: &mut Heard, millis: i64, id: &str, is_news: bool) {
        let at = Timestamp::from_millisecond(1_000_000 + millis).unwrap();
        let event = EngineEvent {
            at,
            id: id.to_owned(),
            name: String::new(),
            service: None,
            kind: EventKind::Die(1),
        };
        assert_eq!(heard.is_news(&event), is_news, "{id} at {millis}");
    }

    #[test]
    fn what_a_look_has_passed_is_over_unless_the_calendar_was_set() {
        let now = |boot: u64, wall: i64| Now {
            boot: Duration::from_secs(boot),
            wall: Timestamp::from_second(wall).unwrap(),
            jitter: 0,
        };
        let event = |wall: i64| EngineEvent {
            at: Timestamp::from_second(wall).unwrap(),
            id: String::new(),
            name: String::new(),
            service: None,
            kind: EventKind::Die(1),
        };
        let mut heard = Heard::default();
        heard.turn(now(100, 5000));
        assert!(!heard.is_over(&event(0)));
        heard.looked(Duration::from_secs(90), now(100, 5000));
        assert!(heard.is_over(&event(4987)) && !heard.is_over(&event(4989)));
        heard.turn(now(101, 1401));
        assert!(!heard.is_over(&event(1400)));
        assert!(
            Heard::is_to_come(&event(1404), now(101, 1401))
                && !Heard::is_to_come(&event(1403), now(101, 1401))
        );
    }

    #[test]
    fn what_an_update_has_watched_is_over_however_late_it_is_told() {
        let now = |wall: i64| Now {
            boot: Duration::from_secs(100),
            wall: Timestamp::from_second(wall).unwrap(),
            jitter: 0,
        };
        let event = |name: &str, wall: i64| EngineEvent {
            at: Timestamp::from_second(wall).unwrap(),
            id: String::new(),
            name: name.to_owned(),
            service: None,
            kind: EventKind::Stop,
        };
        let mut heard = Heard::default();
        heard.turn(now(5000));
        heard.updated(BTreeSet::from(["a".to_owned()]), now(5000));
        assert!(heard.is_over(&event("a", 4999)) && !heard.is_over(&event("a", 5000)));
        assert!(!heard.is_over(&event("b", 4999)));
        heard.turn(now(1400));
        assert!(!heard.is_over(&event("a", 1400)));
    }

    #[test]
    fn a_calendar_that_was_set_back_makes_nothing_old_new() {
        let now = |boot: u64, wall: i64| Now {
            boot: Duration::from_secs(boot),
            wall: Timestamp::from_second(1_000 + wall).unwrap(),
            jitter: 0,
        };
        let mut heard = Heard::default();
        heard.turn(now(100, 100));
        check(&mut heard, 100_000, "before", true);
        let at = heard.since();
        assert!(at.is_some() && at == heard.at);
        heard.turn(now(101, 3000));
        assert_eq!(heard.since(), at, "set forward, nothing old comes after it");
        check(&mut heard, 3_000_000, "after it was set forward", true);
        heard.turn(now(105, 1000));
        check(&mut heard, 1_000_000, "after it was set back", true);
        assert_eq!(heard.since(), None);
        heard.turn(now(2200, 3095));
        check(&mut heard, 3_003_000, "when it says again what it said", true);
        assert_eq!(heard.since(), None);
        check(&mut heard, 3_005_000, "and is past it", true);
        assert_eq!(heard.since(), heard.at);
    }

    #[test]
    fn each_event_is_heard_once_in_whatever_order_and_whatever_the_calendar_says() {
        let mut heard = Heard::default();
        check(&mut heard, 500, "one", true);
        check(&mut heard, 499, "a little late", true);
        check(&mut heard, 500, "one", false);
        let latest = heard.at;
        check(&mut heard, 499, "a little late", false);
        assert_eq!(heard.at, latest);
        check(&mut heard, -3_600_000, "after the calendar was set back", true);
        assert!(heard.at < latest);
        check(&mut heard, 500, "one", true);
    }
}
