//! What the tests of the real engine share: an engine by its socket, images made on the spot, a bed for one stack.
//!
//! The tests themselves are in `tests/tests`. Everything here panics when it cannot do its work: a missing engine
//! or binary is a failed test, never a skipped one. Deliberately absent: anything that asserts.

pub mod attack;
pub mod bad_updates;
pub mod bed;
pub mod control_plane;
pub mod crash;
pub mod daemon;
pub mod dns;
pub mod engine;
pub mod flood;
pub mod fuzz;
pub mod guard;
pub mod hostile;
pub mod http;
pub mod image;
pub mod machine;
pub mod neighbour;
pub mod own_engine;
pub mod proxy;
pub mod registry;
pub mod soak;
pub mod spellings;
pub mod stack;
pub mod steps;
pub mod tar;
pub mod terminal;
pub mod tls;
pub mod usage;
pub mod wait;
pub mod yaml;

pub use bed::{Bed, Ran};
pub use daemon::Daemon;
pub use engine::Engine;
