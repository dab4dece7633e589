//! Bytes between networks: the way out by name, and what carries it.
//!
//! Deliberately absent: the engine, the stack's file, and any decision about containers.

pub mod egress;
pub mod splice;
