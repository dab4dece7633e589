//! The proxy's socket: connections, each with its requests, all of it bounded.
//!
//! Deliberately absent: judging; `connect` and `tunnel` do.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::callers::Callers;
use super::connect::{NoWay, connect};
use super::counts::{Asked, Counted, Counts, Outcome};
use super::forward;
use super::grants::Grants;
use super::names::Names;
use super::rate::Rates;
use super::request::{Ask, Target, ask};
use super::tunnel::{self, Tunnel};
use crate::net::splice::Pipes;

/// What an answer carries.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Connections at once, over all services: two descriptors each, and pipes, below the usual limit of 16,384.
const CONNECTIONS: usize = 4096;
/// For a request's headers, and for the next request of a connection that is kept.
const HEADERS: Duration = Duration::from_secs(15);
/// Bytes of a request's first line and headers.
const HEAD_BYTES: usize = 16 * 1024;
/// Request headers.
const HEAD_LINES: usize = 100;
/// From what was allowed to the line that says so. Whoever takes the line, the engine, would else have the processor while
/// the first bytes are on their way.
const LATER: Duration = Duration::from_millis(50);

/// What every connection shares.
struct Shared {
    grants: Grants,
    callers: Callers,
    names: Names,
    pipes: Pipes,
    began: Instant,
    /// Milliseconds since 1970.
    started: u64,
    rates: RefCell<Rates>,
    counts: RefCell<Counts>,
    /// What was allowed and is not written down yet.
    allowed: RefCell<Vec<Asked>>,
    /// There is something of it.
    some_allowed: Notify,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.write_down();
    }
}

/// What one connection holds: a tunnel to be passed once its answer is out, and the connections it made.
#[derive(Default)]
struct Held {
    tunnel: RefCell<Option<(Asked, Tunnel)>>,
    drivers: RefCell<JoinSet<()>>,
}

/// Accepts until it is dropped. Belongs in a local runtime: its tasks stay on this thread.
///
/// # Errors
/// The socket cannot be given to the runtime.
pub async fn serve(listener: TcpListener, grants: Grants, callers: Callers) -> io::Result<Infallible> {
    let shared = Rc::new(Shared {
        grants,
        callers,
        names: Names::default(),
        pipes: Pipes::default(),
        began: Instant::now(),
        started: u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default(),
        rates: RefCell::default(),
        counts: RefCell::default(),
        allowed: RefCell::default(),
        some_allowed: Notify::new(),
    });
    tokio::select! {
        ended = accept(listener, Rc::clone(&shared)) => ended,
        never = keep_writing_down(&shared) => match never {},
    }
}

async fn keep_writing_down(shared: &Shared) -> Infallible {
    loop {
        shared.some_allowed.notified().await;
        tokio::time::sleep(LATER).await;
        shared.write_down();
    }
}

async fn accept(listener: TcpListener, shared: Rc<Shared>) -> io::Result<Infallible> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    open.spawn_local(connection(stream, peer.ip(), Rc::clone(&shared)));
                }
                // Out of descriptors, or the client is gone already: neither ends the proxy.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// One connection: its requests, then its tunnel if it became one.
