//! What a caller may choose: which services take part, what is replaced, what becomes of orphans.
//!
//! Deliberately absent: what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::heal::Hold;
use super::super::spec::{ServiceSpec, Wanted};
use super::draft::Draft;
use super::order;

/// What a caller may choose besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// These services alone; `None` is all of them.
    pub services: Option<BTreeSet<String>>,
    /// Whether the services that these depend on take part.
    pub dependencies: Dependencies,
    /// What is replaced.
    pub recreate: Recreate,
    /// What becomes of containers of ours whose service the file no longer has.
    pub orphans: Orphans,
    /// Whether what is wanted has proved itself before.
    pub standing: Standing,
    /// Containers by name that healing or an administrator has in hand.
    pub held: BTreeMap<String, Hold>,
}

/// Whether the dependencies of chosen services take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dependencies {
    /// They do.
    #[default]
    Included,
    /// They are neither looked at nor waited for.
    Left,
}

/// Which containers are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recreate {
    /// Those that differ from what is wanted.
    #[default]
    Changed,
    /// All that take part.
    All,
    /// None: what differs is only said.
    None,
    /// None, and what an unfinished update put aside takes its place again.
    Back,
}

/// Whether what is wanted has proved itself before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody knows: what differs may be what is to be gone back to.
    #[default]
    Unproved,
    /// It was in force, and well: what differs in place was changed behind our back, and is nothing to go back to.
    Proved,
}

/// What becomes of orphans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They stay, and are named.
    #[default]
    Keep,
    /// They are stopped and removed.
    Remove,
}

/// The services that take part.
pub(super) fn scope<'a>(wanted: &'a Wanted, choice: &'a Choice, draft: &mut Draft) -> BTreeSet<&'a str> {
    let Some(services) = &choice.services else {
        return wanted.services.keys().map(String::as_str).collect();
    };
    for name in services.iter().filter(|name| !wanted.services.contains_key(*name)) {
        draft.block(format!("no service `{name}` is active in the file"));
    }
    let names =
        services.iter().filter(|name| wanted.services.contains_key(*name)).map(String::as_str).collect();
    match choice.dependencies {
        Dependencies::Included => order::with_dependencies(wanted, &names),
        Dependencies::Left => names,
    }
}

pub(super) fn in_scope<'a>(
    wanted: &'a Wanted,
    scope: &BTreeSet<&str>,
) -> impl Iterator<Item = &'a ServiceSpec> {
    wanted.services.values().filter(move |service| scope.contains(service.service.as_str()))
}
