//! The loop's clock: time since boot, the calendar, and a number that nobody can foresee.
//!
//! The only place of the loop that reads any of them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use jiff::Timestamp;

use super::event::Now;

/// Now.
pub(super) fn now() -> Now {
    Now { boot: boot(), wall: Timestamp::now(), jitter: RandomState::new().build_hasher().finish() }
}

/// Time since boot, sleep included: it never jumps.
pub(super) fn boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The kernel's id of this boot.
pub(super) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
