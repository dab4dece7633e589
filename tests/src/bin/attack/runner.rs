//! Makes attempts, each in a process of its own that may be killed, and prints what became of it.
//!
//! Deliberately absent: the attempts.

use std::fs;
use std::io::{Error, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::CLASSES;
use crate::row::{Attempt, Needs};

/// The line after the last answer of a program that goes on running.
pub(crate) const END: &str = "END";
/// After this long an attempt hangs, and is given up.
const PATIENCE: Duration = Duration::from_secs(40);

/// Makes every attempt but those of these classes, by `try` or `force`.
pub(crate) fn every(without: &[&str], mode: &str) {
    for class in CLASSES.iter().filter(|class| !without.contains(&class.name)) {
        for row in class.attempts {
            println!("{}\t{}", row.id, alone(mode, row.id).unwrap_or_else(|error| describe(&error)));
        }
    }
}

/// The answer of an attempt that is made in a process of its own.
fn alone(mode: &str, id: &str) -> std::io::Result<String> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    let mut child = command.args([mode, id]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let Some(status) = ended(&mut child)? else {
        child.kill()?;
        child.wait()?;
        return Ok("hangs".to_owned());
    };
    let mut text = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut text)?;
    }
    Ok(match (text.trim(), status.signal()) {
        ("", Some(31)) => "SIGSYS".to_owned(),
        ("", Some(9)) => "SIGKILL".to_owned(),
        ("", Some(number)) => format!("signal {number}"),
        ("", None) => format!("exit {}", status.code().unwrap_or(-1)),
        (answer, _) => answer.to_owned(),
    })
}

/// The work of an ordinary service that is made of this program: it starts itself, keeps a file and looks through a
/// folder. What it uses of the kernel for that is what its profile is recorded from.
pub(crate) fn work() -> std::io::Result<()> {
    // Started like an attempt; the answer to an unknown one is that it is none.
    alone("try", "none")?;
    let place = Path::new("/scratch/work");
    fs::create_dir_all(place)?;
    let file = place.join("file");
    fs::write(&file, "kept")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let copy = place.join("copy");
    fs::copy(&file, &copy)?;
    for entry in fs::read_dir(place)? {
        fs::read_to_string(entry?.path())?;
    }
    let _ = fs::read_link("/proc/self/exe");
    fs::remove_dir_all(place)
}

/// How it ended, or nothing after a while.
fn ended(child: &mut Child) -> std::io::Result<Option<std::process::ExitStatus>> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(None)
}

/// Makes one attempt in this process. Where `forced`, a weakness that it looks for is put there if there is none.
pub(crate) fn answer(id: &str, forced: bool) -> ExitCode {
    let mut rows = CLASSES.iter().flat_map(|class| class.attempts);
    let Some(row) = rows.find(|row| row.id == id) else { return ExitCode::FAILURE };
    let answer = match ((row.run)(), &row.needs) {
        (Ok(()), _) => "done".to_owned(),
        (Err(_), Needs::Weakness(put)) if forced => weakened(row, *put),
        (Err(error), _) => describe(&error),
    };
    println!("{answer}");
    ExitCode::SUCCESS
}

fn weakened(row: &Attempt, put: fn() -> std::io::Result<()>) -> String {
    match put().and_then(|()| (row.run)()) {
        Ok(()) => "weakened".to_owned(),
        Err(error) => describe(&error),
    }
}

/// Errors by their name (`errno(3)`).
const NAMES: [(i32, &str); 33] = [
    (1, "EPERM"),
    (2, "ENOENT"),
    (3, "ESRCH"),
    (5, "EIO"),
    (6, "ENXIO"),
    (8, "ENOEXEC"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (15, "ENOTBLK"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (18, "EXDEV"),
    (19, "ENODEV"),
    (22, "EINVAL"),
    (24, "EMFILE"),
    (25, "ENOTTY"),
    (26, "ETXTBSY"),
    (28, "ENOSPC"),
    (30, "EROFS"),
    (38, "ENOSYS"),
    (93, "EPROTONOSUPPORT"),
    (94, "ESOCKTNOSUPPORT"),
    (95, "EOPNOTSUPP"),
    (97, "EAFNOSUPPORT"),
    (101, "ENETUNREACH"),
    (110, "ETIMEDOUT"),
    (111, "ECONNREFUSED"),
    (113, "EHOSTUNREACH"),
    (114, "EALREADY"),
    (126, "ENOKEY"),
];

/// The error's name.
pub(crate) fn describe(error: &Error) -> String {
    let named = |number: i32| NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name);
    match error.raw_os_error() {
        Some(number) => named(number).map_or_else(|| format!("errno {number}"), str::to_owned),
        None if error.kind() == ErrorKind::TimedOut => "ETIMEDOUT".to_owned(),
        None => error.to_string(),
    }
}
