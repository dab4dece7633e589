//! Files of the image and of the engine, changed.
//!
//! Deliberately absent: what is executed afterwards (`execution`).

use std::fs::OpenOptions;
use std::io::Result;
use std::path::Path;

use crate::places::{folder, remove, writes};
use crate::row::{Attempt, Class, Layer, Needs};

const ROOT: &[Layer] = &[Layer::ReadOnlyRoot];

pub(crate) const CLASS: Class = Class {
    name: "files of the image",
    attempts: &[
        Attempt {
            id: "write-root",
            tries: "makes a file in `/`",
            done: "it changed what the image said",
            why: "it outlives a restart of the service, and no scan of the image shows it",
            layers: ROOT,
            run: || writes(Path::new("/")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "write-programs",
            tries: "makes a file in `/bin`",
            done: "it can put a program before the image's own",
            why: "what others of the container call is the attacker's",
            layers: ROOT,
            run: || writes(Path::new("/bin")),
            needs: Needs::Rights,
        },
        Attempt {
            id: "write-users",
            tries: "opens `/etc/passwd` to append",
            done: "it can add a user",
            why: "a second root, for later",
            layers: ROOT,
            run: || append("/etc/passwd"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "write-resolver",
            tries: "opens `/etc/resolv.conf` to append",
            done: "it can say who answers names",
            why: "the service talks to whom the attacker names",
            layers: ROOT,
            run: || append("/etc/resolv.conf"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "write-hosts",
            tries: "opens `/etc/hosts` to append",
            done: "it can say which address a name has",
            why: "as `write-resolver`, for one name, unseen",
            layers: ROOT,
            run: || append("/etc/hosts"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "write-run",
            tries: "makes a folder `/run/attack`",
            done: "it can leave files beside the service's",
            why: "sockets and locks that others trust are there",
            layers: ROOT,
            run: || {
                // Where the image has no `/run`, it is made.
                if !Path::new("/run").exists() {
                    folder(Path::new("/run"))?;
                }
                folder(Path::new("/run/attack"))?;
                remove(Path::new("/run/attack"));
                Ok(())
            },
            needs: Needs::Rights,
        },
        Attempt {
            id: "preload",
            tries: "makes `/etc/ld.so.preload`",
            done: "every program of the container loads a library of the attacker's",
            why: "the usual way to stay",
            layers: ROOT,
            run: preload,
            needs: Needs::Rights,
        },
    ],
};

/// Opens to append, and writes nothing.
fn append(file: &str) -> Result<()> {
    OpenOptions::new().append(true).open(file).map(drop)
}

fn preload() -> Result<()> {
    let file = "/etc/ld.so.preload";
    OpenOptions::new().create(true).append(true).open(file)?;
    remove(Path::new(file));
    Ok(())
}
