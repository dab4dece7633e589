//! Bytes passed from one connection to another inside the kernel, both ways, with nothing held for one that is idle.
//!
//! Deliberately absent: looking at the bytes, and deciding who may talk to whom.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Bytes that a pipe holds, and so are moved at once: as many as an unprivileged user may ask for (`pipe-max-size` of pipe(7)).
/// Moving a gigabyte so takes a fifth less of a processor than with a quarter of it, and two fifths less than with the default.
const LARGE: usize = 1024 * 1024;
/// The same of those after the first: a user's pipes hold 64 MiB together (`pipe-user-pages-soft`), and whoever is past that gets
/// pipes of a page.
const SMALL: usize = 256 * 1024;
/// How many are large.
const LARGE_ONES: usize = 16;
/// Empty pipes that are kept for the next that needs one.
const SPARE: usize = 16;

/// Pipes that are empty and open. A connection takes one while bytes are on their way, and none while it is idle.
#[derive(Debug, Default)]
pub struct Pipes {
    spare: RefCell<Vec<Pipe>>,
    /// All that are open, spare or not.
    open: Rc<Cell<usize>>,
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    open: Rc<Cell<usize>>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.open.update(|open| open.saturating_sub(1));
    }
}

impl Pipes {
    fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.spare.borrow_mut().pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let size = if self.open.get() < LARGE_ONES { LARGE } else { SMALL };
        // A user who has many pipes gets small ones: slower, and no reason to fail.
        let _ = fcntl_setpipe_size(&write, size);
        self.open.update(|open| open + 1);
        Ok(Pipe { read, write, size, open: Rc::clone(&self.open) })
    }

    /// Takes back a pipe that is empty again.
    fn put(&self, pipe: Pipe) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE {
            spare.push(pipe);
        }
    }
}

/// How a pair of connections ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Both sides said that they are done, or one broke off.
    Closed,
    /// Nothing moved for too long.
    Idle,
}

/// Passes bytes both ways until both sides are done or one breaks off. A side that is done sending is told to the other,
/// and may still receive.
pub async fn join(a: &TcpStream, b: &TcpStream, pipes: &Pipes) {
    both_ways(a, b, pipes, &Cell::new(Instant::now())).await;
}

/// The same, given up once nothing has moved for `idle`.
pub async fn join_while_busy(a: &TcpStream, b: &TcpStream, pipes: &Pipes, idle: Duration) -> Ended {
    let moved = Cell::new(Instant::now());
    let silence = async {
        loop {
            let until = moved.get() + idle;
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    };
    tokio::select! {
        () = both_ways(a, b, pipes, &moved) => Ended::Closed,
        () = silence => Ended::Idle,
    }
}

async fn both_ways(a: &TcpStream, b: &TcpStream, pipes: &Pipes, moved: &Cell<Instant>) {
    // Whichever breaks off ends both; how does not matter to either.
    let _ = tokio::try_join!(one_way(a, b, pipes, moved), one_way(b, a, pipes, moved));
}

/// Passes everything that comes from one side to the other, then says that no more will come.
async fn one_way(from: &TcpStream, to: &TcpStream, pipes: &Pipes, moved: &Cell<Instant>) -> io::Result<()> {
    loop {
        from.readable().await?;
        let pipe = pipes.take()?;
        match from.try_io(Interest::READABLE, || transfer(from, &pipe.write, pipe.size)) {
            Ok(0) => {
                pipes.put(pipe);
                // Whoever is gone already need not be told.
                let _ = shutdown(to, Shutdown::Write);
                return Ok(());
            }
            Ok(count) => {
                moved.set(Instant::now());
                drain(&pipe, to, count).await?;
                moved.set(Instant::now());
                pipes.put(pipe);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pipes.put(pipe),
            Err(error) => return Err(error),
        }
    }
}

/// Empties a pipe that holds so many bytes.
async fn drain(pipe: &Pipe, to: &TcpStream, mut left: usize) -> io::Result<()> {
    while left > 0 {
        to.writable().await?;
        match to.try_io(Interest::WRITABLE, || transfer(&pipe.read, to, left)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => left = left.saturating_sub(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn transfer(from: &impl std::os::fd::AsFd, to: &impl std::os::fd::AsFd, most: usize) -> io::Result<usize> {
    match splice(from, None, to, None, most, SpliceFlags::MOVE | SpliceFlags::NONBLOCK) {
        Err(Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
        other => other.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (near.unwrap(), far.unwrap().0)
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_and_an_end_is_told() {
        let (mut client, near) = pair().await;
        let (far, mut server) = pair().await;
        let pipes = Pipes::default();
        let talk = async {
            let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
            let (mut reading, mut writing) = client.split();
            let write = async {
                writing.write_all(&sent).await.unwrap();
                writing.shutdown().await.unwrap();
            };
            let serve = async {
                let mut got = Vec::new();
                server.read_to_end(&mut got).await.unwrap();
                server.write_all(b"all of it").await.unwrap();
                server.shutdown().await.unwrap();
                got
            };
            let mut answer = String::new();
            let ((), got, _) = tokio::join!(write, serve, reading.read_to_string(&mut answer));
            assert!(got == sent, "{} bytes arrived of {}", got.len(), sent.len());
            assert_eq!(answer, "all of it");
        };
        let (ended, ()) = tokio::join!(join_while_busy(&near, &far, &pipes, Duration::from_mins(1)), talk);
        assert_eq!(ended, Ended::Closed);
        assert!(!pipes.spare.borrow().is_empty(), "its pipes are kept for the next");
    }

    #[tokio::test]
    async fn one_that_breaks_off_ends_both() {
        let (client, near) = pair().await;
        let (far, mut server) = pair().await;
        let pipes = Pipes::default();
        let abort = async {
            client.set_zero_linger().unwrap();
            drop(client);
            let mut got = Vec::new();
            let _ = server.read_to_end(&mut got).await;
        };
        let passing = async {
            let ended = join_while_busy(&near, &far, &pipes, Duration::from_mins(1)).await;
            drop((near, far));
            ended
        };
        let (ended, ()) = tokio::join!(passing, abort);
        assert_eq!(ended, Ended::Closed);
    }

    #[tokio::test]
    async fn silence_ends_it() {
        let (_client, near) = pair().await;
        let (far, _server) = pair().await;
        assert_eq!(
            join_while_busy(&near, &far, &Pipes::default(), Duration::from_millis(50)).await,
            Ended::Idle
        );
    }

    #[test]
    fn the_first_pipes_are_large_and_none_is_forgotten() {
        let pipes = Pipes::default();
        let mut taken: Vec<Pipe> = (0..=LARGE_ONES).map(|_| pipes.take().unwrap()).collect();
        let sizes: Vec<usize> = taken.iter().map(|pipe| pipe.size).collect();
        assert_eq!(sizes, [vec![LARGE; LARGE_ONES], vec![SMALL]].concat());
        // One is kept for the next, the rest are closed.
        pipes.put(taken.remove(0));
        drop(taken);
        assert_eq!(pipes.open.get(), 1);
        assert_eq!(pipes.take().unwrap().size, LARGE);
    }
}
