//! Writes every hostile case into a folder of its own, and prints its name and arguments, for `cargo xtask bench`.
//!
//! Deliberately absent: running anything.

use std::path::PathBuf;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    for case in tests::hostile::CASES {
        let at = folder.join(case.name);
        std::fs::create_dir_all(&at).expect("a folder");
        (case.write)(&at);
        println!("{} {}", case.name, case.arguments.join(" "));
    }
}
