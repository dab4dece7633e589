//! What the kernel denies, heard as it happens, each with the container whose process it was.
//!
//! Two ways, since either may be closed: the audit system's own listeners (`AUDIT_NLGRP_READLOG` of netlink(7), for
//! `CAP_AUDIT_READ` in the machine's own network namespace), which lose nothing; and the kernel's log, where ten records at
//! once are written if no audit daemon takes them. Deliberately absent: what was denied before, which container has which
//! name, and what matters.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use profiles::Arch;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::kernel::inside::Root;
use super::kernel::records::{Record, record};
use super::kernel::status;
use crate::privileged::Rights;

/// The multicast group of everything that the audit system writes (`linux/audit.h`, since Linux 3.16).
const READLOG: u32 = 1;
/// Before the text of a message: `struct nlmsghdr`, whose type is its fifth and sixth byte.
const HEADER: usize = 16;
/// The longest message or record (`MAX_AUDIT_MESSAGE_LENGTH`, `CONSOLE_EXT_LOG_MAX`).
const LONGEST: usize = 8970;
/// Records that are remembered, so that one that comes both ways counts once.
const REMEMBERED: usize = 256;
/// Records that are read before they are told.
const AT_ONCE: usize = 512;
/// Denials that wait to be taken.
const WAITING: usize = 1024;

/// A way on which denials are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The audit system tells: all of it.
    Audit,
    /// The kernel's log: ten records at once, the rest are lost.
    Log,
}

/// Whose process it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whose {
    /// A container's, by its engine id.
    Container(String),
    /// It had ended before it could be asked.
    Gone,
}

/// A container that runs, as far as it takes to know its processes by what is left of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Its process 1, as the host numbers it.
    pub pid: u32,
}

/// Who hears: a thread, since a process that was denied something may end at once, and is asked for before that.
#[derive(Debug)]
pub struct Ear {
    ways: Vec<Way>,
    heard: mpsc::Receiver<(Record, Whose)>,
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// The ways that are open, and what comes on them from now on. Opening one takes a right; hearing does not.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Opens them.
    pub fn open() -> Self {
        Self(audit().into_iter().map(Source::Audit).chain(log().map(Source::Log)).collect())
    }

    /// Which, in their order.
    pub(crate) fn ways(&self) -> Vec<Way> {
        self.0.iter().map(Source::way).collect()
    }

    /// Their descriptors, in the same.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd).collect()
    }

    /// From descriptors that somebody else has opened.
    pub(crate) fn opened(ways: &[Way], descriptors: Vec<OwnedFd>) -> Self {
        let opened = ways.iter().zip(descriptors).map(|(way, descriptor)| match way {
            Way::Audit => Source::Audit(descriptor),
            Way::Log => Source::Log(File::from(descriptor)),
        });
        Self(opened.collect())
    }
}

impl Ear {
    /// Listens from now on. Whose a process is, is asked of whoever has the rights to look.
    pub fn listen(Sources(sources): Sources, arch: Arch, rights: Rights) -> Self {
        let (told, heard) = mpsc::channel(WAITING);
        let ways = sources.iter().map(Source::way).collect();
        let deaf = |heard| Self { ways: Vec::new(), heard, wake: None, thread: None };
        let Ok((wake, woken)) = UnixStream::pair() else { return deaf(heard) };
        let listener = Listener { sources, woken, arch, rights, known: VecDeque::new(), told };
        match std::thread::Builder::new().name("denials".to_owned()).spawn(move || listener.listen()) {
            Ok(thread) => Self { ways, heard, wake: Some(wake), thread: Some(thread) },
            Err(_) => deaf(heard),
        }
    }

