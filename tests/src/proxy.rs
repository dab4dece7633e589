//! A recording proxy before the engine's socket: what a program asked, request by request.
//!
//! Connections are passed on byte for byte, kept-alive and upgraded ones too, until they are all cut at once. One that
//! lies replaces a text in what is asked, as an engine that does not do what it is told. One that is armed lets one
//! request go wrong, in one of the ways of [`Fault`]. Deliberately absent: any other answer of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// How one request goes wrong.
pub enum Fault {
    /// This is done, and the request goes nowhere.
    Before(Box<dyn FnOnce() + Send>),
    /// The request is carried out, this is done, and the answer goes nowhere.
    After(Box<dyn FnOnce() + Send>),
    /// It is answered with this status, and goes nowhere.
    Answer(u16),
    /// The connection ends, and it goes nowhere.
    Cut,
    /// It is late by so much.
    Late(Duration),
}

/// The fault of a request to come.
#[derive(Default)]
struct Armed {
    /// So many requests that may change something pass before.
    left: usize,
    fault: Option<Fault>,
}

impl std::fmt::Debug for Armed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Armed").field("left", &self.left).finish_non_exhaustive()
    }
}

/// A listening proxy; it ends with the test's process.
#[derive(Debug)]
pub struct Proxy {
    socket: PathBuf,
    seen: Arc<Mutex<Vec<Recorded>>>,
    /// The clients that are being served; `None` while nobody is.
    clients: Arc<Mutex<Option<Vec<UnixStream>>>>,
    armed: Arc<Mutex<Armed>>,
    open: Arc<AtomicUsize>,
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
        let armed = Arc::new(Mutex::new(Armed::default()));
        let (upstream, log, open) = (engine.to_path_buf(), Arc::clone(&seen), Arc::clone(&clients));
        let faults = Arc::clone(&armed);
        let count = Arc::new(AtomicUsize::new(0));
        let open_now = Arc::clone(&count);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match &mut *open.lock().expect("no thread panicked") {
                    Some(clients) => clients.push(client.try_clone().expect("a file descriptor")),
                    None => continue,
                }
                let (upstream, lie) = (upstream.clone(), lie.clone());
                let (log, faults) = (Arc::clone(&log), Arc::clone(&faults));
                let open = Arc::clone(&open_now);
                open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    carry(&client, &upstream, &log, &lie, &faults);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { socket, seen, clients, armed, open: count, _folder: folder }
    }

    /// Lets a request go wrong: the one after `left` others that may change something.
    #[track_caller]
    pub fn arm(&self, left: usize, fault: Fault) {
        *self.armed.lock().expect("no thread panicked") = Armed { left, fault: Some(fault) };
    }

    /// Waits until every connection is closed, on the engine's side too: nothing is under way any more.
    #[track_caller]
    pub fn settle(&self) {
        crate::wait::until("the engine to come to an end", || {
            (self.open.load(Ordering::SeqCst) == 0).then_some(())
        });
    }

    /// Whether the request that it was armed for has come so far.
    #[track_caller]
    pub fn has_fired(&self) -> bool {
        self.armed.lock().expect("no thread panicked").fault.is_none()
    }

    /// Whether the request that it was armed for came. It is not armed any more.
    #[track_caller]
    pub fn fired(&self) -> bool {
        self.armed.lock().expect("no thread panicked").fault.take().is_none()
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

/// What is done instead of passing on the next answer.
type Instead = Mutex<Option<Box<dyn FnOnce() + Send>>>;

fn carry(client: &UnixStream, upstream: &Path, log: &Mutex<Vec<Recorded>>, lie: &Lie, armed: &Mutex<Armed>) {
    let Ok(engine) = UnixStream::connect(upstream) else {
        // Whoever waits is told: others have this connection, too.
        let _ = client.shutdown(Shutdown::Both);
        return;
    };
    let (Ok(mut from), Ok(mut to)) = (engine.try_clone(), client.try_clone()) else { return };
    let instead = Arc::new(Instead::default());
    let swallow = Arc::clone(&instead);
    let answers = std::thread::spawn(move || {
        let _ = pass_answers(&mut from, &mut to, &swallow);
        let _ = to.shutdown(Shutdown::Both);
    });
    let wires = Wires { client, engine: &engine, instead: &instead };
    let _ = pass_requests(&mut BufReader::new(client), &wires, log, lie, armed);
    let _ = client.shutdown(Shutdown::Read);
    let _ = engine.shutdown(Shutdown::Write);
    let _ = answers.join();
}

/// The two ends of a connection, and what is done with the next answer.
struct Wires<'a> {
    client: &'a UnixStream,
    engine: &'a UnixStream,
    instead: &'a Instead,
}

fn pass_answers(from: &mut UnixStream, to: &mut UnixStream, instead: &Instead) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer)?;
        let other = instead.lock().ok().and_then(|mut instead| instead.take());
        match other {
            Some(other) => {
                other();
                return Ok(());
            }
            None if length == 0 => return Ok(()),
            None => to.write_all(&buffer[..length])?,
        }
    }
}

/// The fault of this request, if it has one.
fn fault_of(request: &Recorded, armed: &Mutex<Armed>) -> Option<Fault> {
    let mut armed = armed.lock().ok()?;
    if !request.mutates() || armed.fault.is_none() {
        return None;
    }
    let Some(left) = armed.left.checked_sub(1) else { return armed.fault.take() };
    armed.left = left;
    None
}

fn pass_requests(
    client: &mut impl BufRead,
    wires: &Wires<'_>,
    log: &Mutex<Vec<Recorded>>,
    lie: &Lie,
    armed: &Mutex<Armed>,
) -> std::io::Result<()> {
    let mut engine = wires.engine;
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
        let request = Recorded { method: method.to_owned(), path: path.to_owned() };
        let fault = fault_of(&request, armed);
        if let Ok(mut log) = log.lock() {
            log.push(request);
        }
        let header = |name: &str| {
            text.lines()
                .find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)))
                .map(|(_, v)| v.trim())
        };
        match fault {
            None => {}
            Some(Fault::Before(action)) => {
                action();
                return Ok(());
            }
            Some(Fault::After(action)) => {
                if let Ok(mut instead) = wires.instead.lock() {
                    *instead = Some(action);
                }
            }
            Some(Fault::Answer(status)) => {
                let length = header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
                std::io::copy(&mut client.take(length), &mut std::io::sink())?;
                let body = r#"{"message":"injected"}"#;
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} Injected\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                );
                let mut reply = wires.client;
                reply.write_all(answer.as_bytes())?;
                continue;
            }
            Some(Fault::Cut) => {
                wires.client.shutdown(Shutdown::Both)?;
                return Ok(());
            }
            Some(Fault::Late(pause)) => std::thread::sleep(pause),
        }
        engine.write_all(&head)?;
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
