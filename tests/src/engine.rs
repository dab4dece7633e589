//! The engine under test, by its socket: the few requests that a test makes beside the supervisor.
//!
//! It speaks the API in JSON with no types of its own, so that what the supervisor's types leave out can still be
//! looked at. Deliberately absent: the supervisor's own client; a test does not judge a program by itself.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::http::{self, Response};

/// An engine that answers on a unix socket.
#[derive(Clone, Debug)]
pub struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// The engine of `DOCKER_HOST`, a `unix://` address.
    #[track_caller]
    pub fn from_env() -> Self {
        let host =
            std::env::var("DOCKER_HOST").expect("DOCKER_HOST names no engine; `cargo xtask test` starts one");
        let socket = host.strip_prefix("unix://").expect("DOCKER_HOST is not a unix:// address");
        Self { socket: PathBuf::from(socket) }
    }

    /// The engine that listens here.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Any request; the answer is returned whatever its status.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Response {
        let stream = UnixStream::connect(&self.socket).expect("the engine's socket");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("a time-out on a socket");
        let headers = [("Host", "engine"), ("Content-Type", kind)];
        http::exchange(stream, method, path, &headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// `GET`, as JSON; any other status than 200 fails the test.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.request("GET", path, "application/json", b"");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// `POST` of JSON; a status of 400 or more fails the test. An empty answer is null.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.request("POST", path, "application/json", body.to_string().as_bytes());
        assert!(answer.status < 400, "POST {path}: {} {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }

    /// `inspect` of a container by name or id.
    #[track_caller]
    pub fn inspect(&self, container: &str) -> Value {
        self.get(&format!("/containers/{container}/json"))
    }

    /// The same where there is such a container: while an update renames them, there may be none for a moment.
    pub fn find(&self, container: &str) -> Option<Value> {
        let answer = self.request("GET", &format!("/containers/{container}/json"), "application/json", b"");
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok()).flatten()
    }

    /// The process id of a running container's process 1.
    #[track_caller]
    pub fn pid(&self, container: &str) -> u32 {
        let pid = self.inspect(container)["State"]["Pid"].as_u64().unwrap_or(0);
        assert_ne!(pid, 0, "`{container}` does not run");
        u32::try_from(pid).expect("a process id")
    }

    /// The engine's clock, in seconds since 1970 with a fraction, as events are asked for.
    #[track_caller]
    pub fn now(&self) -> String {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
        format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
    }

    /// How often a container was started since a moment of [`Engine::now`].
    #[track_caller]
    pub fn starts(&self, container: &str, since: &str) -> usize {
        let filter = escape(&format!(r#"{{"container":["{container}"],"event":["start"]}}"#));
        let path = format!("/events?since={since}&until={}&filters={filter}", self.now());
        let answer = self.request("GET", &path, "", b"");
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.text().lines().filter(|line| !line.trim().is_empty()).count()
    }

    /// Every container that carries a label `KEY=VALUE`, stopped ones too.
    #[track_caller]
    pub fn containers(&self, label: &str) -> Vec<Value> {
        let filter = format!(r#"{{"label":["{label}"]}}"#);
        let list = self.get(&format!("/containers/json?all=1&filters={}", escape(&filter)));
        list.as_array().cloned().unwrap_or_default()
    }

    /// Creates and starts a container of this engine description (the API's create body); its id.
    #[track_caller]
    pub fn run(&self, name: &str, body: &Value) -> String {
        let made = self.post(&format!("/containers/create?name={name}"), body);
        let id = made["Id"].as_str().expect("an id").to_owned();
        self.post(&format!("/containers/{id}/start"), &Value::Null);
        id
    }

    /// Waits for a container's end; its exit code.
    #[track_caller]
    pub fn wait(&self, container: &str) -> i64 {
        self.post(&format!("/containers/{container}/wait"), &Value::Null)["StatusCode"]
            .as_i64()
            .expect("a code")
    }

    /// What a container wrote to standard output and error, joined in order.
    #[track_caller]
    pub fn logs(&self, container: &str) -> String {
        let answer = self.request("GET", &format!("/containers/{container}/logs?stdout=1&stderr=1"), "", b"");
        frames(&answer.body)
    }

    /// Runs a command in a container as its own user; exit code, and output and errors joined in order.
    #[track_caller]
    pub fn exec(&self, container: &str, command: &[&str]) -> (i64, String) {
        let body = serde_json::json!({"AttachStdout": true, "AttachStderr": true, "Cmd": command});
        let made = self.post(&format!("/containers/{container}/exec"), &body);
        let id = made["Id"].as_str().expect("an id").to_owned();
        let path = format!("/exec/{id}/start");
        let answer = self.request("POST", &path, "application/json", br#"{"Detach":false,"Tty":false}"#);
        let code = self.get(&format!("/exec/{id}/json"))["ExitCode"].as_i64();
        (code.unwrap_or(-1), frames(&answer.body))
    }

    /// Pushes an image of this repository and tag; an error in the engine's answer fails the test.
    #[track_caller]
    pub fn push(&self, repository: &str, tag: &str) {
        let stream = UnixStream::connect(&self.socket).expect("the engine's socket");
        stream.set_read_timeout(Some(Duration::from_mins(2))).expect("a time-out on a socket");
        let path = format!("/images/{repository}/push?tag={tag}");
        // `{}`, of which the engine wants to see the Base64.
        let headers = [("Host", "engine"), ("X-Registry-Auth", "e30=")];
        let answer = http::exchange(stream, "POST", &path, &headers, b"").expect("an answer");
        let text = answer.text();
        assert!(answer.status == 200 && !text.contains("\"error\""), "{path}: {text}");
    }

    /// Takes a name from an image, and the image with its last one.
    pub fn remove_image(&self, name: &str) {
        self.request("DELETE", &format!("/images/{name}?force=1"), "", b"");
    }

    /// Removes a container, running or not, with its anonymous volumes. One that is not there is fine.
    pub fn remove(&self, container: &str) {
        self.request("DELETE", &format!("/containers/{container}?force=1&v=1"), "", b"");
    }

    /// Removes every container, network and volume that carries a label `KEY=VALUE`.
    pub fn remove_all(&self, label: &str) {
        for container in self.containers(label) {
            self.remove(container["Id"].as_str().unwrap_or_default());
        }
        let filter = escape(&format!(r#"{{"label":["{label}"]}}"#));
        for network in self.get(&format!("/networks?filters={filter}")).as_array().into_iter().flatten() {
            let id = network["Id"].as_str().unwrap_or_default();
            self.request("DELETE", &format!("/networks/{id}"), "", b"");
        }
        for volume in
            self.get(&format!("/volumes?filters={filter}"))["Volumes"].as_array().into_iter().flatten()
        {
            let name = volume["Name"].as_str().unwrap_or_default();
            self.request("DELETE", &format!("/volumes/{name}?force=1"), "", b"");
        }
    }
}

/// The payload of the engine's multiplexed stream: frames of eight header bytes, the last four of them the length.
fn frames(mut bytes: &[u8]) -> String {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(8) {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        all.extend_from_slice(payload);
        bytes = rest;
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Percent-encodes what a query may not hold as it is.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
