//! One HTTP probe: from the host, over the bridge, to the container's own address.
//!
//! The whole answer has one timeout, the body is read only as far as it is asked about, and a failure is a value
//! with its reason. Deliberately absent: when to probe, and what follows from the outcome.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::net::exchange::exchange;

/// At most so much of a body is searched, in bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// At most so many bytes of response headers: hyper's smallest buffer.
const HEADER_LIMIT: usize = 8 * 1024;
/// At most so many characters of an unexpected body are shown.
const EXCERPT: usize = 60;

/// What is asked, and what a good answer has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Where the service listens.
    pub address: SocketAddr,
    /// Starts with `/`.
    pub path: &'a str,
    /// The body has to contain this text; `None` leaves it unread.
    pub body: Option<&'a str>,
    /// For connecting, asking and answering together.
    pub timeout: Duration,
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No whole answer in time: a hang, or a machine too busy to tell apart from one.
    TimedOut(Duration),
    /// Nothing listens there, or nothing leads there.
    Unreachable(String),
    /// It answered with something that is not HTTP, or hung up in the middle.
    Broken(String),
    /// Another status than 200 to 299.
    Status(u16),
    /// The status was good, and the text was not in the first 64 KiB of the body.
    Body {
        /// The text that was looked for.
        wanted: String,
        /// How the body begins, control characters replaced.
        begins: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(after) => write!(f, "no whole answer within {} ms", after.as_millis()),
            Self::Unreachable(why) => write!(f, "cannot connect: {why}"),
            Self::Broken(why) => write!(f, "not a whole HTTP answer: {why}"),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::Body { wanted, begins } => {
                write!(f, "the body does not contain `{wanted}`; it begins `{begins}`")
            }
        }
    }
}

/// Asks once. The connection is closed afterwards, whatever came of it.
///
/// # Errors
/// Every way in which the answer is not the good one; see [`Failure`].
pub async fn probe(ask: &Ask<'_>) -> Result<(), Failure> {
    tokio::time::timeout(ask.timeout, asked(ask)).await.unwrap_or(Err(Failure::TimedOut(ask.timeout)))
}

/// Asks once for a whole body of at most so many bytes.
///
/// # Errors
/// No good status, no answer in time, or more bytes than that.
pub async fn fetch(
    address: SocketAddr,
    path: &str,
    most: usize,
    timeout: Duration,
) -> Result<Vec<u8>, Failure> {
    let take = async |response| whole(response, most).await;
    let fetched = tokio::time::timeout(timeout, answered(address, path, take)).await;
    fetched.unwrap_or(Err(Failure::TimedOut(timeout)))
}

/// The same by a unix socket.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_unix(
    socket: &Path,
    path: &str,
    most: usize,
    timeout: Duration,
) -> Result<Vec<u8>, Failure> {
    let fetched = async {
        let stream = UnixStream::connect(socket).await.map_err(|e| Failure::Unreachable(e.to_string()))?;
        over(stream, "localhost", path, async |response| whole(response, most).await).await
    };
    tokio::time::timeout(timeout, fetched).await.unwrap_or(Err(Failure::TimedOut(timeout)))
}

