//! The shell around one pure module: what a stack wants, what is seen, and the steps between.
//!
//! `decide` is pure. `engine` alone names the engine's crate. Everything else carries values between them.

pub mod decide;
pub mod engine;
