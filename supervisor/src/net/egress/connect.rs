//! From an asked-for name to a connection, or to the reason why there is none.
//!
//! Deliberately absent: what is sent over it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::grants::Grants;
use super::names::Names;
use super::request::Target;
use crate::decide::outside::outside;

/// For an answer of the resolver.
const RESOLVE: Duration = Duration::from_secs(10);
/// For one address to take the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried.
const TRIED: usize = 4;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoWay {
    /// It is not to be: not granted, or it leads inside.
    Denied(String),
    /// It is, and could not be made.
    Failed(String),
}

/// Connects a service to a name, if that is granted and the name leads outside. The address that was judged is the one
/// that is connected to.
pub(super) async fn connect(
    service: &str,
    target: &Target,
    grants: &Grants,
    names: &Names,
) -> Result<TcpStream, NoWay> {
    let Target { name, port } = target;
    if !grants.allow(service, name, *port) {
        return Err(NoWay::Denied(format!(
            "`{name}:{port}` is not among the names that `{service}` may reach; if it should be, add it to \
             `x-supervisor.egress.{service}`"
        )));
    }
    let found = timeout(RESOLVE, names.destination(name)).await.unwrap_or_else(|late| Err(late.into()));
    let found = found.map_err(|error| NoWay::Failed(format!("`{name}` could not be resolved: {error}")))?;
    let outside = judged(name, &found)?;
    let mut last = None;
    for address in outside.into_iter().take(TRIED) {
        let connecting = TcpStream::connect(SocketAddr::new(address, *port));
        match timeout(CONNECT, connecting).await.unwrap_or_else(|late| Err(late.into())) {
            Ok(stream) => {
                // A proxy that waits to fill packets adds that wait to every small message.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    names.forget(name);
    let error = last.unwrap_or_else(|| io::ErrorKind::NotFound.into());
    Err(NoWay::Failed(format!("`{name}:{port}` could not be reached: {error}")))
}

/// The addresses that lie outside. One that does not denies the name as a whole: a name that leads inside for one
/// request in two is an attack, and not a mistake.
fn judged(name: &str, found: &[IpAddr]) -> Result<Vec<IpAddr>, NoWay> {
    if found.is_empty() {
        return Err(NoWay::Failed(format!("`{name}` has no address")));
    }
    for address in found {
        if let Err(what) = outside(*address) {
            return Err(NoWay::Denied(format!("`{name}` leads to {address}, {what}")));
        }
    }
    Ok(found.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_inside_denies_the_name() {
        let outside: IpAddr = "1.1.1.1".parse().unwrap();
        let inside: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(judged("a.example.com", &[outside]).unwrap(), [outside]);
        for found in [vec![outside, inside], vec![inside]] {
            let Err(NoWay::Denied(why)) = judged("a.example.com", &found) else { panic!("{found:?} passed") };
            assert_eq!(why, "`a.example.com` leads to 10.0.0.1, a private address");
        }
        assert!(matches!(judged("a.example.com", &[]), Err(NoWay::Failed(_))));
    }
}
