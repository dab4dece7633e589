//! Why a service died or did not start, as far as its end tells: the cause, and the line of the Compose file that mends it.
//!
//! Generic: what the kernel counted and the engine said comes first and is known; what a program printed is read by the
//! words that programs of every kind have for the kernel's errors (`texts`), and is said to be likely. What is not
//! understood gets no diagnosis. Deliberately absent: asking anybody, and mending anything.

mod texts;

use std::fmt;

use profiles::confinement::{MountPromise, MountSource};
use profiles::{Base, Landlock, seccomp, syscalls};

use super::spec::ContainerSpec;
use texts::{Call, Error, Trouble, trouble};

/// What is known of a service's end, or of its not getting on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symptoms<'a> {
    /// Its exit code; `None` while it runs.
    pub code: Option<i64>,
    /// The kernel killed it for its memory.
    pub out_of_memory: bool,
    /// How often the kernel refused it a process or thread for its limit.
    pub pids_refused: u64,
    /// Why the engine could not start it, in the engine's words.
    pub error: &'a str,
    /// The last lines of its output.
    pub output: &'a [String],
}

/// Why, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The kernel or the engine says so; else it is inferred from what the program printed.
    pub known: bool,
    /// In a sentence without an end.
    pub cause: String,
    /// What to do, with the line to write where one mends it.
    pub remedy: String,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let likely = if self.known { "" } else { "likely: " };
        write!(f, "{likely}{}; {}", self.cause, self.remedy)
    }
}

/// Ended by SIGSYS, as a shell and the engine count: only a seccomp filter sends it.
const BAD_CALL: i64 = 128 + 31;
/// Killed, or ended on request: what it printed before has nothing to do with its end.
const BY_SIGNAL: [i64; 3] = [128 + 2, 128 + 9, 128 + 15];

/// The diagnosis of a service, if its end is understood.
pub fn diagnose(spec: &ContainerSpec, symptoms: &Symptoms<'_>) -> Option<Diagnosis> {
    let limits = spec.confinement.limits();
    if symptoms.out_of_memory {
        let (now, more) = (size(limits.memory), size(limits.memory.saturating_mul(2)));
        return Some(known(
            format!("the kernel killed it: it used up its memory limit of {now}"),
            format!("let it use less, or write `mem_limit: {more}`"),
        ));
    }
    if symptoms.pids_refused > 0 && symptoms.code != Some(0) {
        let (pids, times) = (limits.pids, symptoms.pids_refused);
        let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        return Some(known(
            format!("the kernel refused it a process or thread {times}: its limit is {pids} of them"),
            format!("write `pids_limit: {}`", pids.saturating_mul(2)),
        ));
    }
    if symptoms.code == Some(0) && symptoms.error.is_empty() {
        return None;
    }
    let engine = [symptoms.error.to_owned()];
    let found = trouble(&engine, None).map(|trouble| (true, trouble));
    let by_signal = symptoms.code.is_some_and(|code| BY_SIGNAL.contains(&code));
    let printed = if by_signal { &[] } else { symptoms.output };
    let found = found.or_else(|| Some((false, trouble(printed, symptoms.code)?)));
    if let Some((known, (cause, remedy))) =
        found.and_then(|(known, trouble)| Some((known, explain(spec, &trouble)?)))
    {
        return Some(Diagnosis { known, cause, remedy });
    }
    (symptoms.code == Some(BAD_CALL)).then(|| Diagnosis {
        known: false,
        cause: "seccomp ended it: it made a system call that nothing but an intruder is expected to make"
            .into(),
        remedy:
            "see which in `denials` of `/status`, or in the kernel's log (`journalctl -k`, `type=1326`); \
                 `docs/profiles.md` says what no service is granted"
                .into(),
    })
}

/// Why a file is not executed under the service's profile, and the line to write.
pub fn not_executed(spec: &ContainerSpec, path: &str) -> String {
    let (cause, remedy) = not_executable(spec, Some(path));
    format!("{cause}; {remedy}")
}