    /// The ways on which it hears.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// The next denial of a container, or of what has ended already; never, where nothing is heard any more. May be
    /// dropped at any time.
    pub async fn next(&mut self) -> (Record, Whose) {
        match self.heard.recv().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// Where records come from.
#[derive(Debug)]
enum Source {
    Audit(OwnedFd),
    Log(File),
}

impl Source {
    const fn way(&self) -> Way {
        match self {
            Self::Audit(_) => Way::Audit,
            Self::Log(_) => Way::Log,
        }
    }

    /// The next record as a line of the kernel's log; `None` while there is none.
    fn line(&self) -> io::Result<Option<String>> {
        let mut bytes = [0_u8; LONGEST];
        let read = match self {
            Self::Audit(socket) => recv(socket, bytes.as_mut_slice(), RecvFlags::empty())
                .map(|(length, _)| length)
                .map_err(io::Error::from),
            Self::Log(log) => (&mut &*log).read(&mut bytes),
        };
        let bytes = match read {
            Ok(length) => bytes.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            // Records that were overwritten or dropped before they were read: what comes next is there again.
            Err(error) if is_loss(&error) => return Ok(Some(String::new())),
            Err(error) => return Err(error),
        };
        Ok(Some(match self {
            Self::Audit(_) => text_of(bytes).unwrap_or_default(),
            Self::Log(_) => String::from_utf8_lossy(bytes).into_owned(),
        }))
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Audit(socket) => socket.as_fd(),
            Self::Log(log) => log.as_fd(),
        }
    }
}

/// The thread's own.
#[derive(Debug)]
struct Listener {
    sources: Vec<Source>,
    woken: UnixStream,
    arch: Arch,
    rights: Rights,
    known: VecDeque<(u64, u64)>,
    told: mpsc::Sender<(Record, Whose)>,
}

impl Listener {
    /// Until the other end of `woken` is closed, or nothing is left to listen to.
    fn listen(mut self) {
        while !self.sources.is_empty() {
            let mut ready = vec![PollFd::new(&self.woken, PollFlags::IN)];
            ready.extend(self.sources.iter().map(|source| PollFd::new(source, PollFlags::IN)));
            if !matches!(poll(&mut ready, None), Ok(_) | Err(rustix::io::Errno::INTR)) {
                return;
            }
            let woken = ready.first().is_some_and(|woken| !woken.revents().is_empty());
            drop(ready);
            if woken {
                return;
            }
            let mut lines = Vec::new();
            self.sources.retain(|source| {
                loop {
                    match source.line() {
                        Ok(Some(line)) => lines.push(line),
                        Ok(None) => return true,
                        Err(_) => return false,
                    }
                    if lines.len() >= AT_ONCE {
                        return true;
                    }
                }
            });
            for heard in self.sort(&lines) {
                // One that nobody takes in time is lost, and not waited for.
                let _ = self.told.try_send(heard);
            }
        }
    }

    fn sort(&mut self, lines: &[String]) -> Vec<(Record, Whose)> {
        let mut new = Vec::new();
        for record in lines.iter().filter_map(|line| record(line, self.arch)) {
            if self.known.contains(&record.id) {
                continue;
            }
            self.known.truncate(REMEMBERED);
            self.known.push_front(record.id);
            new.extend(self.rights.whose(record.pid).map(|whose| (record, whose)));
        }
        new
    }
}

fn audit() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(AUDIT))?;
    bind(&socket, &SocketAddrNetlink::new(0, READLOG))?;
    Ok(socket)
}

fn log() -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut log = File::from(rustix::fs::open("/dev/kmsg", flags, Mode::empty())?);
    log.seek(SeekFrom::End(0))?;
    Ok(log)
}

/// A message of the audit system as a line of the kernel's log.
fn text_of(message: &[u8]) -> Option<String> {
    let (header, text) = message.split_at_checked(HEADER)?;
    let kind = u16::from_ne_bytes(header.get(4..6)?.try_into().ok()?);
    Some(format!("type={kind} {}", String::from_utf8_lossy(text).trim_end_matches(['\0', '\n'])))
}

