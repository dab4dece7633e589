//! The names under which an update keeps two containers for one: the next, until it takes over, and the previous, until
//! the next has proved itself.
//!
//! A name says how far an update came, so that whoever comes after a kill can go on or back: what is called previous has
//! not been made good yet. Deliberately absent: which of them is kept; that is the planner's.

/// What follows a container's name while its successor has not taken over.
pub const NEXT: &str = ".next";
/// What follows a container's name once its successor has taken over.
pub const PREVIOUS: &str = ".previous";

/// What a container is in an update, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Under its own name.
    Main,
    /// Made, and not in use yet.
    Next,
    /// Put aside.
    Previous,
}

/// The role of a container of ours under this name.
pub fn role(name: &str) -> Role {
    match () {
        () if name.ends_with(NEXT) => Role::Next,
        () if name.ends_with(PREVIOUS) => Role::Previous,
        () => Role::Main,
    }
}

/// The name that a container has, or had, or is to have, outside an update.
pub fn base(name: &str) -> &str {
    name.strip_suffix(NEXT).or_else(|| name.strip_suffix(PREVIOUS)).unwrap_or(name)
}

/// What a container's successor is called at first.
pub fn next(name: &str) -> String {
    format!("{name}{NEXT}")
}

/// What a container that is put aside is called.
pub fn previous(name: &str) -> String {
    format!("{name}{PREVIOUS}")
}