/// Why a path is not written to under the service's profile, and the line to write.
pub fn not_written(spec: &ContainerSpec, path: &str) -> String {
    let (cause, remedy) = read_only(spec, None, Some(path));
    format!("{cause}; {remedy}")
}

fn known(cause: String, remedy: String) -> Diagnosis {
    Diagnosis { known: true, cause, remedy }
}

/// Cause and remedy of one error.
fn explain(spec: &ContainerSpec, trouble: &Trouble) -> Option<(String, String)> {
    let path = trouble.path.as_deref();
    match trouble.error {
        Error::ReadOnly => Some(read_only(spec, trouble.call, path)),
        Error::NoAccess => no_access(spec, trouble),
        Error::NotPermitted => not_permitted(trouble),
        Error::NoSuchCall => Some(no_such_call(spec, &trouble.name)),
        Error::NoProcess => {
            let pids = spec.confinement.limits().pids;
            let cause = format!("it got no further process or thread, with a limit of {pids} of them");
            Some((cause, format!("write `pids_limit: {}`", pids.saturating_mul(2))))
        }
        Error::NoSpace => Some(no_space(spec, path)),
        Error::NoFile => {
            let soft = spec.confinement.limits().ulimits.get("nofile").map(|limit| limit.0);
            let now = soft.map(|soft| format!(", with a limit of {soft} of them")).unwrap_or_default();
            let more = soft.unwrap_or(1024).saturating_mul(4);
            Some((
                format!("it has too many files open{now}"),
                format!("write `ulimits: {{nofile: {{soft: {more}, hard: {more}}}}}`"),
            ))
        }
        Error::NoMemory => {
            let memory = spec.confinement.limits().memory;
            let heap = memory / (1024 * 1024) * 3 / 2;
            Some((
                format!("it got no more memory, with a limit of {}", size(memory)),
                format!(
                    "write `mem_limit: {}`; a runtime with a heap of its own has to be told, such as Node by \
                     `environment: {{NODE_OPTIONS: --max-old-space-size={heap}}}`",
                    size(memory.saturating_mul(2))
                ),
            ))
        }
        Error::NoProgram => {
            let program = path.unwrap_or("its program");
            Some((
                format!("there is no program `{program}` in the image"),
                "correct `command` or `entrypoint`, or the image".to_owned(),
            ))
        }
        Error::WrongFormat => Some((
            format!("{} is no program for this machine's processor", named(path, "its program")),
            "use an image for this architecture, or begin a script with `#!` and its interpreter".to_owned(),
        )),
    }
}

fn read_only(spec: &ContainerSpec, call: Option<Call>, path: Option<&str>) -> (String, String) {
    let Some(path) = path else {
        return (
            "it could not write, since its root is read-only".to_owned(),
            "give the place that it writes to a volume, or a tmpfs such as `tmpfs: [/tmp]`".to_owned(),
        );
    };
    if let Some(mount) = mount_of(spec, path) {
        return (
            format!("it could not write to `{path}`, since `{}` is mounted read-only", mount.target),
            format!(
                "mount `{}` without `:ro` or `read_only: true` if the service is to change it",
                mount.target
            ),
        );
    }
    let folder = if call == Some(Call::MakeFolder) { path } else { parent(path) };
    let remedy = if folder == "/" {
        "let it write elsewhere, such as below `/tmp`".to_owned()
    } else {
        format!(
            "write `tmpfs: [{folder}]` for what may be lost, or `volumes: [NAME:{folder}]` for what is to stay; a tmpfs hides \
             what the image has there"
        )
    };
    (format!("it could not write to `{path}`, since its root is read-only"), remedy)
}

fn no_access(spec: &ContainerSpec, trouble: &Trouble) -> Option<(String, String)> {
    let path = trouble.path.as_deref();
    match trouble.call {
        Some(Call::Execute) => Some(not_executable(spec, path)),
        Some(Call::Bind) => no_bind(spec, trouble.port?),
        Some(Call::Connect) => {
            let (port, allowed) = (trouble.port?, held_to(spec, "--connect=")?);
            (!allowed.contains(&port)).then(|| {
                (
                    format!(
                        "it may not connect to port {port}, which is not in its `x-supervisor.tcp.connect`"
                    ),
                    format!("write `x-supervisor: {{tcp: {{connect: [{}]}}}}`", list(&allowed, port)),
                )
            })
        }
        _ => Some(no_right(spec, path?)),
    }
}

