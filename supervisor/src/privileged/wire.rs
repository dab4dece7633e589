//! Between `run` and the process that has the machine's rights: one message at a time, each followed by its answer.
//!
//! A message is two lengths in four bytes each, little-endian, then JSON, then bytes of files. Deliberately absent: what
//! is said.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::observe::denials::Way;

/// Nothing that is said is longer: a kernel's word on a container is a tenth of it.
const LONGEST: u32 = 4 * 1024 * 1024;
/// Nor is a file that is passed on.
pub(super) const LONGEST_BODY: u32 = 4 * 1024 * 1024;

/// What the process with the machine's rights says once it has given up what it does not need. Descriptors follow, those
/// of the ways on which denials are heard: to open them takes a right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    /// Its number.
    pub(super) pid: u32,
    /// In the descriptors' order.
    pub(super) denials: Vec<Way>,
}

/// Says it.
pub(super) fn send<T: Serialize>(mut stream: impl Write, head: &T, body: &[u8]) -> io::Result<()> {
    let too_long = || io::Error::other("a message that is too long to pass on");
    let mut bytes = vec![0; 8];
    serde_json::to_writer(&mut bytes, head)?;
    let length = |length: usize, most: u32| u32::try_from(length).ok().filter(|length| *length <= most);
    let head = length(bytes.len() - 8, LONGEST).ok_or_else(too_long)?.to_le_bytes();
    let tail = length(body.len(), LONGEST_BODY).ok_or_else(too_long)?.to_le_bytes();
    for (to, from) in bytes.iter_mut().zip(head.into_iter().chain(tail)) {
        *to = from;
    }
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}

/// Hears the next; `None` at the end.
pub(super) fn receive<T: DeserializeOwned>(mut stream: impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut first = [0];
    loop {
        match stream.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            // A signal that `run` hears may come to whoever waits here: signal(7) on sockets with a time limit.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut rest = [0; 7];
    stream.read_exact(&mut rest)?;
    let [h0] = first;
    let [h1, h2, h3, b0, b1, b2, b3] = rest;
    let (head, body) = (u32::from_le_bytes([h0, h1, h2, h3]), u32::from_le_bytes([b0, b1, b2, b3]));
    if head > LONGEST || body > LONGEST_BODY {
        return Err(io::Error::other("a message that is too long"));
    }
    let mut take = |length: u32| {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        stream.read_exact(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let (head, body) = (take(head)?, take(body)?);
    Ok(Some((serde_json::from_slice(&head)?, body)))
}
