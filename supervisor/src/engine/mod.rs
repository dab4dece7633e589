//! The engine behind a port: one trait that says what the shell asks of it, one adapter that knows its API.
//!
//! Deliberately absent: decisions. A method does what it is told and says what it saw.

pub mod address;
pub mod by_hand;
pub mod docker;
pub mod error;
pub mod ground;
pub mod port;
pub mod version;

pub use docker::{Docker, Traffic};
pub use error::EngineError;
pub use port::{
    Channel, Engine, EngineEvent, EngineStream, EngineVersion, EventKind, ExecIo, ExecSpec, Inspected,
    Joined, LogChunk, LogQuery, MountPoint, ProcessTable, PullProgress, Scope, Usage,
};
