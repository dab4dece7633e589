//! System V and POSIX queues and shared memory, those of neighbours above all.
//!
//! Deliberately absent: sockets with a path; a path is up to the mounts.

use std::ffi::c_long;
use std::fs::{self, File};
use std::io::Result;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use crate::kernel::{call, path, pointer, zero};
use crate::number;
use crate::row::{Attempt, Class, Layer, Needs};

const IPC_PRIVATE: c_long = 0;
const IPC_CREAT: c_long = 0o1000;
const IPC_RMID: c_long = 0;
/// The key of what a neighbour has.
const KEY: c_long = 0x5afe_0001;

const FILTER: &[Layer] = &[Layer::Seccomp];
const OWN: &[Layer] = &[Layer::Namespaces];

pub(crate) const CLASS: Class = Class {
    name: "messages and shared memory",
    attempts: &[
        Attempt {
            id: "sysv-queue",
            tries: "makes a System V queue and sends a message",
            done: "it fills kernel memory with what it likes",
            why: "messages shape the kernel's heap in many exploits",
            layers: FILTER,
            run: sysv_queue,
            needs: Needs::Machine("System V IPC"),
        },
        Attempt {
            id: "posix-queue",
            tries: "makes a POSIX queue",
            done: "it fills kernel memory with what it likes",
            why: "as `sysv-queue`; and a use after free (CVE-2017-11176)",
            layers: FILTER,
            run: posix_queue,
            needs: Needs::Machine("POSIX queues"),
        },
        Attempt {
            id: "sysv-memory-of-neighbour",
            tries: "opens System V shared memory that a neighbour made",
            done: "it reads and writes a neighbour's memory",
            why: "one service becomes the other",
            layers: OWN,
            run: || zero(&[number::SHMGET, KEY, 0, 0]),
            needs: Needs::Weakness(|| neighbours_memory(KEY)),
        },
        Attempt {
            id: "sysv-semaphore-of-neighbour",
            tries: "opens System V semaphores that a neighbour made",
            done: "it holds a neighbour up",
            why: "one service stops the other",
            layers: OWN,
            run: || zero(&[number::SEMGET, KEY, 0, 0]),
            needs: Needs::Weakness(|| zero(&[number::SEMGET, KEY, 1, IPC_CREAT | 0o666])),
        },
        Attempt {
            id: "posix-memory-of-neighbour",
            tries: "opens POSIX shared memory that a neighbour made",
            done: "it reads and writes a neighbour's memory",
            why: "one service becomes the other",
            layers: &[Layer::Mounts],
            run: || File::open(SHARED).map(drop),
            needs: Needs::Weakness(neighbours_file),
        },
        Attempt {
            id: "abstract-socket-of-neighbour",
            tries: "connects to a unix socket without a path, of a neighbour",
            done: "it talks to a neighbour that believes itself alone",
            why: "an engine that listened so gave the host away (CVE-2020-15257)",
            layers: OWN,
            run: || UnixStream::connect_addr(&SocketAddr::from_abstract_name("neighbour")?).map(drop),
            needs: Needs::Weakness(neighbours_socket),
        },
    ],
};

fn sysv_queue() -> Result<()> {
    let queue = call(&[number::MSGGET, IPC_PRIVATE, IPC_CREAT | 0o600])?;
    // Its type, then eight bytes.
    let message: [u64; 2] = [1, 0];
    let sent = zero(&[number::MSGSND, queue, pointer(&message), 8, 0]);
    let _ = zero(&[number::MSGCTL, queue, IPC_RMID, 0]);
    sent
}

fn posix_queue() -> Result<()> {
    const O_RDWR_CREAT: c_long = 2 | 0o100;
    // `struct mq_attr`: flags, messages at most, bytes at most, messages.
    let attributes: [i64; 8] = [0, 1, 64, 0, 0, 0, 0, 0];
    // The kernel takes the name without the slash of the C library's.
    let name = path("attack");
    zero(&[number::MQ_OPEN, name, O_RDWR_CREAT, 0o600, pointer(&attributes)])?;
    zero(&[number::MQ_UNLINK, name])
}

/// What a neighbour leaves where it is alone.
pub(crate) fn neighbour() -> Result<()> {
    let semaphores = zero(&[number::SEMGET, KEY, 1, IPC_CREAT | 0o666]);
    let all = [neighbours_memory(KEY), semaphores, neighbours_file(), neighbours_socket()];
    all.into_iter().collect()
}

fn neighbours_memory(key: c_long) -> Result<()> {
    zero(&[number::SHMGET, key, 4096, IPC_CREAT | 0o666])
}

/// Where a neighbour's POSIX shared memory is.
const SHARED: &str = "/dev/shm/neighbour";

fn neighbours_file() -> Result<()> {
    fs::write(SHARED, "secret")?;
    fs::set_permissions(SHARED, fs::Permissions::from_mode(0o666))
}

fn neighbours_socket() -> Result<()> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name("neighbour")?)?;
    // Until the process ends.
    std::mem::forget(listener);
    Ok(())
}
