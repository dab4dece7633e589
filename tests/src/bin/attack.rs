//! Attempts to break out of a container, by system call: one line an attempt, `NAME done` or `NAME ERROR`.
//!
//! Without arguments it makes every attempt, each in a process of its own; with a name, that one; with `writable`, it
//! lists every folder in which it could create a file. Every attempt is harmless where it succeeds. It stands alone, without any crate, so that a test can compile it statically and run
//! it in any image. Deliberately absent: judging; the same lines from a container that may do everything are what
//! the test compares with.

#![allow(unsafe_code, reason = "an attack is a system call with arguments that no safe wrapper offers")]

use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::io::{Error, ErrorKind, Result};
use std::process::{Command, ExitCode};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// System call numbers (asm/unistd.h).
#[cfg(target_arch = "x86_64")]
mod number {
    use std::ffi::c_long;
    pub(crate) const MOUNT: c_long = 165;
    pub(crate) const UMOUNT2: c_long = 166;
    pub(crate) const FSOPEN: c_long = 430;
    pub(crate) const OPEN_TREE: c_long = 428;
    pub(crate) const UNSHARE: c_long = 272;
    pub(crate) const CLONE: c_long = 56;
    pub(crate) const CLONE3: c_long = 435;
    pub(crate) const MKNODAT: c_long = 259;
    pub(crate) const SOCKET: c_long = 41;
    pub(crate) const PTRACE: c_long = 101;
    pub(crate) const PROCESS_VM_READV: c_long = 310;
    pub(crate) const BPF: c_long = 321;
    pub(crate) const IO_URING_SETUP: c_long = 425;
    pub(crate) const KEYCTL: c_long = 250;
    pub(crate) const ADD_KEY: c_long = 248;
    pub(crate) const PERF_EVENT_OPEN: c_long = 298;
    pub(crate) const USERFAULTFD: c_long = 323;
    pub(crate) const SETNS: c_long = 308;
    pub(crate) const CHROOT: c_long = 161;
    pub(crate) const SETUID: c_long = 105;
    pub(crate) const SYSLOG: c_long = 103;
    pub(crate) const NAME_TO_HANDLE_AT: c_long = 303;
    pub(crate) const OPEN_BY_HANDLE_AT: c_long = 304;
    pub(crate) const FANOTIFY_INIT: c_long = 300;
    pub(crate) const SETHOSTNAME: c_long = 170;
    pub(crate) const CLOCK_SETTIME: c_long = 227;
    pub(crate) const CLOCK_GETTIME: c_long = 228;
    pub(crate) const PERSONALITY: c_long = 135;
    pub(crate) const SETDOMAINNAME: c_long = 171;
    pub(crate) const EXIT: c_long = 60;
}

/// System call numbers (asm-generic/unistd.h).
#[cfg(target_arch = "aarch64")]
mod number {
    use std::ffi::c_long;
    pub(crate) const MOUNT: c_long = 40;
    pub(crate) const UMOUNT2: c_long = 39;
    pub(crate) const FSOPEN: c_long = 430;
    pub(crate) const OPEN_TREE: c_long = 428;
    pub(crate) const UNSHARE: c_long = 97;
    pub(crate) const CLONE: c_long = 220;
    pub(crate) const CLONE3: c_long = 435;
    pub(crate) const MKNODAT: c_long = 33;
    pub(crate) const SOCKET: c_long = 198;
    pub(crate) const PTRACE: c_long = 117;
    pub(crate) const PROCESS_VM_READV: c_long = 270;
    pub(crate) const BPF: c_long = 280;
    pub(crate) const IO_URING_SETUP: c_long = 425;
    pub(crate) const KEYCTL: c_long = 219;
    pub(crate) const ADD_KEY: c_long = 217;
    pub(crate) const PERF_EVENT_OPEN: c_long = 241;
    pub(crate) const USERFAULTFD: c_long = 282;
    pub(crate) const SETNS: c_long = 268;
    pub(crate) const CHROOT: c_long = 51;
    pub(crate) const SETUID: c_long = 146;
    pub(crate) const SYSLOG: c_long = 116;
    pub(crate) const NAME_TO_HANDLE_AT: c_long = 264;
    pub(crate) const OPEN_BY_HANDLE_AT: c_long = 265;
    pub(crate) const FANOTIFY_INIT: c_long = 262;
    pub(crate) const SETHOSTNAME: c_long = 161;
    pub(crate) const CLOCK_SETTIME: c_long = 112;
    pub(crate) const CLOCK_GETTIME: c_long = 113;
    pub(crate) const PERSONALITY: c_long = 92;
    pub(crate) const SETDOMAINNAME: c_long = 162;
    pub(crate) const EXIT: c_long = 93;
}

