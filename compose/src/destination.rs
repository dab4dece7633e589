//! A name and a port that a service may reach: its grammar, and what it covers.
//!
//! Deliberately absent: resolving a name; what it resolves to is judged where the connection is made.

use std::fmt;
use std::str::FromStr;

use crate::units::Port;

/// `name:port`, the name possibly with a leading `*.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// Lower-case DNS name, perhaps with a leading `*.`.
    pub name: String,
    /// TCP port.
    pub port: Port,
}

/// The text is not a name and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADestination;

impl Destination {
    /// Whether this is the place that a client asks for. A `*` stands for exactly one label, as in a certificate
    /// (RFC 9525, section 6.3): `*.example.com` covers `a.example.com`, and neither `example.com` nor `a.b.example.com`.
    pub fn covers(&self, name: &str, port: u16) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let same = match (self.name.strip_prefix("*."), name.split_once('.')) {
            (Some(base), Some((label, rest))) => !label.is_empty() && rest.eq_ignore_ascii_case(base),
            (Some(_), None) => false,
            (None, _) => name.eq_ignore_ascii_case(&self.name),
        };
        same && port == self.port.get()
    }

    /// The name without its wildcard.
    pub fn base(&self) -> &str {
        self.name.strip_prefix("*.").unwrap_or(&self.name)
    }

    /// Whether its name begins with a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.name.starts_with("*.")
    }
}

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let (name, port) = text.rsplit_once(':').ok_or(NotADestination)?;
        let name = name.to_ascii_lowercase();
        let port: Port = port.parse().map_err(|_| NotADestination)?;
        if is_dns_name(name.strip_prefix("*.").unwrap_or(&name)) {
            Ok(Self { name, port })
        } else {
            Err(NotADestination)
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// A host name by RFC 1123 that no reader of addresses takes for one: its last label is not a number in any spelling
/// (WHATWG URL, "ends in a number").
pub fn is_dns_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let number = |l: &str| {
        let hexadecimal = l.strip_prefix("0x").or_else(|| l.strip_prefix("0X"));
        l.bytes().all(|b| b.is_ascii_digit())
            || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    name.len() <= 253 && name.split('.').all(label) && !name.rsplit('.').next().is_some_and(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn covers(destination: &str, name: &str, port: u16) -> bool {
        destination.parse::<Destination>().unwrap().covers(name, port)
    }

    #[test]
    fn a_name_covers_itself_in_any_case_on_its_port_alone() {
        assert!(covers("api.example.com:443", "api.example.com", 443));
        assert!(covers("API.example.com:443", "Api.Example.COM.", 443));
        assert!(!covers("api.example.com:443", "api.example.com", 444));
        assert!(!covers("api.example.com:443", "api.example.com.evil.net", 443));
        assert!(!covers("api.example.com:443", "evil-api.example.com", 443));
        assert!(!covers("api.example.com:443", "", 443));
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("*.example.com:443", "a.example.com", 443));
        for other in
            ["example.com", "a.b.example.com", ".example.com", "aexample.com", "a.example.com.evil.net"]
        {
            assert!(!covers("*.example.com:443", other, 443), "{other}");
        }
    }

    #[test]
    fn what_reads_as_an_address_is_no_name() {
        for text in [
            "127.0.0.1:443",
            "1.2.3:443",
            "0x7f.1:80",
            "2130706433:80",
            "a.0x7f000001:80",
            "[::1]:80",
            "::1:80",
            "example.com",
            "example.com:0",
            "example.com:65536",
            "*:443",
            "a.*.com:443",
            "*.*.com:443",
            "-a.com:1",
            "a..com:1",
            "a_b.com:1",
            " a.com:1",
            "",
        ] {
            assert_eq!(text.parse::<Destination>(), Err(NotADestination), "{text}");
        }
    }
}
