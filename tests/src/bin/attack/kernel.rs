//! A system call by its number, and the few shapes of arguments that it takes.
//!
//! The one place with `unsafe`. Deliberately absent: what any call is good for.

#![allow(unsafe_code, reason = "an attack is a system call with arguments that no safe wrapper offers")]

use std::ffi::{CString, c_char, c_long, c_void};
use std::io::{Error, Result};

use crate::number;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// `AT_FDCWD`.
pub(crate) const AT_FDCWD: c_long = -100;
/// `SIGCHLD`.
const SIGCHLD: c_long = 17;
/// `SIGKILL`.
const SIGKILL: c_long = 9;

/// Errors that attempts tell apart (`errno(3)`).
pub(crate) mod errno {
    pub(crate) const ENOENT: i32 = 2;
    pub(crate) const ENOEXEC: i32 = 8;
    pub(crate) const EBADF: i32 = 9;
    pub(crate) const EINVAL: i32 = 22;
    pub(crate) const ECONNREFUSED: i32 = 111;
    pub(crate) const EALREADY: i32 = 114;
}

/// Makes a system call; its answer, or the error that it set.
pub(crate) fn call(words: &[c_long]) -> Result<c_long> {
    let at = |n: usize| words.get(n).copied().unwrap_or(0);
    // SAFETY: every pointer among the words comes from `path`, `pointer` or `pointer_mut` to a value that outlives the
    // call, and the kernel checks the rest.
    let answer = unsafe { syscall(at(0), at(1), at(2), at(3), at(4), at(5), at(6)) };
    if answer < 0 { Err(Error::last_os_error()) } else { Ok(answer) }
}

/// A call whose answer does not matter.
pub(crate) fn zero(words: &[c_long]) -> Result<()> {
    call(words).map(drop)
}

/// A call with arguments that make no sense, so that nothing happens where it is permitted: the kernel asks for
/// permission first, and one of these errors comes after.
pub(crate) fn permitted(words: &[c_long], after: &[i32]) -> Result<()> {
    match call(words) {
        Err(error) if error.raw_os_error().is_some_and(|number| after.contains(&number)) => Ok(()),
        other => other.map(drop),
    }
}

/// A C string for the rest of this short process's life.
pub(crate) fn path(text: &str) -> c_long {
    let text: *mut c_char = CString::new(text).unwrap_or_default().into_raw();
    text as c_long
}

/// The address of what a call reads.
pub(crate) fn pointer<T>(value: &T) -> c_long {
    std::ptr::from_ref(value).cast::<c_void>() as c_long
}

/// The address of what a call writes.
pub(crate) fn pointer_mut<T>(value: &mut T) -> c_long {
    std::ptr::from_mut(value).cast::<c_void>() as c_long
}

/// A descriptor as an argument.
pub(crate) fn descriptor(file: &impl std::os::fd::AsRawFd) -> c_long {
    c_long::from(file.as_raw_fd())
}

/// The error of this number.
pub(crate) fn error(number: i32) -> Error {
    Error::from_raw_os_error(number)
}

/// The user that this process acts as.
pub(crate) fn user() -> c_long {
    call(&[number::GETEUID]).unwrap_or(-1)
}

/// A child with these `clone(2)` flags that sleeps for a while and ends with its parent; its process id.
pub(crate) fn sleeping_child(flags: c_long) -> Result<c_long> {
    const PR_SET_PDEATHSIG: c_long = 1;
    let answer = call(&[number::CLONE, flags | SIGCHLD, 0, 0, 0, 0])?;
    if answer == 0 {
        let seconds = [20_i64, 0];
        let _ = call(&[number::PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
        let _ = call(&[number::NANOSLEEP, pointer(&seconds), 0]);
        let _ = call(&[number::EXIT, 0]);
    }
    Ok(answer)
}

/// Ends a child and takes its answer, so that nothing of it is left.
pub(crate) fn end(child: c_long) {
    let _ = call(&[number::KILL, child, SIGKILL]);
    let _ = call(&[number::WAIT4, child, 0, 0, 0]);
}
