//! One request to another machine over TLS: by the machine's own `curl`, in a process that has given its rights up.
//!
//! A TLS library in this program would be a sixth of it, and its certificates would be as old as the release; `curl` and the
//! system's store of certificates are updated with the system. What it is told goes by a socket, never by arguments that
//! every user of the machine can read. Deliberately absent: redirects, proxies and passwords; and what is said.

use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::render::plain;

/// For the whole request, name and greeting included. `curl` ends by itself before that.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of what it says that are read.
const LONGEST: u64 = 4096;

/// A POST of JSON.
#[derive(Clone)]
pub struct Call {
    /// `https://…`.
    pub url: String,
    /// Certificates to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// The same for every attempt at the same thing, so that whoever took one knows the next one.
    pub key: String,
    /// May hold a secret.
    pub body: String,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, ca, key, body } = self;
        write!(f, "Call {{ url: {url:?}, ca: {ca:?}, key: {key:?}, body: {} bytes }}", body.len())
    }
}

/// Why it was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No process, or no way to talk to it.
    #[error("cannot start `curl`")]
    Start(#[source] io::Error),
    /// Nothing came for too long.
    #[error("there was no answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// No answer, in the words of `curl`.
    #[error("{0}")]
    Unanswered(String),
    /// Answered, and not taken.
    #[error("it answered {0}")]
    Refused(u16),
}

/// Makes a call. It was taken if the answer is any 2xx.
///
/// # Errors
/// It was not, or nobody knows whether it was: it is made again with the same key.
pub async fn post(call: &Call, program: &Path) -> Result<(), CallError> {
    let (mut caller, stream) = Caller::start(call, program).map_err(CallError::Start)?;
    let talk = async {
        let mut stream = tokio::net::UnixStream::from_std(stream)?;
        stream.write_all(config(call).as_bytes()).await?;
        stream.shutdown().await?;
        let mut said = Vec::new();
        stream.take(LONGEST).read_to_end(&mut said).await?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    };
    let said = tokio::time::timeout(PATIENCE, talk).await;
    caller.end();
    outcome(&said.map_err(|_| CallError::Slow)?.map_err(CallError::Start)?)
}

/// The process that calls. Dropping it kills it.
struct Caller(Child);

impl Caller {
    fn start(call: &Call, program: &Path) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg0("supervisor").args(["call", "--port", &port(&call.url).to_string()]);
        if let Some(ca) = &call.ca {
            command.arg("--ca").arg(ca);
        }
        let end = || theirs.try_clone().map(OwnedFd::from);
        command.env_clear().current_dir("/").stdin(end()?).stdout(end()?).stderr(end()?);
        let child = command.spawn()?;
        ours.set_nonblocking(true)?;
        Ok((Self(child), ours))
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.end();
    }
}

/// What `curl` is told: one option a line, in the form of its configuration files.
fn config(call: &Call) -> String {
    let mut text = String::from("silent\nshow-error\ntlsv1.2\nhttp1.1\n");
    let ca = call.ca.as_ref().map(|path| path.to_string_lossy().into_owned());
    let rows = [
        ("proto", "=https"),
        ("connect-timeout", "10"),
        ("max-time", "25"),
        ("output", "/dev/null"),
        ("write-out", "\n%{http_code}"),
        ("user-agent", concat!("supervisor/", env!("CARGO_PKG_VERSION"))),
        ("header", "Content-Type: application/json"),
        ("header", &format!("Idempotency-Key: {}", call.key)),
        ("data-raw", &call.body),
        ("url", &call.url),
    ];
    for (name, value) in rows.into_iter().chain(ca.as_deref().map(|path| ("cacert", path))) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(text, "{name} = \"{value}\"");
    }
    text
}

/// What became of it, by the last line that was said: the answer's number, or 000 where there was none.
fn outcome(said: &str) -> Result<(), CallError> {
    let (reason, number) = said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim_end()));
    match number.parse() {
        Ok(200..=299) => Ok(()),
        Ok(answer @ 100..) => Err(CallError::Refused(answer)),
        _ => {
            let reason = if reason.trim().is_empty() { said } else { reason };
            let line: Vec<String> =
                reason.lines().map(str::trim).filter(|l| !l.is_empty()).map(plain).collect();
            Err(CallError::Unanswered(line.join("; ")))
        }
    }
}

/// The port of an `https://` address.
fn port(url: &str) -> u16 {
    let host = url.trim_start_matches("https://").split(['/', '?']).next().unwrap_or_default();
    let after = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    after.and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn call() -> Call {
        Call {
            url: "https://control.example:8443/ready?a=b".into(),
            ca: None,
            key: "k1".into(),
            body: r#"{"secret":"a\"b\\n"}"#.into(),
        }
    }

    #[track_caller]
    fn check(said: &str, expect: Expect) {
        expect.assert_eq(&outcome(said).map_or_else(|error| error.to_string(), |()| "taken".to_owned()));
    }

    #[test]
    fn what_curl_says_is_an_outcome() {
        check("\n200", expect!["taken"]);
        check("\n204", expect!["taken"]);
        check("\n302", expect!["it answered 302"]);
        check("\n503", expect!["it answered 503"]);
        check(
            "curl: (60) SSL certificate problem\n\nMore\u{1b}[1m\n000",
            expect![[r#"curl: (60) SSL certificate problem; More\u{1b}[1m"#]],
        );
        check("error: cannot execute `curl`\n", expect!["error: cannot execute `curl`"]);
        check("", expect![""]);
    }

    #[test]
    fn no_value_ends_its_line_or_its_quotes() {
        let text = config(&call());
        assert!(text.contains(r#"data-raw = "{\"secret\":\"a\\\"b\\\\n\"}""#), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("url = ")).count(), 1);
    }

    #[test]
    fn a_port_is_read_where_there_is_one() {
        let ports =
            ["https://a", "https://a:8443/x", "https://[::1]/x:1", "https://[::1]:9/", "https://a/?b:1"]
                .map(port);
        assert_eq!(ports, [443, 8443, 443, 9, 443]);
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert!(!format!("{:?}", call()).contains("secret"));
    }
}
