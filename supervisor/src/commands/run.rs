//! `run`: the daemon: converge, watch, heal, serve.
//!
//! Options, what is said before the loop begins, and how it ends. Deliberately absent: the loop (`run`).

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::control_plane::ControlPlaneArgs;
use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::host::{kernel, state};
use crate::input;
use crate::privileged;
use crate::run::log::LogArgs;
use crate::run::{Options, RunError, notify};
use crate::sandbox;
use crate::serve::access::{Token, TokenError};
use crate::serve::listen::{Listen, ListenError};
use crate::serve::snapshot::Snapshot;
use crate::serve::wire::LISTENERS;
use crate::serve::{Endpoint, opening};

/// The credential that holds the endpoint's token, unless a file is named (`LoadCredential=` of systemd.exec(5)).
const CREDENTIAL: &str = "endpoint-token";

/// By which the unit says where a process with the machine's rights is had; without it, `run` starts one. A variable, so
/// that a drop-in with another command line leaves it as it is.
const PRIVILEGED: &str = "SUPERVISOR_PRIVILEGED";

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 on SIGTERM or SIGINT; the containers stay, and the next `run` takes them up without a restart. SIGHUP reads
the file again; one that is refused leaves everything as it is.

On a command line, a file that is refused ends it at once with the code of `check`. Under systemd (NOTIFY_SOCKET is
set) it stays up, answers 503 with the reason, and goes on as soon as the file is put right. An engine that is away
is waited for in both. So is, under systemd, an address that cannot be served yet, for want of its token or because
its port is taken.

The endpoint answers GET /livez /readyz /healthz /status /metrics.")]
pub struct Args {
    /// Where the endpoint listens: `ADDRESS:PORT` or `unix:/PATH`; repeatable
    ///
    /// Anything but loopback and unix sockets needs a token. On loopback without a token, the request's `Host` has to
    /// name this machine.
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// File with the endpoint's bearer token, 24 characters or more
    ///
    /// It is asked for on every TCP address; unix sockets are guarded by their permissions. Without this option, a
    /// systemd credential named `endpoint-token` is taken.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    #[command(flatten)]
    log: LogArgs,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let socket = engine_socket(global)?;
    let supervised = notify::is_supervised();
    // Under a service manager what is wrong is told by the endpoint, and the stack is kept all the same.
    let control_plane = args.control_plane.recipient();
    if !supervised {
        if let Err(reason) = control_plane {
            return Err(Failure::new(Exit::Unreadable, reason));
        }
        // Somebody waits at a command line: what is wrong with the file is better said now than served later.
        input::admitted(global)?;
    }
    let colour = global.colours(std::io::stderr().is_terminal());
    args.log.start(colour);
    let logs = |command| args.log.arguments(command, colour);
    // First of all: what is done below is done with what is left.
    let state = state::root(global.state_dir.as_deref());
    if let Err(error) = state::private_folder(&state) {
        tracing::warn!("{error}; {}", error.help());
    }
    let (mut privileged, rights, denials) = match std::env::var_os(PRIVILEGED) {
        Some(socket) => privileged::process::reach(Path::new(&socket))?,
        None => privileged::process::start(&state, &logs("privileged"))?,
    };
    let kernel = kernel::read();
    for advice in kernel::advice(&kernel) {
        tracing::warn!("{advice}");
    }
    let (snapshots, receiver) = watch::channel(Arc::new(Snapshot::starting(Timestamp::now())));
    let addresses: Vec<Listen> = args.listen.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    if addresses.len() > LISTENERS {
        return Err(ListenError::TooMany.into());
    }
    let token = || token_file(args).map(|path| Token::read(&path)).transpose();
    // Under a service manager what cannot be served is waited for; somebody at a command line is told.
    let (endpoint, waiting) = if supervised {
        (Endpoint::default(), addresses.clone())
    } else {
        (bind(&addresses, token()?.as_ref())?, Vec::new())
    };
    let (reasons, unserved) = watch::channel(Vec::new());
    let arguments = logs("endpoint");
    let sockets: Vec<&Path> = addresses.iter().filter_map(Listen::folder).collect();
    let landlock =
        sandbox::supervisor(&state, &sockets).map_err(|error| Failure::new(Exit::Failed, error))?;
    let own = [("supervisor", std::process::id(), Some(landlock)), ("privileged", privileged.pid(), None)];
    let answering = opening::keep(endpoint, waiting, &token, (&arguments, &own), receiver, &reasons);
    let options = Options {
        global,
        socket,
        state_dir: global.state_dir.clone(),
        kernel,
        rights,
        denials,
        snapshots,
        unserved,
        control_plane,
    };
    tokio::select! {
        ended = crate::run::run(options) => ended?,
        never = answering => match never {},
        error = privileged.ended() => return Err(error.into()),
    }
    tracing::info!("ended; the containers stay as they are");
    Ok(Exit::Done)
}

fn engine_socket(global: &GlobalArgs) -> Result<PathBuf, Failure> {
    let variable = std::env::var("DOCKER_HOST").ok();
    Ok(crate::engine::address::socket(global.host.as_deref(), variable.as_deref())?)
}

/// The endpoint's sockets, so that a port that is taken is known before anything starts.
fn bind(addresses: &[Listen], token: Option<&Token>) -> Result<Endpoint, Failure> {
    let endpoint = crate::serve::bind(addresses, token)?;
    for address in addresses {
        tracing::info!(%address, "answering");
    }
    Ok(endpoint)
}

fn token_file(args: &Args) -> Option<PathBuf> {
    args.token_file.clone().or_else(|| {
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
        Some(PathBuf::from(folder).join(CREDENTIAL)).filter(|path| path.exists())
    })
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let help = error.help();
        let exit = match &error {
            ListenError::Syntax(_) | ListenError::Open(_) | ListenError::TooMany => Exit::Unreadable,
            ListenError::Bind { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                Exit::PortTaken
            }
            ListenError::Bind { .. } => Exit::Failed,
        };
        Self::new(exit, error).help(help)
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let help = error.help();
        Self::new(Exit::Unreadable, error).help(help)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let help = error.help();
        Self::new(Exit::Failed, error).help(help)
    }
}
