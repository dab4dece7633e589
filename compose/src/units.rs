//! Units that the format speaks in, each with one checked constructor.
//!
//! Deliberately absent: parsing of Compose's spellings (`1g`, `1m30s`); that is `canonical`'s.

use std::fmt;

/// An amount of memory or storage, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` mebibytes.
    pub const fn mib(n: u64) -> Self {
        Self(n * 1024 * 1024)
    }
}

/// CPU time per wall time, in billionths of one core: the engine's `NanoCpus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoCpus(pub u64);

impl fmt::Display for NanoCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let rest = format!("{rest:09}");
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() { write!(f, "{whole}") } else { write!(f, "{whole}.{rest}") }
    }
}

/// A port number from 1 to 65535.
pub type Port = std::num::NonZeroU16;
