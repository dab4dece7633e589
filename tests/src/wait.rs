//! Waiting for what will be true: asked again and again, until a generous end that only a defect reaches.
//!
//! Deliberately absent: an upper bound that a test asserts; how long things take is for the bench to say.

use std::time::{Duration, Instant};

/// Asks every 50 ms until there is an answer. After five minutes the test fails and says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(5);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited five minutes for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
