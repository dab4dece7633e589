//! The wanted state's hash: SHA-256 over canonical JSON of what is really sent.
//!
//! Covers the image by id, the confinement and contents by their hash; not the spelling of the image, nor what can be
//! changed on a living container: its restart policy, its [`Bounds`](super::spec::Bounds), the networks that it is
//! on under its service's name alone, and the contents of configs that it reads anew. Deliberately absent: any use as a secret's commitment; whoever
//! can read the labels can read the container's environment too.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::spec::{ContainerSpec, NetworkSpec, VolumeSpec, Wanted};

/// Parts of a container's spec, by the fields in them (`confinement`'s after a dot): a change is named by its part.
const PARTS: &[(&str, &[&str])] = &[
    ("image", &["image_id"]),
    ("mounted images", &["mounted"]),
    ("command", &["command", "entrypoint", "working_dir", "tty", "stdin_open"]),
    ("stopping", &["stop_signal", "stop_grace"]),
    ("hooks", &["hooks"]),
    ("environment", &["environment"]),
    ("secrets or configs", &["content"]),
    ("networks", &["networks", "dns", "dns_search", "dns_opt"]),
    ("host names", &["hostname", "domainname", "extra_hosts"]),
    ("ports", &["ports"]),
    ("healthcheck", &["healthcheck"]),
    ("logging", &["log_driver", "log_options"]),
    ("labels", &["user_labels", "annotations"]),
    ("user", &["confinement.user", "confinement.group_add"]),
    ("capabilities", &["confinement.capabilities"]),
    ("mounts", &["confinement.mounts", "confinement.read_only_root", "confinement.exec_from"]),
    ("limits", &["confinement.limits"]),
    ("seccomp profile", &["confinement.seccomp"]),
    ("AppArmor profile", &["confinement.apparmor"]),
    ("Landlock rules", &["confinement.landlock"]),
    ("runtime", &["confinement.init", "confinement.sysctls", "runtime"]),
];

/// What the hash leaves out, with the reason in this file's head.
const UNHASHED: &[&str] = &["image", "restart", "reload", "generation"];
/// What it leaves out of the confinement's limits.
const UNHASHED_LIMITS: &[&str] = &["memory", "nano_cpus", "pids"];

/// The hash of a container's spec, in hexadecimal.
pub fn container(spec: &ContainerSpec) -> &str {
    spec.hash.get(|| hex(&lasting(spec)))
}

/// The hash of a network's spec, in hexadecimal.
pub fn network(spec: &NetworkSpec) -> String {
    hex(&canonical(spec))
}

/// The hash of a volume's spec, in hexadecimal.
pub fn volume(spec: &VolumeSpec) -> String {
    hex(&canonical(spec))
}

/// A hash of a whole wanted state's containers, with what can be changed in place: whether it is one that was tried before.
pub fn wanted(wanted: &Wanted) -> String {
    let specs = wanted.services.values().flat_map(|service| &service.containers);
    let row = |spec: &ContainerSpec| match &spec.reload {
        None => serde_json::json!([container(spec), spec.bounds(), spec.networks]),
        Some(_) => serde_json::json!([container(spec), spec.bounds(), spec.networks, spec.live_contents()]),
    };
    let rows = specs.map(|spec| (spec.name.clone(), row(spec))).collect();
    hex(&Value::Object(rows))
}

/// What of a container cannot be changed while it lives.
fn lasting(spec: &ContainerSpec) -> Value {
    let mut value = canonical(spec);
    remove(Some(&mut value), UNHASHED);
    remove(value.pointer_mut("/confinement/limits"), UNHASHED_LIMITS);
    let plain: Vec<&str> = spec
        .networks
        .iter()
        .filter(|(_, at)| at.is_plain(&spec.service))
        .map(|(name, _)| name.as_str())
        .collect();
    remove(value.get_mut("networks"), &plain);
    if let Some(reload) = &spec.reload {
        let live: Vec<&str> = reload.contents.iter().map(String::as_str).collect();
        remove(value.get_mut("content"), &live);
    }
    value
}

fn remove(value: Option<&mut Value>, names: &[&str]) {
    let Some(Value::Object(fields)) = value else { return };
    for name in names {
        fields.remove(*name);
    }
}

/// Short hashes of a container's parts, as the label holds them: `command=1a2b,image=3c4d`.
///
/// Four digits each: enough to name what changed (the whole hash decides whether), too few to search a secret by.
pub fn parts(spec: &ContainerSpec) -> String {
    let fields = lasting(spec);
    let parts: BTreeMap<&str, String> = PARTS
        .iter()
        .map(|(part, names)| {
            let values: Vec<Option<&Value>> = names.iter().map(|name| field(&fields, name)).collect();
            (*part, hex(&serde_json::json!(values)).chars().take(4).collect())
        })
        .collect();
    parts.iter().map(|(part, hash)| format!("{part}={hash}")).collect::<Vec<_>>().join(",")
}

