//! A control plane on this machine: TLS, every request kept, and an answer to each as the test wants it.
//!
//! TLS is `openssl s_server`'s, one connection at a time. Deliberately absent: judging what came.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use serde_json::Value;

use crate::bed::ran;
use crate::wait;

/// A request, read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /ready HTTP/1.1`.
    pub line: String,
    /// The lines after it.
    pub headers: Vec<String>,
    /// What it holds.
    pub body: Value,
}

impl Request {
    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let rows = self.headers.iter().filter_map(|line| line.split_once(':'));
        rows.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// It listens on `localhost`; dropping it ends it.
#[derive(Debug)]
pub struct ControlPlane {
    server: Child,
    port: u16,
    ca: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl ControlPlane {
    /// Starts one with a certificate of an authority of its own, both made in `folder`. `answer` gets each request and the
    /// number of those before it for the same path, and says the status.
    #[track_caller]
    pub fn start(folder: &Path, port: Option<u16>, answer: fn(&Request, usize) -> u16) -> Self {
        let port = port.unwrap_or_else(free_port);
        let (ca, key, certificate) = certificates(folder);
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().expect("openssl");
        let (mut to, from) =
            (server.stdin.take().expect("its input"), server.stdout.take().expect("its output"));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&requests);
        spawn(move || {
            let mut from = BufReader::new(from);
            while let Some(request) = read(&mut from) {
                let status = {
                    let mut kept = kept.lock().expect("requests");
                    let before = kept.iter().filter(|known| known.line == request.line).count();
                    let status = answer(&request, before);
                    kept.push(request);
                    status
                };
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n");
                let away = if status == 302 { "Location: https://localhost:1/elsewhere\r\n" } else { "" };
                if to.write_all(format!("{head}{away}\r\n").as_bytes()).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
        });
        wait::until("a control plane", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { server, port, ca, requests }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// The certificate of its authority.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// What came for a path so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        let line = format!("POST {path} HTTP/1.1");
        self.requests
            .lock()
            .expect("requests")
            .iter()
            .filter(|request| request.line == line)
            .cloned()
            .collect()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A port of 127.0.0.1 that nobody has at this moment.
#[track_caller]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// An authority, and a key and certificate of `localhost` by it; those that are there already stay.
#[track_caller]
fn certificates(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = |name: &str| folder.join(name);
    let new = |name: &str, further: &[&str]| {
        let mut request = Command::new("openssl");
        request.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        request.args(["-days", "30", "-subj", &format!("/CN={name} of the test")]);
        request
            .arg("-keyout")
            .arg(file(&format!("{name}.key")))
            .arg("-out")
            .arg(file(&format!("{name}.pem")));
        ran(request.args(further)).expect(0);
    };
    if !file("server.pem").exists() {
        new("ca", &[]);
        let (ca, key) = (file("ca.pem"), file("ca.key"));
        let by = ["-CA", &ca.to_string_lossy(), "-CAkey", &key.to_string_lossy()].map(str::to_owned);
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        let names =
            ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
        new("server", &[&by[..], &names[..]].concat());
    }
    (file("ca.pem"), file("server.key"), file("server.pem"))
}

/// The next request; `None` once the server is gone.
fn read(from: &mut BufReader<ChildStdout>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        match (line.is_empty(), lines.is_empty()) {
            (true, false) => break,
            (true, true) => {}
            (false, _) => lines.push(line),
        }
    }
    let line = lines.remove(0);
    let mut request = Request { line, headers: lines, body: Value::Null };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    request.body = serde_json::from_slice(&body).unwrap_or_default();
    Some(request)
}
