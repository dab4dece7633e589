//! The way out by name: a forward proxy that passes a service to the names it was granted, and to nothing else.
//!
//! It runs as a container of its own, from an image made of this very program. CONNECT (RFC 9110, section 9.3.6) and plain
//! HTTP/1.1; TLS stays between the client and the server. Deliberately absent: the engine and its socket, the stack's
//! file, secrets, a cache, and following redirects.

pub mod callers;
mod connect;
pub mod counts;
mod forward;
pub mod grants;
pub mod hello;
mod listen;
mod names;
mod rate;
mod request;
mod tunnel;

pub use grants::Grants;
pub use listen::serve;
