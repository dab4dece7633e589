//! `call`: what calls a control plane for `run`, in a process of its own; not for people.
//!
//! It gives up its rights, and is `curl` from then on, which reads what to do from the socket that it was given.
//! Deliberately absent: everything else; `net::call` says what is called.

use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::exit::{Exit, Failure};
use crate::sandbox;

/// Where the system's programs are; the one of the environment is not taken.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Options of `call`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port that may be connected to
    #[arg(long)]
    port: u16,
    /// A file of certificates that may be read
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let domain = rustix::net::sockopt::socket_domain(std::io::stdin().as_fd());
    if domain != Ok(rustix::net::AddressFamily::UNIX) {
        let why = "this command is started by `supervisor run`, and is of no use without it";
        return Err(Failure::new(Exit::Failed, why));
    }
    sandbox::caller(args.port, args.ca.as_deref()).map_err(|error| Failure::new(Exit::Failed, error))?;
    // `--disable` comes first: no configuration of the machine's is read.
    let error =
        Command::new("curl").args(["--disable", "--config", "-"]).env_clear().env("PATH", PATH).exec();
    let why = format!("cannot execute `curl`: {error}");
    Err(Failure::new(Exit::Failed, why).help("install the package `curl`, with `ca-certificates`"))
}