async fn connection(stream: TcpStream, peer: IpAddr, shared: Rc<Shared>) {
    let _ = stream.set_nodelay(true);
    let here = stream.local_addr().ok().map(|at| at.ip());
    let held = Rc::new(Held::default());
    let service = service_fn(|request| {
        let (shared, held) = (Rc::clone(&shared), Rc::clone(&held));
        async move { Ok::<_, Infallible>(answer(&shared, &held, (peer, here), request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Whatever ends it early is the client's affair.
    let _ = serving.await;
    let tunnel = held.tunnel.borrow_mut().take();
    drop(held);
    if let Some((asked, tunnel)) = tunnel
        && let Err(why) = tunnel::pass(tunnel, &shared.pipes).await
    {
        shared.tell(&asked, Outcome::Denied, &why);
    }
}

async fn answer(
    shared: &Shared,
    held: &Held,
    (peer, here): (IpAddr, Option<IpAddr>),
    request: Request<Incoming>,
) -> Response<Body> {
    match ask(request.method(), request.uri()) {
        Ok(Ask::Health) => json(r#"{"ok":true}"#.to_owned()),
        Ok(Ask::Counts) if here.is_some() && here == way_out() => json(shared.counts_as_json()),
        Ok(Ask::Counts) => {
            refuse(StatusCode::FORBIDDEN, "http_request_denied", "the host alone is told, on the way out")
        }
        Ok(Ask::Tunnel(target)) => match shared.admit(peer, &target).await {
            Ok((asked, server)) => {
                let client = hyper::upgrade::on(request);
                *held.tunnel.borrow_mut() = Some((asked, Tunnel { client, server, target }));
                Response::new(empty())
            }
            Err(refusal) => refusal,
        },
        Ok(Ask::Forward(target)) => match shared.admit(peer, &target).await {
            Ok((asked, server)) => {
                let mut drivers = std::mem::take(&mut *held.drivers.borrow_mut());
                let passed = forward::pass(request, server, &mut drivers).await;
                *held.drivers.borrow_mut() = drivers;
                passed.unwrap_or_else(|why| {
                    shared.tell(&asked, Outcome::Failed, &why);
                    refuse(StatusCode::BAD_GATEWAY, "destination_unavailable", &why)
                })
            }
            Err(refusal) => refusal,
        },
        Err(why) => refuse(StatusCode::BAD_REQUEST, "http_request_error", why),
    }
}

impl Shared {
    /// A connection for whoever asks, or the answer that says why there is none.
    async fn admit(&self, peer: IpAddr, target: &Target) -> Result<(Asked, TcpStream), Response<Body>> {
        let service = self.callers.service(peer, &self.names).await;
        let asked = Asked {
            service: service.clone().unwrap_or_else(|| "?".to_owned()),
            name: target.name.clone(),
            port: target.port,
        };
        let Some(service) = service else {
            let why = format!("`{peer}` is no service that may reach anything");
            self.tell(&asked, Outcome::Denied, &why);
            return Err(refuse(StatusCode::FORBIDDEN, "http_request_denied", &why));
        };
        if !self.rates.borrow_mut().take(&service, self.began.elapsed()) {
            self.counts.borrow_mut().add(&asked, Outcome::Denied);
            let why = format!("`{service}` asks for too many connections");
            return Err(refuse(StatusCode::TOO_MANY_REQUESTS, "connection_limit_reached", &why));
        }
        match connect(&service, target, &self.grants, &self.names).await {
            Ok(stream) => {
                self.tell(&asked, Outcome::Allowed, "");
                Ok((asked, stream))
            }
            Err(NoWay::Denied(why)) => {
                self.tell(&asked, Outcome::Denied, &why);
                Err(refuse(StatusCode::FORBIDDEN, "http_request_denied", &why))
            }
            Err(NoWay::Failed(why)) => {
                self.tell(&asked, Outcome::Failed, &why);
                Err(refuse(StatusCode::BAD_GATEWAY, "destination_unavailable", &why))
            }
        }
    }

    /// Counts an outcome and writes it down: what was allowed a little later, in order all the same.
    fn tell(&self, asked: &Asked, outcome: Outcome, why: &str) {
        self.counts.borrow_mut().add(asked, outcome);
        if outcome != Outcome::Allowed {
            self.write_down();
        }
        let Asked { service, name, port } = asked;
        match outcome {
            Outcome::Allowed => {
                self.allowed.borrow_mut().push(asked.clone());
                self.some_allowed.notify_one();
            }
            Outcome::Denied => tracing::warn!(service, name, port, why, "denied"),
            Outcome::Failed => tracing::warn!(service, name, port, why, "failed"),
        }
    }

    fn write_down(&self) {
        for Asked { service, name, port } in self.allowed.take() {
            tracing::info!(service, name, port, "allowed");
        }
    }

    fn counts_as_json(&self) -> String {
        serde_json::json!(Counted { began: self.started, rows: self.counts.borrow().rows() }).to_string()
    }
}

/// This container's address on the network that leads out, which carries nobody but the proxy and the host: services are
/// on its other networks, where others' names would be theirs to read.
fn way_out() -> Option<IpAddr> {
    // Nothing is sent: the kernel chooses a route, and with it the address (RFC 5737 documents where to).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn json(text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that says why, to people in its body and to programs by `Proxy-Status` (RFC 9209).
fn refuse(status: StatusCode, error: &'static str, why: &str) -> Response<Body> {
    let mut response = Response::new(full(format!("{why}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(value) = HeaderValue::try_from(format!("supervisor; error={error}")) {
        headers.insert("proxy-status", value);
    }
    response
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn empty() -> Body {
    full(String::new())
}
