//! Where the endpoint listens: addresses as typed, checked, and bound.
//!
//! Deliberately absent: names; only literal addresses, so that what is bound cannot depend on a resolver.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::wire::LISTENERS;

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ADDRESS:PORT`.
    Tcp(SocketAddr),
    /// `unix:/PATH`.
    Unix(PathBuf),
}

/// Why a listener is not there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The text is no address.
    #[error("`{0}` is not an address to listen on")]
    Syntax(String),
    /// Others than this machine's users could reach it without a token.
    #[error("`{0}` can be reached from other machines, and no token is asked for")]
    Open(Listen),
    /// More than can be passed on to the process that serves them.
    #[error("more than {LISTENERS} addresses to listen on")]
    TooMany,
    /// The operating system did not let us.
    #[error("cannot listen on `{at}`")]
    Bind {
        /// Where.
        at: Listen,
        /// Why.
        source: io::Error,
    },
}

impl ListenError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Syntax(_) => {
                "write an address and a port such as `127.0.0.1:9180` or `[::1]:9180`, or `unix:/PATH`".into()
            }
            Self::TooMany => "listen on fewer".into(),
            Self::Open(_) => {
                "listen on 127.0.0.1 or a unix socket, or give a token with `--token-file`".into()
            }
            Self::Bind { at: Listen::Tcp(address), .. } => {
                format!(
                    "see who listens there with `ss -lntp 'sport = :{}'`, or choose another port",
                    address.port()
                )
            }
            Self::Bind { at: Listen::Unix(path), .. } => {
                format!("see that the folder of `{}` is there and may be written to", path.display())
            }
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let syntax = || ListenError::Syntax(text.to_owned());
        match text.strip_prefix("unix:") {
            Some(path) if Path::new(path).is_absolute() => Ok(Self::Unix(path.into())),
            Some(_) => Err(syntax()),
            None => text.parse().map(Self::Tcp).map_err(|_| syntax()),
        }
    }
}

impl Listen {
    /// The folder in which its socket is made, where it is one of the file system.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(path) => path.parent(),
        }
    }

    /// Whether only this machine's own users can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// The address is taken, or may not be bound.
    pub fn bind(&self) -> Result<Bound, ListenError> {
        let bound = match self {
            Self::Tcp(address) => bind_tcp(*address),
            Self::Unix(path) => bind_unix(path),
        };
        bound.map_err(|source| ListenError::Bind { at: self.clone(), source })
    }
}

/// A socket that listens, before a runtime has it.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// A unix socket.
    Unix(std::os::unix::net::UnixListener),
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Bound> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Tcp(listener))
}

/// Group may connect, others may not. A socket that an earlier run left behind is replaced; a living one is not.
fn bind_unix(path: &Path) -> io::Result<Bound> {
    let left_behind = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if left_behind {
        std::fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix(listener))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let said = match text.parse::<Listen>() {
            Ok(listen) => format!("{listen}, {}", if listen.is_local() { "local" } else { "open" }),
            Err(e) => e.to_string(),
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn loopback_and_unix_sockets_are_local() {
        check("127.0.0.1:9180", expect!["127.0.0.1:9180, local"]);
        check("127.8.8.8:1", expect!["127.8.8.8:1, local"]);
        check("[::1]:9180", expect!["[::1]:9180, local"]);
        check("[::ffff:127.0.0.1]:80", expect!["[::ffff:127.0.0.1]:80, local"]);
        check("unix:/run/s.sock", expect!["unix:/run/s.sock, local"]);
    }

    #[test]
    fn everything_else_is_open() {
        check("0.0.0.0:9180", expect!["0.0.0.0:9180, open"]);
        check("[::]:9180", expect!["[::]:9180, open"]);
        check("10.0.0.1:9180", expect!["10.0.0.1:9180, open"]);
    }

    #[test]
    fn names_and_relative_paths_are_no_addresses() {
        check("localhost:9180", expect!["`localhost:9180` is not an address to listen on"]);
        check("9180", expect!["`9180` is not an address to listen on"]);
        check("unix:s.sock", expect!["`unix:s.sock` is not an address to listen on"]);
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let listen = Listen::Unix(folder.path().join("s.sock"));
        drop(listen.bind().unwrap());
        let living = listen.bind().unwrap();
        expect!["Address already in use (os error 98)"]
            .assert_eq(&std::error::Error::source(&listen.bind().unwrap_err()).unwrap().to_string());
        drop(living);
    }
}
