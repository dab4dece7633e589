//! The networks of a plan: which stay, which have to be made, and which an update replaces.
//!
//! The engine neither changes a network nor renames it. One that is replaced is noted first ([`NetworkShape::note`]); then
//! its containers are stopped and put aside, it is removed, and the new one is made under its name. The note stays as long
//! as they do, so that the way back can make the old one again, whoever was killed in between. Deliberately absent:
//! networks that are not this project's, or that somebody else is on: they are never removed.

use std::collections::{BTreeMap, BTreeSet};

use compose::rules::network_elsewhere;

use super::super::hash;
use super::super::heal::Hold;
use super::super::seen::{Seen, SeenContainer, SeenNetwork, State};
use super::super::spare::{self, Role};
use super::super::spec::{NetworkShape, NetworkSpec, Wanted};
use super::Step;
use super::choice::{Choice, Orphans, Recreate, in_scope};
use super::draft::Draft;
use super::ground::Made;
use super::judge::{Deed, Verdict, is_orphan, is_ours};

/// Why a network is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anew {
    /// It is to be another one: it is removed first.
    Changed,
    /// It is not there.
    Missing,
}

impl Anew {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "was not there",
        }
    }
}

/// A network that another one takes the place of.
pub(super) struct Replaced<'a> {
    /// Removed first.
    pub(super) there: Option<&'a SeenNetwork>,
    /// Made then.
    pub(super) shape: NetworkShape,
    pub(super) reason: String,
    /// Made before anything is stopped, where there is none yet.
    pub(super) note: Option<NetworkShape>,
}

#[derive(Default)]
pub(super) struct Networks<'a> {
    /// Have to be made.
    pub(super) missing: BTreeSet<&'a str>,
    pub(super) replaced: Vec<Replaced<'a>>,
    /// Names of both, but for those that are put back: whoever is on one has to be made anew too.
    pub(super) anew: BTreeMap<&'a str, Anew>,
}

pub(super) fn networks<'a>(
    wanted: &'a Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    draft: &mut Draft,
) -> Networks<'a> {
    let used: BTreeSet<&String> =
        in_scope(wanted, scope).flat_map(|s| &s.containers).flat_map(|c| c.networks.keys()).collect();
    let mut networks = Networks::default();
    for (name, spec) in wanted.networks.iter().filter(|(name, _)| used.contains(name)) {
        let found: Vec<_> = seen.networks.iter().filter(|network| network.name == *name).collect();
        let ours = found.iter().copied().find(|network| network.project.as_ref() == Some(&wanted.project));
        let theirs = found.iter().copied().find(|network| network.composed);
        if spec.external {
            external(name, found.first().copied(), draft);
        } else if choice.recreate == Recreate::Back
            && (ours.is_some() || theirs.is_some() || found.is_empty())
        {
            networks.as_it_was(wanted, seen, spec, ours.or(theirs), draft);
        } else if let Some(ours) = ours {
            if ours.hash.as_deref() == Some(hash::network(spec).as_str()) {
                draft.keep("network", name, "as wanted");
            } else if let Some(user) = left_on(wanted, seen, choice, scope, ours) {
                draft.warn(format!(
                    "network `{name}` differs from the file and stays as it is: container `{user}` is on it and does \
                     not take part"
                ));
            } else {
                networks.replace(wanted, seen, spec, ours, "its settings changed".to_owned());
            }
        } else if found.is_empty() {
            networks.missing.insert(name);
            networks.anew.insert(name, Anew::Missing);
        } else if let Some(theirs) = theirs {
            networks.take_over(wanted, seen, choice, scope, spec, theirs, draft);
        } else {
            draft.block(format!(
                "network `{name}` is there and is not ours; say `external: true` if it is meant, or give yours another \
                 `name`"
            ));
        }
    }
    networks
}

fn external(name: &str, found: Option<&SeenNetwork>, draft: &mut Draft) {
    match found {
        Some(network) => match network_elsewhere(&network.driver, &network.options) {
            None => draft.keep("network", name, "made outside, used as it is"),
            Some(why) => draft.block(format!("network `{name}` is made outside and is not used: {why}")),
        },
        None => draft.block(format!(
            "network `{name}` is external in the file and is not there; create it, or let the file make it"
        )),
    }
}

