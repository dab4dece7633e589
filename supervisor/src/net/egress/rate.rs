//! How many new connections a service may ask for: a bucket a service, filled at a steady rate.
//!
//! Pure: the time is an argument. Deliberately absent: bytes; a stream may be as fast as the network.

use std::collections::BTreeMap;
use std::time::Duration;

/// Requests at once after a quiet time.
const BURST: f64 = 4096.0;
/// Requests a second, kept up.
const STEADY: f64 = 256.0;

/// One bucket a service.
#[derive(Debug, Default)]
pub(super) struct Rates(BTreeMap<String, Bucket>);

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Duration,
}

impl Rates {
    /// Takes one request of a service at this time; `false` where it has asked for too many.
    pub(super) fn take(&mut self, service: &str, now: Duration) -> bool {
        let bucket = self.0.entry(service.to_owned()).or_insert(Bucket { left: BURST, at: now });
        let filled = now.saturating_sub(bucket.at).as_secs_f64() * STEADY;
        bucket.left = (bucket.left + filled).min(BURST);
        bucket.at = now;
        let enough = bucket.left >= 1.0;
        if enough {
            bucket.left -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_a_steady_rate_and_others_are_not_touched() {
        let mut rates = Rates::default();
        let now = Duration::from_secs(100);
        let burst = (0..10_000).filter(|_| rates.take("web", now)).count();
        assert_eq!(burst, 4096);
        assert!(rates.take("job", now));
        let second = (0..10_000).filter(|_| rates.take("web", now + Duration::from_secs(1))).count();
        assert_eq!(second, 256);
        assert!(!rates.take("web", now), "a clock that goes back fills nothing");
    }
}
