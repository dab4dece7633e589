//! Times as a command line has them: a moment, seconds since 1970, or how long ago; the same for every command.
//!
//! Deliberately absent: the machine's time zone. A moment that names none is in UTC, as everything that is printed.

use jiff::{SignedDuration, Timestamp};

use crate::exit::{Exit, Failure};

/// The moment that a text means.
pub(crate) fn time(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::new(Exit::Unreadable, format!("`{text}` is no time"))
            .help("write a time such as 2026-01-31T12:00:00Z, seconds since 1970, or how long ago, such as 90s or 1h30m")
    };
    let utc =
        |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp());
    let moment = text.parse().ok().or_else(|| text.parse().ok().and_then(utc)).or_else(|| seconds(text));
    if let Some(at) = moment {
        return Ok(at);
    }
    let ago: SignedDuration = text.parse().map_err(|_| wrong())?;
    now.checked_sub(ago).map_err(|_| wrong())
}

/// The same for an option that may not be there.
pub(crate) fn maybe(text: Option<&String>, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    text.map(|text| time(text, now)).transpose()
}

/// `1769860800`, `1769860800.25`.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Timestamp::new(whole.parse().ok()?, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let got = time(text, now).map_or_else(|failure| failure.to_string(), |at| at.to_string());
        assert!(got.starts_with(expect), "{got}");
    }

    #[test]
    fn times_are_read_as_a_compose_user_writes_them() {
        check("2026-01-30T10:00:00Z", "2026-01-30T10:00:00Z");
        check("2026-01-30T10:00:00+02:00", "2026-01-30T08:00:00Z");
        check("2026-01-30T10:00:00", "2026-01-30T10:00:00Z");
        check("2026-01-30", "2026-01-30T00:00:00Z");
        check("1769860800", "2026-01-31T12:00:00Z");
        check("1769860800.25", "2026-01-31T12:00:00.25Z");
        check("10m", "2026-01-31T11:50:00Z");
        check("1h30m", "2026-01-31T10:30:00Z");
        check("yesterday", "error: `yesterday` is no time");
        check("1.x", "error: `1.x` is no time");
    }
}
