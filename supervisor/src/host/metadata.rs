//! Whether the provider's metadata service answers, from the host and from within a container's network.
//!
//! A thread of its own enters the container's network namespace, tries to connect, and ends. Deliberately absent: asking
//! the service anything.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The address that all large providers use, and the port.
const SERVICE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
/// It is one link away.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Whether it answers this process.
pub fn answers() -> bool {
    TcpStream::connect_timeout(&SERVICE, PATIENCE).is_ok()
}

/// Whether it answers in the network of this process; `None` if that is the host's own.
///
/// # Errors
/// The network cannot be entered: it takes root, and the process has to live.
pub fn answers_in(pid: u32) -> std::io::Result<Option<bool>> {
    let (own, its) = ("/proc/self/ns/net".to_owned(), format!("/proc/{pid}/ns/net"));
    if std::fs::read_link(own)? == std::fs::read_link(&its)? {
        return Ok(None);
    }
    let network = File::open(its)?;
    let looked = std::thread::spawn(move || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(Some(answers()))
    });
    looked.join().unwrap_or_else(|_| Err(std::io::Error::other("the look ended early")))
}
