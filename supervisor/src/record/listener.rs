//! The host's end of a recording: a socket that runc hands each filter of a container to, and a thread that lets every
//! call go on, but for those that are to be left out, and remembers which there were.
//!
//! Deliberately absent: deciding on a call. The filter has decided already; what it holds is within the base.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use profiles::{Arch, numbers};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

/// The longest state that is read: the OCI state with the container's annotations and our metadata.
const MOST_STATE: usize = 64 * 1024;
/// The longest path of a unix socket (unix(7)).
pub const LONGEST_PATH: usize = 107;

/// A recording under way. Dropping it ends the thread; whoever was held then gets ENOSYS.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    heard: Arc<Mutex<Heard>>,
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// What was heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Names of the calls that the service itself made.
    pub calls: BTreeSet<&'static str>,
    /// Names of those that it made and that were answered instead.
    pub left_out: BTreeSet<&'static str>,
    /// How many filters were handed over: one a start, one an `exec`.
    pub filters: u32,
    /// Calls that were told, each time it was made.
    pub held: u64,
    /// Why the recording is not whole, if it is not.
    pub failure: Option<String>,
}

impl Recorder {
    /// Makes the socket, for root alone, and listens. Calls that have an error number in `answers` do not go on.
    ///
    /// # Errors
    /// The socket or the thread cannot be made.
    pub fn listen(path: &Path, arch: Arch, answers: BTreeMap<&'static str, u16>) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let (wake, woken) = UnixStream::pair()?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ear = Ear { listener, woken, heard: Arc::clone(&heard), arch, answers, filters: Vec::new() };
        let thread = std::thread::Builder::new().name("recorder".to_owned()).spawn(move || ear.hear())?;
        Ok(Self { path: path.to_path_buf(), heard, wake: Some(wake), thread: Some(thread) })
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on standard error.
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The thread's own.
struct Ear {
    listener: UnixListener,
    woken: UnixStream,
    heard: Arc<Mutex<Heard>>,
    arch: Arch,
    answers: BTreeMap<&'static str, u16>,
    filters: Vec<OwnedFd>,
}

impl Ear {
    /// Until the other end of `woken` is closed.
    fn hear(mut self) {
        loop {
            let mut ready =
                vec![PollFd::new(&self.woken, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
            ready.extend(self.filters.iter().map(|filter| PollFd::new(filter, PollFlags::IN)));
            match poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return self.fail(&format!("waiting for calls failed: {errno}")),
            }
            let events: Vec<PollFlags> = ready.iter().map(PollFd::revents).collect();
            let [woken, listener, filters @ ..] = events.as_slice() else { return };
            if !woken.is_empty() {
                return;
            }
            let gone = self.serve(filters);
            let mut index = 0;
            self.filters.retain(|_| {
                index += 1;
                !gone.contains(&(index - 1))
            });
            if !listener.is_empty() {
                self.accept();
            }
        }
    }

    /// Lets what waits go on, one call a filter; which filters nobody is under any more.
    fn serve(&self, events: &[PollFlags]) -> BTreeSet<usize> {
        let mut gone = BTreeSet::new();
        for (index, (filter, event)) in self.filters.iter().zip(events).enumerate() {
            if event.contains(PollFlags::IN) {
                if let Err(error) = self.one(filter) {
                    self.fail(&format!("a filter cannot be answered: {error}"));
                    gone.insert(index);
                }
            } else if !event.is_empty() {
                gone.insert(index);
            }
        }
        gone
    }

    fn one(&self, filter: &OwnedFd) -> io::Result<()> {
        let Some(held) = unotify::receive(filter.as_fd())? else { return Ok(()) };
        let number = u32::try_from(held.number).ok().filter(|_| held.arch == numbers::audit_arch(self.arch));
        let name = number.and_then(|number| numbers::name(self.arch, number));
        if let Some((name, &errno)) = name.and_then(|name| self.answers.get_key_value(name)) {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.held += 1;
            heard.left_out.insert(name);
            drop(heard);
            unotify::fail(filter.as_fd(), &held, errno)?;
            return Ok(());
        }
        let known = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.held += 1;
            name.is_none_or(|name| heard.calls.contains(name))
        };
        if let Some(name) = name.filter(|_| !known && !is_runtimes(held.pid)) {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).calls.insert(name);
        }
        unotify::let_go_on(filter.as_fd(), &held)?;
        Ok(())
    }

    /// One filter, as runc hands it over: the OCI container process state, and the descriptor beside it.
    fn accept(&mut self) {
        match self.listener.accept().and_then(|(stream, _)| filter_of(&stream)) {
            Ok(filter) => {
                self.filters.push(filter);
                self.heard.lock().unwrap_or_else(PoisonError::into_inner).filters += 1;
            }
            Err(error) => self.fail(&format!("a filter was not handed over: {error}")),
        }
    }

    fn fail(&self, reason: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.failure.get_or_insert_with(|| reason.to_owned());
    }
}

/// The descriptor in one message.
fn filter_of(stream: &UnixStream) -> io::Result<OwnedFd> {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    let mut state = vec![0_u8; MOST_STATE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(stream, &mut [IoSliceMut::new(&mut state)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other("too many descriptors"));
    }
    let mut filters = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    filters
        .next()
        .and_then(|mut descriptors| descriptors.next())
        .ok_or_else(|| io::Error::other("no descriptor came"))
}

/// Whether a thread is still runc's own, before it executes the service's program: what it needs is kept anyway.
fn is_runtimes(pid: u32) -> bool {
    let mut name = String::new();
    let read =
        File::open(format!("/proc/{pid}/comm")).and_then(|file| file.take(64).read_to_string(&mut name));
    read.is_ok() && (name.starts_with("runc:[") || name.starts_with("crun"))
}
