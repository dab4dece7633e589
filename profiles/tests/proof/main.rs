//! What the generated seccomp profiles answer, shown by compiling them and running the compiled filter over every
//! system call and every class of arguments.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

mod answers;
mod bpf;
mod compile;
mod engine_default;
mod golden;
mod subset;
