//! The guard in the kernel, through `nft`: set in one transaction, listed, taken away.
//!
//! `nft -f -` and not netlink: one call is one transaction, every distribution that has nftables in its kernel packs it, the
//! text is what an administrator reads in `nft list`, and it costs a few milliseconds at a start and twice a minute. What was
//! set is kept in the project's state folder, with a fingerprint of how it lists, so that a later process can tell whether
//! somebody changed it. Deliberately absent: what is in the guard (`decide::guard`), and rules of anybody else.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::decide::guard::listing::{self, Listing};
use crate::decide::guard::{self, Link, Ruleset};
use crate::decide::seen::{SeenGuard, SeenTable};

use super::generation::{Generation, generation};
use super::resolvers;
use super::state::{self, keep};
use crate::privileged::failure;

/// Addresses of IPv6, which a kernel without it, or that was booted with `ipv6.disable=1`, has no file for (proc(5)).
const IPV6: &str = "/proc/self/net/if_inet6";
/// A folder for every link.
const SETTINGS: &str = "/proc/sys/net/ipv4/conf";
/// What was set, in the project's state folder.
const KEPT: &str = "guard.json";
/// When it was last found intact, beside it.
const INTACT: &str = "guard-intact.json";

/// The guard cannot be set or taken away.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub enum GuardError {
    /// The program is missing or cannot be run.
    #[error("cannot run `nft`")]
    Run(
        #[serde(with = "failure")]
        #[source]
        io::Error,
    ),
    /// It, or the kernel, refused.
    #[error("`nft` says: {0}")]
    Refused(String),
    /// A guard would guard nothing, or not what it should.
    #[error("{0}")]
    Unusable(String),
    /// What was set cannot be written down.
    #[error("cannot write down what the guard is, in `{path}`")]
    Keep {
        /// Where.
        path: String,
        /// Why.
        #[serde(with = "failure")]
        #[source]
        source: io::Error,
    },
}

impl GuardError {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Run(_) => {
                "install the package `nftables`; or say `x-supervisor: {guard: off}` to go without the guard"
            }
            Self::Refused(_) => {
                "run as root in the host's network namespace, on a kernel with nftables (4.18 or newer); or say \
                 `x-supervisor: {guard: off}` to go without the guard"
            }
            Self::Unusable(_) => {
                "nothing is started without the guard, unless the file says `x-supervisor: {guard: off}`"
            }
            Self::Keep { .. } => "see whether the disk is full; the guard itself is in force",
        }
    }
}

/// What was set by us last.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    ruleset: String,
    fingerprint: String,
    script: String,
}

/// When it was last found to be as it was set. A file of its own, which whoever only looks may write: nobody's setting is
/// written over by it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Intact {
    fingerprint: String,
    at: Generation,
}

/// How the guard of a project is, without what it counted and without links, which [`is_link`] tells: nothing is listed where the
/// packet filter stands as it did when the guard was last found intact.
pub fn glance(folder: &Path, project: &str, engine: Option<u32>) -> SeenGuard {
    match kept(folder) {
        Some(kept) if is_as_it_was(folder, &kept) => {
            let table = SeenTable::There { ruleset: kept.ruleset.clone(), intact: true };
            beside(table, listing::Counters::new(), Some(kept), engine)
        }
        _ => look(folder, project, engine),
    }
}

/// How the guard of a project is, beside what it depends on, but for links. The project's folder may be missing; the engine's
/// process is looked for where nobody knows it.
pub fn look(folder: &Path, project: &str, engine: Option<u32>) -> SeenGuard {
    let kept = kept(folder);
    // Asked for before, so that a change in between makes the next look another one.
    let now = generation();
    let (table, counters) = match list(project) {
        Ok(Some(listing)) => {
            let intact = kept.as_ref().is_some_and(|kept| {
                kept.ruleset == listing.ruleset && kept.fingerprint == listing.fingerprint
            });
            if intact {
                note(folder, &listing.fingerprint, now);
            }
            (SeenTable::There { ruleset: listing.ruleset, intact }, listing.counters)
        }
        Ok(None) => (SeenTable::Absent { was_set: kept.is_some() }, listing::Counters::new()),
        Err(error) => (SeenTable::Unable(in_words(&error)), listing::Counters::new()),
    };
    beside(table, counters, kept, engine)
}

/// The table, beside what it depends on.
fn beside(
    table: SeenTable,
    counters: listing::Counters,
    kept: Option<Kept>,
    engine: Option<u32>,
) -> SeenGuard {
    SeenGuard {
        table,
        links: BTreeSet::new(),
        resolvers: resolvers::of_the_engine(engine),
        counters,
        script: kept.map(|kept| kept.script),
        without_ipv6: !Path::new(IPV6).exists(),
    }
}

fn in_words(error: &GuardError) -> String {
    match error {
        GuardError::Run(source) if source.kind() == io::ErrorKind::NotFound => {
            "`nft` is not installed".to_owned()
        }
        GuardError::Run(source) => format!("`nft` cannot be run: {source}"),
        error => error.to_string(),
    }
}

/// Whether the bridges that a guard goes by are here.
///
/// # Errors
/// One is not: a guard would guard nothing.
pub fn is_here(ruleset: &Ruleset) -> Result<(), GuardError> {
    match ruleset.bridges().find(|link| !is_link(link.as_str())) {
        Some(link) => Err(GuardError::Unusable(guard::elsewhere(link))),
        None => Ok(()),
    }
}

