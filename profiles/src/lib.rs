//! A service's model to its confinement: seccomp, AppArmor, capabilities, limits, mounts.
//!
//! Pure: the kernel's features come in as a value. Deliberately absent: loading a profile, asking a kernel, the engine's types.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod apparmor;
pub mod arguments;
pub mod bases;
pub mod capability;
mod confine;
pub mod confinement;
#[cfg(test)]
mod documentation;
pub mod floor;
pub mod groups;
pub mod landlock;
pub mod numbers;
pub mod recorded;
pub mod seccomp;
pub mod syscalls;

pub use bases::Base;
pub use confine::{confine, confine_all, confine_heard};
pub use confinement::{AppArmor, Arch, Confinement, Kernel, Landlock};
