//! The wanted state's hash: SHA-256 over canonical JSON of what is really sent.
//!
//! Covers the image by id, the confinement and contents by their hash; not the spelling of the image nor the
//! restart policy, which can be changed in place. Deliberately absent: any use as a secret's commitment; whoever
//! can read the labels can read the container's environment too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::spec::{ContainerSpec, NetworkSpec, VolumeSpec};

/// Parts of a container's spec, by the fields in them: a change of a field is named by its part.
const PARTS: &[(&str, &[&str])] = &[
    ("image", &["image_id"]),
    ("command", &["command", "entrypoint", "working_dir", "tty", "stdin_open", "stop_signal", "stop_grace"]),
    ("environment", &["environment"]),
    ("contents", &["content"]),
    ("networks", &["networks", "hostname", "domainname", "extra_hosts", "dns", "dns_search", "dns_opt"]),
    ("ports", &["ports"]),
    ("healthcheck", &["healthcheck"]),
    ("logging", &["log_driver", "log_options"]),
    ("labels", &["user_labels"]),
    ("confinement", &["confinement", "runtime"]),
];

/// What the hash leaves out, with the reason in this file's head.
const UNHASHED: &[&str] = &["image", "restart"];

/// The hash of a container's spec, in hexadecimal.
pub fn container(spec: &ContainerSpec) -> String {
    hex(&canonical_without(spec, UNHASHED))
}

/// The hash of a network's spec, in hexadecimal.
pub fn network(spec: &NetworkSpec) -> String {
    hex(&canonical_without(spec, &[]))
}

/// The hash of a volume's spec, in hexadecimal.
pub fn volume(spec: &VolumeSpec) -> String {
    hex(&canonical_without(spec, &[]))
}

/// Short hashes of a container's parts, as the label holds them: `command=1a2b,image=3c4d`.
///
/// Four digits each: enough to name what changed (the whole hash decides whether), too few to search a secret by.
pub fn parts(spec: &ContainerSpec) -> String {
    let Value::Object(fields) = canonical_without(spec, UNHASHED) else { return String::new() };
    let parts: BTreeMap<&str, String> = PARTS
        .iter()
        .map(|(part, names)| {
            let rows: serde_json::Map<String, Value> = names
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())))
                .collect();
            (*part, hex(&Value::Object(rows)).chars().take(4).collect())
        })
        .collect();
    parts.iter().map(|(part, hash)| format!("{part}={hash}")).collect::<Vec<_>>().join(",")
}

/// The names of the parts that differ between two values of the label, in order. Parts that one of the two does
/// not know are passed over.
pub fn changed_parts<'a>(seen: &'a str, wanted: &'a str) -> Vec<&'a str> {
    let rows = |text: &'a str| -> BTreeMap<&'a str, &'a str> {
        text.split(',').filter_map(|row| row.split_once('=')).collect()
    };
    let seen = rows(seen);
    rows(wanted)
        .into_iter()
        .filter(|(part, hash)| seen.get(part).is_some_and(|old| old != hash))
        .map(|(part, _)| part)
        .collect()
}

/// The spec as JSON with sorted keys and without nulls and empty maps, so that a field that a later version adds
/// leaves the hash of a spec that does not use it.
fn canonical_without<T: Serialize>(spec: &T, left_out: &[&str]) -> Value {
    let mut value = serde_json::to_value(spec).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut value {
        for name in left_out {
            fields.remove(*name);
        }
    }
    prune(value)
}

fn prune(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, prune(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(rows) => Value::Array(rows.into_iter().map(prune).collect()),
        other => other,
    }
}

/// An empty list is something: an empty entry point clears the image's.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn hex(value: &Value) -> String {
    Sha256::digest(value.to_string().as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
