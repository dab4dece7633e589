//! What every request passes on its way out: it is counted, and gets the version that was agreed on.
//!
//! Deliberately absent: what is asked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Body as _;

/// Who answers.
pub(super) const VERSION: &str = "/version";

/// Shared with the hook that every request passes.
#[derive(Default)]
pub(super) struct Wire {
    /// Minor version to prefix requests with; 0 while none is agreed on.
    pub(super) minor: AtomicU64,
    /// The minor version of the engine's newest API.
    pub(super) newest: AtomicU64,
    /// Whether the runtime takes a profile's filter flags, once that is known.
    pub(super) takes_filter_flags: OnceLock<bool>,
    pub(super) requests: AtomicU64,
    pub(super) mutations: AtomicU64,
    pub(super) sent: AtomicU64,
}

impl Wire {
    /// Counts a request and puts the version before its path: the crate leaves it out.
    pub(super) fn pass(&self, request: bollard::BollardRequest) -> bollard::BollardRequest {
        let (mut parts, body) = request.into_parts();
        let sent = body.size_hint().exact().unwrap_or(0);
        self.count(parts.method.as_str(), parts.uri.path(), sent);
        if let Some(path) = parts.uri.path_and_query().and_then(|path| self.versioned(path.as_str())) {
            let mut uri = parts.uri.clone().into_parts();
            uri.path_and_query = path.parse().ok();
            if let Ok(versioned) = hyper::Uri::from_parts(uri) {
                parts.uri = versioned;
            }
        }
        bollard::BollardRequest::from_parts(parts, body)
    }

    pub(super) fn count(&self, method: &str, path: &str, sent: u64) {
        let mutates = method != "GET" && method != "HEAD";
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.mutations.fetch_add(u64::from(mutates), Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
        tracing::trace!(method, path, sent, "engine request");
    }

    /// A path with the version before it, once one is agreed on. Who answers is asked in none: it may be another engine by now.
    pub(super) fn versioned(&self, path: &str) -> Option<String> {
        let minor = self.minor.load(Ordering::Relaxed);
        (minor > 0 && path != VERSION).then(|| format!("/v1.{minor}{path}"))
    }
}
