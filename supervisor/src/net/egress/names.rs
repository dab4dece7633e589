//! Names to addresses, asked of the resolver that the container was given.
//!
//! Deliberately absent: a cache; each new connection asks again, so that what was judged is what is connected to.

use std::io;
use std::net::IpAddr;

use domain::base::Name;
use domain::resolv::StubResolver;
use domain::resolv::lookup::lookup_host;

/// The resolver of `/etc/resolv.conf`.
#[derive(Debug, Default)]
pub(super) struct Names(StubResolver);

impl Names {
    /// Every address of a name, IPv4 first; empty where it has none.
    ///
    /// # Errors
    /// The name cannot be one, or nobody answers.
    pub(super) async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name: Name<Vec<u8>> = name.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
        let found = lookup_host(&self.0, name).await?;
        let mut addresses: Vec<IpAddr> = found.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.dedup();
        Ok(addresses)
    }
}
