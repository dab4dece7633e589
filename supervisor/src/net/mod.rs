//! How bytes get from one connection to another: the way out of a stack by name, and the way in by a loopback port; and how
//! this machine calls another one, or asks over a connection.
//!
//! Deliberately absent: who may; that is decided before a connection is made.

pub mod call;
pub mod egress;
pub mod exchange;
pub mod relay;
pub mod splice;
