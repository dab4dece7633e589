//! A service's model to its confinement: seccomp, AppArmor, capabilities, limits, mounts.
//!
//! Pure: the kernel's features come in as a value. Deliberately absent: loading a profile, asking a kernel, the engine's types.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod confinement;

pub use confinement::{AppArmor, Arch, Confinement, Kernel};
