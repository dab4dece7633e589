//! What the shell sees with its own eyes: probes over the bridge, and the kernel's word on a container.
//!
//! Deliberately absent: decisions; what is seen goes into `decide` and `attest` as values.

pub mod attested;
pub mod denials;
pub mod egress;
pub mod ending;
pub mod kernel;
pub mod probe;
