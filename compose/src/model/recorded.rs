//! A recorded profile, as its file says it.
//!
//! Deliberately absent: which calls there are and which base grants them; that is the policy's to ask.

use std::path::PathBuf;

use super::Runtime;
use crate::source::At;

/// A recorded profile: the system calls that a service was seen to use. It only ever narrows the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// The base that it was recorded within.
    pub base: At<Runtime>,
    /// Names of system calls, as the kernel spells them.
    pub calls: Vec<At<String>>,
    /// Names of those that were heard and left out, since their callers go on without.
    pub left_out: Vec<At<String>>,
    /// Where and when they were seen.
    pub recordings: Vec<Recording>,
}

/// One recording that went into a profile. Text, for people; the architecture alone is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The day.
    pub when: Option<String>,
    /// `x86_64` or `aarch64`.
    pub arch: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Version of the engine.
    pub engine: Option<String>,
    /// Version of runc.
    pub runc: Option<String>,
    /// How long was watched, in seconds.
    pub seconds: Option<String>,
}
