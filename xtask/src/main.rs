//! Everything that builds, demonstrates, measures, generates and releases.

fn main() {}
