//! What the engine's crate and the engine's own words mean, as one of our errors.
//!
//! The engine has no codes beyond HTTP's: texts are read, of Engine 25 to 29. What is not understood is passed on
//! whole. Deliberately absent: requests' bodies.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use bollard::errors::Error;

use crate::decide::spec::ContainerSpec;
use crate::engine::error::{EngineError, Unreachable};

/// Names a failure of any request.
pub(super) fn name(address: &str, action: String, limit: Duration, error: &Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let message = one_line(message);
            match status_code {
                404 if message.contains("No such image") => EngineError::ImageMissing {
                    image: message.rsplit_once("No such image: ").map_or("", |(_, name)| name).to_owned(),
                },
                // Of a volume or an image: what was asked for is there, and not the folder in it (moby's `safepath`).
                404 if !message.contains("cannot access path") => EngineError::NotFound { action },
                409 => EngineError::Conflict { action, message },
                status => EngineError::Refused { action, status: *status, message },
            }
        }
        Error::RequestTimeoutError => EngineError::Slow { action, after: limit },
        Error::SocketNotFoundError(_) => {
            EngineError::Unreachable { address: address.to_owned(), reason: Unreachable::Missing }
        }
        Error::DockerStreamError { error } => EngineError::Broken { action, message: one_line(error) },
        Error::HyperLegacyError { err } if err.is_connect() => {
            EngineError::Unreachable { address: address.to_owned(), reason: reason(err) }
        }
        other => EngineError::Broken { action, message: innermost(other) },
    }
}

/// A network that could not be made: its addresses are often the cause.
pub(super) fn about_network(network: &str, error: EngineError) -> EngineError {
    match error {
        EngineError::Refused { message, .. } | EngineError::Conflict { message, .. }
            if ["overlap", "conflicts with network"].iter().any(|text| message.contains(text)) =>
        {
            EngineError::AddressesTaken { network: network.to_owned(), message }
        }
        other => other,
    }
}

/// A container that could not be made: its name or its image is often the cause.
pub(super) fn about_container(spec: &ContainerSpec, error: EngineError) -> EngineError {
    match error {
        EngineError::Conflict { message, .. } if message.contains("is already in use by container") => {
            let by = message.split("by container").nth(1).unwrap_or_default();
            let by = by.trim_start_matches([' ', '"']).chars().take_while(char::is_ascii_hexdigit).take(12);
            EngineError::NameTaken { name: spec.name.clone(), by: by.collect() }
        }
        EngineError::ImageMissing { image } => {
            let named = spec.images().find(|(_, id)| *id == Some(image.as_str()));
            EngineError::ImageMissing { image: named.map_or(&*spec.image, |(name, _)| name).to_owned() }
        }
        other => other,
    }
}

/// A container that could not be started: a port of the host is often the cause.
pub(super) fn about_start(container: &str, error: EngineError) -> EngineError {
    let (EngineError::Refused { message, .. } | EngineError::Conflict { message, .. }) = &error else {
        return error;
    };
    let container = || container.to_owned();
    match taken_port(message) {
        Some(address) => EngineError::PortTaken { address, container: container() },
        // containerd's word, of its tasks (`ErrAlreadyExists` of its runtime's manager).
        None if message.contains("failed to create task") && message.contains(": already exists") => {
            EngineError::ProcessKept { container: container() }
        }
        None => error,
    }
}

/// An image that could not be fetched.
pub(super) fn about_pull(image: &str, address: &str, limit: Duration, error: &Error) -> EngineError {
    let message = match error {
        Error::DockerStreamError { error } => one_line(error),
        Error::DockerResponseServerError { message, .. } => one_line(message),
        other => return name(address, format!("pull image `{image}`"), limit, other),
    };
    EngineError::PullFailed { image: image.to_owned(), message }
}

/// The address of the host that was taken, as the engine's message has it: `127.0.0.1:80`, `[::1]:53/udp`.
fn taken_port(message: &str) -> Option<String> {
    ["address already in use", "port is already allocated"].iter().find(|text| message.contains(**text))?;
    message.split_whitespace().find_map(|word| {
        let word = word.trim_end_matches([':', ',']);
        let (address, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let address = host_part(address)?;
        Some(if protocol == "tcp" { address } else { format!("{address}/{protocol}") })
    })
}

/// `127.0.0.1:80` of itself and of `127.0.0.1:80:172.17.0.2:8080`.
fn host_part(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.to_string());
    }
    let mut cuts = text.match_indices(':').map(|(at, _)| at).filter_map(|at| text.get(..at));
    cuts.find_map(|part| part.parse::<SocketAddr>().ok()).map(|address| address.to_string())
}

