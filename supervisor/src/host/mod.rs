//! The host as the pure crates are told about it, and what is done on it.

pub mod apparmor;
pub mod contents;
pub mod evidence;
pub mod files;
pub mod gather;
mod generation;
pub mod ground;
pub mod guard;
pub mod hooks;
pub mod kernel;
pub mod lent;
pub mod live;
pub mod lock;
pub mod metadata;
pub mod noted;
pub mod pack;
pub mod resolvers;
pub mod rewrite;
pub mod state;
pub mod unchanged;
pub mod unpack;
