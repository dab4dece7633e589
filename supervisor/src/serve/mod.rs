//! The endpoint: what a control plane and Prometheus ask, answered from a snapshot in a thread of its own.
//!
//! A request never touches the engine or the loop; a slow client costs nobody but itself.
//! Deliberately absent: anything that changes the stack.

pub mod access;
mod http;
pub mod listen;
pub mod metrics;
pub mod routes;
pub mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use access::{Access, Token};
use http::Shared;
use listen::{Bound, Listen, ListenError};
use snapshot::{Pulse, Snapshot};

/// Sockets that listen already, each with what it asks of those who come.
#[derive(Debug)]
pub struct Endpoint(Vec<(Bound, Access)>);

/// Why the endpoint did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the endpoint's thread")]
pub struct ServeError(#[from] std::io::Error);

/// The running endpoint; it ends with this value.
#[derive(Debug)]
pub struct Serving {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Binds every address, so that a taken port is known before anything starts.
///
/// With a token, it is asked for on every TCP address; a unix socket is guarded by its permissions.
///
/// # Errors
/// An address that others can reach has no token, or an address cannot be bound.
pub fn bind(addresses: &[Listen], token: Option<&Token>) -> Result<Endpoint, ListenError> {
    let mut bound = Vec::new();
    for address in addresses {
        let access = match (address, token) {
            (Listen::Unix(_), _) => Access::Permissions,
            (Listen::Tcp(_), Some(token)) => Access::Bearer(token.clone()),
            (Listen::Tcp(_), None) if address.is_local() => Access::Loopback,
            (Listen::Tcp(_), None) => return Err(ListenError::Open(address.clone())),
        };
        bound.push((address.bind()?, access));
    }
    Ok(Endpoint(bound))
}

/// Serves in a thread of its own until the returned value is dropped.
///
/// # Errors
/// The machine gives no more threads or descriptors.
pub fn serve(
    endpoint: Endpoint,
    snapshots: &watch::Receiver<Arc<Snapshot>>,
    pulse: &Pulse,
) -> Result<Serving, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let listeners: Vec<(Bound, Shared)> = endpoint
        .0
        .into_iter()
        .map(|(bound, access)| (bound, Shared { access, snapshots: snapshots.clone(), pulse: pulse.clone() }))
        .collect();
    let thread = std::thread::Builder::new()
        .name("endpoint".into())
        .stack_size(256 * 1024)
        .spawn(move || LocalSet::new().block_on(&runtime, accept_all(listeners, stopped)))?;
    Ok(Serving { stop: Some(stop), thread: Some(thread) })
}

async fn accept_all(listeners: Vec<(Bound, Shared)>, stopped: oneshot::Receiver<()>) {
    let mut accepting = JoinSet::new();
    for (bound, shared) in listeners {
        accepting.spawn_local(http::accept(bound, shared));
    }
    let failing = async {
        while let Some(ended) = accepting.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!(%error, "a listener of the endpoint ended");
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = stopped => {}
        () = failing => {}
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