const CLONE_NEWNS: c_long = 0x0002_0000;
const CLONE_NEWUSER: c_long = 0x1000_0000;
const CLONE_NEWNET: c_long = 0x4000_0000;
const SIGCHLD: c_long = 17;
const AT_FDCWD: c_long = -100;
const AF_INET: c_long = 2;
const AF_NETLINK: c_long = 16;
const AF_PACKET: c_long = 17;
const AF_ALG: c_long = 38;
const AF_VSOCK: c_long = 40;
const SOCK_STREAM: c_long = 1;
const SOCK_RAW: c_long = 3;
const SOCK_SEQPACKET: c_long = 5;
const MS_RDONLY_REMOUNT_BIND_OFF: c_long = 32 | 4096;
const MS_BIND: c_long = 4096;

/// A name and what it does.
type Attempt = (&'static str, fn() -> Result<()>);

const ATTEMPTS: &[Attempt] = &[
    ("write /", || write("/written")),
    ("write /usr", || write("/usr/written")),
    ("write /etc", || write("/etc/written")),
    ("write /var", || make_and_write("/var")),
    ("write /run", || make_and_write("/run")),
    ("write /proc/sys", || std::fs::write("/proc/sys/kernel/domainname", "written")),
    ("write core_pattern", || same("/proc/sys/kernel/core_pattern")),
    ("write /sys", || same("/sys/kernel/mm/transparent_hugepage/enabled")),
    ("write sysrq", || std::fs::OpenOptions::new().write(true).open("/proc/sysrq-trigger").map(drop)),
    ("read kcore", || std::fs::File::open("/proc/kcore").and_then(|mut f| one_byte(&mut f))),
    ("execute from /tmp", execute_from_tmp),
    ("mount tmpfs", mount_tmpfs),
    ("mount bind", mount_bind),
    ("remount root writable", || mount("none", "/", "", MS_RDONLY_REMOUNT_BIND_OFF)),
    ("umount", || zero(&[number::UMOUNT2, path("/etc/hostname"), 2])),
    ("fsopen", || zero(&[number::FSOPEN, path("tmpfs"), 0])),
    ("open_tree clone", || zero(&[number::OPEN_TREE, AT_FDCWD, path("/"), 1])),
    ("unshare user namespace", || zero(&[number::UNSHARE, CLONE_NEWUSER])),
    ("unshare mount namespace", || zero(&[number::UNSHARE, CLONE_NEWNS])),
    ("unshare network namespace", || zero(&[number::UNSHARE, CLONE_NEWNET])),
    ("clone user namespace", clone_user),
    ("clone3 user namespace", clone3_user),
    ("setns", set_namespace),
    ("chroot", || zero(&[number::CHROOT, path("/tmp")])),
    ("mknod device", make_device),
    ("raw socket", || zero(&[number::SOCKET, AF_INET, SOCK_RAW, 1])),
    ("packet socket", || zero(&[number::SOCKET, AF_PACKET, SOCK_RAW, 0])),
    ("alg socket", || zero(&[number::SOCKET, AF_ALG, SOCK_SEQPACKET, 0])),
    ("vsock socket", || zero(&[number::SOCKET, AF_VSOCK, SOCK_STREAM, 0])),
    ("netfilter socket", || zero(&[number::SOCKET, AF_NETLINK, SOCK_RAW, 12])),
    ("ptrace", seize_child),
    ("process_vm_readv", read_parent),
    ("bpf", create_map),
    ("io_uring", set_up_ring),
    ("keyctl", || zero(&[number::KEYCTL, 0, -3, 1])),
    ("add_key", add_key),
    ("perf_event_open", open_perf_event),
    ("userfaultfd", || zero(&[number::USERFAULTFD, 0])),
    ("setuid root", || zero(&[number::SETUID, 0])),
    ("syslog", || zero(&[number::SYSLOG, 10])),
    ("open by handle", open_by_handle),
    ("fanotify", || zero(&[number::FANOTIFY_INIT, 0, 0])),
    ("sethostname", || zero(&[number::SETHOSTNAME, path("attacker"), 8])),
    ("setdomainname", || zero(&[number::SETDOMAINNAME, path("attacker"), 8])),
    ("set the clock", set_clock),
    ("personality", || zero(&[number::PERSONALITY, 0x0040_0000])),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    match arguments.next().as_deref() {
        None => {
            for (name, _) in ATTEMPTS {
                let answer = Command::new(&program).arg(name).output();
                let answer = answer
                    .map_or_else(|e| describe(&e), |a| String::from_utf8_lossy(&a.stdout).trim().to_owned());
                println!("{name}\t{}", if answer.is_empty() { "killed" } else { &answer });
            }
            ExitCode::SUCCESS
        }
        Some("wait") => {
            std::thread::sleep(std::time::Duration::from_secs(20));
            ExitCode::SUCCESS
        }
        Some("nothing") => ExitCode::SUCCESS,
        Some("writable") => {
            writable(std::path::Path::new("/"));
            ExitCode::SUCCESS
        }
        Some(wanted) => match ATTEMPTS.iter().find(|(name, _)| *name == wanted) {
            Some((_, attempt)) => {
                println!("{}", attempt().map_or_else(|error| describe(&error), |()| "done".to_owned()));
                ExitCode::SUCCESS
            }
            None => ExitCode::FAILURE,
        },
    }
}

/// The error's name where a test has to tell it from others, else its number.
fn describe(error: &Error) -> String {
    match error.raw_os_error() {
        Some(1) => "EPERM".to_owned(),
        Some(13) => "EACCES".to_owned(),
        Some(2) => "ENOENT".to_owned(),
        Some(22) => "EINVAL".to_owned(),
        Some(30) => "EROFS".to_owned(),
        Some(38) => "ENOSYS".to_owned(),
        Some(93) => "EPROTONOSUPPORT".to_owned(),
        Some(95) => "EOPNOTSUPP".to_owned(),
        Some(97) => "EAFNOSUPPORT".to_owned(),
        Some(number) => format!("errno {number}"),
        None => error.to_string(),
    }
}

/// Makes a system call; its answer, or the error that it set.
fn call(words: &[c_long]) -> Result<c_long> {
    let at = |n: usize| words.get(n).copied().unwrap_or(0);
    // SAFETY: every pointer among the words comes from `path` or from a value that outlives the call, and the kernel
    // checks the rest.
    let answer = unsafe { syscall(at(0), at(1), at(2), at(3), at(4), at(5), at(6)) };
    if answer < 0 { Err(Error::last_os_error()) } else { Ok(answer) }
}

fn zero(words: &[c_long]) -> Result<()> {
    call(words).map(drop)
}

/// A C string for the rest of this short process's life.
fn path(text: &str) -> c_long {
    let text: *mut c_char = CString::new(text).unwrap_or_default().into_raw();
    text as c_long
}

fn pointer<T>(value: &T) -> c_long {
    std::ptr::from_ref(value).cast::<c_void>() as c_long
}

fn write(to: &str) -> Result<()> {
    std::fs::write(to, "written")?;
    std::fs::remove_file(to)
}

/// Prints every folder below in which a file can be created, without the kernel's own file systems.
fn writable(folder: &std::path::Path) {
    let probe = folder.join(".attack");
    if std::fs::write(&probe, "x").is_ok() {
        let _ = std::fs::remove_file(&probe);
        println!("{}", folder.display());
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kernel = ["/proc", "/sys"].iter().any(|path| entry.path() == std::path::Path::new(path));
        if !kernel && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            writable(&entry.path());
        }
    }
}

