//! What takes a kernel with AppArmor and an init that is process 1: in a machine that is booted once for all of this.
//!
//! Each body runs inside that machine, by itself, one after the other; outside, its test says what came of it.
//! Deliberately absent: what an engine alone can show.

mod apparmor;
mod audit;
mod bounds;
mod network;
mod real;
mod server;
mod unit;
mod user_data;
