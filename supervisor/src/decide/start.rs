//! What a container's first process executes: the file's and the image's words put together as the engine would, with the
//! program before them that keeps the Landlock rules.
//!
//! Deliberately absent: the rules (`profiles::landlock`), and asking for the image.

use profiles::{Confinement, Landlock, landlock};

use super::seen::ImageStart;
use super::spec::ContainerSpec;

/// What the engine is told to execute. `None` leaves the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Entry point.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments.
    pub command: Option<Vec<String>>,
}

/// Whether the image has to be asked how its containers start.
pub fn asks_the_image(spec: &ContainerSpec) -> bool {
    matches!(spec.confinement.landlock(), Landlock::Rules { .. }) && !is_all_said(spec)
}

/// The file leaves nothing to the image: an entry point of its own, or none at all and a command.
fn is_all_said(spec: &ContainerSpec) -> bool {
    let says = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
    says(&spec.entrypoint) || spec.entrypoint.is_some() && says(&spec.command)
}

/// What is executed, where the image says this of itself.
pub fn start(spec: &ContainerSpec, image: &ImageStart) -> Start {
    let words = words(spec, image);
    match prefix(&spec.confinement) {
        Some(entrypoint) if !words.is_empty() => Start { entrypoint: Some(entrypoint), command: Some(words) },
        // Without a word there is nothing to execute: the engine says so.
        _ => Start { entrypoint: spec.entrypoint.clone(), command: spec.command.clone() },
    }
}

/// How a container that was started so shows itself: whether its first words are the promised ones, and what follows is
/// the file's, as far as the file says it.
pub fn is_started_so(spec: &ContainerSpec, words: &[String]) -> bool {
    let Some(prefix) = prefix(&spec.confinement) else { return true };
    let Some(command) = words.strip_prefix(prefix.as_slice()) else { return false };
    !command.is_empty() && (!is_all_said(spec) || command == self::words(spec, &ImageStart::default()))
}

/// The program with its rules, where there are any.
pub(super) fn prefix(promise: &Confinement) -> Option<Vec<String>> {
    let Landlock::Rules { arguments, .. } = promise.landlock() else { return None };
    let program = std::iter::once(landlock::PROGRAM.to_owned());
    Some(program.chain(arguments.iter().cloned()).chain(["--".to_owned()]).collect())
}

/// The service's own words. An entry point in the file clears the image's command; an empty one clears the image's entry
/// point alone (moby, `daemon/commit.go`, `merge`).
fn words(spec: &ContainerSpec, image: &ImageStart) -> Vec<String> {
    let entrypoint = spec.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    let command = match (&spec.command, &spec.entrypoint) {
        (Some(command), _) if !command.is_empty() => command.as_slice(),
        (_, Some(entrypoint)) if !entrypoint.is_empty() => &[],
        _ => &image.command,
    };
    // A single empty word clears the image's entry point, too.
    let entrypoint =
        if matches!(entrypoint.as_slice(), [word] if word.is_empty()) { &[] } else { entrypoint.as_slice() };
    entrypoint.iter().chain(command).cloned().collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::testing::want_on;
    use super::*;

    /// What is executed by a service that says this, of an image with the entry point `/init` and the command `serve`.
    #[track_caller]
    fn check(says: &str, expect: Expect) {
        let text = format!("services: {{web: {{image: 'i:1', {says}}}}}");
        let spec = want_on(&text, 6).services["web"].containers[0].clone();
        let image = ImageStart { entrypoint: vec!["/init".into()], command: vec!["serve".into()] };
        let Start { entrypoint, command } = start(&spec, &image);
        let words: Vec<String> = entrypoint.into_iter().chain(command).flatten().collect();
        let asked = if asks_the_image(&spec) { "asked" } else { "not asked" };
        let so = if is_started_so(&spec, &words) { "" } else { ", and not known again" };
        expect.assert_eq(&format!("{} ({asked}{so})", words.join(" ")));
    }

    #[test]
    fn the_words_are_those_that_the_engine_would_execute() {
        check("read_only: true", expect!["/.supervisor-confine --abi=6 --write=/tmp -- /init serve (asked)"]);
        check(
            "command: [run, fast]",
            expect!["/.supervisor-confine --abi=6 --write=/tmp -- /init run fast (asked)"],
        );
        check("entrypoint: [/own]", expect!["/.supervisor-confine --abi=6 --write=/tmp -- /own (not asked)"]);
        check(
            "entrypoint: [/own], command: [run]",
            expect!["/.supervisor-confine --abi=6 --write=/tmp -- /own run (not asked)"],
        );
        check("entrypoint: []", expect!["/.supervisor-confine --abi=6 --write=/tmp -- serve (asked)"]);
        check(
            "entrypoint: [], command: [run]",
            expect!["/.supervisor-confine --abi=6 --write=/tmp -- run (not asked)"],
        );
        check("command: []", expect!["/.supervisor-confine --abi=6 --write=/tmp -- /init serve (asked)"]);
        check("x-supervisor: {landlock: off}", expect![" (not asked)"]);
    }

    #[test]
    fn other_rules_and_another_command_are_not_as_promised() {
        let of = |says: &str| {
            let text = format!("services: {{web: {{image: 'i:1', entrypoint: [/own], {says}}}}}");
            want_on(&text, 6).services["web"].containers[0].clone()
        };
        let spec = of("command: [run]");
        let started = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            is_started_so(&spec, &words)
        };
        assert!(started("/.supervisor-confine --abi=6 --write=/tmp -- /own run"));
        assert!(!started("/.supervisor-confine --abi=6 --write=/ -- /own run"));
        assert!(!started("/.supervisor-confine --abi=6 --write=/tmp -- /own walk"));
        assert!(!started("/.supervisor-confine --abi=6 --write=/tmp --"));
        assert!(!started("/own run"));
        assert!(is_started_so(&of("x-supervisor: {landlock: off}"), &["/own".to_owned()]));
    }
}
