//! What nothing here stops: kept beside the rest, so that nobody believes otherwise, and that it is noticed when it changes.
//!
//! Deliberately absent: what is stopped.

use std::ffi::c_long;
use std::fs;
use std::io::Result;
use std::process::Command;

use crate::execution::map_as_code;
use crate::kernel::{errno, error, zero};
use crate::number;
use crate::places::{fresh, remove};
use crate::row::{Attempt, Class, Needs};

pub(crate) const CLASS: Class = Class {
    name: "not stopped",
    attempts: &[
        Attempt {
            id: "interpreter",
            tries: "gives a script in a writable place to the image's own shell",
            done: "the shell did what the script says",
            why: "reading is no execution: an image without a shell is the remedy",
            layers: &[],
            run: interpreter,
            needs: Needs::Rights,
        },
        Attempt {
            id: "load-library-from-volume",
            tries: "maps a file of a named volume as code, as a loader of libraries does",
            done: "a library that it brought along can be loaded, and a program by the loader's own name",
            why: "AppArmor denies it, where the host has that; Landlock has no word for it, and an engine's volume has no `noexec` \
                  (docs/profiles.md says what a host can do)",
            layers: &[],
            run: || map_as_code("/data"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "code-in-memory",
            tries: "maps memory that can be written and executed",
            done: "code that was never a file can run inside the process",
            why: "V8 and every other compiler at run time needs it",
            layers: &[],
            run: || zero(&[number::MMAP, 0, 4096, 7, MAP_PRIVATE_ANONYMOUS, -1, 0]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "host-figures",
            tries: "reads `/proc/meminfo` and `/proc/loadavg`",
            done: "it knows the host's memory and load",
            why: "these are not namespaced, and runtimes read them at start",
            layers: &[],
            run: || ["/proc/meminfo", "/proc/loadavg"].iter().try_for_each(|file| fs::read(file).map(drop)),
            needs: Needs::Rights,
        },
    ],
};

const MAP_PRIVATE_ANONYMOUS: c_long = 0x22;

fn interpreter() -> Result<()> {
    let script = fresh("script")?;
    fs::write(&script, "exit 42\n")?;
    let ran = Command::new("/bin/sh").arg(&script).status();
    remove(&script);
    if ran?.code() == Some(42) { Ok(()) } else { Err(error(errno::EINVAL)) }
}
