//! The endpoint as the supervisor keeps it: a process of its own, told every turn, started again if it ends.
//!
//! The supervisor holds the sockets too, so that those who come while it is started again wait and are answered.
//! Deliberately absent: reading anything that the endpoint says, but that it has given up its rights.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use super::Endpoint;
use super::listen::Bound;
use super::snapshot::Snapshot;
use super::wire::{self, Door, Frame};
use crate::sandbox::Landlock;
use crate::sandbox::in_force::{self, InForce, Own};

/// This program as it runs, also after another version was installed in its place.
pub const THIS_PROGRAM: &str = "/proc/self/exe";
/// One that does not take a frame, or does not give up its rights, for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// From its end to its next start.
const PAUSE: Duration = Duration::from_secs(1);
/// The only variable that it gets: whether standard error leads to the journal.
pub(crate) const JOURNAL: &str = "JOURNAL_STREAM";

/// A process in the endpoint's place. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stream: Option<UnixStream>,
}

impl Process {
    /// Starts the program, which is to be the endpoint, and passes it the sockets.
    ///
    /// # Errors
    /// It cannot be executed, or the machine is out of something.
    pub fn start(endpoint: &Endpoint, program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg0("supervisor").args(arguments).env_clear().current_dir("/");
        command.envs(std::env::var_os(JOURNAL).map(|journal| (JOURNAL, journal)));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let mut process = Self { child: command.spawn()?, stream: None };
        let sockets: Vec<_> = endpoint.0.iter().map(|(bound, _)| bound.as_fd()).collect();
        wire::pass(&ours, &sockets)?;
        let doors = endpoint.0.iter();
        let doors = doors
            .map(|(bound, access)| Door { unix: matches!(bound, Bound::Unix(_)), access: access.clone() });
        io::Write::write_all(&mut &ours, &wire::encode(&Frame::Doors(doors.collect()))?)?;
        ours.set_nonblocking(true)?;
        process.stream = Some(ours);
        Ok(process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps an endpoint that answers from these snapshots, and tells what our `own` processes are left with, for as long as it is
/// polled.
pub async fn keep(
    endpoint: &Endpoint,
    arguments: &[OsString],
    own: &[Own],
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Infallible {
    loop {
        let ended = match Process::start(endpoint, Path::new(THIS_PROGRAM), arguments) {
            Ok(process) => feed(process, own, &mut snapshots).await,
            Err(error) => error,
        };
        tracing::error!(error = %ended, "the endpoint ended, and is started again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells it every turn; why it ended.
async fn feed(
    mut process: Process,
    own: &[Own],
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
) -> io::Error {
    let Some(stream) = process.stream.take() else { return io::Error::other("it has no socket") };
    let told = async {
        let mut stream = tokio::net::UnixStream::from_std(stream)?;
        let landlock = tokio::time::timeout(PATIENCE, stream.read_u8()).await??;
        let endpoint = ("endpoint", process.child.id(), Landlock::from_letter(landlock));
        let processes = processes(own.iter().chain([&endpoint]));
        let (mut from, mut to) = stream.split();
        let mut known = None;
        snapshots.mark_changed();
        loop {
            tokio::select! {
                // It has nothing more to say: this is its end.
                said = from.read_u8() => return said.and(Err::<Infallible, _>(io::Error::other("it spoke"))),
                changed = snapshots.changed() => changed.map_err(io::Error::other)?,
            }
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            let frame = wire::encode(&frame(&snapshot, &processes, &mut known)?)?;
            tokio::time::timeout(PATIENCE, to.write_all(&frame)).await??;
        }
    };
    match told.await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// What is to be said of a turn: only the time, where nothing else has changed.
fn frame(
    snapshot: &Snapshot,
    processes: &BTreeMap<String, InForce>,
    known: &mut Option<Vec<u8>>,
) -> io::Result<Frame> {
    let mut timeless = Snapshot { processes: processes.clone(), ..snapshot.clone() };
    (timeless.at, timeless.turn_seconds) = (Timestamp::UNIX_EPOCH, 0.0);
    let bytes = serde_json::to_vec(&timeless)?;
    if known.as_ref() == Some(&bytes) {
        return Ok(Frame::Turned { at: snapshot.at, seconds: snapshot.turn_seconds });
    }
    *known = Some(bytes);
    (timeless.at, timeless.turn_seconds) = (snapshot.at, snapshot.turn_seconds);
    Ok(Frame::Snapshot(Box::new(timeless)))
}

fn processes<'a>(own: impl Iterator<Item = &'a Own>) -> BTreeMap<String, InForce> {
    own.filter_map(|(name, pid, landlock)| Some(((*name).to_owned(), in_force::of(*pid, *landlock)?)))
        .collect()
}
