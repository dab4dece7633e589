//! Image names: which one on the engine is meant by a name in the file.
//!
//! Deliberately absent: fetching, and any check of digests; the engine keeps those.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::ImageSummary;

use crate::decide::seen::SeenImage;

/// Finds each name among the engine's images.
pub(super) fn find(names: &BTreeSet<String>, list: &[ImageSummary]) -> BTreeMap<String, SeenImage> {
    let found = names.iter().filter_map(|name| {
        let image = list.iter().find(|image| is(image, name))?;
        Some((name.clone(), SeenImage { id: image.id.clone() }))
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

fn is(image: &ImageSummary, name: &str) -> bool {
    if name == image.id || is_id(name, &image.id) {
        return true;
    }
    if let Some((repository, digest)) = name.split_once('@') {
        let wanted = format!("{}@{digest}", familiar(split_tag(repository).0));
        return image.repo_digests.iter().any(|have| familiar(have) == wanted);
    }
    let (repository, tag) = split_tag(name);
    let wanted = format!("{}:{tag}", familiar(repository));
    image.repo_tags.iter().any(|have| familiar(have) == wanted)
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
        let image = ImageSummary {
            id: ID.into(),
            repo_tags: vec!["caddy:latest".into(), "caddy:2.11".into(), "registry.example/o/claw:1".into()],
            repo_digests: vec!["caddy@sha256:ffff".into()],
            ..ImageSummary::default()
        };
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
