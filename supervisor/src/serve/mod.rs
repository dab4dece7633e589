//! The endpoint: what a control plane and Prometheus ask, answered from a snapshot in a process of its own.
//!
//! A request never touches the engine or the loop, and whoever takes that process over holds nothing but its sockets.
//! Deliberately absent: anything that changes the stack.

pub mod access;
mod http;
pub mod inside;
pub mod listen;
pub mod metrics;
pub mod openapi;
pub mod opening;
pub mod process;
pub mod requests;
pub mod routes;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod wire;

use access::{Access, Token};
use listen::{Bound, Listen, ListenError};

/// Sockets that listen already, each with what it asks of those who come.
#[derive(Debug, Default)]
pub struct Endpoint(Vec<(Bound, Access)>);

/// Binds every address, so that a taken port is known before anything starts.
///
/// With a token, it is asked for on every TCP address; a unix socket is guarded by its permissions.
///
/// # Errors
/// An address that others can reach has no token, or an address cannot be bound.
pub fn bind(addresses: &[Listen], token: Option<&Token>) -> Result<Endpoint, ListenError> {
    if addresses.len() > wire::LISTENERS {
        return Err(ListenError::TooMany);
    }
    addresses.iter().map(|address| open(address, token)).collect::<Result<_, _>>().map(Endpoint)
}

fn open(address: &Listen, token: Option<&Token>) -> Result<(Bound, Access), ListenError> {
    let access = match (address, token) {
        (Listen::Unix(_), _) => Access::Permissions,
        (Listen::Tcp(_), Some(token)) => Access::Bearer(token.clone()),
        (Listen::Tcp(_), None) if address.is_local() => Access::Loopback,
        (Listen::Tcp(_), None) => return Err(ListenError::Open(address.clone())),
    };
    Ok((address.bind()?, access))
}
