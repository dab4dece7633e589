//! The words that programs have for the kernel's errors, as data: libc, shells, Node, Go, Python, the engine.
//!
//! Only words that name an error are looked for, and only in what came last. Deliberately absent: what an error means for
//! a service; that depends on its model.

/// An error of the kernel's, or what an engine says in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// `EROFS`.
    ReadOnly,
    /// `EACCES`.
    NoAccess,
    /// `EPERM`.
    NotPermitted,
    /// `ENOSYS`.
    NoSuchCall,
    /// `EAGAIN` of a new process or thread.
    NoProcess,
    /// `ENOSPC`.
    NoSpace,
    /// `EMFILE`.
    NoFile,
    /// `ENOMEM`, or a heap that is full.
    NoMemory,
    /// `ENOENT` of what was to be executed.
    NoProgram,
    /// `ENOEXEC`.
    WrongFormat,
}

/// What was attempted, as far as it matters to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Execute a file.
    Execute,
    /// Change a file's owner.
    Own,
    /// Take on another identity.
    Become,
    /// Listen on a port.
    Bind,
    /// Connect to a port.
    Connect,
    /// Send a signal.
    Signal,
    /// Make a folder.
    MakeFolder,
    /// Any other system call by its name.
    Other,
}

/// One error that a program told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) error: Error,
    /// What was attempted.
    pub(super) call: Option<Call>,
    /// Its name, as it was printed.
    pub(super) name: String,
    /// The first absolute path beside the error.
    pub(super) path: Option<String>,
    /// The port beside it.
    pub(super) port: Option<u16>,
}

/// Words that name an error, in small letters: the number's name, libc's text, Python's and nginx's number.
const ERRORS: &[(Error, &[&str])] = &[
    (Error::NoProgram, &["executable file not found", "cannot execute `", "stat /"]),
    (Error::WrongFormat, &["exec format error", "enoexec"]),
    (Error::ReadOnly, &["erofs", "read-only file system", "errno 30"]),
    (Error::NoAccess, &["eacces", "permission denied", "errno 13"]),
    (Error::NotPermitted, &["eperm", "operation not permitted", "errno 1"]),
    (Error::NoSuchCall, &["enosys", "function not implemented", "errno 38"]),
    (Error::NoMemory, &["heap out of memory", "outofmemoryerror", "cannot allocate memory", "enomem"]),
    (Error::NoSpace, &["enospc", "no space left on device", "errno 28"]),
    (Error::NoFile, &["emfile", "too many open files", "errno 24"]),
    (
        Error::NoProcess,
        &[
            "eagain",
            "resource temporarily unavailable",
            "can't start new thread",
            "failed to create new os thread",
        ],
    ),
];

/// Words beside an error of a program that was not found; without one, a path that is missing is the service's own affair.
const MISSING: [&str; 2] = ["no such file or directory", "executable file not found"];
/// Words beside a process that could not be made; without one, `EAGAIN` is everyday life.
const PROCESS: [&str; 4] = ["fork", "spawn", "thread", "clone"];

/// Words that name an attempt, the telling ones first.
const CALLS: &[(&str, Call)] = &[
    ("setresuid", Call::Become),
    ("setresgid", Call::Become),
    ("setreuid", Call::Become),
    ("setuid", Call::Become),
    ("setgid", Call::Become),
    ("setgroups", Call::Become),
    ("set groups", Call::Become),
    ("initgroups", Call::Become),
    ("changing ownership", Call::Own),
    ("lchown", Call::Own),
    ("fchown", Call::Own),
    ("fchownat", Call::Own),
    ("chown", Call::Own),
    ("bind", Call::Bind),
    ("listen", Call::Bind),
    ("connect", Call::Connect),
    ("dial", Call::Connect),
    ("fork/exec", Call::Execute),
    ("execve", Call::Execute),
    ("execute", Call::Execute),
    ("exec", Call::Execute),
    ("spawn", Call::Execute),
    ("kill", Call::Signal),
    ("mkdir", Call::MakeFolder),
    ("mkdirat", Call::MakeFolder),
    ("create directory", Call::MakeFolder),
];

/// A shell and the engine end so when a program cannot be executed.
const NOT_EXECUTABLE: i64 = 126;
/// Lines around an error in which Node prints its fields.
const AROUND: usize = 6;

