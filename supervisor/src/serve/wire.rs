//! Between the supervisor and its endpoint: one socket, on it first the sockets that listen, then frames.
//!
//! A frame is its length in four bytes, little-endian, and JSON. The endpoint says one byte, once it has given up what it
//! is to; whatever it says besides ends it. Deliberately absent: any request from the endpoint.

use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use jiff::Timestamp;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use super::access::Access;
use super::snapshot::Snapshot;

/// Sockets that one supervisor listens on, at most; the kernel passes 253 in one message (unix(7), `SCM_RIGHTS`).
pub const LISTENERS: usize = 16;
/// Nobody has a status so long.
const LONGEST: u32 = 16 * 1024 * 1024;
/// What the sockets that listen are passed with: a message has to have a byte.
const HERE: u8 = b'+';

/// What the supervisor says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// Of each socket that was passed, in their order. The first frame, and only that.
    Doors(Vec<Door>),
    /// A turn of the loop has ended, and this is how things are.
    Snapshot(Box<Snapshot>),
    /// A turn of the loop has ended, and nothing has changed.
    Turned {
        /// When.
        at: Timestamp,
        /// How long it took.
        seconds: f64,
    },
}

/// A socket that listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Door {
    /// A unix socket, and not TCP.
    pub(super) unix: bool,
    /// What is asked of those who come.
    pub(super) access: Access,
}

/// A frame as bytes.
pub(super) fn encode(frame: &Frame) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("a status that is too long to pass on"))?;
    if let Some(head) = bytes.first_chunk_mut() {
        *head = length.to_le_bytes();
    }
    Ok(bytes)
}

/// The next frame; an error at the end, too.
pub(super) async fn next(stream: &mut tokio::net::UnixStream) -> io::Result<Frame> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut body = vec![0; length(head)?];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// The first frame, before there is a runtime.
pub(super) fn first(mut stream: &UnixStream) -> io::Result<Frame> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut body = vec![0; length(head)?];
    stream.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head);
    if length > LONGEST {
        return Err(io::Error::other("a frame that is too long"));
    }
    usize::try_from(length).map_err(io::Error::other)
}

/// Passes open sockets on.
pub(crate) fn pass(stream: &UnixStream, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::other("more sockets than can be passed on"));
    }
    sendmsg(stream.as_fd(), &[IoSlice::new(&[HERE])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes them.
pub(crate) fn take(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let passed = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    Ok(passed.flatten().collect())
}
