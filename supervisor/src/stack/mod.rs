//! The stack's own files as they are shipped, and the variables that they are filled in with.
//!
//! Deliberately absent: writing them; that is `commands::init`'s.

/// The Compose file.
pub const COMPOSE: &str = include_str!("compose.yaml");
/// Caddy's configuration.
pub const CADDYFILE: &str = include_str!("Caddyfile");
/// OpenClaw's configuration.
pub const OPENCLAW: &str = include_str!("openclaw.json");
/// The variables, each with its explanation.
pub const VARIABLES: &str = include_str!("env.example");

/// Caddy's user and group in the Compose file; the folder of its certificates belongs to it.
pub const CADDY_USER: u32 = 1001;

/// Why a variable cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The stack has no such variable.
    #[error("the stack has no variable `{0}`; it has {known}", known = names().join(", "))]
    Unknown(String),
    /// The value would not come back as it is from an env file.
    #[error(
        "the value of `{0}` holds a quote, a `$`, a `#`, a backslash or a line break, or begins or ends with a space"
    )]
    Unwritable(String),
}

/// Fills variables into the text of [`VARIABLES`]: the line of each is replaced, commented out or not.
///
/// # Errors
/// A name that is not in the text, or a value that an env file cannot hold as it is.
pub fn variables(values: &[(String, String)]) -> Result<String, VariableError> {
    for (name, value) in values {
        if !names().contains(&name.as_str()) {
            return Err(VariableError::Unknown(name.clone()));
        }
        if value.trim() != value || value.contains(['\n', '\r', '"', '\'', '`', '$', '#', '\\']) {
            return Err(VariableError::Unwritable(name.clone()));
        }
    }
    let fill = |line: &str| {
        // The last one given wins, as on any command line.
        let given = name_of(line).and_then(|name| values.iter().rev().find(|(n, _)| n == name));
        given.map_or_else(|| format!("{line}\n"), |(name, value)| format!("{name}={value}\n"))
    };
    Ok(VARIABLES.lines().map(fill).collect())
}

fn names() -> Vec<&'static str> {
    VARIABLES.lines().filter_map(name_of).collect()
}

/// The variable that a line of the text sets, or would set if it were not commented out.
fn name_of(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('#').unwrap_or(line).split_once('=')?;
    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (is_name && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(values: &[(&str, &str)], expect: &Expect) {
        let values: Vec<_> = values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let text = match variables(&values) {
            Ok(text) => {
                text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn values_replace_their_lines() {
        check(
            &[("SITE", "a.test"), ("TLS", "internal"), ("HTTPS_BIND", "127.0.0.1:8443")],
            &expect![[r"
                SITE=a.test
                TLS=internal
                CADDY_IMAGE=caddy:2.11.4
                OPENCLAW_IMAGE=openclaw/openclaw:2026.9.6
                HTTPS_BIND=127.0.0.1:8443"]],
        );
    }

    #[test]
    fn unknown_names_are_refused() {
        check(
            &[("SIDE", "a.test")],
            &expect![[
                r"the stack has no variable `SIDE`; it has SITE, TLS, CADDY_IMAGE, OPENCLAW_IMAGE, HTTP_BIND, HTTPS_BIND, ORIGIN, ALLOW_FROM, BACKEND_SUBNET, CADDY_ADDRESS, OPENCLAW_ADDRESS, OPENCLAW_CPUS"
            ]],
        );
    }

    #[test]
    fn values_that_an_env_file_would_change_are_refused() {
        check(
            &[("SITE", "a.test\nTLS=internal")],
            &expect![[
                r"the value of `SITE` holds a quote, a `$`, a `#`, a backslash or a line break, or begins or ends with a space"
            ]],
        );
    }

    #[test]
    fn every_variable_of_the_compose_file_is_explained() {
        let used: BTreeSet<&str> =
            COMPOSE.split("${").skip(1).filter_map(|rest| rest.split([':', '}', '-', '?']).next()).collect();
        assert_eq!(used, names().into_iter().collect());
    }
}
