//! How bytes get from one connection to another: the way out of a stack by name, and the way in by a loopback port.
//!
//! Deliberately absent: who may; that is decided before a connection is made.

pub mod egress;
pub mod relay;
pub mod splice;
