//! What a service tries that needs one name on the internet: by that name and others, through the proxy where there is
//! one, and past it.
//!
//! Deliberately absent: TLS beyond its greeting, which is all that a proxy sees of it.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::world::{PATIENCE, PUBLIC, WORD};
use super::{Firewall, World};
use crate::tls::greeting;

/// For the proxy's answer, which may have to ask for a name.
const ANSWER: Duration = Duration::from_secs(10);
/// The granted name that leads wherever its owner wants.
const TURNED: &str = "turned.example.org";

impl World {
    /// Whether the client gets to a name or an address and a port, past the proxy or through it.
    #[track_caller]
    pub fn tunnels(&self, name: &str, port: u16) -> bool {
        self.tunnels_as(name, name, port)
    }

    /// The same where `asked` is what the proxy is told.
    #[track_caller]
    pub fn tunnels_as(&self, name: &str, asked: &str, port: u16) -> bool {
        self.past_the_proxy(name, port) || self.through_the_proxy(name, asked, port)
    }

    /// Whether the client gets there by a granted name whose owner turned it.
    #[track_caller]
    pub fn rebinds(&self, to: &str, port: u16) -> bool {
        self.dns.set(TURNED, &[PUBLIC]);
        assert!(self.tunnels(TURNED, 443), "the granted name leads nowhere to begin with");
        self.dns.set(TURNED, &[to]);
        self.tunnels(TURNED, port)
    }

    /// Whether the client gets there itself: it knows every address that a name has.
    #[track_caller]
    pub fn past_the_proxy(&self, name: &str, port: u16) -> bool {
        let numbers =
            name.parse::<IpAddr>().map_or_else(|_| self.dns.addresses(name), |address| vec![address]);
        self.inside("client", || {
            numbers.iter().any(|address| {
                let stream = TcpStream::connect_timeout(&SocketAddr::new(*address, port), PATIENCE);
                stream.is_ok_and(|stream| is_answered(stream, name))
            })
        })
    }

    /// Whether the proxy gets it there; not where there is none.
    #[track_caller]
    pub fn through_the_proxy(&self, name: &str, asked: &str, port: u16) -> bool {
        self.tunnel(asked, port).is_some_and(|stream| is_answered(stream, name))
    }

    /// What the proxy granted the client, before anything is said over it.
    #[track_caller]
    pub(super) fn tunnel(&self, asked: &str, port: u16) -> Option<TcpStream> {
        let proxy = self.proxy()?;
        let asked = if asked.contains(':') { format!("[{asked}]:{port}") } else { format!("{asked}:{port}") };
        self.inside("client", || {
            let mut stream = TcpStream::connect_timeout(&proxy, PATIENCE).ok()?;
            let request = format!("CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n");
            let mut head = Vec::new();
            let mut byte = [0];
            let _ = stream.set_read_timeout(Some(ANSWER));
            stream.write_all(request.as_bytes()).ok()?;
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.extend(byte);
            }
            head.starts_with(b"HTTP/1.1 200").then_some(stream)
        })
    }

    /// Where the proxy answers the client; `None` with Docker Compose, or while it does not run.
    fn proxy(&self) -> Option<SocketAddr> {
        if self.firewall == Firewall::Guide {
            return None;
        }
        let network = self.inspect("egress-proxy", "back");
        Some(SocketAddr::new(network["IPAddress"].as_str()?.parse().ok()?, 3128))
    }

    /// The host's address on the client's network.
    #[track_caller]
    pub fn client_gateway(&self) -> String {
        self.gateway("client", self.clients_network(), false)
    }
}

/// Greets whoever is there by this name; whether the word comes back.
pub(super) fn is_answered(mut stream: TcpStream, name: &str) -> bool {
    let _ = stream.set_read_timeout(Some(ANSWER));
    let mut answer = Vec::new();
    let greeted = stream.write_all(&greeting(name));
    let _ = stream.read_to_end(&mut answer);
    greeted.is_ok() && String::from_utf8_lossy(&answer).contains(WORD)
}
