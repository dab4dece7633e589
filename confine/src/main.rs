//! `supervisor-confine RULE... -- PROGRAM ARGUMENT...`: keeps the rules, then is the program.
//!
//! Exit codes before the program runs are a shell's and the engine's: 127 where it is not there, 126 where it cannot be
//! executed, 125 where the rules cannot be kept. Deliberately absent: options for people; the supervisor writes the rules.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// The rules cannot be read or kept: nothing was started.
const NOT_CONFINED: u8 = 125;
/// The program is there and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;

fn main() -> ExitCode {
    let (why, code) = confined();
    eprintln!("supervisor-confine: {why}");
    ExitCode::from(code)
}

/// Returns only if the program was not executed: why, and with which code to end.
fn confined() -> (String, u8) {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (rules, command) = match confine::Rules::parse(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return (error.to_string(), NOT_CONFINED),
    };
    let Some((program, arguments)) = command.split_first() else {
        return ("there is no command after `--`".to_owned(), NOT_CONFINED);
    };
    if let Err(error) = confine::restrict(&rules) {
        return (format!("{error}; `{}` was not started", program.display()), NOT_CONFINED);
    }
    // As the engine would: by PATH where the name has no slash, with the environment and the working folder as they are.
    // It ends the signal set-up of this program's own runtime, too.
    let error = Command::new(program).args(arguments).exec();
    let code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    (format!("cannot execute `{}`: {error}", program.display()), code)
}
