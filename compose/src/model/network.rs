//! Networks, who is on them, and the ports that lead to a container.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::source::{At, Span};

/// One published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedPort {
    /// Address on the host as written; `None` means all of them.
    pub host_ip: Option<String>,
    /// The address, where the text is one.
    pub address: Option<IpAddr>,
    /// Port on the host; `None` lets the engine choose.
    pub published: Option<u16>,
    /// Port in the container.
    pub target: u16,
    /// `tcp`, `udp` or `sctp`, lower case.
    pub protocol: String,
    /// `host` or `ingress`, as written in the long form.
    pub mode: Option<String>,
}

/// A service's place on a network.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Attachment {
    /// Further names of the service there.
    pub aliases: Vec<String>,
    /// Fixed address.
    pub ipv4_address: Option<std::net::Ipv4Addr>,
    /// Fixed address.
    pub ipv6_address: Option<std::net::Ipv6Addr>,
    /// Which network is connected first.
    pub priority: Option<i64>,
    /// Which network gives the default route.
    pub gw_priority: Option<i64>,
}

/// A further name of another service, as `links` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The other service.
    pub service: String,
    /// Its name here; its own where the file says none.
    pub alias: String,
}

/// A top-level network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its key.
    pub key: String,
    /// Where its key is written, or where it was first used.
    pub span: Span,
    /// `name`, where it is written; else `PROJECT_KEY`.
    pub name: Option<At<String>>,
    /// `driver`.
    pub driver: Option<At<String>>,
    /// Driver options.
    pub driver_opts: BTreeMap<String, At<String>>,
    /// Not made by us.
    pub external: Option<At<bool>>,
    /// No route out.
    pub internal: Option<At<bool>>,
    /// `enable_ipv6`.
    pub enable_ipv6: Option<At<bool>>,
    /// `attachable`.
    pub attachable: Option<At<bool>>,
    /// Address pools.
    pub ipam: Vec<At<Pool>>,
    /// `ipam.driver`.
    pub ipam_driver: Option<At<String>>,
    /// Labels, ours not among them.
    pub labels: BTreeMap<String, At<String>>,
    /// Keys that no field takes and that would change the network: `ipam.options`, `enable_ipv4: false`.
    pub refused: Vec<(&'static str, Span)>,
}

impl Network {
    /// A network that says nothing but its key.
    pub const fn new(key: String, span: Span) -> Self {
        Self {
            key,
            span,
            name: None,
            driver: None,
            driver_opts: BTreeMap::new(),
            external: None,
            internal: None,
            enable_ipv6: None,
            attachable: None,
            ipam: Vec::new(),
            ipam_driver: None,
            labels: BTreeMap::new(),
            refused: Vec::new(),
        }
    }
}

/// One `ipam.config` row, as text that is a valid address or prefix.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pool {
    /// CIDR.
    pub subnet: Option<String>,
    /// Address of the host on the bridge.
    pub gateway: Option<String>,
    /// CIDR within the subnet that addresses are taken from.
    pub ip_range: Option<String>,
}
