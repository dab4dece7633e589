//! How long to wait before a container is started again.
//!
//! Deliberately absent: randomness; the caller brings a number for the jitter.

use std::time::Duration;

/// The wait before the second restart in a row; it doubles from there. The kubelet's is 10 s.
pub const FIRST: Duration = Duration::from_secs(1);
/// The longest wait before jitter, as the kubelet's.
pub const LONGEST: Duration = Duration::from_mins(5);
/// Health for so long forgets every restart before it, as the kubelet's.
pub const RESET: Duration = Duration::from_mins(10);
/// So many restarts in a row are a crash loop.
pub const CRASH_LOOP: u32 = 5;

/// The wait before the next restart, after `restarts` of them in a row.
///
/// The first restart is at once: a single crash costs no more than under the engine's own policy. Then 1 s, 2 s, 4 s
/// and so on to 300 s, each with up to a quarter more, by `jitter`: services that fall together do not rise together.
pub fn delay(restarts: u32, jitter: u64) -> Duration {
    let Some(doublings) = restarts.checked_sub(1) else { return Duration::ZERO };
    let base = 1_u32
        .checked_shl(doublings)
        .filter(|_| doublings < 16)
        .and_then(|factor| FIRST.checked_mul(factor))
        .map_or(LONGEST, |delay| delay.min(LONGEST));
    let steps = u32::try_from(jitter % 1001).unwrap_or_default();
    base + base / 4 * steps / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn it_doubles_from_one_second_to_five_minutes() {
        let waits: Vec<_> = (0..13).map(|n| delay(n, 0).as_secs()).collect();
        expect!["[0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]"].assert_eq(&format!("{waits:?}"));
        assert_eq!(delay(u32::MAX, 0), LONGEST);
    }

    #[test]
    fn jitter_adds_at_most_a_quarter() {
        for restarts in 1..40 {
            let base = delay(restarts, 0);
            for jitter in [0, 1, 499, 500, 999, 1000, 1001, u64::MAX] {
                let with = delay(restarts, jitter);
                assert!(with >= base && with <= base + base / 4, "{restarts} {jitter}: {with:?}");
            }
        }
    }
}
