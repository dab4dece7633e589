//! The endpoint's own process: takes its sockets, gives up everything else, and only then listens to anybody.
//!
//! It is this program once more, started by `process` with a hidden command. Deliberately absent: a way to ask the
//! supervisor or the engine anything.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use super::http::{self, Shared};
use super::listen::Bound;
use super::requests::Requests;
use super::snapshot::{Pulse, Snapshot};
use super::wire::{self, Door, Frame};
use crate::sandbox::{self, SandboxError};

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// It was started by hand.
    #[error("this command is started by `supervisor run`, and is of no use without it")]
    NotStartedByRun,
    /// Its start did not go as agreed.
    #[error("the endpoint did not get what it needs")]
    Start(#[from] io::Error),
    /// It could not give up what it is to.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// An endpoint that has given everything up and has not listened to anybody yet.
#[derive(Debug)]
pub struct Inside {
    /// Where snapshots come from.
    pub supervisor: UnixStream,
    /// Sockets that listen.
    pub sockets: Vec<OwnedFd>,
    doors: Vec<Door>,
    runtime: Runtime,
}

/// Takes what the supervisor passes on standard input, and gives up the rest.
///
/// # Errors
/// It was not started by a supervisor, or the kernel does not take a right away from it: nobody is listened to then.
pub fn enter() -> Result<Inside, InsideError> {
    let supervisor = io::stdin().as_fd().try_clone_to_owned()?;
    if rustix::net::sockopt::socket_domain(&supervisor) != Ok(rustix::net::AddressFamily::UNIX) {
        return Err(InsideError::NotStartedByRun);
    }
    let mut supervisor = UnixStream::from(supervisor);
    let sockets = wire::take(&supervisor)?;
    let Frame::Doors(doors) = wire::first(&supervisor)? else { return Err(InsideError::NotStartedByRun) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    supervisor.set_nonblocking(true)?;
    let landlock = sandbox::endpoint()?;
    supervisor.write_all(&[landlock.letter()])?;
    Ok(Inside { supervisor, sockets, doors, runtime })
}

impl Inside {
    /// Answers until the supervisor ends.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub fn serve(self) -> io::Result<()> {
        let Self { supervisor, sockets, doors, runtime } = self;
        let pulse = Pulse::new(Instant::now());
        let (sender, snapshots) = watch::channel(Arc::new(Snapshot::starting(Timestamp::now())));
        let requests = Arc::new(Requests::default());
        let listeners = sockets.into_iter().zip(doors).map(|(socket, door)| {
            let shared = Shared {
                access: door.access,
                snapshots: snapshots.clone(),
                pulse: pulse.clone(),
                requests: Arc::clone(&requests),
            };
            let bound = if door.unix { Bound::Unix(socket.into()) } else { Bound::Tcp(socket.into()) };
            (bound, shared)
        });
        let listeners: Vec<(Bound, Shared)> = listeners.collect();
        LocalSet::new().block_on(&runtime, async {
            let supervisor = tokio::net::UnixStream::from_std(supervisor)?;
            tokio::select! {
                ended = hear(supervisor, sender, &pulse) => ended,
                () = accept_all(listeners) => Ok(()),
            }
        })
    }
}

/// Every frame is a turn of the supervisor's loop.
async fn hear(
    mut supervisor: tokio::net::UnixStream,
    snapshots: watch::Sender<Arc<Snapshot>>,
    pulse: &Pulse,
) -> io::Result<()> {
    loop {
        match wire::next(&mut supervisor).await? {
            Frame::Snapshot(snapshot) => {
                snapshots.send_replace(Arc::from(snapshot));
            }
            Frame::Turned { at, seconds } => snapshots.send_modify(|snapshot| {
                let snapshot = Arc::make_mut(snapshot);
                (snapshot.at, snapshot.turn_seconds) = (at, seconds);
            }),
            Frame::Doors(_) => return Err(io::Error::other("sockets were passed twice")),
        }
        pulse.beat(Instant::now());
    }
}

/// Accepts on every socket until it is dropped.
pub(super) async fn accept_all(listeners: Vec<(Bound, Shared)>) {
    let mut accepting = JoinSet::new();
    for (bound, shared) in listeners {
        accepting.spawn_local(http::accept(bound, shared));
    }
    while let Some(ended) = accepting.join_next().await {
        if let Ok(Err(error)) = ended {
            tracing::error!(%error, "a listener of the endpoint ended");
        }
    }
    std::future::pending::<()>().await;
}