fn not_executable(spec: &ContainerSpec, path: Option<&str>) -> (String, String) {
    let name = named(path, "its program");
    let mount = path.and_then(|path| mount_of(spec, path)).filter(|mount| !mount.read_only);
    let opened = |path: &str| spec.confinement.exec_from().iter().any(|open| below(open, path));
    match (mount, path) {
        (Some(MountPromise { source: MountSource::Tmpfs { .. }, target, .. }), _) => (
            format!("{name} may not be executed, since it is in the tmpfs `{target}`"),
            "put it into the image, or into a volume that `x-supervisor.exec_from` names".to_owned(),
        ),
        (Some(mount), Some(path)) if !opened(path) => {
            let folder = if path == mount.target { path } else { parent(path) };
            (
                format!("{name} may not be executed, since it is in `{}`, which is writable", mount.target),
                format!(
                    "mount it read-only, or write `x-supervisor: {{exec_from: [{folder}]}}` if what is written there is to be \
                     trusted like the image"
                ),
            )
        }
        _ => (
            format!("{name}, or the interpreter that it names, may not be executed by the service's user"),
            "set its execute bit (`chmod +x`), or name its interpreter: `entrypoint: [sh, FILE]`".to_owned(),
        ),
    }
}

fn no_bind(spec: &ContainerSpec, port: u16) -> Option<(String, String)> {
    if let Some(allowed) = held_to(spec, "--bind=").filter(|allowed| !allowed.contains(&port)) {
        return Some((
            format!("it may not listen on port {port}, which is not in its `x-supervisor.tcp.bind`"),
            format!("write `x-supervisor: {{tcp: {{bind: [{}]}}}}`", list(&allowed, port)),
        ));
    }
    (port < 1024).then(|| {
        (
            format!("it may not listen on port {port}: those below 1024 are for root"),
            "write `sysctls: {net.ipv4.ip_unprivileged_port_start: \"0\"}`, or let it listen on a higher port".to_owned(),
        )
    })
}

/// The service's user has no right on a file.
fn no_right(spec: &ContainerSpec, path: &str) -> (String, String) {
    let user = spec.confinement.user().unwrap_or("the image's");
    let owner = spec.confinement.user().unwrap_or("UID:GID");
    let cause = format!("its user ({user}) has no right on `{path}`");
    let Some(mount) = mount_of(spec, path) else {
        return (cause, "give the file to that user in the image, or write another `user`".to_owned());
    };
    let target = &mount.target;
    let remedy = match &mount.source {
        MountSource::Tmpfs { .. } => {
            let (uid, gid) = owner.split_once(':').unwrap_or((owner, owner));
            format!("give the tmpfs to that user: `tmpfs: [\"{target}:uid={uid},gid={gid},mode=700\"]`")
        }
        MountSource::Bind(source) => {
            format!(
                "give what is mounted at `{target}` to that user on the host: `chown -R {owner} {source}`"
            )
        }
        MountSource::Volume { .. } => format!(
            "the volume at `{target}` belongs to somebody else: let the image make that folder for the user, or `chown` it \
             once, or write the `user` to whom it belongs"
        ),
        MountSource::Image { image, .. } => format!(
            "the image `{image}` gives its files at `{target}` to somebody else: name one that has them for that user"
        ),
        MountSource::Content { kind, key, .. } => {
            format!("the {kind} `{key}` is for another reader: write its `uid`, `gid` and `mode`")
        }
    };
    (cause, remedy)
}

