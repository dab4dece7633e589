//! A command's way to the engine and to its project's state: the socket, the version, the lock.
//!
//! Deliberately absent: what is done there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::args::GlobalArgs;
use crate::decide::wanted::Restarts;
use crate::engine::{Docker, EngineError, EngineVersion, address};
use crate::exit::Failure;
use crate::host::lock::{self, Lock, LockError};
use crate::host::{kernel, resolvers, state};
use crate::pipeline::Wish;

/// An engine that answers.
pub struct Session {
    /// The engine.
    pub engine: Docker,
    /// Its socket.
    pub socket: PathBuf,
}

/// The right to change a project, while it lives.
pub struct Writer {
    /// The project's state folder.
    pub folder: PathBuf,
    /// One writer a project.
    pub lock: Lock,
}

/// Opens the engine that the command line and the environment name. One request.
///
/// # Errors
/// It is not on this machine, does not answer, or is too old.
pub async fn open(global: &GlobalArgs) -> Result<Session, EngineError> {
    let socket = socket(global)?;
    Ok(Session { engine: Docker::greet(&socket).await?, socket })
}

/// The same, and who answers, for commands that have something to say about it. One request.
///
/// # Errors
/// As of [`open`].
pub async fn open_and_ask(global: &GlobalArgs) -> Result<(Session, EngineVersion), EngineError> {
    let socket = socket(global)?;
    let (engine, version) = Docker::connect(&socket).await?;
    Ok((Session { engine, socket }, version))
}

fn socket(global: &GlobalArgs) -> Result<PathBuf, EngineError> {
    let variable = std::env::var("DOCKER_HOST").ok();
    address::socket(global.host.as_deref(), variable.as_deref())
}

/// Takes the project's lock for a command: `up`, `down`, `run`.
///
/// # Errors
/// Somebody else changes the project, or its state folder cannot be had.
pub fn write(global: &GlobalArgs, project: &str, command: &str) -> Result<Writer, Failure> {
    let folder = state::project(global.state_dir.as_deref(), project)?;
    let lock = lock::take(&folder, project, command)?;
    Ok(Writer { folder, lock })
}

/// The same for commands that a running supervisor respects, and that may run beside it: `stop`, `start`, `restart`.
///
/// # Errors
/// Another command changes the project, or its state folder cannot be had.
pub fn write_beside_run(
    global: &GlobalArgs,
    project: &str,
    command: &str,
) -> Result<(PathBuf, Option<Lock>), Failure> {
    let folder = state::project(global.state_dir.as_deref(), project)?;
    match lock::take(&folder, project, command) {
        Ok(lock) => Ok((folder, Some(lock))),
        Err(LockError::Held { holder, .. }) if holder.contains("`run`") => Ok((folder, None)),
        Err(error) => Err(error.into()),
    }
}

impl Writer {
    /// What a command line wants of a stack that it is going to change.
    pub fn wish(&self, global: &GlobalArgs, restarts: Restarts) -> Wish {
        Wish { restarts_unsure: self.lock.settled() != word(restarts), ..wish(global, restarts) }
    }

    /// Remembers that what can be changed in place is as the labels say. It is a hint: failing to write it costs requests.
    pub fn settle(&mut self, restarts: Restarts) {
        if let Err(error) = self.lock.settle(word(restarts)) {
            tracing::warn!(%error, "cannot write the lock file");
        }
    }
}

const fn word(restarts: Restarts) -> &'static str {
    match restarts {
        Restarts::Ours => "restarts: supervisor",
        Restarts::Engine => "restarts: engine",
    }
}

/// Who starts a project's containers again now: a supervisor that runs, or else the engine.
pub fn restarts(global: &GlobalArgs, project: &str) -> Restarts {
    let folder = state::place(global.state_dir.as_deref(), project);
    if lock::is_held_by(&folder, "run") { Restarts::Ours } else { Restarts::Engine }
}

/// What a command line wants of a stack that it compares with what runs, and does not change.
pub fn compare(global: &GlobalArgs, project: &str) -> Wish {
    let restarts = restarts(global, project);
    let settled = lock::settled(&state::place(global.state_dir.as_deref(), project));
    Wish { restarts_unsure: settled != word(restarts), ..wish(global, restarts) }
}

/// What a command line wants of a stack that it only looks at.
pub fn wish(global: &GlobalArgs, restarts: Restarts) -> Wish {
    Wish {
        kernel: kernel::read(),
        profiles: global.profiles().into_iter().collect::<BTreeSet<_>>(),
        restarts,
        state_dir: global.state_dir.clone(),
        restarts_unsure: false,
        counts: false,
        engine: socket(global).ok().and_then(|socket| resolvers::behind(&socket)),
    }
}