fn make_and_write(folder: &str) -> Result<()> {
    let _ = std::fs::create_dir_all(folder);
    write(&format!("{folder}/written"))
}

/// Writes what is there already, so that nothing changes where it succeeds.
fn same(file: &str) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let chosen = text.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or(text.trim());
    std::fs::write(file, chosen)
}

fn one_byte(file: &mut std::fs::File) -> Result<()> {
    use std::io::Read as _;
    match file.read(&mut [0])? {
        0 => Err(Error::from_raw_os_error(2)),
        _ => Ok(()),
    }
}

fn execute_from_tmp() -> Result<()> {
    let copy = format!("/tmp/attack-{}", std::process::id());
    std::fs::copy(std::env::current_exe()?, &copy)?;
    let ran = Command::new(&copy).arg("nothing").status();
    let _ = std::fs::remove_file(&copy);
    ran.map(drop)
}

fn mount(source: &str, target: &str, kind: &str, flags: c_long) -> Result<()> {
    zero(&[number::MOUNT, path(source), path(target), path(kind), flags, 0])
}

fn mount_tmpfs() -> Result<()> {
    mount("tmpfs", "/tmp", "tmpfs", 0)?;
    zero(&[number::UMOUNT2, path("/tmp"), 2])
}

fn mount_bind() -> Result<()> {
    mount("/proc/self", "/tmp", "", MS_BIND)?;
    zero(&[number::UMOUNT2, path("/tmp"), 2])
}

