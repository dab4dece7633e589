//! How an attempt is made: by TCP, UDP, ping or a question for a name, by the neighbour or from a container's network.
//!
//! Deliberately absent: what is there to be reached (`world`).

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::World;
use super::world::{PATIENCE, WORD};
use crate::bed::ran;
use crate::neighbour::{HOST, HOST6};
use crate::wait;

impl World {
    /// Whether the neighbour gets the word under a URL, with a route to it through the host.
    #[track_caller]
    pub fn neighbour_gets(&self, url: &str) -> bool {
        // Loopback by a route: the neighbour gives up its own first.
        if url.contains("127.0.0.1") {
            self.neighbour.ip(&["address", "flush", "dev", "lo", "scope", "host"]);
            let set = ["net.ipv4.conf.all.route_localnet=1"];
            ran(self.neighbour.command("sysctl").arg("-qw").args(set)).expect(0);
            self.neighbour.ip(&["route", "replace", "127.0.0.0/8", "via", HOST, "dev", "eth0"]);
        }
        if url.contains("[::1]") {
            let own = ["-6", "address", "delete", "::1/128", "dev", "lo"];
            ran(self.neighbour.command("ip").args(own));
            self.neighbour.ip(&["-6", "route", "replace", "::1/128", "via", HOST6, "dev", "eth0"]);
        }
        let curl = ["-s", "-g", "-m", "2", url];
        ran(self.neighbour.command("curl").args(curl)).out.contains(WORD)
    }

    /// Whether this host gets the word under a URL.
    #[track_caller]
    pub fn host_gets(&self, url: &str) -> bool {
        ran(Command::new("curl").args(["-s", "-g", "-m", "5", url])).out.contains(WORD)
    }

    /// Whether a service reads the word there over TCP.
    #[track_caller]
    pub fn reads(&self, service: &str, address: &str, port: u16) -> bool {
        self.reads_at(service, SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port))
    }

    /// The same at the link-local address of the bridge that it is on.
    #[track_caller]
    pub fn reads_over_the_link(&self, service: &str, network: &str, port: u16) -> bool {
        let id = Self::text(&self.inspect(service, network)["NetworkID"]);
        let bridge = format!("br-{}", id.get(..12).expect("an id"));
        let (address, _) = wait::until("the bridge's link-local address", || link_local(&bridge));
        let own = || self.inside(service, || link_local("eth0"));
        let (_, own) = wait::until("the container's link-local address", own);
        self.reads_at(service, SocketAddrV6::new(address, port, 0, own).into())
    }

    #[track_caller]
    fn reads_at(&self, service: &str, at: SocketAddr) -> bool {
        let read = || {
            let mut stream = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            stream.write_all(b"GET /version HTTP/1.0\r\nHost: engine\r\n\r\n").ok()?;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            Some(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = self.inside(service, read).unwrap_or_default();
        answer.contains(WORD) || answer.contains("ApiVersion") || answer.starts_with("HTTP/1")
    }

    /// Whether a datagram of a service comes back from there.
    #[track_caller]
    pub fn echoes(&self, service: &str, address: &str, port: u16) -> bool {
        let at = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port);
        self.inside(service, || says(at, WORD.as_bytes())).is_some()
    }

    /// Whether a service's ping is answered.
    #[track_caller]
    pub fn pings(&self, service: &str, address: &str) -> bool {
        let pid = self.pid(service);
        let network = format!("--net=/proc/{pid}/ns/net");
        let applet = if address.contains(':') { "ping6" } else { "ping" };
        let ping = [network.as_str(), "busybox", applet, "-c", "1", "-W", "1", address];
        ran(Command::new("nsenter").args(ping)).code == 0
    }

    /// Whether a question of a service comes to the resolver outside, through this one.
    #[track_caller]
    pub fn asks(&self, service: &str, resolver: &str) -> bool {
        let name = format!("secret-of-{service}.tunnel.example.org");
        let heard =
            || [self.dns.asked(), self.dns6.asked()].concat().iter().filter(|asked| **asked == name).count();
        let before = heard();
        let at = SocketAddr::new(resolver.parse::<IpAddr>().expect("an address"), 53);
        // Standard query, recursion desired, one question: the name, type A, class IN.
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).expect("a short label"));
            question.extend(label.as_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        self.inside(service, || says(at, &question));
        heard() > before
    }
}

/// Sends a datagram, and waits for one.
fn says(at: SocketAddr, what: &[u8]) -> Option<()> {
    let own: SocketAddr = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().ok()?;
    let socket = UdpSocket::bind(own).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send_to(what, at).ok()?;
    socket.recv_from(&mut [0; 512]).ok().map(drop)
}

/// The link-local address of a link of this thread's network, and the link's number (`/proc/net/if_inet6` of proc(5));
/// `None` while it may be somebody else's, too (`IFA_F_TENTATIVE` of `linux/if_addr.h`).
fn link_local(link: &str) -> Option<(Ipv6Addr, u32)> {
    let text = std::fs::read_to_string("/proc/thread-self/net/if_inet6").ok()?;
    text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, number, _, _, flags, name] = words.as_slice() else { return None };
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        let tentative = u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & 0x40 != 0);
        let is_it = *name == link && address.is_unicast_link_local() && !tentative;
        is_it.then(|| u32::from_str_radix(number, 16).ok().map(|number| (address, number)))?
    })
}