/// Puts a guard in place of the one that is there.
///
/// # Errors
/// nft or the kernel refuses; then the one before is still in force.
pub fn set(folder: &Path, project: &str, ruleset: &str, script: &str) -> Result<(), GuardError> {
    // Only whoever set it last has it written down: without that there is a table by another's hand at most.
    let is_first = kept(folder).is_none() && run_script(&guard::first(script, project)).is_ok();
    if !is_first {
        run_script(script)?;
    }
    let now = generation();
    let listing = list(project)?.unwrap_or_default();
    // What it is like from now on is not what somebody made of it in between.
    if listing.rules != guard::rules(script) {
        return Err(GuardError::Unusable("somebody changed the guard while it was set".to_owned()));
    }
    let fingerprint = listing.fingerprint;
    note(folder, &fingerprint, now);
    let kept = Kept { ruleset: ruleset.to_owned(), fingerprint, script: script.to_owned() };
    keep(folder, KEPT, &kept)
        .map_err(|source| GuardError::Keep { path: folder.join(KEPT).display().to_string(), source })
}

/// Takes a project's guard away; what was set is forgotten where its folder is given.
///
/// # Errors
/// nft or the kernel refuses.
pub fn remove(folder: Option<&Path>, project: &str) -> Result<(), GuardError> {
    run_script(&guard::removal(project))?;
    if let Some(folder) = folder {
        forget(folder);
    }
    Ok(())
}

/// Forgets what was set.
pub fn forget(folder: &Path) {
    for name in [KEPT, INTACT] {
        if let Err(error) = state::remove(&folder.join(name)) {
            tracing::warn!(%error, "cannot forget what the guard was");
        }
    }
}

fn kept(folder: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(folder.join(KEPT)).ok()?).ok()
}

/// Whether nobody has changed anything since it was found intact.
fn is_as_it_was(folder: &Path, kept: &Kept) -> bool {
    intact(folder).is_some_and(|intact| {
        intact.fingerprint == kept.fingerprint && generation().is_some_and(|now| now == intact.at)
    })
}

fn intact(folder: &Path) -> Option<Intact> {
    serde_json::from_slice(&fs::read(folder.join(INTACT)).ok()?).ok()
}

/// Writes down when it was found intact. Where that cannot be, the next look lists it all again.
fn note(folder: &Path, fingerprint: &str, at: Option<Generation>) {
    let Some(at) = at else { return };
    let found = Intact { fingerprint: fingerprint.to_owned(), at };
    if intact(folder).as_ref() != Some(&found) {
        let _ = keep(folder, INTACT, &found);
    }
}

/// Our table as it lists; `None` where there is none.
fn list(project: &str) -> Result<Option<Listing>, GuardError> {
    let table = guard::table(project);
    let output = run(Command::new("nft").args(["-j", "list", "table", "inet", &table]), "")?;
    if output.status.success() {
        // A listing that cannot be read is of a table that is not as it was set.
        return Ok(Some(listing::read(&String::from_utf8_lossy(&output.stdout)).unwrap_or_default()));
    }
    // Its word for a missing table is that of a missing file, and the same for a family that the kernel has not: whether there
    // can be one is asked before anything is made that would need it. The kernel answers and makes none.
    let possible = run(Command::new("nft").args(["--check", "add", "table", "inet", &table]), "")?;
    if !possible.status.success() {
        return Err(refused(&possible));
    }
    let word = String::from_utf8_lossy(&output.stderr);
    if word.contains("No such file") { Ok(None) } else { Err(refused(&output)) }
}

fn run_script(script: &str) -> Result<(), GuardError> {
    let output = run(Command::new("nft").args(["-f", "-"]), script)?;
    if output.status.success() { Ok(()) } else { Err(refused(&output)) }
}

fn refused(output: &Output) -> GuardError {
    let word = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = word.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    GuardError::Refused(crate::render::plain(line.trim()))
}

/// Runs nft with this as its standard input. Administrators' programs are not on everybody's `PATH`.
fn run(command: &mut Command, input: &str) -> Result<Output, GuardError> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(GuardError::Run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends before it has read everything says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(GuardError::Run)
}

/// Whether a link of this name is in this network namespace: each has its settings (`ip-sysctl`), of which the kernel shows whoever
/// asks those of their own namespace. A list tells what each link counted, too, which on a host of many containers is much to ask.
pub fn is_link(name: &str) -> bool {
    // Of no link: the folder itself, and what holds for all and for new ones.
    let is_of_none = matches!(name, "." | ".." | "all" | "default");
    Link::new(name).is_some() && !is_of_none && Path::new(SETTINGS).join(name).exists()
}

/// Names of the links of this network namespace (`/proc/net` of proc(5)): `/sys` may be another one's.
pub fn links() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_kept_and_forgotten() {
        let bed = tempfile::tempdir().unwrap();
        assert!(kept(bed.path()).is_none());
        let set = Kept { ruleset: "abcd".into(), fingerprint: "efgh".into(), script: "table".into() };
        keep(bed.path(), KEPT, &set).unwrap();
        let read = kept(bed.path()).unwrap();
        assert_eq!((read.ruleset, read.fingerprint, read.script), (set.ruleset, set.fingerprint, set.script));
        fs::write(bed.path().join(KEPT), "{").unwrap();
        assert!(kept(bed.path()).is_none());
        forget(bed.path());
        assert_eq!(fs::read_dir(bed.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_are_those_of_this_network_namespace() {
        assert!(links().contains("lo"));
        for link in links() {
            assert!(is_link(&link), "{link}");
        }
        for none in ["", ".", "..", "all", "default", "lo/forwarding", "../conf/lo", "no-such-link"] {
            assert!(!is_link(none), "{none}");
        }
    }
}
