//! `egress-proxy`: the proxy itself, as the container runs it; not for people.
//!
//! Deliberately absent: everything but its options; `net::egress` does the work.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::net::egress::callers::{Caller, Callers};
use crate::net::egress::grants::Grant;
use crate::net::egress::serve;
use crate::run::log::{self, LogFormat, LogLevel};

/// Options of `egress-proxy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who asks: a service and the name of its container; repeatable
    #[arg(long, value_name = "SERVICE=CONTAINER")]
    caller: Vec<Caller>,
    /// What it may reach; repeatable
    #[arg(long, value_name = "SERVICE=NAME:PORT")]
    grant: Vec<Grant>,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    log::start(LogFormat::Json, LogLevel::Info, false);
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, compose::egress::PORT.get()));
    let mut end = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(address).await?;
    tracing::info!(%address, grants = args.grant.len(), "answering");
    tokio::select! {
        ended = serve(listener, args.grant.into_iter().collect(), Callers::new(args.caller)) => match ended {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        },
        _ = end.recv() => Ok(Exit::Done),
    }
}
