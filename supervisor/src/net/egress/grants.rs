//! Who may go where, as the proxy's command line says it.
//!
//! Deliberately absent: where a name leads (`address`), and who asks (`callers`).

use std::collections::BTreeMap;
use std::str::FromStr;

use compose::destination::Destination;

/// Service to the names and ports that it may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<String, Vec<Destination>>);

/// One row: `SERVICE=NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The service.
    pub service: String,
    /// What it may reach.
    pub to: Destination,
}

/// The text is not `SERVICE=NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not SERVICE=NAME:PORT")]
pub struct NotAGrant(String);

impl FromStr for Grant {
    type Err = NotAGrant;

    fn from_str(text: &str) -> Result<Self, NotAGrant> {
        let parsed = text
            .split_once('=')
            .and_then(|(service, to)| Some(Self { service: service.to_owned(), to: to.parse().ok()? }));
        parsed.ok_or_else(|| NotAGrant(text.to_owned()))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(rows: T) -> Self {
        let mut grants = Self::default();
        for row in rows {
            grants.0.entry(row.service).or_default().push(row.to);
        }
        grants
    }
}

impl Grants {
    /// Whether a service may reach a name on a port.
    pub fn allow(&self, service: &str, name: &str, port: u16) -> bool {
        self.0.get(service).is_some_and(|to| to.iter().any(|to| to.covers(name, port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_reaches_what_it_was_granted_and_not_what_another_was() {
        let rows = ["web=api.example.com:443", "web=*.example.net:443", "job=files.example.org:80"];
        let grants: Grants = rows.iter().map(|row| row.parse::<Grant>().unwrap()).collect();
        assert!(grants.allow("web", "api.example.com", 443));
        assert!(grants.allow("web", "a.example.net", 443));
        assert!(grants.allow("job", "files.example.org", 80));
        for (service, name, port) in [
            ("web", "files.example.org", 80),
            ("job", "api.example.com", 443),
            ("web", "api.example.com", 80),
            ("web", "example.net", 443),
            ("", "api.example.com", 443),
            ("nobody", "api.example.com", 443),
        ] {
            assert!(!grants.allow(service, name, port), "{service} to {name}:{port}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_said() {
        for text in ["web", "web=api.example.com", "web=10.0.0.1:443", "web=:443"] {
            assert_eq!(
                text.parse::<Grant>().unwrap_err().to_string(),
                format!("`{text}` is not SERVICE=NAME:PORT")
            );
        }
    }
}
