//! A tunnel, once its connection is there: the client's greeting is looked at before any byte goes out.
//!
//! Deliberately absent: TLS itself.

use std::io;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::hello::{self, First};
use super::request::Target;
use crate::net::splice::{Pipes, join_while_busy};

/// For the client's whole greeting.
const GREETING: Duration = Duration::from_secs(10);
/// Bytes of a greeting that are read at once: more than most have, so that one look is enough.
const USUAL: usize = 4096;
/// Without a byte either way. Longer than any heartbeat in use: an answer of a model may take minutes.
const IDLE: Duration = Duration::from_hours(1);
/// SSH has no name in its greeting; on its own port its own greeting passes (RFC 4253, section 4.2).
const SSH: (u16, &[u8]) = (22, b"SSH-");

/// A tunnel that was granted and connected.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) server: TcpStream,
    pub(super) target: Target,
}

/// Passes bytes both ways until both sides are done.
///
/// # Errors
/// Why nothing was passed: the greeting is for somebody else, or is none.
pub(super) async fn pass(tunnel: Tunnel, pipes: &Pipes) -> Result<(), String> {
    let Tunnel { client, mut server, target } = tunnel;
    let upgraded = client.await.map_err(|error| error.to_string())?;
    let (mut client, mut sent) = {
        let parts = upgraded.downcast::<TokioIo<TcpStream>>();
        let parts = parts.map_err(|_| "not a TCP connection".to_owned())?;
        // Copied, and not kept: what it is a part of is as large as a request may be, for as long as the tunnel is there.
        (parts.io.into_inner(), parts.read_buf.to_vec())
    };
    timeout(GREETING, greeting(&mut client, &mut sent, &target))
        .await
        .unwrap_or_else(|_| Err("its greeting did not come in time".to_owned()))?;
    server.write_all(&sent).await.map_err(|error| error.to_string())?;
    drop(sent);
    join_while_busy(&client, &server, pipes, IDLE).await;
    Ok(())
}

/// Reads until the greeting is whole, and judges it.
async fn greeting(client: &mut TcpStream, sent: &mut Vec<u8>, target: &Target) -> Result<(), String> {
    loop {
        match judge(sent, target) {
            Some(verdict) => return verdict,
            None => read_more(client, sent).await?,
        }
    }
}

async fn read_more(client: &mut TcpStream, sent: &mut Vec<u8>) -> Result<(), String> {
    sent.reserve(USUAL);
    let more: io::Result<usize> = client.read_buf(sent).await;
    match more {
        Ok(0) => Err("it ended before its greeting did".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether these first bytes may go out; `None` while they do not say.
fn judge(sent: &[u8], target: &Target) -> Option<Result<(), String>> {
    let (port, ssh) = SSH;
    if target.port == port && !sent.is_empty() {
        let begins = sent.len().min(ssh.len());
        return match (sent.get(..begins) == ssh.get(..begins), begins == ssh.len()) {
            (true, true) => Some(Ok(())),
            (true, false) => None,
            (false, _) => Some(Err("port 22 takes SSH alone".to_owned())),
        };
    }
    match hello::first(sent) {
        First::Incomplete => None,
        First::Hello(name) if name == target.name => Some(Ok(())),
        First::Hello(name) => {
            Some(Err(format!("its TLS greeting is for `{name}`, and `{}` was asked for", target.name)))
        }
        First::Refused(why) => Some(Err(why.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(port: u16) -> Target {
        Target { name: "a.example.com".into(), port }
    }

    #[test]
    fn ssh_passes_on_its_port_alone() {
        assert_eq!(judge(b"", &target(22)), None);
        assert_eq!(judge(b"SS", &target(22)), None);
        assert_eq!(judge(b"SSH-2.0-x\r\n", &target(22)), Some(Ok(())));
        assert!(matches!(judge(b"GET / HTTP/1.1\r\n", &target(22)), Some(Err(_))));
        assert!(matches!(judge(b"SSH-2.0-x\r\n", &target(443)), Some(Err(_))));
    }

    #[test]
    fn what_is_not_tls_passes_nowhere_else() {
        for text in ["GET / HTTP/1.1\r\nHost: b.example.com\r\n\r\n", "EHLO a", "\0"] {
            assert!(matches!(judge(text.as_bytes(), &target(443)), Some(Err(_))), "{text:?}");
        }
    }
}
