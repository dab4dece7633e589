//! Image names: which one on the engine is meant by a name in the file.
//!
//! Deliberately absent: fetching, and any check of digests; the engine keeps those.

use std::collections::{BTreeMap, BTreeSet};

use super::list::{Image, Text};
use crate::decide::seen::SeenImage;

/// Finds each name among the engine's images.
pub(super) fn find(names: &BTreeSet<String>, list: &[Image<'_>]) -> BTreeMap<String, SeenImage> {
    let found = names.iter().filter_map(|name| {
        let image = list.iter().find(|image| is(image, name))?;
        Some((name.clone(), SeenImage { id: image.id.as_str().to_owned() }))
    });
    found.collect()
}

/// Name and tag as the engine's pull wants them: a digest stays with the name, a missing tag is `latest`.
pub(super) fn split_tag(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

fn is(image: &Image<'_>, name: &str) -> bool {
    let id = image.id.as_str();
    if name == id || is_id(name, id) {
        return true;
    }
    let known = |names: &Option<Vec<Text<'_>>>, wanted: &str| {
        names.iter().flatten().any(|have| familiar(have.as_str()) == wanted)
    };
    if let Some((repository, digest)) = name.split_once('@') {
        return known(&image.repo_digests, &format!("{}@{digest}", familiar(split_tag(repository).0)));
    }
    let (repository, tag) = split_tag(name);
    known(&image.repo_tags, &format!("{}:{tag}", familiar(repository)))
}

/// An id in whole, or so much of it as people type, with or without its `sha256:`.
fn is_id(name: &str, id: &str) -> bool {
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    digits.len() >= 12
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && id.strip_prefix("sha256:").is_some_and(|id| id.starts_with(digits))
}

/// Without the default registry and its default folder, as the engine lists names.
fn familiar(name: &str) -> &str {
    let name =
        name.strip_prefix("docker.io/").or_else(|| name.strip_prefix("index.docker.io/")).unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const ID: &str = "sha256:8a1b2c3d4e5f60718293a4b5c6d7e8f9";

    #[track_caller]
    fn check(names: &[&str], expect: Expect) {
        let image = format!(
            r#"{{"Id":"{ID}","RepoTags":["caddy:latest","caddy:2.11","registry.example/o/claw:1"],"RepoDigests":["caddy@sha256:ffff"],
                 "Size":1,"Created":1}}"#
        );
        let image: Image<'_> = serde_json::from_str(&image).unwrap();
        let names: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = find(&names, &[image]);
        let rows = names
            .iter()
            .map(|name| format!("{name}: {}\n", if found.contains_key(name) { "there" } else { "-" }));
        expect.assert_eq(&rows.collect::<String>());
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        check(
            &[
                "caddy",
                "caddy:2.11",
                "docker.io/library/caddy:2.11",
                "registry.example/o/claw:1",
                ID,
                "8a1b2c3d4e5f",
            ],
            expect![[r"
                8a1b2c3d4e5f: there
                caddy: there
                caddy:2.11: there
                docker.io/library/caddy:2.11: there
                registry.example/o/claw:1: there
                sha256:8a1b2c3d4e5f60718293a4b5c6d7e8f9: there
            "]],
        );
    }

    #[test]
    fn a_digest_decides_and_the_tag_beside_it_does_not() {
        check(
            &["caddy:9@sha256:ffff", "caddy@sha256:eeee"],
            expect![[r"
                caddy:9@sha256:ffff: there
                caddy@sha256:eeee: -
            "]],
        );
    }

    #[test]
    fn another_tag_or_registry_is_another_image() {
        check(
            &["caddy:2", "registry.example/caddy:2.11", "localhost:5000/caddy", "cad"],
            expect![[r"
                cad: -
                caddy:2: -
                localhost:5000/caddy: -
                registry.example/caddy:2.11: -
            "]],
        );
    }
}
