//! Promise beside evidence: what was promised of one container, what the kernel and the engine say, item by item.
//!
//! Pure: [`attest`] takes values and gives rows. Fails closed: what could not be read is not kept. Deliberately
//! absent: reading anything (`observe::kernel`), and what is done about a broken promise.

mod engine_word;
mod files;
mod guard;
mod identity;
mod isolation;
mod landlock;
mod listening;
mod resources;

use serde::Serialize;

use crate::decide::spec::ContainerSpec;
use crate::engine::Inspected;
use crate::observe::kernel::{Evidence, Read};

pub use guard::guarded;
pub use listening::{Sockets, listening};

/// One item: what was promised, what was seen, and whether that is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Such as `capabilities`, or `mount /tmp`.
    pub item: String,
    /// In words for people.
    pub promised: String,
    /// What was seen, or why it could not be.
    pub seen: String,
    /// Whether the promise is kept.
    pub verdict: Verdict,
}

/// Whether a promise is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Seen as promised.
    Kept,
    /// Seen otherwise.
    Broken,
    /// Could not be read, which counts as broken.
    Unread,
    /// Nothing was promised; said because people ask.
    Noted,
}

impl Check {
    /// What differs, in a sentence.
    pub fn sentence(&self) -> String {
        format!("{}: promised {}, seen {}", self.item, self.promised, self.seen)
    }

    /// The promise is kept, or there was none.
    pub const fn holds(&self) -> bool {
        matches!(self.verdict, Verdict::Kept | Verdict::Noted)
    }

    fn compared(item: impl Into<String>, promised: impl Into<String>, seen: Read<(String, bool)>) -> Self {
        let (seen, verdict) = match seen {
            Ok((seen, true)) => (seen, Verdict::Kept),
            Ok((seen, false)) => (seen, Verdict::Broken),
            Err(why) => (format!("could not be read: {why}"), Verdict::Unread),
        };
        Self { item: item.into(), promised: promised.into(), seen, verdict }
    }
}

/// The item about calls that a recorded profile denied.
pub const DENIED_CALLS: &str = "denied calls";

/// Where engines put their init: `/sbin` may be a link in the image, to `/usr/sbin` (Debian) or `/usr/bin` (Arch).
const INITS: [&str; 5] =
    ["/sbin/docker-init", "/usr/sbin/docker-init", "/usr/bin/docker-init", "/dev/init", "/run/podman-init"];

/// What one item looks at.
struct Case<'a> {
    spec: &'a ContainerSpec,
    evidence: &'a Evidence,
    engine: &'a Inspected,
}

/// What is compared, in the order in which it is shown. Each gives at least one row.
const ITEMS: [fn(&Case<'_>) -> Vec<Check>; 26] = [
    engine_word::ours,
    engine_word::image,
    identity::user,
    identity::groups,
    identity::capabilities,
    identity::no_new_privileges,
    identity::seccomp,
    identity::apparmor,
    landlock::landlock,
    identity::process_1,
    identity::other_processes,
    isolation::namespaces,
    isolation::user_map,
    isolation::host_modes,
    isolation::cgroup,
    files::root,
    files::mounts,
    files::other_mounts,
    files::system_paths,
    files::devices,
    files::engine_sockets,
    resources::bounds,
    resources::ulimits,
    engine_word::networks,
    engine_word::ports,
    isolation::listening,
];

/// Compares everything. The rows come in one order, whatever was seen.
pub fn attest(spec: &ContainerSpec, evidence: &Evidence, engine: &Inspected) -> Vec<Check> {
    let case = Case { spec, evidence, engine };
    ITEMS.iter().flat_map(|item| item(&case)).chain(identity::denied_calls(&case)).collect()
}

/// Every promise is kept. Without any row there is no proof.
pub fn holds(checks: &[Check]) -> bool {
    !checks.is_empty() && checks.iter().all(Check::holds)
}

#[cfg(test)]
mod tests;
