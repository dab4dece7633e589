//! New namespaces, and those of others.
//!
//! Deliberately absent: what is mounted in them (`mounts`).

use std::fs::File;
use std::io::{Error, Result};
use std::process::Command;

use crate::kernel::{call, descriptor, end, errno, path, permitted, pointer, sleeping_child, zero};
use crate::number;
use crate::row::{Attempt, Class, Layer, Needs};

const CLONE_NEWNS: i64 = 0x0002_0000;
const CLONE_NEWUSER: i64 = 0x1000_0000;
const CLONE_NEWPID: i64 = 0x2000_0000;
const CLONE_NEWNET: i64 = 0x4000_0000;
const SIGCHLD: u64 = 17;

const ROOT_THERE: &str =
    "root there reaches kernel code that no service needs; most escapes of recent years begin so";

pub(crate) const CLASS: Class = Class {
    name: "namespaces",
    attempts: &[
        Attempt {
            id: "unshare-user",
            tries: "`unshare` with `CLONE_NEWUSER`",
            done: "it is root in a user namespace of its own",
            why: ROOT_THERE,
            layers: &[Layer::Seccomp],
            run: || zero(&[number::UNSHARE, CLONE_NEWUSER]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "unshare-mount",
            tries: "`unshare` with `CLONE_NEWNS`",
            done: "it has a mount table of its own",
            why: "there it can take read-only and masked mounts away",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::UNSHARE, CLONE_NEWNS]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "unshare-network",
            tries: "`unshare` with `CLONE_NEWNET`",
            done: "it has a network of its own",
            why: "there it can load packet filters, a line of kernel bugs",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::UNSHARE, CLONE_NEWNET]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "unshare-pid",
            tries: "`unshare` with `CLONE_NEWPID`",
            done: "its children are in a process namespace of their own",
            why: "there nobody sees them by name, and they can mount `/proc` anew",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::UNSHARE, CLONE_NEWPID]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "unshare-program",
            tries: "executes `unshare --user` of the image",
            done: "a program that came with the image made the namespace",
            why: "nothing has to be brought along",
            layers: &[Layer::Seccomp],
            run: unshare_program,
            needs: Needs::Rights,
        },
        Attempt {
            id: "clone-user",
            tries: "`clone` with `CLONE_NEWUSER`",
            done: "a child is root in a user namespace",
            why: ROOT_THERE,
            layers: &[Layer::Seccomp],
            run: || sleeping_child(CLONE_NEWUSER).map(end),
            needs: Needs::Rights,
        },
        Attempt {
            id: "clone3-user",
            tries: "`clone3` with `CLONE_NEWUSER`, its flags in memory where no filter can read them",
            done: "a child is root in a user namespace",
            why: "it passes by a filter that looks at the flags of `clone`",
            layers: &[Layer::Seccomp],
            run: clone3_user,
            needs: Needs::Rights,
        },
        Attempt {
            id: "setns",
            tries: "`setns` into its own UTS namespace",
            done: "entering namespaces is allowed",
            why: "with a descriptor of the host's, it is on the host",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || enter("/proc/self/ns/uts"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "setns-init",
            tries: "`setns` into the mount namespace of process 1",
            done: "it is in that namespace",
            why: "where processes are the host's, that is the host's file system",
            layers: &[Layer::Namespaces, Layer::Seccomp, Layer::Capabilities],
            run: || enter("/proc/1/ns/mnt"),
            needs: Needs::Rights,
        },
        Attempt {
            id: "pivot-root",
            tries: "`pivot_root` to a folder that is not there",
            done: "it may change the root, and only this folder is missing",
            why: "another root is another set of programs and rules",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || permitted(&[number::PIVOT_ROOT, path("/nowhere"), path("/nowhere")], &[errno::ENOENT]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "chroot",
            tries: "`chroot` to `/`",
            done: "it may change its root",
            why: "with a folder held open, `chroot` is how one climbs out of a root",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::CHROOT, path("/")]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "sethostname",
            tries: "`sethostname`",
            done: "the container has another name",
            why: "logs and certificates name it; in a shared namespace it is the host's name",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::SETHOSTNAME, path("attacker"), 8]),
            needs: Needs::Rights,
        },
        Attempt {
            id: "setdomainname",
            tries: "`setdomainname`",
            done: "the container has another domain",
            why: "as `sethostname`",
            layers: &[Layer::Seccomp, Layer::Capabilities],
            run: || zero(&[number::SETDOMAINNAME, path("attacker"), 8]),
            needs: Needs::Rights,
        },
    ],
};

fn unshare_program() -> Result<()> {
    let ran = Command::new("/bin/busybox").args(["unshare", "-U", "true"]).output()?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    let not_permitted = said.contains("not permitted");
    Err(if not_permitted { Error::from_raw_os_error(1) } else { Error::other(said) })
}

fn clone3_user() -> Result<()> {
    let arguments: [u64; 8] = [CLONE_NEWUSER.cast_unsigned(), 0, 0, 0, SIGCHLD, 0, 0, 0];
    let child = call(&[number::CLONE3, pointer(&arguments), 64])?;
    if child == 0 {
        let _ = call(&[number::EXIT, 0]);
    }
    end(child);
    Ok(())
}

fn enter(namespace: &str) -> Result<()> {
    let namespace = File::open(namespace)?;
    zero(&[number::SETNS, descriptor(&namespace), 0])
}
