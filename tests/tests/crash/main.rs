//! Every crash point: each request to the engine that may change something may be the supervisor's last, or the engine's, and
//! is refused, cut off and late; then a clean run leads to the same state as if nothing had been.

mod anew;
mod engine;
mod heal;
mod histories;
mod place;
mod points;
