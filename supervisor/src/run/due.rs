//! What the loop has heard, what it waits for, and when something is due.
//!
//! Deliberately absent: what is done then (`watch`).

use std::time::Duration;

use jiff::Timestamp;

use crate::engine::EngineEvent;

/// How far the engine's events were heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) at: Option<Timestamp>,
    /// All that was heard of that instant: a stream that is opened again begins with it.
    pub(super) then: Vec<EngineEvent>,
    pub(super) times: u64,
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
