//! A request and a snapshot to an answer: the paths of the endpoint.
//!
//! A pure function. Deliberately absent: sockets, clocks and counters.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::access::{Access, Denied};
use super::metrics;
use super::requests::Counted;
use super::snapshot::{STALE_AFTER, Snapshot};

/// What goes back over the wire.
pub type Answer = Response<Full<Bytes>>;

/// Every path, for the documentation and the answer to an unknown one.
pub const PATHS: &[(&str, &str)] = &[
    ("/livez", "200 while the loop turns, else 503"),
    ("/readyz", "200 when every service is healthy and attested, else 503"),
    ("/healthz", "the control plane's answer: 200 or 503 with the reasons and one word a service, as JSON"),
    ("/status", "everything that is known, as JSON"),
    ("/metrics", "the same for Prometheus, as OpenMetrics text"),
];

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// The short answer of `/healthz`.
#[derive(Serialize)]
struct Healthz<'a> {
    ok: bool,
    phase: super::snapshot::Phase,
    reasons: Vec<&'a str>,
    warnings: &'a [String],
    services: std::collections::BTreeMap<&'a str, &'static str>,
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// How things are.
    pub snapshot: &'a Snapshot,
    /// Since the loop's last turn.
    pub age: Duration,
    /// How requests ended so far.
    pub requests: &'a Counted,
}

/// Answers one request.
pub fn answer(access: &Access, request: &Parts, now: Moment<'_>) -> Answer {
    match access.admit(&request.headers) {
        Ok(()) => {}
        Err(Denied::Unauthorized) => return unauthorized(),
        Err(Denied::Misdirected) => {
            return text(StatusCode::MISDIRECTED_REQUEST, "this host is not served here\n");
        }
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return not_allowed();
    }
    if has_body(request) {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "no body is read here\n");
    }
    route(request.uri.path(), now)
}

fn route(path: &str, now: Moment<'_>) -> Answer {
    let Moment { snapshot, age, .. } = now;
    let turning = age <= STALE_AFTER;
    match path {
        "/livez" if turning => text(StatusCode::OK, "ok\n"),
        "/livez" => text(StatusCode::SERVICE_UNAVAILABLE, stuck(age) + "\n"),
        "/readyz" if turning && snapshot.is_ready() => text(StatusCode::OK, "ok\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, reasons(snapshot, age).join("\n") + "\n"),
        "/healthz" => healthz(snapshot, age),
        "/status" => json(StatusCode::OK, snapshot),
        "/metrics" => respond(StatusCode::OK, metrics::CONTENT_TYPE, metrics::render(now)),
        _ => {
            let paths: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
            text(StatusCode::NOT_FOUND, format!("not here; there are {}\n", paths.join(" ")))
        }
    }
}

fn healthz(snapshot: &Snapshot, age: Duration) -> Answer {
    let ok = age <= STALE_AFTER && snapshot.is_ready();
    let reasons = if ok { Vec::new() } else { reasons(snapshot, age) };
    let body = Healthz {
        ok,
        phase: snapshot.phase,
        reasons: reasons.iter().map(String::as_str).collect(),
        warnings: &snapshot.warnings,
        services: snapshot.services.iter().map(|(name, s)| (name.as_str(), s.state.name())).collect(),
    };
    json(if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

/// Never empty where it is asked for.
fn reasons(snapshot: &Snapshot, age: Duration) -> Vec<String> {
    let mut reasons = snapshot.reasons.clone();
    if age > STALE_AFTER {
        reasons.insert(0, stuck(age));
    }
    if reasons.is_empty() {
        reasons.push("the stack is being brought to its wanted state".to_owned());
    }
    reasons
}

fn stuck(age: Duration) -> String {
    format!("the loop has not ended a turn for {} s", age.as_secs())
}

fn has_body(request: &Parts) -> bool {
    request.headers.contains_key(TRANSFER_ENCODING)
        || request.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

fn unauthorized() -> Answer {
    let mut answer = text(StatusCode::UNAUTHORIZED, "a bearer token is needed\n");
    answer
        .headers_mut()
        .insert(hyper::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"supervisor\""));
    answer
}

fn not_allowed() -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

fn text(status: StatusCode, body: impl Into<String>) -> Answer {
    respond(status, TEXT, body.into())
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_string(body) {
        Ok(body) => respond(status, JSON, body + "\n"),
        Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}
