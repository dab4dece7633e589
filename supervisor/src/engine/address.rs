//! Where the engine listens: `--host`, else `DOCKER_HOST`, else the usual place; unix sockets of this machine alone.
//!
//! Deliberately absent: docker contexts and remote engines. A promise is checked against this machine's kernel.

use std::path::PathBuf;

use super::error::EngineError;

/// Where Docker Engine listens unless it is told otherwise.
pub const DEFAULT: &str = "unix:///var/run/docker.sock";

/// The socket's path. Empty texts count as absent, as the docker command has it.
///
/// # Errors
/// The address is anything but `unix://` and an absolute path.
pub fn socket(host: Option<&str>, docker_host: Option<&str>) -> Result<PathBuf, EngineError> {
    let given = [host, docker_host].into_iter().flatten().find(|text| !text.is_empty());
    let address = given.unwrap_or(DEFAULT);
    match address.strip_prefix("unix://") {
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(EngineError::NotLocal { address: address.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(host: Option<&str>, docker_host: Option<&str>, expect: Expect) {
        let text = match socket(host, docker_host) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn the_option_wins_over_the_variable_and_both_over_the_usual_place() {
        check(Some("unix:///a.sock"), Some("unix:///b.sock"), expect!["/a.sock"]);
        check(None, Some("unix:///b.sock"), expect!["/b.sock"]);
        check(None, Some(""), expect!["/var/run/docker.sock"]);
    }

    #[test]
    fn another_machine_is_refused() {
        check(
            None,
            Some("tcp://10.0.0.1:2375"),
            expect!["the engine's address `tcp://10.0.0.1:2375` is not a local unix socket"],
        );
        check(
            Some("unix://docker.sock"),
            None,
            expect!["the engine's address `unix://docker.sock` is not a local unix socket"],
        );
    }
}
