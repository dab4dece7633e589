//! An attacker's code in the endpoint's place: started as the endpoint is, with what it is given, it gives up what the
//! endpoint gives up and then tries whatever leads to more. One line an attempt: `NAME<TAB>done` or `NAME<TAB>ERROR`.
//!
//! `intruder confined|run|free ENGINE SECRET PORT PID`: `free` gives nothing up, and prints; `run` gives up what `run` does, and
//! prints; `confined` tells whoever connects to its first socket. Every attempt is harmless where it succeeds. Deliberately absent: judging.
#![allow(unsafe_code, reason = "an attacker makes whatever call there is, by number")]

use std::ffi::c_long;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// What an attacker knows.
struct Known {
    engine: String,
    secret: String,
    port: u16,
    supervisor: c_long,
    /// A socket that it has.
    socket: c_long,
}

/// `x86_64` and `aarch64`, arguments.
fn call(numbers: (c_long, c_long), arguments: [c_long; 5]) -> io::Result<()> {
    let [first, second, third, fourth, fifth] = arguments;
    let number = if cfg!(target_arch = "x86_64") { numbers.0 } else { numbers.1 };
    // SAFETY: every call here takes numbers, or pointers to values that live until it returns.
    if unsafe { syscall(number, first, second, third, fourth, fifth, c_long::from(0)) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A pointer as a call takes it.
fn at<T>(pointer: *const T) -> c_long {
    pointer.expose_provenance().cast_signed() as c_long
}

type Attempt = (&'static str, fn(&Known) -> io::Result<()>);

const ATTEMPTS: &[Attempt] = &[
    ("connect to the engine", |k| UnixStream::connect(&k.engine).map(drop)),
    ("connect a socket that it has to the engine", |k| {
        let mut address = [0_u8; 110];
        address[0] = 1;
        address[2..2 + k.engine.len()].copy_from_slice(k.engine.as_bytes());
        call((42, 203), [k.socket, at(address.as_ptr()), 110, 0, 0])
    }),
    ("make a unix socket", |_| call((41, 198), [1, 1, 0, 0, 0])),
    ("make a TCP socket", |_| call((41, 198), [2, 1, 0, 0, 0])),
    ("make a raw socket", |_| call((41, 198), [2, 3, 1, 0, 0])),
    ("make a netlink socket", |_| call((41, 198), [16, 3, 0, 0, 0])),
    ("make a pair of sockets", |_| {
        let mut pair = [0_i32; 2];
        call((53, 199), [1, 1, 0, at(pair.as_mut_ptr()), 0])
    }),
    ("connect to a port", |k| TcpStream::connect(("127.0.0.1", k.port)).map(drop)),
    ("listen on another port", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("read a secret", |k| std::fs::read(&k.secret).map(drop)),
    ("read what everybody may", |_| std::fs::read("/etc/hostname").map(drop)),
    ("write a file", |k| std::fs::write(format!("{}.written", k.secret), "").map(drop)),
    ("list a folder", |_| std::fs::read_dir("/").map(drop)),
    ("read the supervisor's environment", |k| {
        std::fs::read(format!("/proc/{}/environ", k.supervisor)).map(drop)
    }),
    ("execute a program", |_| std::process::Command::new("/bin/true").status().map(drop)),
    // MS_NOSUID on a folder of its own, and away again (MNT_DETACH).
    ("mount a file system", |k| {
        let (none, kind) = (c"none", c"tmpfs");
        let folder = std::ffi::CString::new(format!("{}.mounted", k.secret))?;
        // One that cannot even be made is no place to mount on; the root is there for everybody.
        let made = std::fs::create_dir(format!("{}.mounted", k.secret)).is_ok();
        let place = if made { at(folder.as_ptr()) } else { at(c"/".as_ptr()) };
        call((165, 40), [at(none.as_ptr()), place, at(kind.as_ptr()), 2, 0])?;
        call((166, 39), [place, 2, 0, 0, 0])
    }),
    ("begin to mount a file system", |_| call((430, 430), [at(c"tmpfs".as_ptr()), 0, 0, 0, 0])),
    ("listen on a low port", |_| TcpListener::bind("127.77.0.1:7").map(drop)),
    ("begin a thread", |_| std::thread::Builder::new().spawn(|| ()).map(drop)),
    ("signal the supervisor", |k| call((62, 129), [k.supervisor, 0, 0, 0, 0])),
    // PTRACE_SEIZE: the one who is traced is not even stopped.
    ("trace the supervisor", |k| call((101, 117), [0x4206, k.supervisor, 0, 0, 0])),
    ("hold the supervisor by a descriptor", |k| call((434, 434), [k.supervisor, 0, 0, 0, 0])),
    ("read the supervisor's memory", |k| {
        let (mut byte, there) = ([0_u8; 1], call as *const () as usize);
        let ours = [byte.as_mut_ptr().expose_provenance(), 1];
        let theirs = [there, 1];
        let pointers = [&raw const ours, &raw const theirs].map(at);
        match call((310, 270), [k.supervisor, pointers[0], 1, pointers[1], 1]) {
            // It may look, and nothing is at that address.
            Err(error) if error.raw_os_error() == Some(14) => Ok(()),
            outcome => outcome,
        }
    }),
    // PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS.
    ("map memory to execute", |_| call((9, 222), [0, 4096, 5, 0x22, -1])),
    ("make a file of memory", |_| call((319, 279), [at(c"x".as_ptr()), 0, 0, 0, 0])),
    ("be somebody else", |_| call((105, 146), [0, 0, 0, 0, 0])),
    ("make a namespace", |_| call((272, 97), [0x2000_0000, 0, 0, 0, 0])),
    ("change the root", |_| call((161, 51), [at(c"/".as_ptr()), 0, 0, 0, 0])),
    ("make a ring", |_| {
        let parameters = [0_u8; 120];
        call((425, 425), [1, at(parameters.as_ptr()), 0, 0, 0])
    }),
    // BPF_MAP_CREATE of an array (type 2) of one value of four bytes, by a key of four.
    ("make a map for programs in the kernel", |_| {
        let attributes = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        call((321, 280), [0, at(attributes.as_ptr()), 72, 0, 0])
    }),
    // KEYCTL_GET_KEYRING_ID of the session's.
    ("ask for the kernel's keys", |_| call((250, 219), [0, -3, 1, 0, 0])),
    ("be looked into", |_| call((157, 167), [4, 1, 0, 0, 0])),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [mode, engine, secret, port, supervisor] = words.as_slice() else { panic!("five words") };
    let mut known = Known {
        engine: engine.clone(),
        secret: secret.clone(),
        port: port.parse().expect("a port"),
        supervisor: supervisor.parse().expect("a process"),
        socket: -1,
    };
    if mode != "confined" {
        if mode == "run" {
            supervisor::sandbox::supervisor(Path::new("/nowhere"), &[]).expect("the place of `run`");
        }
        // AF_UNIX, SOCK_STREAM: one that is not connected yet.
        // SAFETY: three numbers.
        known.socket = unsafe { syscall(if cfg!(target_arch = "x86_64") { 41 } else { 198 }, 1, 1, 0) };
        print!("{}", tried(&known));
        return;
    }
    let inside = supervisor::serve::inside::enter().expect("the endpoint's place");
    known.socket = c_long::from(inside.sockets[0].as_raw_fd());
    let said = tried(&known);
    let listener = TcpListener::from(inside.sockets.into_iter().next().expect("a socket"));
    loop {
        if let Ok((mut stream, _)) = listener.accept() {
            stream.write_all(said.as_bytes()).expect("whoever asked");
        }
    }
}

fn tried(known: &Known) -> String {
    let mut said = String::new();
    for (name, attempt) in ATTEMPTS {
        match attempt(known) {
            Ok(()) => writeln!(said, "{name}\tdone").expect("text"),
            Err(error) => writeln!(said, "{name}\t{error}").expect("text"),
        }
    }
    said
}