fn clone_user() -> Result<()> {
    if call(&[number::CLONE, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0])? == 0 {
        let _ = call(&[number::EXIT, 0]);
    }
    Ok(())
}

fn clone3_user() -> Result<()> {
    let arguments: [u64; 8] = [CLONE_NEWUSER.cast_unsigned(), 0, 0, 0, SIGCHLD.cast_unsigned(), 0, 0, 0];
    if call(&[number::CLONE3, pointer(&arguments), 64])? == 0 {
        let _ = call(&[number::EXIT, 0]);
    }
    Ok(())
}

fn set_namespace() -> Result<()> {
    use std::os::fd::AsRawFd as _;
    let own = std::fs::File::open("/proc/self/ns/uts")?;
    zero(&[number::SETNS, c_long::from(own.as_raw_fd()), 0])
}

/// The device `null`: harmless, and as hard to make as any other.
fn make_device() -> Result<()> {
    let place = ["/tmp/device", "/data/device", "/home/node/.openclaw/device"];
    let mut last = Error::from(ErrorKind::NotFound);
    for name in place {
        match zero(&[number::MKNODAT, AT_FDCWD, path(name), 0o020_600, 0x103]) {
            Ok(()) => return std::fs::remove_file(name),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn child() -> Result<std::process::Child> {
    Command::new(std::env::current_exe()?).arg("wait").spawn()
}

fn seize_child() -> Result<()> {
    const PTRACE_SEIZE: c_long = 0x4206;
    let mut child = child()?;
    let seized = zero(&[number::PTRACE, PTRACE_SEIZE, c_long::from(child.id()), 0, 0]);
    child.kill()?;
    seized
}

/// The process that started this one lives on unchanged while it is read; a child may be about to be replaced.
fn read_parent() -> Result<()> {
    let parent = std::os::unix::process::parent_id();
    let maps = std::fs::read_to_string(format!("/proc/{parent}/maps"))?;
    let start = maps.split('-').next().and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let mut byte = 0_u8;
    let local: [usize; 2] = [std::ptr::from_mut(&mut byte) as usize, 1];
    let remote: [usize; 2] = [start, 1];
    zero(&[number::PROCESS_VM_READV, c_long::from(parent), pointer(&local), 1, pointer(&remote), 1, 0])
}

fn create_map() -> Result<()> {
    let mut attributes = [0_u32; 32];
    attributes[..4].copy_from_slice(&[2, 4, 4, 1]);
    zero(&[number::BPF, 0, pointer(&attributes), 128])
}

fn set_up_ring() -> Result<()> {
    let parameters = [0_u32; 30];
    zero(&[number::IO_URING_SETUP, 1, pointer(&parameters)])
}

fn add_key() -> Result<()> {
    zero(&[number::ADD_KEY, path("user"), path("attack"), path("x"), 1, -2])
}

fn open_perf_event() -> Result<()> {
    let mut attributes = [0_u32; 28];
    attributes[0] = 1;
    attributes[1] = 112;
    // Disabled, and without the kernel's and hypervisor's part.
    attributes[10] = 0x61;
    zero(&[number::PERF_EVENT_OPEN, pointer(&attributes), 0, -1, -1, 0])
}

fn open_by_handle() -> Result<()> {
    use std::os::fd::AsRawFd as _;
    #[repr(C)]
    struct Handle {
        length: u32,
        kind: c_int,
        bytes: [u8; 128],
    }
    let handle = Handle { length: 128, kind: 0, bytes: [0; 128] };
    let mut mount_id: c_int = 0;
    let root = std::fs::File::open("/etc/hosts")?;
    let id = std::ptr::from_mut(&mut mount_id) as c_long;
    zero(&[number::NAME_TO_HANDLE_AT, AT_FDCWD, path("/etc/hosts"), pointer(&handle), id, 0])?;
    zero(&[number::OPEN_BY_HANDLE_AT, c_long::from(root.as_raw_fd()), pointer(&handle), 0])
}

/// To what it is: the time that a second process needs to tell is lost, no more.
fn set_clock() -> Result<()> {
    let now = [0_i64; 2];
    call(&[number::CLOCK_GETTIME, 0, pointer(&now)])?;
    zero(&[number::CLOCK_SETTIME, 0, pointer(&now)])
}
