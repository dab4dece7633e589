//! The process that has the machine's rights: takes its sockets, gives up what it does not need, and answers `run` alone.
//!
//! It is this program once more, started with a hidden command: by `process`, or by a service manager that listens for `run`
//! in its place and gives what it accepted on standard input. It listens to nobody else, parses no Compose text, and has no
//! way to the engine. In no domain of Landlock: the kernel lets nobody in one look into processes outside.
//! Deliberately absent: a request that is not in `request`.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::carry_out::carry_out;
use super::permit::{permit, readable};
use super::request::{Answer, Request};
use super::wire::{self, Ready};
use crate::observe::denials::{Sources, is_in_container};
use crate::sandbox::{self, SandboxError};
use crate::serve::wire::{pass, take};

/// Why it does not answer, or does not any more.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// It was started by hand.
    #[error("this command is started by `supervisor run`, and is of no use without it")]
    NotStartedByRun,
    /// Its start did not go as agreed.
    #[error("the process that has the machine's rights did not get what it needs")]
    Start(#[from] io::Error),
    /// It could not give up what it is to.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Whoever asks is not `run` as it was built.
    #[error("a message was not understood, and nothing is done for whoever sent it")]
    Rubbish(#[source] io::Error),
}

/// Answers until `run` ends.
///
/// # Errors
/// It was not started by `run`, could not give up what it does not need, or was asked what nobody asks.
pub fn serve(state: PathBuf) -> Result<(), InsideError> {
    let lifeline = io::stdin().as_fd().try_clone_to_owned()?;
    if rustix::net::sockopt::socket_domain(&lifeline) != Ok(rustix::net::AddressFamily::UNIX) {
        return Err(InsideError::NotStartedByRun);
    }
    let lifeline = UnixStream::from(lifeline);
    let lanes = take(&lifeline)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let denials = Sources::open();
    // Rights are a thread's: those that begin now have no more than this one.
    sandbox::privileged()?;
    let (ended, mut first) = mpsc::channel(lanes.len().max(1));
    let state = Arc::new(state);
    for lane in lanes.into_iter().map(UnixStream::from) {
        let (state, ended) = (Arc::clone(&state), ended.clone());
        std::thread::Builder::new().name("lane".into()).spawn(move || {
            let _ = ended.blocking_send(answer_all(&lane, &state));
        })?;
    }
    wire::send(&lifeline, &Ready { pid: std::process::id(), denials: denials.ways() }, &[])?;
    pass(&lifeline, &denials.descriptors())?;
    drop(denials);
    lifeline.set_nonblocking(true)?;
    runtime.block_on(async {
        // `run` hears signals, and ends when it is done: whoever signals all of the unit's processes means that.
        let kinds = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()];
        let _heard = kinds.map(signal);
        let mut lifeline = tokio::net::UnixStream::from_std(lifeline)?;
        tokio::select! {
            // Nothing is said on it: whatever comes is the end of `run`.
            _ = lifeline.read_u8() => Ok(()),
            ended = first.recv() => ended.unwrap_or(Ok(())).map_err(InsideError::Rubbish),
        }
    })
}

/// Until the lane ends, or something comes that is no request.
fn answer_all(lane: &UnixStream, state: &Path) -> io::Result<()> {
    while let Some((request, body)) = wire::receive::<Request>(lane)? {
        let done = match permit(&request, state, is_in_container) {
            Ok(()) => carry_out(&request, &body, readable),
            Err(why) => {
                tracing::error!("refused: {why}");
                Answer::Refused(why).into()
            }
        };
        wire::send(lane, &done.answer, &done.body)?;
        if let Some(socket) = done.socket {
            pass(lane, &[socket.as_fd()])?;
        }
    }
    Ok(())
}
