//! The labels that we put on everything we make: by them alone is it known as ours. Nothing secret is in them.
//!
//! Deliberately absent: the hashes themselves (`hash`), and any look at the engine.

use std::collections::BTreeMap;

use super::spec::{Bounds, Restart};

/// Project name, on containers, networks and volumes. What lacks it is foreign, and never changed.
pub const PROJECT: &str = "supervisor.project";
/// Service name, on containers.
pub const SERVICE: &str = "supervisor.service";
/// Replica from 1, on containers.
pub const NUMBER: &str = "supervisor.number";
/// SHA-256 of the spec in hexadecimal, on containers, networks and volumes.
pub const HASH: &str = "supervisor.hash";
/// Short hashes of the spec's parts, on containers, so that a change can be named: `command=1a2b,image=3c4d`.
pub const PARTS: &str = "supervisor.parts";
/// The engine's restart policy at creation, on containers. It can be changed since: a hint on whom to inspect.
pub const RESTART: &str = "supervisor.restart";
/// The bounds at creation, on containers: `memory=67108864,nano_cpus=500000000,pids=64`. They can be changed since, as
/// [`RESTART`] can.
pub const BOUNDS: &str = "supervisor.bounds";
/// The image as the file said it, on containers: they are made by the image's id.
pub const IMAGE: &str = "supervisor.image";
/// Key in the file, on networks.
pub const NETWORK: &str = "supervisor.network";
/// Key in the file, on volumes.
pub const VOLUME: &str = "supervisor.volume";
/// What every label of ours starts with; a file's own labels may not.
pub const PREFIX: &str = "supervisor.";

/// A thing's labels as read back. `None` where the label is missing or is not what we would have written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// [`PROJECT`].
    pub project: Option<String>,
    /// [`SERVICE`].
    pub service: Option<String>,
    /// [`NUMBER`].
    pub number: Option<u32>,
    /// [`HASH`].
    pub hash: Option<String>,
    /// [`PARTS`].
    pub parts: Option<String>,
    /// [`RESTART`].
    pub restart: Option<Restart>,
    /// [`BOUNDS`].
    pub bounds: Option<Bounds>,
}

/// Reads our labels from all the labels of a container, network or volume.
pub fn parse<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Ours {
    let mut ours = Ours::default();
    for (name, value) in labels {
        match name {
            PROJECT => ours.project = Some(value.to_owned()),
            SERVICE => ours.service = Some(value.to_owned()),
            NUMBER => ours.number = value.parse().ok(),
            HASH => ours.hash = Some(value.to_owned()),
            PARTS => ours.parts = Some(value.to_owned()),
            RESTART => ours.restart = parse_restart(value),
            BOUNDS => ours.bounds = parse_bounds(value),
            _ => {}
        }
    }
    ours
}

/// A file's labels with ours over them: no file can say that it is ours.
pub fn with_ours<const N: usize>(
    user: &BTreeMap<String, String>,
    ours: [(&str, String); N],
) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> = user
        .iter()
        .filter(|(name, _)| !name.starts_with(PREFIX))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    labels.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    labels
}

/// A restart policy as Compose spells it.
pub fn print_restart(restart: Restart) -> String {
    match restart {
        Restart::No => "no".to_owned(),
        Restart::Always => "always".to_owned(),
        Restart::UnlessStopped => "unless-stopped".to_owned(),
        Restart::OnFailure(None) => "on-failure".to_owned(),
        Restart::OnFailure(Some(n)) => format!("on-failure:{n}"),
    }
}

/// The policy of [`print_restart`]'s text.
pub fn parse_restart(text: &str) -> Option<Restart> {
    match text {
        "no" => Some(Restart::No),
        "always" => Some(Restart::Always),
        "unless-stopped" => Some(Restart::UnlessStopped),
        "on-failure" => Some(Restart::OnFailure(None)),
        _ => text.strip_prefix("on-failure:")?.parse().ok().map(|n| Restart::OnFailure(Some(n))),
    }
}

/// Bounds as [`BOUNDS`] holds them.
pub fn print_bounds(bounds: Bounds) -> String {
    format!("memory={},nano_cpus={},pids={}", bounds.memory, bounds.nano_cpus, bounds.pids)
}

/// The bounds of [`print_bounds`]'s text.
pub fn parse_bounds(text: &str) -> Option<Bounds> {
    let mut rows = text.split(',');
    let mut number = |name: &str| rows.next()?.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok();
    let (memory, nano_cpus, pids) = (number("memory")?, number("nano_cpus")?, number("pids")?);
    Some(Bounds { memory, nano_cpus, pids: u32::try_from(pids).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(input: &str, expect: Expect) {
        let rows: Vec<_> = input.lines().filter_map(|line| line.trim().split_once(": ")).collect();
        let ours = parse(rows);
        let restart = ours.restart.map(print_restart);
        expect.assert_eq(&format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            ours.project, ours.service, ours.number, ours.hash, ours.parts, restart
        ));
    }

    #[test]
    fn our_labels_are_read_and_others_passed_over() {
        check(
            "supervisor.project: shop
             supervisor.service: web
             supervisor.number: 2
             supervisor.hash: abcd
             supervisor.parts: image=1a2b
             supervisor.restart: on-failure:5
             com.example: other",
            expect![[
                r#"Some("shop") Some("web") Some(2) Some("abcd") Some("image=1a2b") Some("on-failure:5")"#
            ]],
        );
    }

    #[test]
    fn a_value_that_we_never_write_is_no_value() {
        check(
            "supervisor.project: shop
             supervisor.number: two
             supervisor.restart: sometimes",
            expect![[r#"Some("shop") None None None None None"#]],
        );
    }

    #[test]
    fn a_files_label_cannot_pass_for_ours() {
        let user = BTreeMap::from([
            ("com.example".to_owned(), "kept".to_owned()),
            (PROJECT.to_owned(), "forged".to_owned()),
            (HASH.to_owned(), "forged".to_owned()),
        ]);
        let labels = with_ours(&user, [(PROJECT, "shop".to_owned())]);
        expect![[r#"{"com.example": "kept", "supervisor.project": "shop"}"#]]
            .assert_eq(&format!("{labels:?}"));
    }

    #[test]
    fn every_restart_policy_is_read_back_as_it_was_printed() {
        for restart in [
            Restart::No,
            Restart::Always,
            Restart::UnlessStopped,
            Restart::OnFailure(None),
            Restart::OnFailure(Some(3)),
        ] {
            assert_eq!(parse_restart(&print_restart(restart)), Some(restart));
        }
    }

    #[test]
    fn bounds_are_read_back_as_they_were_printed_and_nothing_else_is() {
        let bounds = Bounds { memory: 64 << 20, nano_cpus: 500_000_000, pids: 64 };
        assert_eq!(parse_bounds(&print_bounds(bounds)), Some(bounds));
        for text in ["", "memory=1", "memory=1,nano_cpus=2,pids=-3", "pids=1,nano_cpus=2,memory=3"] {
            assert_eq!(parse_bounds(text), None, "{text}");
        }
    }
}
