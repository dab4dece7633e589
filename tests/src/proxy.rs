//! A recording proxy before the engine's socket: what a program asked, request by request.
//!
//! Connections are passed on byte for byte, kept-alive and upgraded ones too, until they are all cut at once. One that
//! lies replaces a text in what is asked, as an engine that does not do what it is told. Deliberately absent: answers of
//! its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// One request, as it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path with query, as sent.
    pub path: String,
}

impl Recorded {
    /// Whether it may change something: anything but `GET` and `HEAD`.
    pub fn mutates(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// A listening proxy; it ends with the test's process.
#[derive(Debug)]
pub struct Proxy {
    socket: PathBuf,
    seen: Arc<Mutex<Vec<Recorded>>>,
    /// The clients that are being served; `None` while nobody is.
    clients: Arc<Mutex<Option<Vec<UnixStream>>>>,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Listens in a folder of its own and passes on to `engine`.
    #[track_caller]
    pub fn before(engine: &Path) -> Self {
        Self::lying(engine, "", "")
    }

    /// The same, but that in every body `asked` becomes `done`, which has the same length.
    #[track_caller]
    pub fn lying(engine: &Path, asked: &str, done: &str) -> Self {
        assert_eq!(asked.len(), done.len(), "a body must keep its length");
        let lie = Lie { asked: asked.to_owned(), done: done.to_owned() };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("proxy.sock");
        let listener = UnixListener::bind(&socket).expect("a socket to listen on");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let clients = Arc::new(Mutex::new(Some(Vec::new())));
        let (upstream, log, open) = (engine.to_path_buf(), Arc::clone(&seen), Arc::clone(&clients));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match &mut *open.lock().expect("no thread panicked") {
                    Some(clients) => clients.push(client.try_clone().expect("a file descriptor")),
                    None => continue,
                }
                let (upstream, log, lie) = (upstream.clone(), Arc::clone(&log), lie.clone());
                std::thread::spawn(move || carry(&client, &upstream, &log, &lie));
            }
        });
        Self { socket, seen, clients, _folder: folder }
    }

    /// As an engine that goes away: every connection ends, and new ones are hung up on.
    #[track_caller]
    pub fn cut(&self) {
        for client in self.clients.lock().expect("no thread panicked").take().into_iter().flatten() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// As an engine that is back.
    #[track_caller]
    pub fn mend(&self) {
        *self.clients.lock().expect("no thread panicked") = Some(Vec::new());
    }

    /// Where to connect instead of the engine, as `DOCKER_HOST` wants it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Everything since the last call.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.seen.lock().expect("no thread panicked"))
    }
}

/// A text that is replaced on its way; an empty one is in no body.
#[derive(Clone, Debug)]
struct Lie {
    asked: String,
    done: String,
}

impl Lie {
    fn tell(&self, body: Vec<u8>) -> Vec<u8> {
        match String::from_utf8(body) {
            Ok(text) if !self.asked.is_empty() => text.replace(&self.asked, &self.done).into_bytes(),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        }
    }
}

fn carry(client: &UnixStream, upstream: &Path, log: &Mutex<Vec<Recorded>>, lie: &Lie) {
    let Ok(engine) = UnixStream::connect(upstream) else { return };
    let (Ok(mut from), Ok(mut to)) = (engine.try_clone(), client.try_clone()) else { return };
    let answers = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = pass_requests(&mut BufReader::new(client), &engine, log, lie);
    let _ = engine.shutdown(Shutdown::Write);
    let _ = answers.join();
}

fn pass_requests(
    client: &mut impl BufRead,
    mut engine: &UnixStream,
    log: &Mutex<Vec<Recorded>>,
    lie: &Lie,
) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if client.read_until(b'\n', &mut head)? == 0 {
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut words = text.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if let Ok(mut log) = log.lock() {
            log.push(Recorded { method: method.to_owned(), path: path.to_owned() });
        }
        engine.write_all(&head)?;
        let header = |name: &str| {
            text.lines()
                .find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)))
                .map(|(_, v)| v.trim())
        };
        if header("upgrade").is_some() {
            std::io::copy(client, &mut engine)?;
            return Ok(());
        }
        if header("transfer-encoding").is_some() {
            pass_chunks(client, engine)?;
        } else if let Some(length) = header("content-length").and_then(|v| v.parse().ok()) {
            let mut body = Vec::new();
            client.take(length).read_to_end(&mut body)?;
            engine.write_all(&lie.tell(body))?;
        }
    }
}

fn pass_chunks(client: &mut impl BufRead, mut engine: &UnixStream) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        client.read_line(&mut line)?;
        engine.write_all(line.as_bytes())?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        std::io::copy(&mut client.take(size + 2), &mut engine)?;
        if size == 0 {
            return Ok(());
        }
    }
}
