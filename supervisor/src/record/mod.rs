//! Recording: hearing each system call of a service from the host, and putting the service back whatever happens.
//!
//! Nothing of it is in the container. Deliberately absent: what becomes of what was heard; that is `profiles`'s.

mod guard;
mod listener;

pub use guard::{Guard, died};
pub use listener::{Heard, LONGEST_PATH, Recorder};
