//! A neighbour of the engine's host: a network namespace of its own, on a link with the engine's, and nowhere else.
//!
//! What it has listening there is outside, as far as containers can tell. Deliberately absent: any way to a real network.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bed::ran;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A neighbour; it is gone, with its link and the routes to it, when it is dropped.
#[derive(Debug)]
pub struct Neighbour {
    name: String,
    link: String,
}

/// The host's address on the link.
pub const HOST: &str = "198.51.100.1";
/// The neighbour's.
pub const NEIGHBOUR: &str = "198.51.100.2";
/// The host's in IPv6.
pub const HOST6: &str = "2001:db8:77::1";
/// The neighbour's in IPv6.
pub const NEIGHBOUR6: &str = "2001:db8:77::2";

impl Neighbour {
    /// A link with these addresses: whoever calls it in a network that others use holds the turn of those who need it for
    /// themselves.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(&["add"])
    }

    /// The same in the network of a process that has no link yet, such as that of a container without a network.
    #[track_caller]
    pub fn of(pid: u32) -> Self {
        Self::with(&["attach", &pid.to_string()])
    }

    #[track_caller]
    fn with(how: &[&str]) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("neighbour-{}-{number}", std::process::id());
        // At most 15 characters.
        let link = format!("nb{}-{number}", std::process::id());
        let (word, pid) = how.split_at(1);
        ip(&[&["netns"], word, &[name.as_str()], pid].concat());
        let neighbour = Self { name, link };
        let (link, name) = (neighbour.link.as_str(), neighbour.name.as_str());
        ip(&["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name]);
        ip(&["address", "add", &format!("{HOST}/30"), "dev", link]);
        ip(&["address", "add", &format!("{HOST6}/64"), "dev", link, "nodad"]);
        ip(&["link", "set", link, "up"]);
        neighbour.ip(&["link", "set", "lo", "up"]);
        neighbour.ip(&["address", "add", &format!("{NEIGHBOUR}/30"), "dev", "eth0"]);
        neighbour.ip(&["address", "add", &format!("{NEIGHBOUR6}/64"), "dev", "eth0", "nodad"]);
        neighbour.ip(&["link", "set", "eth0", "up"]);
        neighbour.ip(&["route", "add", "default", "via", HOST]);
        neighbour.ip(&["-6", "route", "add", "default", "via", HOST6]);
        neighbour
    }

    /// The neighbour has this address, too, and the host has a route to it.
    #[track_caller]
    pub fn has(&self, address: &str) {
        let (family, length, via) =
            if address.contains(':') { ("-6", 128, NEIGHBOUR6) } else { ("-4", 32, NEIGHBOUR) };
        // Of IPv6, at once: nobody else on that link can have it, and the kernel would look later.
        let at_once: &[&str] = if length == 128 { &["nodad"] } else { &[] };
        let address_there = format!("{address}/{length}");
        self.ip(&[&[family, "address", "add", &address_there, "dev", "lo"], at_once].concat());
        ip(&[family, "route", "replace", &address_there, "via", via, "dev", &self.link]);
    }

    /// A program there, ready for its arguments.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    /// Runs this there, on a thread of its own.
    #[track_caller]
    pub fn within<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        in_network(Path::new(&format!("/run/netns/{}", self.name)), body)
    }

    /// `ip`, there.
    #[track_caller]
    pub fn ip(&self, arguments: &[&str]) {
        ran(self.command("ip").args(arguments)).expect(0);
    }

    /// The host's end of the link.
    pub fn link(&self) -> &str {
        &self.link
    }
}

impl Default for Neighbour {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // The other end and every route through it go with it, also while a process is still in there.
        ran(Command::new("ip").args(["link", "delete", &self.link]));
        ran(Command::new("ip").args(["netns", "delete", &self.name]));
    }
}

/// Runs this in a network namespace, named by its file, on a thread of its own.
#[track_caller]
pub fn in_network<T: Send>(file: &Path, body: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(file).expect("a network namespace");
    let inside = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
        body()
    };
    std::thread::scope(|scope| scope.spawn(inside).join().expect("what runs in another network"))
}

#[track_caller]
fn ip(arguments: &[&str]) {
    ran(Command::new("ip").args(arguments)).expect(0);
}
