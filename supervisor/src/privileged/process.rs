//! The process with the machine's rights as `run` keeps it: started before anything else, asked, and missed.
//!
//! Under its unit `run` has never had such rights: the service manager starts the process for whoever comes to a socket.
//! Without it `run` could neither look nor guard: it ends, its service manager starts both again, and the containers run
//! on. Deliberately absent: going on without it, and starting it again, for which nobody has the rights by then.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::Rights;
use super::carry_out::Done;
use super::request::{Answer, Request};
use super::wire::{self, Ready};
use crate::observe::denials::Sources;
use crate::serve::process::{JOURNAL, THIS_PROGRAM};
use crate::serve::wire::{pass, take};

/// Requests that are carried out at the same time: the loop's, one that takes long beside it, and the listener's.
const LANES: usize = 3;
/// For its start.
const PATIENCE: Duration = Duration::from_secs(10);
/// For an answer: the longest is a profile that is compiled on a slow machine.
const LONG_PATIENCE: Duration = Duration::from_mins(2);
/// By which it is told where the system's programs are; with [`JOURNAL`], all that it gets.
const PATH: &str = "PATH";

/// There is no process with the machine's rights.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegedError {
    /// Nobody answers where it is asked for.
    #[error("cannot reach the process that has the machine's rights at `{}`", .at.display())]
    Reach {
        /// Where.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It did not start.
    #[error("cannot start the process that has the machine's rights")]
    Start(#[source] io::Error),
    /// It was there.
    #[error("the process that has the machine's rights has ended: {0}")]
    Ended(String),
}

impl PrivilegedError {
    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Reach { .. } => "see `systemctl status supervisor-privileged.socket`",
            Self::Start(_) => "the machine may be out of memory, processes or descriptors",
            Self::Ended(_) => "the log says why; containers run on, and the next `run` takes them up",
        }
    }
}

/// The process. Dropping it ends it.
#[derive(Debug)]
pub struct Privileged {
    /// None where a service manager started it.
    child: Option<Child>,
    pid: u32,
    lifeline: UnixStream,
}

/// Where requests go.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Mutex<UnixStream>>,
    lifeline: UnixStream,
}

/// Starts it, before this process has any other thread; with it come the ways on which denials are heard. It keeps the state
/// of all projects in the folder `state`.
///
/// # Errors
/// It cannot be executed, does not say that it is ready, or the machine is out of something.
pub fn start(state: &Path, arguments: &[OsString]) -> Result<(Privileged, Rights, Sources), PrivilegedError> {
    let started = spawn(state, arguments).and_then(|(child, lifeline)| agree(Some(child), lifeline));
    started.map_err(PrivilegedError::Start)
}

/// The same where a service manager listens at this socket for whoever needs one.
///
/// # Errors
/// Nobody listens there, or it does not say that it is ready.
pub fn reach(socket: &Path) -> Result<(Privileged, Rights, Sources), PrivilegedError> {
    let reached = UnixStream::connect(socket).and_then(|lifeline| agree(None, lifeline));
    reached.map_err(|source| PrivilegedError::Reach { at: socket.to_owned(), source })
}

fn spawn(state: &Path, arguments: &[OsString]) -> io::Result<(Child, UnixStream)> {
    let (lifeline, theirs) = UnixStream::pair()?;
    let mut command = Command::new(THIS_PROGRAM);
    command.arg0("supervisor").args(arguments).arg("--state-dir").arg(state);
    command.env_clear().envs([PATH, JOURNAL].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // A terminal's interrupt is `run`'s to take: it is asked for until `run` ends.
    command.current_dir("/").process_group(0).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    Ok((command.spawn()?, lifeline))
}

/// Passes it the sockets on which it is asked, and hears that it is ready.
fn agree(child: Option<Child>, lifeline: UnixStream) -> io::Result<(Privileged, Rights, Sources)> {
    let mut process = Privileged { child, pid: 0, lifeline };
    let mut lanes = Vec::new();
    let mut far = Vec::new();
    for _ in 0..LANES {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(LONG_PATIENCE))?;
        ours.set_write_timeout(Some(LONG_PATIENCE))?;
        lanes.push(Mutex::new(ours));
        far.push(theirs);
    }
    pass(&process.lifeline, &far.iter().map(|end| end.as_fd()).collect::<Vec<_>>())?;
    process.lifeline.set_read_timeout(Some(PATIENCE))?;
    let ready: Option<(Ready, Vec<u8>)> = wire::receive(&process.lifeline)?;
    let (ready, _) = ready.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    process.pid = ready.pid;
    let denials = Sources::opened(&ready.denials, take(&process.lifeline)?);
    let lifeline = process.lifeline.try_clone()?;
    Ok((process, Rights::Beside(Arc::new(Lanes { lanes, lifeline })), denials))
}

impl Privileged {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end, which nobody wants.
    pub async fn ended(&mut self) -> PrivilegedError {
        let heard = async {
            let lifeline = self.lifeline.try_clone()?;
            lifeline.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(lifeline)?.read_u8().await
        };
        // It has nothing to say: whatever comes is its end.
        let heard = heard.await;
        // One that has only closed its socket does not go on either.
        PrivilegedError::Ended(match (heard, self.end()) {
            (Ok(_), _) => "it spoke".to_owned(),
            (Err(_), Some(Ok(status))) => status.to_string(),
            (Err(error), _) => error.to_string(),
        })
    }
}

impl Privileged {
    /// Ends it, and says how it ended where it is a child; another ends as its socket does.
    fn end(&mut self) -> Option<io::Result<ExitStatus>> {
        let child = self.child.as_mut()?;
        let _ = child.kill();
        Some(child.wait())
    }
}

impl Drop for Privileged {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Lanes {
    /// Asks on the first lane that is free.
    pub(super) fn ask(&self, request: &Request, body: &[u8]) -> io::Result<Done> {
        let lane = self.free()?;
        let answer = (|| {
            wire::send(&*lane, request, body)?;
            let heard = wire::receive(&*lane)?;
            let (answer, body) = heard.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let socket = match answer {
                Answer::Listening(Ok(())) => take(&lane)?.pop(),
                _ => None,
            };
            Ok(Done { answer, body, socket })
        })();
        if answer.is_err() {
            // Whatever comes on this lane from now on is the answer to nobody's question.
            let _ = self.lifeline.shutdown(std::net::Shutdown::Both);
        }
        answer
    }

    fn free(&self) -> io::Result<MutexGuard<'_, UnixStream>> {
        for lane in &self.lanes {
            match lane.try_lock() {
                Ok(lane) => return Ok(lane),
                Err(TryLockError::Poisoned(lane)) => return Ok(lane.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let first = self.lanes.first().ok_or_else(|| io::Error::other("there is no lane"))?;
        Ok(first.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
