//! Which ports of a project a running supervisor listens on in the engine's place, as the kernel says now.
//!
//! Deliberately absent: the ports that the engine publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::args::GlobalArgs;
use crate::decide::spec::PortSpec;
use crate::decide::wanted::Restarts;
use crate::observe::kernel::listening;
use crate::observe::kernel::sockets::{Listening, Protocol};
use crate::{input, pipeline, session};

/// By service. Empty where no supervisor keeps the project, or its file is not admitted as it is now.
pub(crate) fn relayed(global: &GlobalArgs, project: &str) -> BTreeMap<String, BTreeSet<PortSpec>> {
    if session::restarts(global, project) != Restarts::Ours {
        return BTreeMap::new();
    }
    let admitted = input::load_and_admit(global, false).admitted;
    let wish = session::wish(global, Restarts::Ours);
    let Some(wanted) = admitted.and_then(|admitted| pipeline::order_only(admitted, &wish)) else {
        return BTreeMap::new();
    };
    let sockets = listening().unwrap_or_default();
    let is_heard = |port: &PortSpec| {
        let address = SocketAddr::new(port.host_ip, port.host_port);
        sockets.contains(&Listening { protocol: Protocol::Tcp, address })
    };
    let services = wanted.services.into_values().map(|service| {
        let ports = service.relayed.into_iter().filter(is_heard).collect();
        (service.service, ports)
    });
    services.collect()
}
