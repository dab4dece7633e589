//! The shell around one pure module: what a stack wants, what is seen, and the steps between.
//!
//! `decide` is pure. `engine` alone names the engine's crate. Everything else carries values between them.

pub mod apply;
pub mod args;
pub mod attest;
pub mod audit;
pub mod cloud_init;
pub mod commands;
pub mod compose_cli;
pub mod decide;
pub mod digest;
pub mod engine;
pub mod exit;
pub mod failures;
pub mod hardened;
pub mod host;
pub mod input;
pub mod manual;
pub mod net;
pub mod observe;
pub mod pipeline;
pub mod privileged;
pub mod progress;
pub mod record;
pub mod render;
pub mod run;
pub mod sandbox;
pub mod serve;
pub mod session;
pub mod stack;
