//! Running what was brought along.
//!
//! Deliberately absent: scripts that an interpreter of the image reads; reading is no execution (`open`).

use std::ffi::c_long;
use std::fs::{self, File, OpenOptions};
use std::io::{Result, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kernel::{call, descriptor, path, pointer, zero};
use crate::number;
use crate::places::remove;
use crate::row::{Attempt, Class, Layer, Needs};

const NOEXEC: &[Layer] = &[Layer::Mounts, Layer::Files];

const STAYS: &str = "a miner, a scanner or an exploit has to be executed, and the image has none";

pub(crate) const CLASS: Class = Class {
    name: "execution",
    attempts: &[
        Attempt {
            id: "execute-from-tmp",
            tries: "copies itself to `/tmp` and executes the copy",
            done: "what it brought along runs",
            why: STAYS,
            layers: NOEXEC,
            run: || executed(Path::new("/tmp")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-from-tmpfs",
            tries: "copies itself to the service's memory file system and executes the copy",
            done: "what it brought along runs",
            why: STAYS,
            layers: NOEXEC,
            run: || executed(Path::new("/scratch")),
            needs: Needs::Weakness(|| executable("/scratch")),
        },
        Attempt {
            id: "execute-from-shm",
            tries: "copies itself to `/dev/shm` and executes the copy",
            done: "what it brought along runs",
            why: "the one place that is writable in every container",
            layers: NOEXEC,
            run: || executed(Path::new("/dev/shm")),
            needs: Needs::Weakness(|| executable("/dev/shm")),
        },
        Attempt {
            id: "execute-from-volume",
            tries: "copies itself to a named volume and executes the copy",
            done: "what it brought along runs, and is still there after a restart",
            why: "no engine mounts a volume with `noexec`",
            layers: &[Layer::Files],
            run: || executed(Path::new("/data")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-from-root",
            tries: "copies itself to `/bin` and executes the copy",
            done: "what it brought along runs, from where nobody looks",
            why: STAYS,
            layers: &[Layer::ReadOnlyRoot],
            run: || executed(Path::new("/bin")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-from-dev",
            tries: "copies itself to `/dev` and executes the copy",
            done: "what it brought along runs",
            why: "it is a memory file system that runtimes mount without `noexec`, and that a read-only root leaves writable",
            layers: &[Layer::Files],
            run: || executed(Path::new("/dev")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-script",
            tries: "writes a script to `/tmp` and executes it by its first line",
            done: "what it brought along runs, under a name of its own",
            why: STAYS,
            layers: NOEXEC,
            run: script,
            needs: Needs::Rights,
        },
        Attempt {
            id: "load-library",
            tries: "maps a file of `/tmp` as code, as a loader of libraries does",
            done: "a library that it brought along can be loaded, and a program by the loader's own name",
            why: "it passes by a check of `execve` alone",
            layers: NOEXEC,
            run: || map_as_code("/tmp"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-from-memory",
            tries: "`memfd_create`, then `execveat` of the descriptor",
            done: "a program runs that was never a file",
            why: "no mount's `noexec` and no scan of files sees it",
            layers: &[Layer::Seccomp],
            run: || {
                let program = in_memory()?;
                let arguments = [path("attack"), path("say"), 0];
                // This process goes on as the other program, which says `done`.
                zero(&[
                    number::EXECVEAT,
                    program,
                    path(""),
                    pointer(&arguments),
                    pointer(&0_u64),
                    AT_EMPTY_PATH,
                ])
            },
            needs: Needs::Rights,
        },
        Attempt {
            id: "execute-from-memory-by-path",
            tries: "`memfd_create`, then `execve` of `/proc/self/fd/N`",
            done: "a program runs that was never a file",
            why: "as `execute-from-memory`, where `execveat` is denied",
            layers: &[Layer::Seccomp],
            run: || Command::new(format!("/proc/self/fd/{}", in_memory()?)).arg("nothing").status().map(drop),
            needs: Needs::Rights,
        },
    ],
};

const AT_EMPTY_PATH: c_long = 0x1000;

/// Copies this program into a folder and executes the copy.
fn executed(folder: &Path) -> Result<()> {
    let copy = folder.join(format!("attack-{}", std::process::id()));
    fs::copy(std::env::current_exe()?, &copy)?;
    let ran = Command::new(&copy).arg("nothing").status();
    remove(&copy);
    ran.map(drop)
}

/// Covers a folder with a memory file system from which may be executed.
fn executable(folder: &str) -> Result<()> {
    zero(&[number::MOUNT, path("tmpfs"), path(folder), path("tmpfs"), 0, path("mode=1777")])
}

fn written(folder: &str, name: &str, content: &str) -> Result<PathBuf> {
    let file = PathBuf::from(format!("{folder}/attack-{name}-{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o755).open(&file)?.write_all(content.as_bytes())?;
    Ok(file)
}

fn script() -> Result<()> {
    let script = written("/tmp", "script", "#!/bin/sh\nexit 0\n")?;
    let ran = Command::new(&script).status();
    remove(&script);
    ran.map(drop)
}

/// Maps a file of a folder as code.
pub(crate) fn map_as_code(folder: &str) -> Result<()> {
    const PROT_READ_EXEC: c_long = 1 | 4;
    const MAP_PRIVATE: c_long = 2;
    let file = written(folder, "library", "code")?;
    let open = File::open(&file)?;
    remove(&file);
    zero(&[number::MMAP, 0, 4096, PROT_READ_EXEC, MAP_PRIVATE, descriptor(&open), 0])
}

/// A descriptor of a copy of this program in memory.
fn in_memory() -> Result<c_long> {
    let program = call(&[number::MEMFD_CREATE, path("attack"), 0])?;
    fs::copy(std::env::current_exe()?, format!("/proc/self/fd/{program}"))?;
    Ok(program)
}
