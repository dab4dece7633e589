//! Decisions as functions over values: what is wanted, what was seen and the time go in, a plan comes out.
//!
//! Deliberately absent: clocks, files, environment, sockets, randomness and the engine's types.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod announce;
pub mod backoff;
pub mod denials;
pub mod diagnose;
pub mod egress;
pub mod guard;
pub mod hash;
pub mod heal;
pub mod hooks;
pub mod labels;
pub mod live;
pub mod machine;
pub mod outside;
pub mod plan;
pub mod relay;
pub mod seen;
pub mod spare;
pub mod spec;
pub mod start;
#[cfg(test)]
pub(crate) mod testing;
pub mod wanted;
