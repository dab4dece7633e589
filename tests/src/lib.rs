//! What crosses crates: the real engine, attacks, the tidy rules. The tests are in `tests/tests`.