impl<'a> Networks<'a> {
    fn replace(
        &mut self,
        wanted: &Wanted,
        seen: &'a Seen,
        spec: &'a NetworkSpec,
        there: &'a SeenNetwork,
        reason: String,
    ) {
        let is_noted = note_of(wanted, seen, &there.name).is_some();
        let addressed = seen.containers.iter().any(|container| container.fixed.contains(&there.name));
        let note = there.shape(addressed || !spec.pools.is_empty()).note(&wanted.project);
        self.replaced.push(Replaced {
            there: Some(there),
            shape: spec.shape(),
            reason,
            note: (!is_noted).then_some(note),
        });
        self.anew.insert(&spec.name, Anew::Changed);
    }

    /// A network that Docker Compose made for this project: ours takes its place, so that it is as the file has it, guarded,
    /// and goes with the stack.
    #[allow(clippy::too_many_arguments, reason = "all of what a plan is made of")]
    fn take_over(
        &mut self,
        wanted: &Wanted,
        seen: &'a Seen,
        choice: &Choice,
        scope: &BTreeSet<&str>,
        spec: &'a NetworkSpec,
        theirs: &'a SeenNetwork,
        draft: &mut Draft,
    ) {
        let name = &spec.name;
        let how = match (theirs.internal, spec.internal) {
            (false, true) => " with a way out, which it is not to have",
            (true, false) => " without a way out, which it is to have",
            _ => "",
        };
        let is_noted = note_of(wanted, seen, name).is_some();
        let is_of_this_folder = is_noted
            || seen.containers.iter().any(|container| {
                is_ours(wanted, container)
                    && container.hash.is_none()
                    && container.networks.contains_key(name)
            });
        let elsewhere = network_elsewhere(&theirs.driver, &theirs.options);
        let is_alike =
            theirs.internal == spec.internal && theirs.options == spec.options && elsewhere.is_none();
        let obstacle = if let Some(why) = elsewhere {
            why
        } else if let Some(user) = left_on(wanted, seen, choice, scope, theirs) {
            format!(
                "container `{user}` is on it and does not take part; have all take part, or take that one off it"
            )
        } else if !is_of_this_folder {
            format!(
                "no container of this folder is on it, so that it may be another's; `docker network rm {name}` takes it away"
            )
        } else {
            let reason = format!("Docker Compose made it{how}");
            return self.replace(wanted, seen, spec, theirs, reason);
        };
        if is_alike {
            draft.keep(
                "network",
                name,
                format!("Docker Compose made it as the file has it, used as it is: {obstacle}"),
            );
            if wanted.guard.is_some() {
                draft.warn(format!(
                    "network `{name}` is Docker Compose's, and the guard does not cover it: {obstacle}"
                ));
            }
        } else {
            draft.block(format!(
                "network `{name}` was made by Docker Compose{how}, and cannot be replaced: {obstacle}"
            ));
        }
    }

    /// Where the file is not in force, what an update has put aside needs its network as it was.
    fn as_it_was(
        &mut self,
        wanted: &'a Wanted,
        seen: &'a Seen,
        spec: &'a NetworkSpec,
        there: Option<&'a SeenNetwork>,
        draft: &mut Draft,
    ) {
        let name = spec.name.as_str();
        let noted = note_of(wanted, seen, name).map(|(_, shape)| shape);
        let goes = |container: &SeenContainer| match spare::role(&container.name) {
            Role::Main => seen.containers.iter().any(|other| {
                is_ours(wanted, other)
                    && spare::role(&other.name) == Role::Previous
                    && (&other.service, other.number) == (&container.service, container.number)
            }),
            Role::Next => true,
            Role::Previous => false,
        };
        let stays = |container: &&SeenContainer| {
            let runs = matches!(container.state, State::Running | State::Restarting | State::Paused);
            runs && container.networks.contains_key(name) && !goes(container)
        };
        let free = |network: &SeenNetwork| network.strangers.is_empty();
        match (noted, there) {
            (Some(shape), there) if there.is_none_or(|there| !there.is(&shape) && free(there)) => {
                if let Some(user) = seen.containers.iter().find(stays) {
                    draft.warn(format!(
                        "network `{name}` stays as an update made it: container `{}` is on it",
                        user.name
                    ));
                } else {
                    let reason = "the update that made it anew is not wanted".to_owned();
                    self.replaced.push(Replaced { there, shape, reason, note: None });
                }
            }
            (_, Some(there)) if there.hash.as_deref() == Some(hash::network(spec).as_str()) => {
                draft.keep("network", name, "as wanted");
            }
            (_, Some(_)) => draft.keep("network", name, "the update that would change it is not wanted"),
            (_, None) => {
                self.missing.insert(name);
                self.anew.insert(name, Anew::Missing);
            }
        }
    }

