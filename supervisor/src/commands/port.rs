//! `port`: where a port of a service is published on the host.
//!
//! Deliberately absent: ports that are only in the file; the engine says what it has bound now, and the kernel what a
//! supervisor that runs listens on in its place.

use std::net::SocketAddr;

use crate::args::GlobalArgs;
use crate::engine::Engine as _;
use crate::exit::{Exit, Failure};
use crate::{input, session};

use super::chosen;
use super::relayed::relayed;

/// Options of `port`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor port caddy 443                     0.0.0.0:443
  supervisor port --protocol udp caddy 443      the same port for QUIC

Exit code 4: the port is not published.")]
pub struct Args {
    /// `tcp` or `udp`
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", value_parser = ["tcp", "udp"])]
    pub protocol: String,
    /// Which replica
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub index: u32,
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// The port in the container
    #[arg(value_name = "PRIVATE_PORT")]
    pub private_port: u16,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let container = chosen::replica(&session.engine, &project, &args.service, args.index).await?;
    let inspected = session.engine.inspect(&container.id).await?;
    let relayed = relayed(global, &project).remove(&args.service).unwrap_or_default();
    let mut bound = inspected
        .ports
        .iter()
        .chain(&relayed)
        .filter(|port| port.container_port == args.private_port && port.protocol == args.protocol);
    let Some(first) = bound.next() else {
        let what =
            format!("port {}/{} of `{}` is not published", args.private_port, args.protocol, container.name);
        return Err(Failure::new(Exit::Failed, what)
            .help("`supervisor ps` shows what is; ports of a service that is only on internal networks are served while `supervisor run` keeps the stack"));
    };
    for port in std::iter::once(first).chain(bound) {
        println!("{}", SocketAddr::new(port.host_ip, port.host_port));
    }
    Ok(Exit::Done)
}
