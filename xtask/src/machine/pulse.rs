//! Whether a booted machine still does something: its kernel may stand still, which nothing in it can end.
//!
//! Deliberately absent: ending it (`boot`), and booting another (`tests`).

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the machine writes every few seconds, from the mounting of its results on (`guest/pulse.service`).
const FILE: &str = "pulse";
/// From its start, or its last beat, until it is held to stand still: a busy host may let it wait for a minute.
const WITHOUT_BEAT: Duration = Duration::from_mins(4);
/// Though it beats, from the last word on its console: more than the longest test in it waits.
const WITHOUT_WORD: Duration = Duration::from_mins(12);

/// It stands still, and how that is known.
#[derive(Debug)]
pub(super) struct Still(&'static str);

impl fmt::Display for Still {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the machine stands still: {}", self.0)
    }
}

impl Error for Still {}

/// Looks at what a machine that was started then has left in its results.
pub(super) fn look(results: &Path, console: &Path, start: SystemTime) -> Result<(), Still> {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    judge([Some(start), changed(&results.join(FILE)), changed(console)], SystemTime::now())
}

/// By when it was started, and when it last beat and last said something, if it has.
fn judge([start, beat, word]: [Option<SystemTime>; 3], now: SystemTime) -> Result<(), Still> {
    // What an earlier boot left is older than the start.
    let longer = |last: Option<SystemTime>, limit: Duration| {
        last.max(start).and_then(|last| now.duration_since(last).ok()).is_some_and(|time| time > limit)
    };
    if longer(beat, WITHOUT_BEAT) {
        return Err(Still("for minutes it wrote no beat into its results"));
    }
    if longer(word, WITHOUT_WORD) {
        return Err(Still("for minutes it said nothing on its console"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SystemTime, WITHOUT_BEAT, WITHOUT_WORD, judge};
    use std::time::Duration;

    #[test]
    fn a_machine_stands_still_when_its_beat_or_its_words_end() {
        let at = |seconds: u64| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds));
        let (beat, word) = (WITHOUT_BEAT.as_secs(), WITHOUT_WORD.as_secs());
        let is = |start: u64, beat: Option<u64>, word: Option<u64>, now: u64| {
            judge([at(start), beat.and_then(at), word.and_then(at)], at(now).unwrap()).is_ok()
        };
        assert!(is(9, None, None, 9 + beat) && !is(9, None, None, 10 + beat), "from its start");
        assert!(is(9, Some(5), None, 9 + beat), "a beat of an earlier boot");
        assert!(is(0, Some(word), Some(0), word) && !is(0, Some(word), Some(0), word + 1), "silent");
        assert!(is(0, Some(5000), Some(5000), 5000) && !is(0, Some(5000 - beat - 1), Some(5000), 5000));
        assert!(is(10, Some(5), Some(5), 0), "a clock that was set back");
    }
}
