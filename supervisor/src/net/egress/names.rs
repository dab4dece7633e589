//! Names to addresses, asked of the resolver that the container was given.
//!
//! Deliberately absent: a cache; each new connection asks again, so that what was judged is what is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};

use domain::base::Name;
use domain::resolv::StubResolver;
use domain::resolv::lookup::lookup_host;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

use crate::host::resolvers::nameservers;

/// Where the engine says who resolves names (resolv.conf(5)).
const CONFIGURATION: &str = "/etc/resolv.conf";
/// Where they answer (RFC 1035, section 4.2).
const PORT: u16 = 53;

/// The resolvers of `/etc/resolv.conf`.
#[derive(Debug)]
pub(super) struct Names(StubResolver);

impl Default for Names {
    /// The file is read here: the library takes names of resolvers as well as their addresses, and brings along for that
    /// all by which the C library resolves names, a fiftieth of this program.
    fn default() -> Self {
        let text = std::fs::read_to_string(CONFIGURATION).unwrap_or_default();
        let mut configuration = ResolvConf::new();
        configuration.servers =
            servers(&text).map(|address| ServerConf::new(address, Transport::UdpTcp)).collect();
        configuration.finalize();
        Self(StubResolver::from_conf(configuration))
    }
}

/// `nameserver` rows that say an address, which are all that there are.
fn servers(text: &str) -> impl Iterator<Item = SocketAddr> {
    nameservers(text).filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, PORT)))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_asked_in_the_files_order() {
        let text = "# by the engine\nsearch example.com\nnameserver 127.0.0.11\nnameserver ::1 # second\noptions ndots:0\n";
        let found: Vec<String> = servers(text).map(|address| address.to_string()).collect();
        assert_eq!(found, ["127.0.0.11:53", "[::1]:53"]);
        assert_eq!(servers("nameserver resolver.example.com\nnameserver\n").count(), 0);
    }
}