/// The body of a good answer, if it is not longer than that.
async fn whole(response: Response<Incoming>, most: usize) -> Result<Vec<u8>, Failure> {
    if !response.status().is_success() {
        return Err(Failure::Status(response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    body.map(|body| body.to_bytes().to_vec()).map_err(|error| Failure::Broken(error.to_string()))
}

async fn asked(ask: &Ask<'_>) -> Result<(), Failure> {
    answered(ask.address, ask.path, async |response| judge(response, ask.body).await).await
}

/// Asks, and takes what `take` makes of the answer.
async fn answered<T>(
    address: SocketAddr,
    path: &str,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stream = TcpStream::connect(address).await.map_err(|e| Failure::Unreachable(e.to_string()))?;
    over(stream, &address.to_string(), path, take).await
}

/// Asks over a connection that is there.
async fn over<T>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
    take: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    exchange(http1::Builder::new().max_buf_size(HEADER_LIMIT), stream, request(host, path)?, take).await
}

fn request(host: &str, path: &str) -> Result<Request<Empty<Bytes>>, Failure> {
    Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("supervisor/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| Failure::Broken(e.to_string()))
}

async fn judge(response: Response<Incoming>, wanted: Option<&str>) -> Result<(), Failure> {
    if !response.status().is_success() {
        return Err(Failure::Status(response.status().as_u16()));
    }
    match wanted {
        Some(wanted) => search(response.into_body(), wanted).await,
        None => Ok(()),
    }
}

/// Reads until the text is found, the body ends, or the limit is met.
async fn search(mut body: Incoming, wanted: &str) -> Result<(), Failure> {
    let mut read: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        // A text may lie across two pieces: the search goes back by its length, and no further.
        let from = read.len().saturating_sub(wanted.len());
        let room = BODY_LIMIT - read.len();
        read.extend(data.iter().take(room));
        if contains(read.get(from..).unwrap_or_default(), wanted.as_bytes()) {
            return Ok(());
        }
        if read.len() == BODY_LIMIT {
            break;
        }
    }
    Err(Failure::Body { wanted: wanted.to_owned(), begins: excerpt(&read) })
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted)
}

/// The beginning of untrusted bytes, safe for a terminal and a log line.
fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(4 * EXCERPT)).unwrap_or_default())
        .chars()
        .take(EXCERPT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use expect_test::{Expect, expect};

    use super::*;

    /// Serves `answer` byte for byte to one client on a real socket, and says what a probe for `"ok":true` makes of it.
    #[track_caller]
    fn check(answer: &[u8], expect: Expect) {
        expect.assert_eq(&outcome(answer, Some("\"ok\":true"), Duration::from_secs(20)));
    }

    fn outcome(answer: &[u8], body: Option<&str>, timeout: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut client, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let _ = client.read(&mut request).unwrap();
                if client.write_all(answer).is_ok() && answer.is_empty() {
                    // A hang: the connection stays open until the probe has given up.
                    let _ = wait.recv();
                }
            });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let outcome = runtime.block_on(probe(&Ask { address, path: "/healthz", body, timeout }));
            drop(done);
            outcome.map_or_else(|e| e.to_string(), |()| "passed".to_owned())
        })
    }

    #[test]
    fn a_good_status_and_the_body_pass() {
        check(
            b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"ok\":true,\"status\":\"live\"}",
            expect!["passed"],
        );
    }

    #[test]
    fn a_text_across_two_chunks_is_found() {
        check(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ok\"\r\n6\r\n:true}\r\n0\r\n\r\n",
            expect!["passed"],
        );
    }

    #[test]
    fn a_catch_all_page_fails_though_its_status_is_good() {
        check(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 41\r\n\r\n<!doctype html>\n<title>Control UI</title>\n",
            expect![[r#"the body does not contain `"ok":true`; it begins `<!doctype html> <title>Control UI</title>`"#]],
        );
    }

    #[test]
    fn a_bad_status_fails_though_the_body_is_good() {
        check(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 11\r\n\r\n{\"ok\":true}",
            expect!["answered with status 503"],
        );
    }

    #[test]
    fn a_redirect_is_not_followed() {
        check(
            b"HTTP/1.1 302 Found\r\nLocation: /healthz\r\nContent-Length: 0\r\n\r\n",
            expect!["answered with status 302"],
        );
    }

    #[test]
    fn only_the_first_64_kib_are_searched() {
        let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        answer.extend(std::iter::repeat_n(b'x', BODY_LIMIT));
        answer.extend(b"\"ok\":true");
        check(
            &answer,
            expect![[
                r#"the body does not contain `"ok":true`; it begins `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`"#
            ]],
        );
    }

    #[test]
    fn control_characters_of_a_body_do_not_reach_the_log() {
        check(
            b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\x1b[2J\x07\x00ab",
            expect![[r#"the body does not contain `"ok":true`; it begins ` [2J  ab`"#]],
        );
    }

    #[test]
    fn endless_headers_fail() {
        let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
        for _ in 0..2000 {
            answer.extend(b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
        }
        check(&answer, expect!["not a whole HTTP answer: message head is too large"]);
    }

    #[test]
    fn an_answer_that_is_not_http_fails() {
        check(b"SSH-2.0-OpenSSH_9.2p1\r\n", expect!["not a whole HTTP answer: invalid HTTP version parsed"]);
    }

    #[test]
    fn a_body_cut_short_fails() {
        check(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{\"ok\"",
            expect!["not a whole HTTP answer: error reading a body from connection"],
        );
    }

    #[test]
    fn a_hang_is_a_failure_in_its_time() {
        expect!["no whole answer within 50 ms"].assert_eq(&outcome(b"", None, Duration::from_millis(50)));
    }

    #[test]
    fn without_a_body_text_a_good_status_is_enough() {
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        expect!["passed"].assert_eq(&outcome(answer, None, Duration::from_secs(20)));
    }

    #[test]
    fn nothing_listening_is_unreachable() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = Ask { address: free, path: "/", body: None, timeout: Duration::from_secs(20) };
        let outcome = runtime.block_on(probe(&ask)).unwrap_err().to_string();
        expect!["cannot connect: Connection refused (os error 111)"].assert_eq(&outcome);
    }
}
