//! Takes rights away from itself by Landlock, so that what it then executes starts without them.
//!
//! It runs inside the container, as the service's user, before the service's own command: small, linked statically, no
//! process of its own. The supervisor carries the program in itself (`supervisor/build.rs`). Deliberately absent:
//! deciding what a service may do (`profiles::landlock`), and doing with less than was asked for: a kernel that cannot
//! keep every rule starts nothing.

mod places;
mod restrict;
mod rules;

pub use places::{Grant, Right, grants};
pub use restrict::{RestrictError, offered, restrict};
pub use rules::{NEWEST, OLDEST, Rules, RulesError};
