//! `run`: converge first, then watch, heal and tell.
//!
//! One loop: an [`event`] goes into `watch`, which decides and gives effects; the `shell` carries them out, and what
//! comes of each is an event again. Deliberately absent: decisions about containers; those are `decide`'s.

mod clock;
mod compare;
mod control_plane;
mod denials;
mod due;
mod effects;
mod egress;
pub mod event;
mod guarded;
mod journal;
mod keep;
mod last_lines;
mod lend;
pub mod log;
pub mod notify;
mod ports;
mod shell;
#[cfg(test)]
mod simulation;
mod stack;
#[cfg(test)]
mod tests;
mod touch;
mod view;
mod watch;

pub use control_plane::Recipient;
pub use shell::{Options, RunError, run};
