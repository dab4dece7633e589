//! What systemd is told: ready, reloading, stopping, a line of status, and that the loop still turns.
//!
//! Without `NOTIFY_SOCKET` nothing is told to anyone. Deliberately absent: reasons to fail; a supervisor does not end
//! because nobody listens to it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// While the stack is not as wanted for the first time, each turn asks for so much more time to start. A loop that is
/// stuck does not ask, and systemd ends it.
const MORE_TIME: Duration = Duration::from_mins(2);

/// The way to systemd.
#[derive(Debug)]
pub(super) struct Notify {
    half: Option<Duration>,
    last: Option<Instant>,
    ready: bool,
    status: String,
}

/// Whether a service manager waits for word from this process.
pub fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

impl Notify {
    /// Reads what systemd asks for from the environment.
    pub(super) fn from_env() -> Self {
        let half = sd_notify::watchdog_enabled().map(|interval| interval / 2);
        Self { half, last: None, ready: false, status: String::new() }
    }

    /// A turn has ended. The watchdog hears of it at most at half its interval.
    pub(super) fn turned(&mut self, now: Instant) {
        let pause = if self.ready { self.half } else { Some(MORE_TIME / 4) };
        let Some(pause) = pause else { return };
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < pause) {
            return;
        }
        self.last = Some(now);
        let more = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
        if self.ready {
            tell(&[NotifyState::Watchdog]);
        } else {
            tell(&[NotifyState::ExtendTimeoutUsec(more), NotifyState::Watchdog]);
        }
    }

    /// How long the loop may wait for something to happen.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.half.map(|half| half / 2)
    }

    /// A line for `systemctl status`.
    pub(super) fn status(&mut self, line: String) {
        if line != self.status {
            tell(&[NotifyState::Status(&line.replace('\n', " "))]);
            self.status = line;
        }
    }

    /// The stack is as wanted for the first time.
    pub(super) fn ready(&mut self) {
        self.ready = true;
        self.last = None;
        tell(&[NotifyState::Ready]);
    }

    /// The file is being read again.
    pub(super) fn reloading(&self) {
        if self.ready {
            let now = NotifyState::monotonic_usec_now().unwrap_or(NotifyState::MonotonicUsec(0));
            tell(&[NotifyState::Reloading, now]);
        }
    }

    /// The file was read again, taken or not.
    pub(super) fn reloaded(&self) {
        if self.ready {
            tell(&[NotifyState::Ready]);
        }
    }

    /// This process ends.
    pub(super) fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
