//! The endpoint's sockets: one connection, one request, one answer, all of it bounded.
//!
//! Deliberately absent: anything that could reach the engine, and any wait that is not bounded.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::access::Access;
use super::listen::Bound;
use super::requests::Requests;
use super::routes::{self, Moment};
use super::snapshot::{Pulse, Snapshot};

/// Connections at once on one listener. Above it the oldest is closed: an answer takes no time, so that the oldest is
/// the one that does not ask, and whoever has a real question always gets in.
const CONNECTIONS: usize = 64;
/// For the request's headers.
const HEADERS: Duration = Duration::from_secs(5);
/// For the whole connection, the reading of the answer included.
const WHOLE: Duration = Duration::from_secs(10);
/// Bytes of request line and headers: hyper's smallest buffer.
const HEAD_BYTES: usize = 8 * 1024;
/// Request headers.
const HEAD_LINES: usize = 64;

/// What every connection of one listener shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) pulse: Pulse,
    pub(super) requests: Arc<Requests>,
}

/// Accepts until it is dropped. Belongs in a `LocalSet`.
///
/// # Errors
/// The socket cannot be given to the runtime.
pub(super) async fn accept(bound: Bound, shared: Shared) -> io::Result<Infallible> {
    let shared = Arc::new(shared);
    match bound {
        Bound::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            accept_with(&shared, async || listener.accept().await.map(|(stream, _)| stream)).await
        }
        Bound::Unix(listener) => {
            let listener = UnixListener::from_std(listener)?;
            accept_with(&shared, async || listener.accept().await.map(|(stream, _)| stream)).await
        }
    }
}

async fn accept_with<S>(
    shared: &Arc<Shared>,
    mut next: impl AsyncFnMut() -> io::Result<S>,
) -> io::Result<Infallible>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut open = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            stream = next() => match stream {
                Ok(stream) => {
                    oldest_first.retain(|connection| !connection.is_finished());
                    if oldest_first.len() >= CONNECTIONS && let Some(oldest) = oldest_first.pop_front() {
                        shared.requests.crowded_out();
                        oldest.abort();
                    }
                    oldest_first.push_back(open.spawn_local(connection(stream, Arc::clone(shared))));
                    // Whoever has asked already is answered before the next one comes and makes it the older one.
                    tokio::task::yield_now().await;
                }
                // Out of file descriptors, or the client is gone already: neither ends the endpoint.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| {
        let (parts, _body) = request.into_parts();
        let snapshot = Arc::clone(&shared.snapshots.borrow());
        let (age, requests) = (shared.pulse.age(Instant::now()), shared.requests.counted());
        let now = Moment { snapshot: &snapshot, age, requests: &requests };
        let answer = routes::answer(&shared.access, &parts, now);
        shared.requests.answered(answer.status().as_u16());
        tracing::debug!(method = %parts.method, path = parts.uri.path(), status = answer.status().as_u16(), "answered");
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever ends it early is the client's affair.
    let _ = tokio::time::timeout(WHOLE, serving).await;
}