fn field<'a>(fields: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(fields, |value, key| value.get(key))
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
fn canonical<T: Serialize>(spec: &T) -> Value {
    let mut value = serde_json::to_value(spec).unwrap_or(Value::Null);
    prune(&mut value);
    value
}

fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.retain(|_, value| {
            prune(value);
            !is_nothing(value)
        }),
        Value::Array(rows) => rows.iter_mut().for_each(prune),
        _ => {}
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
    // A value in memory is always written.
    digits(&Sha256::digest(serde_json::to_vec(value).unwrap_or_default()))
}

/// The SHA-256 of a value's fields, in hexadecimal: the same in every run of this very program, and in no other.
pub fn of(value: &impl Hash) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    value.hash(&mut sha);
    digits(&sha.0.finalize())
}

/// Bytes in hexadecimal.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::want;
    use super::*;
    use expect_test::{Expect, expect};

    const WEB: &str = "
services:
  web:
    image: web@sha256:1111111111111111111111111111111111111111111111111111111111111111
    user: 1000:1000
    mem_limit: 64m
    command: [serve]
    volumes: [data:/data]
volumes: {data: {}}
";

    fn spec(text: &str) -> ContainerSpec {
        want(text).services.get("web").unwrap().containers[0].clone()
    }

    /// Prints what of the service is said to change when its text does.
    #[track_caller]
    fn check(from: &str, to: &str, expect: Expect) {
        assert!(WEB.contains(from));
        let (old, new) = (spec(WEB), spec(&WEB.replace(from, to)));
        let (parts, now) = (parts(&old), parts(&new));
        let same = if container(&old) == container(&new) { "same" } else { "changed" };
        expect.assert_eq(&format!("{same}: {}", changed_parts(&parts, &now).join(", ")));
    }

    #[test]
    fn each_change_is_named_by_its_part() {
        check("1111", "2222", expect!["changed: image"]);
        check("[serve]", "[serve, --fast]", expect!["changed: command"]);
        check("[serve]", "[]", expect!["changed: command"]);
        check("user: 1000:1000", "user: 1001:1000", expect!["changed: mounts, user"]);
        check("mem_limit", "ulimits: {nofile: 99}\n    mem_limit", expect!["changed: limits"]);
        check(
            "mem_limit",
            "networks: {default: {aliases: [www]}}\n    mem_limit",
            expect!["changed: networks"],
        );
        check("data:/data", "data:/data:ro", expect!["changed: mounts"]);
        check(
            "volumes: [data:/data]",
            "volumes: [data:/data, {type: image, source: 'a@sha256:0', target: /srv}]",
            expect!["changed: mounted images, mounts"],
        );
        check("mem_limit", "environment: {A: b}\n    mem_limit", expect!["changed: environment"]);
        check("mem_limit", "cap_add: [NET_BIND_SERVICE]\n    mem_limit", expect!["changed: capabilities"]);
        check(
            "mem_limit",
            "x-supervisor: {runtime: node}\n    mem_limit",
            expect!["changed: seccomp profile"],
        );
        check(
            "mem_limit",
            "stop_grace_period: 5s\n    labels: {a: b}\n    mem_limit",
            expect!["changed: labels, stopping"],
        );
    }

    #[test]
    fn the_images_spelling_and_what_can_be_changed_in_place_are_no_change() {
        check("mem_limit", "restart: always\n    mem_limit", expect!["same: "]);
        check("64m", "65m", expect!["same: "]);
        check("mem_limit", "cpus: 0.3\n    pids_limit: 7\n    mem_limit", expect!["same: "]);
        check(
            "volumes: {data: {}}",
            "volumes: {data: {}}\nnetworks: {default: {name: other}}",
            expect!["same: "],
        );
        let mut other = spec(WEB);
        other.image = "mirror/web".to_owned();
        assert_eq!(container(&other), container(&spec(WEB)));
    }

    #[test]
    fn every_field_belongs_to_a_part_or_is_no_change() {
        let fields = serde_json::to_value(spec(WEB)).unwrap();
        let known: Vec<&str> = PARTS.iter().flat_map(|(_, names)| *names).copied().collect();
        let named_elsewhere = ["project", "service", "number", "name", "confinement"];
        let confinement = fields["confinement"].as_object().unwrap().keys();
        let confinement =
            confinement.filter(|name| *name != "service").map(|name| format!("confinement.{name}"));
        let missing: Vec<String> = fields
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| !named_elsewhere.contains(&name.as_str()) && !UNHASHED.contains(&name.as_str()))
            .cloned()
            .chain(confinement)
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn a_hash_says_nothing_of_the_environment_in_clear() {
        let mut secret = spec(WEB);
        secret.environment.push("TOKEN=hunter2".to_owned());
        let labels = format!("{:?} {secret:?}", secret.labels());
        assert!(!labels.contains("hunter2"), "{labels}");
    }
}
