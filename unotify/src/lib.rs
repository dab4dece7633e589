//! Seccomp's user notifications (`seccomp_unotify(2)`): hear of a call that a filter holds, and let it go on or fail.
//!
//! The one place with `unsafe` in the product: the kernel offers this by two ioctls that take a structure, and no
//! maintained crate has them without a C library. Deliberately absent: looking at a call's arguments. A call that is
//! held has passed its filter; whoever answers could be lied to about the memory of the caller, so that nothing may be
//! decided by it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::ioctl::{Updater, ioctl, opcode};

/// `struct seccomp_notif` of linux/seccomp.h, which is part of the kernel's stable interface: 80 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// The kernel's name for this one call.
    pub id: u64,
    /// The thread that makes it, in the reader's process id namespace; 0 if it is not visible from there.
    pub pid: u32,
    flags: u32,
    /// The call's number.
    pub number: i32,
    /// `AUDIT_ARCH_*` of the entry that it came by.
    pub arch: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`: 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`, since Linux 5.5.
const CONTINUE: u32 = 1;
/// `SECCOMP_IOC_MAGIC`.
const MAGIC: u8 = b'!';
/// `SECCOMP_IOCTL_NOTIF_RECV`.
const RECV: rustix::ioctl::Opcode = opcode::read_write::<Notification>(MAGIC, 0);
/// `SECCOMP_IOCTL_NOTIF_SEND`.
const SEND: rustix::ioctl::Opcode = opcode::read_write::<Response>(MAGIC, 1);

/// The next call that the filter holds. `None` if the one that was waiting is gone: its thread was killed or
/// interrupted. Waits where none is there: poll the descriptor first.
///
/// # Errors
/// The descriptor is no filter's, or the kernel is older than 5.0.
pub fn receive(filter: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    let mut notification = Notification::default();
    match update::<RECV, _>(filter, &mut notification) {
        Ok(()) => Ok(Some(notification)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::INTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Lets a call go on as if no filter had held it. Whether it still waited.
///
/// # Errors
/// The descriptor is no filter's, or the kernel is older than 5.5.
pub fn let_go_on(filter: BorrowedFd<'_>, notification: &Notification) -> io::Result<bool> {
    respond(filter, Response { id: notification.id, flags: CONTINUE, ..Response::default() })
}

/// Answers a call with an error number, and the kernel does nothing of it. Whether it still waited.
///
/// # Errors
/// The descriptor is no filter's, or the kernel is older than 5.0.
pub fn fail(filter: BorrowedFd<'_>, notification: &Notification, errno: u16) -> io::Result<bool> {
    respond(filter, Response { id: notification.id, error: -i32::from(errno), ..Response::default() })
}

fn respond(filter: BorrowedFd<'_>, mut response: Response) -> io::Result<bool> {
    match update::<SEND, _>(filter, &mut response) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// One ioctl that reads and writes a structure.
#[allow(unsafe_code, reason = "an ioctl's structure cannot be checked by the compiler")]
fn update<const OPCODE: rustix::ioctl::Opcode, T>(
    filter: BorrowedFd<'_>,
    value: &mut T,
) -> rustix::io::Result<()> {
    // SAFETY: the opcode carries the structure's size, and is made above from the very type that is passed here, whose
    // layout is the kernel's (`repr(C)`, no padding, any bytes are a value). The kernel reads and writes that many bytes.
    let request = unsafe { Updater::<'_, OPCODE, T>::new(value) };
    // SAFETY: these two ioctls touch nothing but the structure; on a descriptor of another kind they fail with ENOTTY.
    unsafe { ioctl(filter.as_fd(), request) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_as_long_as_the_kernels() {
        assert_eq!((size_of::<Notification>(), size_of::<Response>()), (80, 24));
        // `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND` as a C compiler makes them.
        assert_eq!((RECV, SEND), (0xc050_2100, 0xc018_2101));
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]
    fn a_descriptor_of_another_kind_is_an_error() {
        let (pipe, _) = std::io::pipe().unwrap();
        assert_eq!(receive(pipe.as_fd()).unwrap_err().raw_os_error(), Some(25));
        let any = Notification::default();
        assert_eq!(let_go_on(pipe.as_fd(), &any).unwrap_err().raw_os_error(), Some(25));
        assert_eq!(fail(pipe.as_fd(), &any, 38).unwrap_err().raw_os_error(), Some(25));
    }
}
