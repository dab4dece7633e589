//! What can go wrong between us and the engine: one variant a kind, each with its next step.
//!
//! Deliberately absent: the engine crate's own errors, and secrets; a request's body is never part of an error.

use std::time::Duration;

/// The oldest API that we speak: several networks at create came with 1.44 (Engine 25.0).
pub const OLDEST_API: (u16, u16) = (1, 44);

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The address is not a unix socket of this machine.
    #[error("the engine's address `{address}` is not a local unix socket")]
    NotLocal {
        /// As given.
        address: String,
    },
    /// Nobody answers there.
    #[error("cannot reach the engine at `{address}`: {reason}")]
    Unreachable {
        /// `unix:///…`.
        address: String,
        /// Which way it is out of reach.
        reason: Unreachable,
    },
    /// Its API is older than [`OLDEST_API`].
    #[error("the engine {engine} speaks API {api}, and {}.{} is needed", OLDEST_API.0, OLDEST_API.1)]
    TooOld {
        /// The engine's own version.
        engine: String,
        /// The newest API that it speaks.
        api: String,
    },
    /// An image is not on the engine.
    #[error("image `{image}` is not on the engine")]
    ImageMissing {
        /// As the file says it.
        image: String,
    },
    /// An image could not be fetched.
    #[error("image `{image}` could not be pulled: {message}")]
    PullFailed {
        /// As the file says it.
        image: String,
        /// The engine's or registry's word.
        message: String,
    },
    /// Another container has the name.
    #[error("the container name `{name}` is taken by container `{by}`")]
    NameTaken {
        /// The name that was asked for.
        name: String,
        /// Short id of the one that has it; empty if the engine did not say.
        by: String,
    },
    /// Something else listens there.
    #[error("cannot publish `{address}` for `{container}`: the port is taken")]
    PortTaken {
        /// `ADDRESS:PORT`, with `/udp` where it is not TCP.
        address: String,
        /// The container that wanted it.
        container: String,
    },
    /// containerd was killed in the middle of a start, and has kept a process that the engine does not know: it lets the container
    /// have no other.
    #[error(
        "cannot start container `{container}`: containerd has kept a process of it that the engine does not know"
    )]
    ProcessKept {
        /// The container.
        container: String,
    },
    /// A network's addresses collide with another's, or with a route of the host.
    #[error("network `{network}` cannot have its addresses: {message}")]
    AddressesTaken {
        /// Engine name.
        network: String,
        /// The engine's word.
        message: String,
    },
    /// The state of things forbids it: in use, not running, being removed.
    #[error("cannot {action}: {message}")]
    Conflict {
        /// What was asked, such as ``remove network `web` ``.
        action: String,
        /// The engine's word.
        message: String,
    },
    /// What was named is not there.
    #[error("cannot {action}: it is not there")]
    NotFound {
        /// What was asked.
        action: String,
    },
    /// No answer in time.
    #[error("the engine did not {action} within {} s", .after.as_secs())]
    Slow {
        /// What was asked.
        action: String,
        /// How long was waited.
        after: Duration,
    },
    /// Anything else that the engine refused.
    #[error("cannot {action}: the engine answered {status}: {message}")]
    Refused {
        /// What was asked.
        action: String,
        /// HTTP status.
        status: u16,
        /// The engine's word.
        message: String,
    },
    /// The answer could not be understood, or the connection broke in the middle of it.
    #[error("cannot {action}: {message}")]
    Broken {
        /// What was asked.
        action: String,
        /// What was wrong with the answer.
        message: String,
    },
}

/// In which way an engine is out of reach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no such socket.
    #[error("there is no such socket")]
    Missing,
    /// The socket is there and we may not open it.
    #[error("permission denied")]
    Denied,
    /// The socket is there and nobody listens.
    #[error("nothing listens there")]
    Refused,
    /// Anything else, in the operating system's words.
    #[error("{0}")]
    Other(String),
}

impl EngineError {
    /// What to do next, in a sentence or two.
    pub fn help(&self) -> String {
        match self {
            Self::NotLocal { .. } => "a container's promise is checked against this machine's kernel, so that only an engine on this machine will do; \
                 give `--host unix:///PATH` or unset DOCKER_HOST"
                .into(),
            Self::Unreachable { address, reason } => match reason {
                Unreachable::Missing => format!(
                    "start the engine (`systemctl start docker`), or give its socket with `--host` or DOCKER_HOST instead of `{address}`"
                ),
                Unreachable::Denied => "run as root, or as a user who may open the socket".into(),
                Unreachable::Refused | Unreachable::Other(_) => {
                    "see whether the engine runs: `systemctl status docker`, `journalctl -u docker`".into()
                }
            },
            Self::TooOld { .. } => "upgrade to Docker Engine 25.0 or later; 28 or later is recommended, \
                 the first whose loopback ports cannot be reached by neighbours on the link"
                .into(),
            Self::ImageMissing { image } => {
                format!("fetch it with `supervisor pull`, or load it with `docker load`; then see `docker image inspect {image}`")
            }
            Self::PullFailed { .. } => "check the name, the tag or digest, and that this machine reaches the registry; \
                 private images need `docker login` and `docker pull` first"
                .into(),
            Self::NameTaken { name, .. } => {
                format!("remove it (`docker rm -f {name}`) if nobody needs it, or set another `container_name` or project name (`-p`)")
            }
            Self::PortTaken { address, .. } => {
                let port = address.rsplit(':').next().unwrap_or(address);
                let port = port.split('/').next().unwrap_or(port);
                format!("see who listens there with `ss -lntup 'sport = :{port}'`, stop it or publish another port, and run `up` again")
            }
            Self::ProcessKept { .. } => "have it made anew, which keeps its volumes: `supervisor up --force-recreate SERVICE`; a restart of containerd \
                 and of the engine clears the process away, too"
                .into(),
            Self::AddressesTaken { .. } => "choose another `subnet` for it, one that `ip route` and `docker network ls` do not show".into(),
            Self::Conflict { .. } => "run the command again once nothing else changes these things; `supervisor ps --all` shows them".into(),
            Self::NotFound { .. } => "somebody else removed it; `supervisor plan` shows what is missing".into(),
            Self::Slow { .. } => "the engine hangs or the machine is overloaded: see `journalctl -u docker` and `uptime`, then run the command again; \
                 it continues where it stopped"
                .into(),
            Self::Refused { .. } => "the engine's log says more: `journalctl -u docker`".into(),
            Self::Broken { .. } => "the engine may be restarting: run the command again; it continues where it stopped".into(),
        }
    }

    /// Whether the same request may work a moment later with nobody's help.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Slow { .. } | Self::Broken { .. } | Self::Conflict { .. }
        )
    }
}
