//! A proxy before the engine's socket that counts requests and bytes.
//!
//! Deliberately absent: understanding requests; a line that begins with a method and ends with the protocol is one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Result;

/// A listening proxy; it ends with this process.
pub(crate) struct Proxy {
    socket: PathBuf,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Proxy {
    /// Listens at `socket` and passes on to `engine`.
    pub(crate) fn listen(socket: &Path, engine: &Path) -> Result<Self> {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)?;
        let counts = Arc::new(Counts::default());
        let (shared, engine) = (Arc::clone(&counts), engine.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (counts, Ok(server)) = (Arc::clone(&shared), UnixStream::connect(&engine)) else {
                    continue;
                };
                thread::spawn(move || pass(&client, &server, &counts));
            }
        });
        Ok(Self { socket: socket.to_owned(), counts })
    }

    /// Its address as `DOCKER_HOST` holds it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Requests and bytes in both directions since the last call.
    pub(crate) fn take(&self) -> (u64, u64) {
        (self.counts.requests.swap(0, Ordering::Relaxed), self.counts.bytes.swap(0, Ordering::Relaxed))
    }
}

fn pass(client: &UnixStream, server: &UnixStream, counts: &Arc<Counts>) {
    let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else { return };
    let answers = Arc::clone(counts);
    let back = thread::spawn(move || copy(from, to, &answers, |_| false));
    let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
    copy(from, to, counts, |line| line.ends_with(b" HTTP/1.1\r\n"));
    let _ = back.join();
}

fn copy(from: UnixStream, mut to: UnixStream, counts: &Counts, is_request: fn(&[u8]) -> bool) {
    let mut reader = BufReader::new(from);
    while let Ok(available) = reader.fill_buf() {
        if available.is_empty() {
            break;
        }
        let requests =
            available.split_inclusive(|byte| *byte == b'\n').filter(|line| is_request(line)).count();
        counts.requests.fetch_add(requests as u64, Ordering::Relaxed);
        counts.bytes.fetch_add(available.len() as u64, Ordering::Relaxed);
        let length = available.len();
        if to.write_all(available).is_err() {
            break;
        }
        reader.consume(length);
    }
    let _ = to.shutdown(Shutdown::Write);
}
