//! `/proc/net/{tcp,tcp6,udp,udp6}`: what listens in a network namespace.
//!
//! Pure. Deliberately absent: who listens (`owners`), and ports that are only forwarded by the packet filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A socket that takes what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listening {
    /// Its protocol.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
}

/// Protocols whose sockets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// Stream.
    Tcp,
    /// Datagram.
    Udp,
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.address)
    }
}

impl Listening {
    /// Others than this machine can reach it.
    pub fn beyond_loopback(&self) -> bool {
        !self.address.ip().to_canonical().is_loopback()
    }
}

/// State `TCP_LISTEN` of the kernel; a datagram socket without a peer has `TCP_CLOSE`.
const LISTEN: &str = "0A";
const CLOSE: &str = "07";

/// Reads one of the files; lines that are none are passed over, as the header is.
pub fn parse(text: &str, protocol: Protocol) -> BTreeSet<Listening> {
    rows(text, protocol).map(|(socket, _)| socket).collect()
}

/// The same by inode, which names a socket among a process's descriptors. Several may listen at one address.
pub fn by_inode(text: &str, protocol: Protocol) -> BTreeMap<u64, Listening> {
    rows(text, protocol).filter_map(|(socket, inode)| Some((inode?, socket))).collect()
}

fn rows(text: &str, protocol: Protocol) -> impl Iterator<Item = (Listening, Option<u64>)> {
    text.lines().filter_map(move |line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _peer, state) = (fields.next()?, fields.next()?, fields.next()?);
        let wanted = match protocol {
            Protocol::Tcp => LISTEN,
            Protocol::Udp => CLOSE,
        };
        (state == wanted).then_some(())?;
        // Queues, timer, retransmissions, user and time-out come before it (proc_pid_net(5)).
        let inode = fields.nth(5).and_then(|inode| inode.parse().ok());
        Some((Listening { protocol, address: address(local)? }, inode))
    })
}

/// `0100007F:1F90`: words of the address in the machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |n: usize| u32::from_str_radix(ip.get(n * 8..n * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (chunk, n) in bytes.chunks_exact_mut(4).zip(0..) {
                chunk.copy_from_slice(&word(n)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    #[track_caller]
    fn check(rows: &str, protocol: Protocol, expect: Expect) {
        let seen = parse(&format!("{HEAD}{rows}"), protocol);
        let seen: Vec<_> =
            seen.iter().map(|s| format!("{s}{}", if s.beyond_loopback() { " beyond" } else { "" })).collect();
        expect.assert_eq(&seen.join("\n"));
    }

    #[test]
    fn listening_stream_sockets_are_told_from_connected_ones() {
        check(
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n\
             \x20  1: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1\n\
             \x20  2: 0100007F:1F91 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 3 1\n",
            Protocol::Tcp,
            expect![[r"
                0.0.0.0:443/tcp beyond
                127.0.0.1:8080/tcp"]],
        );
    }

    #[test]
    fn version_6_addresses_and_mapped_loopback_are_read() {
        check(
            "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n\
             \x20  1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n\
             \x20  2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n",
            Protocol::Tcp,
            expect![[r"
                [::]:80/tcp beyond
                [::1]:81/tcp
                [::ffff:127.0.0.1]:82/tcp"]],
        );
    }

    #[test]
    fn a_socket_is_named_by_its_inode() {
        let rows = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n";
        let sockets = by_inode(&format!("{HEAD}{rows}"), Protocol::Tcp);
        assert_eq!(sockets.keys().collect::<Vec<_>>(), [&4711]);
    }

    #[test]
    fn a_datagram_socket_without_a_peer_listens() {
        check(
            "  100: 00000000:01BB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0 0\n",
            Protocol::Udp,
            expect![["0.0.0.0:443/udp beyond"]],
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(local in "[0-9A-F:é]{0,45}") {
            let _ = parse(&format!("0: {local} 0:0 0A"), Protocol::Tcp);
        }
    }
}