/// The last error that these lines tell of.
pub(super) fn trouble(lines: &[String], code: Option<i64>) -> Option<Trouble> {
    let lower: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    lower.iter().enumerate().rev().find_map(|(at, text)| {
        let around =
            lines.get(at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1)).unwrap_or_default();
        let error = ERRORS.iter().find(|(error, words)| is_told(*error, words, text, around))?.0;
        let line = lines.get(at)?;
        let syscall = field(around, "syscall");
        let (call, name) = call(syscall.as_deref(), text, error, code);
        let path = field(around, "path").filter(|path| path.starts_with('/'));
        let port = field(around, "port").and_then(|port| port.parse().ok());
        Some(Trouble {
            error,
            call,
            name,
            path: path.or_else(|| program(line, error)).or_else(|| absolute_path(line)),
            port: port.or_else(|| port_of(line)),
        })
    })
}

fn is_told(error: Error, words: &[&str], text: &str, around: &[String]) -> bool {
    let beside = |needed: &[&str]| {
        let near = around.join("\n").to_lowercase();
        needed.iter().any(|word| near.contains(word))
    };
    let told = words.iter().any(|word| is_word(text, word));
    told && match error {
        Error::NoProgram => MISSING.iter().any(|word| text.contains(word)),
        Error::NoProcess => beside(&PROCESS),
        _ => true,
    }
}

/// Whether a word stands in a text by itself.
fn is_word(text: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        // Where a word of the table ends in a mark of its own, whatever follows.
        !part(before) && (!part(after) || !word.ends_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

/// What was attempted: Node's own field, else the words of the line; else the exit code of what cannot be executed.
fn call(syscall: Option<&str>, text: &str, error: Error, code: Option<i64>) -> (Option<Call>, String) {
    let text = syscall.unwrap_or(text);
    let named =
        CALLS.iter().find(|(word, _)| is_word(text, word)).map(|(word, call)| (*call, (*word).to_owned()));
    if code == Some(NOT_EXECUTABLE) && error == Error::NoAccess {
        return (Some(Call::Execute), "execve".to_owned());
    }
    let by_name = || {
        let rows = profiles::syscalls::SYSCALLS.iter();
        // The shortest names are words of every day.
        let mut rows = rows.filter(|row| row.name.len() > 4 || syscall == Some(row.name));
        rows.find(|row| is_word(text, row.name)).map(|row| (Call::Other, row.name.to_owned()))
    };
    match named.or_else(by_name) {
        Some((call, name)) => (Some(call), name),
        None => (None, String::new()),
    }
}

/// `key: 'value'` or `key: value,` of an error that Node printed field by field.
fn field(lines: &[String], key: &str) -> Option<String> {
    lines.iter().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.strip_prefix(": ")?.trim_end_matches(',');
        Some(value.trim_matches('\'').to_owned())
    })
}

/// The name of a program that was not found: between backticks or quotes.
fn program(line: &str, error: Error) -> Option<String> {
    if error != Error::NoProgram {
        return None;
    }
    let quoted = |mark: char| line.split(mark).nth(1).filter(|name| !name.is_empty());
    quoted('`').or_else(|| quoted('"')).map(|name| name.trim_end_matches('\\').to_owned())
}

/// The first absolute path of a line, without the marks around it.
fn absolute_path(line: &str) -> Option<String> {
    let words = line.split(|c: char| c.is_whitespace() || "'\"`()[]{},=\u{2018}\u{2019}".contains(c));
    let mut paths = words.map(|word| word.trim_end_matches([':', ';', '.', '\\']));
    paths.find(|word| word.len() > 1 && word.starts_with('/')).map(str::to_owned)
}

/// The port of an address such as `:80`, `0.0.0.0:80` or `[::]:80`.
fn port_of(line: &str) -> Option<u16> {
    let words = line.split(|c: char| c.is_whitespace() || "'\"`(),".contains(c));
    let mut ends = words.filter_map(|word| word.trim_end_matches(':').rsplit_once(':'));
    ends.find_map(|(address, port)| {
        let address = address.trim_matches(['[', ']']);
        let plain = address.is_empty() || address.parse::<std::net::IpAddr>().is_ok();
        port.parse().ok().filter(|port| plain && *port != 0)
    })
}
