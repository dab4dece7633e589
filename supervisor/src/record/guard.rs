//! Who puts a service back if the recorder dies: a second process of the same command line that waits at a pipe.
//!
//! While nobody holds the filter's descriptor, the calls that it holds fail. The guard sees its parent's end by the pipe's,
//! however it came. Deliberately absent: putting the service back; the command does, in both processes.

use std::io::{self, Read as _, Write as _, stdin};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// What a recorder says that has put the service back itself.
const DONE: &[u8] = b"done";

/// The second process, seen from the first.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts this program again with the same arguments and one more. In a process group of its own, so that the
    /// terminal's interrupt does not reach it; silent, since the terminal may be gone when it has something to do.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(argument: &str) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { child })
    }

    /// The service is back: the guard is not needed any more.
    pub fn dismiss(mut self) {
        if let Some(pipe) = self.child.stdin.as_mut() {
            // A guard that is gone already has nothing to be told.
            let _ = pipe.write_all(DONE);
        }
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// In the second process: waits for the end of the first. Whether it died before it was done.
///
/// # Errors
/// Standard input cannot be read.
pub fn died() -> io::Result<bool> {
    let mut said = Vec::new();
    stdin().lock().take(64).read_to_end(&mut said)?;
    Ok(said != DONE)
}
