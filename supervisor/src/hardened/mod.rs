//! What a hardened host has, as tables: `render cloud-init` writes them, and `audit` judges by them.
//!
//! One row a setting, with its reason; where the hardening guide says otherwise, the row says why. Pure. Deliberately
//! absent: reading a host (`host::evidence_of_host`), and the containers, which have their own promises (`profiles`).

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod engine;
pub mod modules;
pub mod packet_filter;
pub mod services;
pub mod sshd;
pub mod sysctl;
pub mod watched;
