//! Who may ask: the bearer token, and the `Host` header of those who need none.
//!
//! Deliberately absent: users and roles; everything here is read-only and the same for all.

use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Fewer characters can be guessed over the network.
const SHORTEST: usize = 24;
/// Nobody types a longer one.
const LONGEST: u64 = 4096;

/// The bearer token, kept as its SHA-256 alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token([u8; 32]);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the token file `{path}`")]
    Read {
        /// As given.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Any user of the machine could read it.
    #[error("the token file `{path}` can be read by every user of this machine (mode {mode:04o})")]
    Exposed {
        /// As given.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Too short or too long, or with characters that a header cannot carry.
    #[error("the token in `{path}` is not {SHORTEST} to {LONGEST} printable characters on one line")]
    Unfit {
        /// As given.
        path: PathBuf,
    },
}

impl TokenError {
    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Read { .. } => {
                "give a file with the token on one line, such as `openssl rand -hex 32` prints".into()
            }
            Self::Exposed { path, .. } => format!("chmod 0600 {}", path.display()),
            Self::Unfit { path } => format!("umask 077; openssl rand -hex 32 > {}", path.display()),
        }
    }
}

impl Token {
    /// Reads a file that holds the token and perhaps a line end.
    ///
    /// # Errors
    /// It cannot be read, others can read it too, or its content is no token.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o007 != 0 {
            return Err(TokenError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(LONGEST + 2).read_to_string(&mut text).map_err(failed)?;
        Self::from_text(text.trim_end_matches(['\r', '\n']))
            .ok_or_else(|| TokenError::Unfit { path: path.to_owned() })
    }

    fn from_text(text: &str) -> Option<Self> {
        let fits = text.len() >= SHORTEST && text.len() as u64 <= LONGEST;
        (fits && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(digest(text.as_bytes())))
    }

    /// Compares digests, every byte of them: neither a matching prefix nor the length shows in the time.
    fn matches(&self, given: &[u8]) -> bool {
        let given = digest(given);
        let differing = self.0.iter().zip(given).fold(0, |differing, (a, b)| differing | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What one listener asks of those who come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Access {
    /// `Authorization: Bearer TOKEN`.
    Bearer(Token),
    /// A loopback address: `Host` has to name this machine, or a web page that the owner visits could read the
    /// answer under a name of its own (DNS rebinding).
    Loopback,
    /// A unix socket: its permissions are the guard.
    Permissions,
}

/// Why someone may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No token, or a wrong one.
    Unauthorized,
    /// The request was meant for another host.
    Misdirected,
}

impl Access {
    /// Lets a request through, or says why not.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Denied> {
        match self {
            Self::Bearer(token) if bearer(headers).is_some_and(|given| token.matches(given)) => Ok(()),
            Self::Bearer(_) => Err(Denied::Unauthorized),
            Self::Loopback if names_loopback(headers) => Ok(()),
            Self::Loopback => Err(Denied::Misdirected),
            Self::Permissions => Ok(()),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or("?"),
        (None, _) => return true,
        (Some(_), Some(_)) => return false,
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::expect;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    /// Headers, one a line, to what the access says.
    #[track_caller]
    fn check(access: &Access, headers: &str, expected: Result<(), Denied>) {
        let mut map = HeaderMap::new();
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            map.append(hyper::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        assert_eq!(access.admit(&map), expected, "{headers}");
    }

    #[test]
    fn only_the_whole_token_passes() {
        let access = Access::Bearer(Token::from_text(TOKEN).unwrap());
        check(&access, &format!("authorization: Bearer {TOKEN}"), Ok(()));
        check(&access, &format!("authorization: bearer {TOKEN}"), Ok(()));
        for wrong in [
            String::new(),
            "authorization: Bearer ".to_owned(),
            "authorization: Bearer 0123456789abcdef".to_owned(),
            format!("authorization: Bearer {TOKEN}x"),
            format!("authorization: Basic {TOKEN}"),
            format!("authorization: {TOKEN}"),
            format!("authorization: Bearer x\nauthorization: Bearer {TOKEN}"),
        ] {
            check(&access, &wrong, Err(Denied::Unauthorized));
        }
    }

    #[test]
    fn a_loopback_listener_answers_to_its_own_names_only() {
        for host in
            ["", "host: localhost", "host: LOCALHOST:9180", "host: 127.0.0.1:9180", "host: [::1]:9180"]
        {
            check(&Access::Loopback, host, Ok(()));
        }
        for host in [
            "host: evil.example",
            "host: localhost.evil.example:9180",
            "host: 10.0.0.1:9180",
            "host: 127.0.0.1.evil.example",
            "host: localhost\nhost: evil.example",
        ] {
            check(&Access::Loopback, host, Err(Denied::Misdirected));
        }
    }

    #[track_caller]
    fn read(content: &str, mode: u32) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        match Token::read(&path) {
            Ok(token) if token.matches(TOKEN.as_bytes()) => "the token".to_owned(),
            Ok(_) => "another token".to_owned(),
            Err(e) => e.to_string().replace(&path.display().to_string(), "FILE"),
        }
    }

    #[test]
    fn a_token_file_is_one_line_that_others_cannot_read() {
        expect!["the token"].assert_eq(&read(&format!("{TOKEN}\n"), 0o600));
        expect!["the token"].assert_eq(&read(TOKEN, 0o440));
        expect!["the token file `FILE` can be read by every user of this machine (mode 0644)"]
            .assert_eq(&read(TOKEN, 0o644));
        expect!["the token in `FILE` is not 24 to 4096 printable characters on one line"]
            .assert_eq(&read("short\n", 0o600));
        expect!["the token in `FILE` is not 24 to 4096 printable characters on one line"]
            .assert_eq(&read(&format!("{TOKEN}\n{TOKEN}\n"), 0o600));
    }

    #[test]
    fn a_token_is_not_in_debug_output() {
        expect!["Token(..)"].assert_eq(&format!("{:?}", Token::from_text(TOKEN).unwrap()));
    }
}
