//! The final model as Compose text: YAML in which every filled-in value names the rule that asks for it, or JSON.
//!
//! What is written loads to the same model again, here and in Docker Compose. Deliberately absent: profiles of seccomp
//! and AppArmor, which are no part of the format.

mod service;
mod stack;
mod tree;

use crate::model::Project;

/// Whether values that look like credentials are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A variable of the same name stands for each.
    Hidden,
    /// As they are.
    Shown,
}

/// The model as YAML. Values that hardening filled in end with a comment that names the rule.
pub fn yaml(project: &Project, credentials: Credentials) -> String {
    stack::stack(project, credentials).to_yaml()
}

/// The model as JSON. What hardening filled in is listed under `x-filled`, each path with its rule.
pub fn json(project: &Project, credentials: Credentials) -> String {
    stack::stack(project, credentials).to_json()
}

#[cfg(test)]
mod tests;
