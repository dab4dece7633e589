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
/// Which of the containers of one place this is, from 1, on those that take other contents of their configs without a
/// restart: their files are named by it.
pub const GENERATION: &str = "supervisor.generation";
/// Key in the file, on networks.
pub const NETWORK: &str = "supervisor.network";
/// On the note of a network that an update replaces: all that it takes to make that one again, as JSON.
pub const REPLACED: &str = "supervisor.replaced";
/// Key in the file, on volumes.
pub const VOLUME: &str = "supervisor.volume";
/// Docker Compose's name of the project, on all that it makes (docker/compose, `pkg/api/labels.go`).
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
/// The folder of the file that it made a container from.
pub const COMPOSE_FOLDER: &str = "com.docker.compose.project.working_dir";
/// Its service.
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
/// Its replica, from 1.
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";
/// `True` on what `docker compose run` made.
pub const COMPOSE_ONE_OFF: &str = "com.docker.compose.oneoff";
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
    /// [`GENERATION`].
    pub generation: Option<u64>,
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
            GENERATION => ours.generation = value.parse().ok(),
            _ => {}
        }
    }
    ours
}

/// Reads a container's labels as [`parse`] does; where there are none of ours, those of Docker Compose, if it made the
/// container of a service of this project from this folder. What comes of it has no hash.
pub fn parse_composed<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    project: &str,
    folder: &str,
) -> Ours {
    let ours = parse(labels.clone());
    let label = |name: &str| labels.clone().find(|(other, _)| *other == name).map(|(_, value)| value);
    let is_theirs = ours.project.is_none()
        && label(COMPOSE_PROJECT) == Some(project)
        && label(COMPOSE_FOLDER) == Some(folder)
        && label(COMPOSE_ONE_OFF) != Some("True");
    let number = label(COMPOSE_NUMBER).and_then(|number| number.parse().ok());
    match (label(COMPOSE_SERVICE), number) {
        (Some(service), Some(number)) if is_theirs => Ours {
            project: Some(project.to_owned()),
            service: Some(service.to_owned()),
            number: Some(number),
            ..Ours::default()
        },
        _ => ours,
    }
}

/// A file's labels with ours over them: no file can say that it is ours.
pub fn with_ours<'a>(
    user: &BTreeMap<String, String>,
    ours: impl IntoIterator<Item = (&'a str, String)>,
) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<_, _> = user
        .iter()
        .filter(|(name, _)| !name.starts_with(PREFIX))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    labels.extend(ours.into_iter().map(|(name, value)| (name.to_owned(), value)));
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
    fn what_docker_compose_made_from_this_folder_is_read_as_the_projects_and_nothing_else_is() {
        let theirs = [
            (COMPOSE_PROJECT, "shop"),
            (COMPOSE_FOLDER, "/srv/shop"),
            (COMPOSE_SERVICE, "web"),
            (COMPOSE_NUMBER, "2"),
            (COMPOSE_ONE_OFF, "False"),
        ];
        let read = |labels: &[(&'static str, &'static str)], project: &str, folder: &str| {
            let ours = parse_composed(labels.iter().copied(), project, folder);
            (ours.project, ours.service, ours.number, ours.hash)
        };
        let web = (Some("shop".to_owned()), Some("web".to_owned()), Some(2), None);
        assert_eq!(read(&theirs, "shop", "/srv/shop"), web);
        let nothing = (None, None, None, None);
        assert_eq!(read(&theirs, "shop", "/srv/other"), nothing);
        assert_eq!(read(&theirs, "other", "/srv/shop"), nothing);
        let [project, folder, service, number, _] = theirs;
        assert_eq!(
            read(&[project, folder, service, number, (COMPOSE_ONE_OFF, "True")], "shop", "/srv/shop"),
            nothing
        );
        assert_eq!(read(&[project, folder, number], "shop", "/srv/shop"), nothing);
        // Ours go before theirs: a file may give its containers any label.
        let both = [project, folder, service, number, (PROJECT, "elsewhere")];
        assert_eq!(read(&both, "shop", "/srv/shop").0.as_deref(), Some("elsewhere"));
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