fn not_permitted(trouble: &Trouble) -> Option<(String, String)> {
    let name = &trouble.name;
    match trouble.call? {
        Call::Execute => Some((
            format!(
                "{} carries a file capability that the service is not given, so that the kernel does not execute it",
                named(trouble.path.as_deref(), "its program")
            ),
            "write `cap_add: [NET_BIND_SERVICE]` where it is that one, as in the official Caddy image, or remove it from the \
             file (`setcap -r`)"
                .to_owned(),
        )),
        Call::Own => Some((
            format!("it may not give files to others (`{name}`): it has no capability for it"),
            "start it as the user that it works as: `user: \"UID:GID\"`, with its files given to that user before; only if it \
             has to be root, write `cap_add: [CHOWN]`"
                .to_owned(),
        )),
        Call::Become => Some((
            format!("it may not become another user (`{name}`): it has no capability for it"),
            "start it as that user: `user: \"UID:GID\"`; only if it has to begin as root, write `cap_add: [SETUID, SETGID]`"
                .to_owned(),
        )),
        Call::Signal => Some((
            format!("it may not send a signal to a process that is not of the service (`{name}`)"),
            "let it end by itself, or write `x-supervisor: {landlock: \"off\"}` if it has to signal the engine's init".to_owned(),
        )),
        Call::Other => {
            let row = syscalls::SYSCALLS.iter().find(|row| row.name == name)?;
            Some((
                format!("the system call `{name}` ({}) is refused to it", row.why),
                "no setting opens it short of the capability that it needs; see `docs/profiles.md`".to_owned(),
            ))
        }
        _ => None,
    }
}

fn no_such_call(spec: &ContainerSpec, name: &str) -> (String, String) {
    let profile: Option<seccomp::Profile> = serde_json::from_str(spec.confinement.seccomp()).ok();
    let known = syscalls::SYSCALLS.iter().find(|row| row.name == name);
    let (Some(row), Some(profile)) = (known, profile) else {
        return (
            "a system call that it needs is not there, or not granted by its seccomp profile".to_owned(),
            "see `supervisor profile show`; `x-supervisor: {runtime: generic}` grants the most".to_owned(),
        );
    };
    let cause = format!("the system call `{name}` ({}) is not granted by its seccomp profile", row.why);
    if profile.allowed().contains(name) {
        let cause = format!("this kernel answers the system call `{name}` as one that it does not have");
        return (cause, "use a newer kernel, or a version of the service that does without".to_owned());
    }
    let remedy = if Base::Generic.groups().contains(&row.group) {
        "write `x-supervisor: {runtime: generic}`, or add it to the service's recorded profile"
    } else {
        "no service is granted it; use a version or a setting of the service that does without"
    };
    (cause, remedy.to_owned())
}

fn no_space(spec: &ContainerSpec, path: Option<&str>) -> (String, String) {
    let mount = path.and_then(|path| mount_of(spec, path));
    match mount {
        Some(MountPromise { source: MountSource::Tmpfs { size: now, .. }, target, .. }) => (
            format!("the tmpfs `{target}` is full, at {}", size(*now)),
            format!("write `tmpfs: [\"{target}:size={}\"]`, or a volume", size(now.saturating_mul(4))),
        ),
        _ => (
            "a place that it writes to is full".to_owned(),
            "free space on the host, or write a larger `size` of its tmpfs".to_owned(),
        ),
    }
}

/// The innermost mount that a path is in.
fn mount_of<'a>(spec: &'a ContainerSpec, path: &str) -> Option<&'a MountPromise> {
    let mounts = spec.confinement.mounts().iter().filter(|mount| below(&mount.target, path));
    mounts.max_by_key(|mount| mount.target.len())
}

fn below(folder: &str, path: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

/// The ports that Landlock holds the service to.
fn held_to(spec: &ContainerSpec, direction: &str) -> Option<Vec<u16>> {
    let Landlock::Rules { arguments, .. } = spec.confinement.landlock() else { return None };
    let ports = arguments.iter().find_map(|argument| argument.strip_prefix(direction))?;
    Some(ports.split(',').filter_map(|port| port.parse().ok()).collect())
}

fn list(ports: &[u16], more: u16) -> String {
    let all: Vec<String> = ports.iter().chain([&more]).map(u16::to_string).collect();
    all.join(", ")
}

fn named(path: Option<&str>, else_: &str) -> String {
    path.map_or_else(|| else_.to_owned(), |path| format!("`{path}`"))
}

/// As Compose writes amounts.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests;
