//! `up` where nothing changed since an `up` that had nothing to do: judging and planning the same again would find the same.
//!
//! Whatever went into that plan is compared: the program and its call, every file and path that was looked at, the kernel, all that
//! the engine and the packet filter say. Where one thing differs, or cannot be told, everything is done as ever. Deliberately
//! absent: any other answer than that there is nothing to do.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, stderr};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::up::Args;
use crate::args::GlobalArgs;
use crate::decide::hash;
use crate::decide::spec::Wanted;
use crate::decide::wanted::Restarts;
use crate::engine::EngineVersion;
use crate::exit::Failure;
use crate::host::files::Files;
use crate::host::noted::Note;
use crate::host::unchanged::{Unchanged, find, keep};
use crate::host::{ground, kernel, state};
use crate::input;
use crate::pipeline::{self, Look, Prepared, Wish};
use crate::session::{self, Session, Writer};

/// A session that was opened for a comparison, with the look that was taken for it, if it came to that.
pub(super) struct Begun {
    pub(super) session: Session,
    /// Who answers.
    pub(super) version: EngineVersion,
    pub(super) writer: Writer,
    pub(super) wish: Wish,
    pub(super) look: Option<Look>,
}

impl Begun {
    /// Whether nothing on the engine and the host is another than then.
    pub(super) fn is_as_it_was(&self, kept: &Unchanged) -> bool {
        let same = |look: &Look| hash::of(&look.seen) == kept.seen;
        self.look.as_ref().is_some_and(same) && self.session.engine.relied() && !self.wish.restarts_unsure
    }

    /// Whether it is this project's.
    pub(super) fn is_of(&self, project: &str) -> bool {
        self.look.as_ref().is_some_and(|look| look.sought.scope.project == project)
    }
}

/// Opens a session to change a project in.
pub(super) async fn begin(global: &GlobalArgs, args: &Args, project: &str) -> Result<Begun, Failure> {
    let (mut session, version) = session::open_and_ask(global).await?;
    session.engine = session.engine.with_pull_stall(Duration::from_secs(args.pull_stall));
    let writer = session::write(global, project, "up")?;
    session.engine.rely_on(ground::read(&writer.folder));
    let wish = writer.wish(global, Restarts::Engine);
    Ok(Begun { session, version, writer, wish, look: None })
}

/// The same call's last word, if all that it read of this machine is as it was.
pub(super) fn recall(global: &GlobalArgs, call: &str) -> Option<Unchanged> {
    let kept = find(&state::cache(global.state_dir.as_deref()), call)?;
    kept.notes.iter().all(|note| note.holds(&Files)).then_some(kept)
}

/// Opens a session and looks at what was looked at then.
pub(super) async fn compare(global: &GlobalArgs, args: &Args, kept: &Unchanged) -> Result<Begun, Failure> {
    let begun = begin(global, args, &kept.sought.scope.project).await?;
    let look = pipeline::seek(&begun.session.engine, kept.sought.clone(), &begun.wish).await?;
    Ok(Begun { look: Some(look), ..begun })
}

/// Keeps what a plan without a step went by; nothing where a part of it cannot be had again.
pub(super) fn remember(
    (global, args): (&GlobalArgs, &Args),
    call: String,
    notes: BTreeSet<Note>,
    said: String,
    prepared: &Prepared,
    warnings: Vec<String>,
) {
    let Some(sought) = prepared.sought.clone() else { return };
    // A service that is asked itself says something else each time.
    if input::took_standard_input() || !args.detach && asks_services(&prepared.wanted) {
        return;
    }
    let seen = hash::of(&prepared.seen);
    let unchanged = Unchanged { call, notes, sought, seen, said, warnings };
    if let Err(error) = keep(&state::cache(global.state_dir.as_deref()), &unchanged) {
        tracing::warn!(%error, "cannot keep what the stack was judged by");
    }
}

fn asks_services(wanted: &Wanted) -> bool {
    wanted.services.values().any(|service| service.probe.is_some())
}

/// All that goes into a plan besides what is read and seen: hashed, since variables may hold secrets. `None` where a plan is not all
/// that is wanted.
pub(super) fn call(global: &GlobalArgs, args: &Args) -> Option<String> {
    if args.is_more_than_a_plan() || !args.ends(global) {
        return None;
    }
    let program = std::fs::metadata("/proc/self/exe").ok()?;
    let program = (
        (program.dev(), program.ino(), program.size()),
        (program.mtime(), program.mtime_nsec(), program.ctime(), program.ctime_nsec()),
    );
    let mut variables: Vec<_> = std::env::vars_os().collect();
    variables.sort();
    let here = std::env::current_dir().ok()?;
    let words = format!("{global:?} {args:?} {:?} {:?}", input::today(), kernel::read());
    let terminal = global.colours(stderr().is_terminal());
    Some(hash::of(&(env!("CARGO_PKG_VERSION"), program, variables, here, words, kernel::online(), terminal)))
}
