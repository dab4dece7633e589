//! Prints what the profiles come to: calls allowed, and the time that a stack's profiles take to make.
//!
//! `cargo xtask figures` runs it, optimised as the product is. Deliberately absent: bounds; people compare.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use profiles::seccomp::{narrowed, profile};
use profiles::{Arch, Base, Kernel, floor};

/// Stacks made in a row.
const TIMES: u32 = 1000;

fn main() {
    let none = BTreeSet::new();
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let kernel = Kernel { arch, version: (7, 0), apparmor: false, landlock: 0 };
        for base in Base::ALL {
            let whole = profile(base, &none, &kernel);
            println!(
                "{:<8} {:<8} {:>4} calls, {} bytes",
                base.name(),
                arch.name(),
                whole.allowed().len(),
                whole.to_json().len()
            );
        }
        let least = narrowed(Base::Generic, &BTreeSet::new(), &none, &kernel).allowed().len();
        println!("{:<8} {:<8} {least:>4} calls, what every container keeps", "least", arch.name());
    }
    let kernel = Kernel { arch: Arch::X86_64, version: (7, 0), apparmor: false, landlock: 0 };
    let calls: BTreeSet<&str> = floor::FLOOR.iter().map(|(name, _)| *name).collect();
    let began = Instant::now();
    for _ in 0..TIMES {
        black_box(profile(black_box(Base::Go), &none, &kernel).to_json());
        black_box(narrowed(black_box(Base::Node), &calls, &none, &kernel).to_json());
    }
    let each = began.elapsed() / TIMES;
    println!("seccomp profiles of a stack of two services: {each:?}");
}
