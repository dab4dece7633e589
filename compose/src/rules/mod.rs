//! The rules, one row each, by what they are about. Adding a rule is adding a row to one of these files.
//!
//! Deliberately absent: the order of checking, which is nobody's concern; findings are sorted by place.

pub(crate) mod edge;
pub(crate) mod egress;
pub(crate) mod execution;
pub(crate) mod exemptions;
pub(crate) mod filesystem;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod isolation;
pub(crate) mod lifecycle;
pub(crate) mod mounted;
pub(crate) mod network;
pub(crate) mod reach;
pub(crate) mod recorded;
pub(crate) mod resources;
pub(crate) mod secrets;

pub use egress::is_local_name;
pub use filesystem::volume_elsewhere;
pub use network::{METADATA_V4, METADATA_V6, network_elsewhere};

use crate::policy::{Place, Rule};
use crate::source::{At, Span};

/// The tables, by id.
const TABLES: [&[Rule]; 16] = [
    identity::RULES,
    isolation::RULES,
    recorded::RULES,
    filesystem::RULES,
    execution::RULES,
    mounted::RULES,
    network::RULES,
    resources::RULES,
    image::RULES,
    lifecycle::RULES,
    secrets::RULES,
    exemptions::RULES,
    egress::RULES,
    reach::RULES,
    edge::RULES,
    guard::RULES,
];

/// Every rule of the policy, by id.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.into_iter().flatten()
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    let table = TABLES.iter().find(|table| table.last().is_some_and(|last| id <= last.id))?;
    table.binary_search_by(|rule| rule.id.cmp(id)).ok().and_then(|at| table.get(at))
}

/// Whether the text at a finding's place holds a credential, which no report may repeat.
pub fn hides_text(id: &str) -> bool {
    ["SV023", "SV280", "SV281", "SV282"].contains(&id)
}

/// Guide section, CIS number, OWASP rule.
const fn place(guide: &'static str, cis: &'static str, owasp: &'static str) -> Place {
    Place { guide, cis, owasp }
}

/// A name that the engine takes for an object of its own, and for nothing else: at least two characters (moby,
/// `RestrictedNamePattern`).
fn is_engine_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_next = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    first && name.len() > 1 && bytes.all(is_next)
}

/// What the file has the engine call an object, and where it says so; `None` where the name is made of the project's and the
/// key. What is made elsewhere and has no other name is called as it is here.
fn told_name<'a>(
    key: &'a str,
    name: Option<&'a At<String>>,
    external: Option<&'a At<bool>>,
) -> Option<(&'a str, Option<Span>)> {
    let external = external.filter(|external| external.value);
    let told = name.map(|name| (name.value.as_str(), name.span()));
    told.or_else(|| external.map(|external| (key, external.span())))
}

/// The first of the given names that a word-like value is.
fn is_any(value: &str, names: &[&str]) -> bool {
    names.iter().any(|name| value.trim().eq_ignore_ascii_case(name))
}

#[cfg(test)]
pub(crate) mod tests;
