//! Attempts to break out of a container: one row an attempt, one line an answer, `ID<TAB>done` or `ID<TAB>ERROR`.
//!
//! Every attempt is harmless where it succeeds. The program stands alone, without any crate, so that a test can compile
//! it statically and run it in any image. Deliberately absent: judging; the same lines from a container that may do
//! everything are what a test compares with.

mod devices;
mod execution;
mod files;
mod ipc;
mod kernel;
mod kernel_files;
mod limits;
mod machine;
mod mounts;
mod namespaces;
mod network;
mod number;
mod open;
mod places;
mod privileges;
mod probes;
mod processes;
mod row;
mod runner;
mod sockets;

use std::process::ExitCode;

use row::{Class, Needs};

/// Every class, in the order of the docs.
const CLASSES: &[Class] = &[
    namespaces::CLASS,
    mounts::CLASS,
    kernel_files::CLASS,
    devices::CLASS,
    sockets::CLASS,
    network::CLASS,
    probes::CLASS,
    processes::CLASS,
    ipc::CLASS,
    machine::CLASS,
    privileges::CLASS,
    files::CLASS,
    execution::CLASS,
    limits::CLASS,
    open::CLASS,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => runner::every(&[], "try"),
        ["without", classes @ ..] => runner::every(classes, "try"),
        ["control"] => runner::every(&[], "force"),
        ["stand", mode] => {
            runner::every(&[], mode);
            println!("{}", runner::END);
            wait();
        }
        ["try", id] => return runner::answer(id, false),
        ["force", id] => return runner::answer(id, true),
        ["list"] => list(),
        ["writable"] => places::print_writable(std::path::Path::new("/")),
        ["work"] => {
            while let Ok(()) = runner::work() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            return ExitCode::FAILURE;
        }
        ["flood"] => limits::flood(),
        ["neighbour"] => {
            let _ = ipc::neighbour();
            wait();
        }
        ["rights"] => println!("{}", privileges::rights()),
        ["nothing"] => {}
        ["say"] => println!("done"),
        ["crash"] => std::process::abort(),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// Stays until somebody ends it.
fn wait() {
    loop {
        std::thread::sleep(std::time::Duration::from_mins(1));
    }
}

/// Prints every row, its columns apart by tabs.
fn list() {
    for class in CLASSES {
        for row in class.attempts {
            let layers: Vec<&str> = row.layers.iter().map(|layer| layer.name()).collect();
            let needs = match row.needs {
                Needs::Machine(what) => what,
                Needs::Rights | Needs::Weakness(_) => "",
            };
            let columns = [class.name, row.id, row.tries, row.done, row.why, &layers.join(", "), needs];
            println!("{}", columns.join("\t"));
        }
    }
}
