//! Bytes between the engine's stream and a thread that reads or writes an archive, a few pieces at a time.
//!
//! Deliberately absent: what the bytes mean.

use std::io::{self, Read, Write};

use futures_util::Stream;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many pieces may wait.
const WAITING: usize = 8;
/// How large the pieces are that go to the engine, in bytes.
const PIECE: usize = 64 * 1024;

/// How many pieces of a stream are read ahead of the engine: 64 MiB.
const AHEAD: usize = 1024;

/// With a mark at the end of the way: without it a stream that was cut would look like one that has ended.
type Piece = io::Result<Option<Vec<u8>>>;

/// For a thread to read what is sent.
pub(super) fn reader() -> (Feed, Incoming) {
    holding(WAITING)
}

/// The same, with so many pieces that may wait.
fn holding(pieces: usize) -> (Feed, Incoming) {
    let (send, receive) = channel(pieces);
    (Feed(send), Incoming { receive, piece: io::Cursor::default(), ended: false })
}

/// The sending end of [`reader`].
pub(super) struct Feed(Sender<Piece>);

impl Feed {
    /// Whether the reader still wants more.
    pub(super) async fn send(&self, piece: Vec<u8>) -> bool {
        self.0.send(Ok(Some(piece))).await.is_ok()
    }

    /// Ends it; the reader gets an error where it was not whole.
    pub(super) async fn end(self, whole: bool) {
        if whole {
            let _ = self.0.send(Ok(None)).await;
        }
    }
}

/// The reading end of [`reader`].
pub(super) struct Incoming {
    receive: Receiver<Piece>,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Incoming {
    /// Waits for the next piece, or the end.
    fn next(&mut self) -> io::Result<()> {
        match self.receive.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)?? {
            Some(piece) => self.piece = io::Cursor::new(piece),
            None => self.ended = true,
        }
        Ok(())
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || self.ended || buffer.is_empty() {
                return Ok(count);
            }
            self.next()?;
        }
    }
}

/// Standard input, read by a thread of its own for as far as there is room, whether anybody takes it or not; it is here once
/// the first bytes are, or the end.
///
/// The engine does one copy of a container at a time. Where two are joined by a pipe, the one that reads has to be first and has
/// to come to its end, whatever the one that writes is waiting for.
///
/// # Errors
/// There is nothing to be read.
pub(super) fn ahead(mut input: impl Read + Send + 'static) -> io::Result<Incoming> {
    let (Feed(send), mut incoming) = holding(AHEAD);
    std::thread::spawn(move || {
        loop {
            let mut bytes = vec![0; PIECE];
            let piece = input.read(&mut bytes).map(|count| {
                bytes.truncate(count);
                (count > 0).then_some(bytes)
            });
            let is_last = !matches!(piece, Ok(Some(_)));
            if send.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    incoming.next()?;
    Ok(incoming)
}

/// For a thread to write what is streamed.
pub(super) fn writer() -> (impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static, Outgoing) {
    let (send, mut receive) = channel(WAITING);
    (poll_fn(move |context| receive.poll_recv(context)), Outgoing { send, piece: Vec::with_capacity(PIECE) })
}

/// The writing end of [`writer`].
pub(super) struct Outgoing {
    send: Sender<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
}

impl Outgoing {
    /// Lets `fill` write to it; where that fails, the stream breaks and does not seem to end.
    pub(super) fn fill<T>(mut self, fill: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let outcome = fill(&mut self).and_then(|value| self.flush().map(|()| value));
        if let Err(error) = &outcome {
            let _ = self.send.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
        }
        outcome
    }
}

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.send.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
