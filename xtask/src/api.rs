//! The least that the Docker Engine's API is asked here: one request, one whole answer, one connection.
//!
//! Deliberately absent: the supervisor's own client; what measures and serves it does not lean on it.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The oldest API that is supported: Engine 25.
pub(crate) const OLDEST: (u32, u32) = (1, 44);

/// An engine by its socket.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    socket: PathBuf,
}

impl Api {
    pub(crate) fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket's path.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its address as `DOCKER_HOST` holds it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Engine version and API version, if an engine answers.
    pub(crate) fn version(&self) -> Result<(String, (u32, u32))> {
        let answer = self.get("/version")?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api = text("ApiVersion");
        let (major, minor) = api.split_once('.').context("no API version in the engine's answer")?;
        Ok((text("Version"), (major.parse()?, minor.parse()?)))
    }

    /// `GET`, which must be answered with 200 and JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = self.request("GET", path, &mut std::io::empty(), 0)?;
        if status != 200 {
            bail!("GET {path} was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("GET {path}"))
    }

    /// `POST` of JSON; an empty answer is null.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send("POST", path, &mut text.as_bytes(), text.len() as u64)
    }

    /// `DELETE`.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.send("DELETE", path, &mut std::io::empty(), 0).map(drop)
    }

    /// `POST` of bytes of a known length. The last JSON line of the answer; null if there is none.
    pub(crate) fn send(&self, method: &str, path: &str, body: &mut dyn Read, length: u64) -> Result<Value> {
        let (status, body) = self.request(method, path, body, length)?;
        let text = String::from_utf8_lossy(&body);
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("null");
        let value: Value = serde_json::from_str(last).unwrap_or(Value::Null);
        if status >= 400 || value.get("error").is_some() {
            bail!("{method} {path} was answered with {status}: {text}");
        }
        Ok(value)
    }

    fn request(&self, method: &str, path: &str, body: &mut dyn Read, length: u64) -> Result<(u16, Vec<u8>)> {
        let connect = UnixStream::connect(&self.socket);
        let mut stream =
            connect.with_context(|| format!("no engine answers at `{}`", self.socket.display()))?;
        let kind = if length > 1 << 20 { "application/x-tar" } else { "application/json" };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )?;
        std::io::copy(body, &mut stream)?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status =
            line.split_whitespace().nth(1).and_then(|s| s.parse().ok()).context("not an HTTP answer")?;
        let mut chunked = false;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        let mut answer = Vec::new();
        if chunked {
            loop {
                line.clear();
                reader.read_line(&mut line)?;
                let size = u64::from_str_radix(line.trim(), 16).context("not a chunk's size")?;
                (&mut reader).take(size).read_to_end(&mut answer)?;
                reader.read_line(&mut line)?;
                if size == 0 {
                    break;
                }
            }
        } else {
            reader.read_to_end(&mut answer)?;
        }
        Ok((status, answer))
    }
}
