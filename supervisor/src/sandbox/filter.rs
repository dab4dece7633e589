//! Filters of system calls that `build.rs` compiled of `calls`, into force.
//!
//! Deliberately absent: compiling, and what is allowed.

use seccompiler::{BpfProgram, sock_filter};

use super::SandboxError;

/// Eight bytes an instruction: code, two jumps, constant (`struct sock_filter`), little-endian.
const ENDPOINT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/endpoint.bpf"));
const OWN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/own.bpf"));

/// The endpoint's, for every thread of this process and all that come.
pub(super) fn endpoint() -> Result<(), SandboxError> {
    seccompiler::apply_filter_all_threads(&program(ENDPOINT)).map_err(SandboxError::Filter)
}

/// That of `run`, of the process beside it, and of whatever they execute.
pub(super) fn own() -> Result<(), SandboxError> {
    seccompiler::apply_filter_all_threads(&program(OWN)).map_err(SandboxError::Filter)
}

fn program(bytes: &[u8]) -> BpfProgram {
    let (instructions, _) = bytes.as_chunks::<8>();
    instructions
        .iter()
        .map(|&[c0, c1, jt, jf, k0, k1, k2, k3]| sock_filter {
            code: u16::from_le_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_le_bytes([k0, k1, k2, k3]),
        })
        .collect()
}