fn is_loss(error: &io::Error) -> bool {
    let losses = [rustix::io::Errno::PIPE, rustix::io::Errno::NOBUFS, rustix::io::Errno::INTR];
    losses.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whose process it is; `None` where it is no container's.
pub(crate) fn whose(pid: u32) -> Option<Whose> {
    let Ok(cgroup) = std::fs::read_to_string(format!("/proc/{pid}/cgroup")) else { return Some(Whose::Gone) };
    if let Some(id) = container_in(&cgroup) {
        return Some(Whose::Container(id.to_owned()));
    }
    // One that is dead and not reaped yet is in no cgroup of version 1, and has no program any more.
    std::fs::read_link(format!("/proc/{pid}/exe")).is_err().then_some(Whose::Gone)
}

/// Whether a process is in a container, and in that of this id if one is given; one that has ended is in any.
pub(crate) fn is_in_container(pid: u32, id: Option<&str>) -> bool {
    let Ok(cgroup) = std::fs::read_to_string(format!("/proc/{pid}/cgroup")) else { return true };
    container_in(&cgroup).is_some_and(|found| id.is_none_or(|id| id == found))
}

/// An engine's id of a container is 64 hexadecimal digits.
fn container_in(cgroup: &str) -> Option<&str> {
    cgroup.split(|c: char| !c.is_ascii_hexdigit()).find(|word| word.len() == 64)
}

/// Whose process it was that has ended: of the containers of its user, the only one, or the only one that has its program.
pub(crate) fn by_what_is_left(uid: u32, program: &str, running: &[Running]) -> Option<String> {
    let of_user = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(status::parse(&text).ok()?.uids.contains(&uid))
    };
    let of_user: Vec<&Running> =
        running.iter().filter(|container| of_user(container.pid) == Some(true)).collect();
    let has = |container: &&&Running| Root::of(container.pid).is_ok_and(|root| root.look(program).is_ok());
    match of_user.as_slice() {
        [one] => Some(one.name.clone()),
        several => {
            let mut with_it = several.iter().filter(has);
            with_it.next().filter(|_| with_it.next().is_none()).map(|container| container.name.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_audit_system_reads_as_a_line_of_the_log() {
        let text = "audit(1795675740.230:2): auid=1 uid=0 pid=7 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83 code=0x50000";
        let mut message = vec![0_u8; 4];
        message.extend(1326_u16.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(text.as_bytes());
        assert_eq!(text_of(&message), Some(format!("type=1326 {text}")));
        assert!(record(&text_of(&message).unwrap(), Arch::X86_64).is_some());
        assert_eq!(text_of(&message[..9]), None);
    }

    #[test]
    fn a_container_is_known_by_its_cgroup_however_the_engine_names_that() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(container_in(&format!("4:pids:/docker/{id}\n")), Some(id.as_str()));
        assert_eq!(container_in(&format!("0::/system.slice/docker-{id}.scope")), Some(id.as_str()));
        assert_eq!(container_in("0::/system.slice/ssh.service"), None);
    }

    #[test]
    fn who_runs_and_is_no_containers_is_left_out_and_who_is_gone_is_not() {
        assert_eq!(whose(std::process::id()), None);
        // The largest number that Linux gives is below this one.
        assert_eq!(whose(1 << 23), Some(Whose::Gone));
    }

    #[test]
    fn a_record_that_comes_twice_counts_once() {
        let (_, woken) = UnixStream::pair().unwrap();
        let (told, _) = mpsc::channel(1);
        let mut listener = Listener {
            sources: Vec::new(),
            woken,
            arch: Arch::X86_64,
            rights: Rights::Own,
            known: VecDeque::new(),
            told,
        };
        let line = |number: u32| {
            format!(
                "type=1326 audit(1.0:{number}): uid=0 pid=8388608 exe=\"/x\" arch=c000003e syscall=83 code=0x50000"
            )
        };
        assert_eq!(listener.sort(&[line(1), line(1), line(2)]).len(), 2);
        assert_eq!(listener.sort(&[line(2), line(3)]).len(), 1);
    }
}
