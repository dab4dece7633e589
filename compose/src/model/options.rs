//! A service's `x-supervisor`: what Compose has no key for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Recorded;
use crate::source::At;
use crate::units::Port;

/// A service's `x-supervisor`.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// Our own HTTP probe.
    pub probe: Option<At<Probe>>,
    /// Exit code to what is done about it.
    pub on_exit: BTreeMap<u8, At<OnExit>>,
    /// Which base the seccomp and AppArmor profiles start from.
    pub runtime: Option<At<Runtime>>,
    /// Paths in the container from which files may be run although they can be written: absolute, lexically normal,
    /// of letters, digits and `/._+-` alone.
    pub exec_from: Vec<At<String>>,
    /// What of that base is granted, by the file that `seccomp` names.
    pub seccomp: Option<At<Recorded>>,
    /// What is wanted of Landlock; without it, it is used where the kernel has it.
    pub landlock: Option<At<Landlock>>,
    /// The TCP ports that the service is held to.
    pub tcp: Option<At<TcpPorts>>,
    /// How it takes other contents of its configs without a restart.
    pub reload: Option<At<Reload>>,
}

/// How a running service is told that its configs have other contents.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The signal that it reads them anew on, by name.
    pub signal: At<String>,
    /// Keys of the configs that it reads anew; empty: all that it is given.
    pub on: Vec<At<String>>,
    /// A command in its container that ends with 0 where it can take them. It runs before the signal.
    pub check: Vec<String>,
    /// What its output says once it has taken them.
    pub logs: Option<String>,
}

impl Reload {
    /// Whether a config of this key is read anew.
    pub fn covers(&self, key: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|on| on.value == key)
    }
}

/// What a service wants of Landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// Nothing is started where the kernel cannot keep the whole of it.
    Required,
    /// It is not used, although the kernel may have it.
    Off,
}

/// The TCP ports that a service is held to. `None` leaves a direction open; an empty list closes it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TcpPorts {
    /// Ports that it may listen on.
    pub bind: Option<Vec<Port>>,
    /// Ports that it may connect to, whatever the address.
    pub connect: Option<Vec<Port>>,
}

/// An HTTP probe from the host over the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Path of the health request, starting with `/`.
    pub http: String,
    /// Port in the container.
    pub port: Port,
    /// Text that the body must contain; without it, status 200 to 299 is enough.
    pub body: Option<String>,
    /// Path that must answer first, within `start_period`.
    pub startup: Option<String>,
    /// From one answer to the next request. Default 10 s.
    pub interval: Duration,
    /// For the whole answer. Default 2 s.
    pub timeout: Duration,
    /// Consecutive failures that make it unhealthy, 1 to 10. Default 3.
    pub retries: u32,
    /// How long it may take to become healthy after a start. Default 5 min.
    pub start_period: Duration,
}

/// What is done when a container exits with a certain code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Started again after the back-off.
    Restart,
    /// Left stopped and shown as such: starting it again cannot help.
    Stop,
}

/// Which program family a profile starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// An ordinary libc program.
    Generic,
    /// Node.js: V8 and libuv.
    Node,
    /// A Go program.
    Go,
}

impl Runtime {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Generic, Self::Node, Self::Go];

    /// Its name in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Node => "node",
            Self::Go => "go",
        }
    }
}