    /// Makes the notes of what is to be replaced.
    pub(super) fn write_notes(&self, draft: &mut Draft, made: &mut Made) {
        for note in self.replaced.iter().filter_map(|replaced| replaced.note.clone()) {
            let reason = "it notes the network that is replaced, for the way back";
            made.notes.push((note.name.clone(), draft.step(Step::CreateNetwork(note), reason, [])));
        }
    }

    /// Puts the new ones in the place of the old ones, from which all are gone after these steps.
    pub(super) fn put_in_place(&self, gone: &BTreeSet<usize>, draft: &mut Draft, made: &mut Made) {
        for Replaced { there, shape, reason, .. } in &self.replaced {
            let mut after = gone.clone();
            if let Some(there) = there {
                let step = Step::RemoveNetwork { id: there.id.clone(), name: there.name.clone() };
                after = BTreeSet::from([draft.step(step, reason, after)]);
            }
            let index = draft.step(Step::CreateNetwork(shape.clone()), reason, after);
            made.networks.insert(shape.name.clone(), index);
        }
    }
}

/// The note of a network of this name, and what it says.
pub(super) fn note_of<'a>(
    wanted: &Wanted,
    seen: &'a Seen,
    name: &str,
) -> Option<(&'a SeenNetwork, NetworkShape)> {
    notes(wanted, seen).find(|(_, shape)| shape.name == name)
}

/// The notes of this project.
pub(super) fn notes<'a>(
    wanted: &Wanted,
    seen: &'a Seen,
) -> impl Iterator<Item = (&'a SeenNetwork, NetworkShape)> {
    let project = wanted.project.clone();
    let ours = seen.networks.iter().filter(move |network| network.project.as_ref() == Some(&project));
    ours.filter_map(|network| Some((network, network.notes()?)))
}

/// Removes the notes that nobody needs any more once all that was put aside from there has its place again or is gone.
pub(super) fn remove_notes(
    wanted: &Wanted,
    seen: &Seen,
    verdicts: &[Verdict<'_>],
    made: &Made,
    after: &BTreeSet<usize>,
    draft: &mut Draft,
) {
    let ends = |verdict: &Verdict<'_>| {
        verdict.finishes() || matches!(verdict.deed, Deed::Replace | Deed::Rebuild | Deed::Back)
    };
    let needs = |container: &&SeenContainer| {
        is_ours(wanted, container)
            && spare::role(&container.name) == Role::Previous
            && !verdicts.iter().any(|verdict| ends(verdict) && verdict.slot.has(&container.id))
    };
    let needed: BTreeSet<&str> = seen
        .containers
        .iter()
        .filter(needs)
        .flat_map(|container| container.networks.keys())
        .map(String::as_str)
        .collect();
    let there = notes(wanted, seen).map(|(note, shape)| (note.id.clone(), note.name.clone(), shape.name));
    let new = made.notes.iter().map(|(name, _)| (name.clone(), name.clone(), spare::base(name).to_owned()));
    for (id, name, _) in there.chain(new).filter(|(.., of)| !needed.contains(of.as_str())) {
        let step = Step::RemoveNetwork { id, name };
        draft.step(step, "nothing goes back to the network that it notes", after.iter().copied());
    }
}

/// A container on a network that this plan does not touch, so that the network cannot be made anew.
fn left_on<'a>(
    wanted: &Wanted,
    seen: &'a Seen,
    choice: &Choice,
    scope: &BTreeSet<&str>,
    network: &'a SeenNetwork,
) -> Option<&'a str> {
    let of_ours =
        seen.containers.iter().filter(|container| container.networks.contains_key(&network.name)).find(
            |container| {
                let service = container.service.as_deref().unwrap_or_default();
                let goes = choice.orphans == Orphans::Remove && is_orphan(wanted, service);
                let takes_part = is_ours(wanted, container) && (scope.contains(service) || goes);
                !takes_part
                    || matches!(choice.recreate, Recreate::None | Recreate::Back)
                    || matches!(choice.held.get(&container.name), Some(Hold::Alone(_)))
            },
        );
    of_ours.map(|container| container.name.as_str()).or_else(|| network.strangers.first().map(String::as_str))
}