/// Why a socket cannot be connected to.
pub(super) fn reason(error: &(dyn std::error::Error + 'static)) -> Unreachable {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::NotFound => Unreachable::Missing,
                std::io::ErrorKind::PermissionDenied => Unreachable::Denied,
                std::io::ErrorKind::ConnectionRefused => Unreachable::Refused,
                _ => Unreachable::Other(io.to_string()),
            };
        }
        cause = error.source();
    }
    Unreachable::Other(error.to_string())
}

fn innermost(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    one_line(&text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn refused(status: u16, message: &str) -> EngineError {
        let error = Error::DockerResponseServerError { status_code: status, message: message.to_owned() };
        name("unix:///x", "start container `shop-web-1`".into(), Duration::from_secs(1), &error)
    }

    #[track_caller]
    fn check(error: &EngineError, expect: Expect) {
        expect.assert_eq(&format!("{error}\n{}\n", error.help()));
    }

    #[track_caller]
    fn check_start(message: &str, expect: Expect) {
        expect.assert_eq(&about_start("shop-web-1", refused(500, message)).to_string());
    }

    #[test]
    fn a_taken_port_is_named_however_the_engine_says_it() {
        check_start(
            "driver failed programming external connectivity on endpoint x (ab): failed to bind host port for 127.0.0.1:8080:172.17.0.2:80/tcp: address already in use",
            expect!["cannot publish `127.0.0.1:8080` for `shop-web-1`: the port is taken"],
        );
        check_start(
            "failed to set up container networking: driver failed programming external connectivity on endpoint x (ab): failed to bind host port 127.0.0.1:53/udp: address already in use",
            expect!["cannot publish `127.0.0.1:53/udp` for `shop-web-1`: the port is taken"],
        );
        check_start(
            "driver failed programming external connectivity on endpoint x (ab): Bind for 0.0.0.0:80 failed: port is already allocated",
            expect!["cannot publish `0.0.0.0:80` for `shop-web-1`: the port is taken"],
        );
        check_start(
            "Error starting userland proxy: listen tcp6 [::]:443: bind: address already in use",
            expect!["cannot publish `[::]:443` for `shop-web-1`: the port is taken"],
        );
    }

    #[test]
    fn a_process_that_was_kept_is_told_with_a_way_out() {
        let message = "failed to create task for container: AlreadyExists: task 3f2a: already exists";
        check(
            &about_start("shop-web-1", refused(500, message)),
            expect![[r"
                cannot start container `shop-web-1`: containerd has kept a process of it that the engine does not know
                have it made anew, which keeps its volumes: `supervisor up --force-recreate SERVICE`; a restart of containerd and of the engine clears the process away, too
            "]],
        );
        let message = "failed to create task for container: failed to create shim task: OCI runtime create failed: mkdir /x: file already exists";
        assert!(matches!(about_start("shop-web-1", refused(500, message)), EngineError::Refused { .. }));
    }

    #[test]
    fn a_taken_container_address_is_no_taken_port() {
        check_start(
            "failed to set up container networking: Address already in use",
            expect![
                "cannot start container `shop-web-1`: the engine answered 500: failed to set up container networking: Address already in use"
            ],
        );
    }

    #[test]
    fn overlapping_subnets_are_told_from_other_refusals() {
        check(
            &about_network(
                "shop_default",
                refused(403, "invalid pool request: Pool overlaps with other one on this address space"),
            ),
            expect![[r"
                network `shop_default` cannot have its addresses: invalid pool request: Pool overlaps with other one on this address space
                choose another `subnet` for it, one that `ip route` and `docker network ls` do not show
            "]],
        );
    }

    #[test]
    fn what_is_not_understood_is_passed_on_in_one_line() {
        check(
            &refused(500, "OCI runtime create failed:\n  exec: \"nope\": not found"),
            expect![[r#"
                cannot start container `shop-web-1`: the engine answered 500: OCI runtime create failed: exec: "nope": not found
                the engine's log says more: `journalctl -u docker`
            "#]],
        );
    }
}
