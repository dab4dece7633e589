//! `docs/profiles.md`, made from the tables and compared with what is kept; `cargo xtask docs` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;

use crate::arguments;
use crate::capability::{CAPABILITIES, Danger};
use crate::floor::FLOOR;
use crate::groups::{Denied, GROUPS, Group};
use crate::seccomp::profile;
use crate::syscalls::SYSCALLS;
use crate::{Arch, Base, Kernel};

/// What the document says before its tables.
const HEAD: &str = "# Profiles

Generated from the tables in `profiles/src`; `cargo xtask docs` writes it anew.

Each service gets a seccomp profile, and an AppArmor profile and Landlock rules where the kernel has them. They are made from
the Compose file; `supervisor profile show SERVICE` prints them. The first two cannot be switched off or widened by the file.

## Seccomp

`x-supervisor.runtime` of a service names the base: `go`, `node` or `generic`. Without it the base is `generic`: the
image's name is never asked, for it is no promise about what is inside. A profile is a subset of the engine's default,
shown by running the compiled filter over every system call and every class of arguments. A call that is not granted
answers as its group says:

- `ENOSYS`, as an older kernel would, so that a program takes the way that it has for one. Every call that is in no
  table answers so too.
- `EPERM`: known, dangerous, and not for this service.
- `SIGSYS`: the process ends. No service calls these; an intruder does.

A call by way of the 32-bit entry ends the thread that makes it.

### Recorded profiles

A base is for a kind of program. What one service was seen to use is a fraction of it, kept in a file beside the stack that
people read and review:

```yaml
services:
  web:
    x-supervisor:
      runtime: go
      seccomp: ./profiles/web.yaml
```

```yaml
# profiles/web.yaml
base: go
recordings:
  - {when: 2026-11-26, arch: x86_64, kernel: \"6.18\", engine: 28.5.2, runc: 1.3.6, seconds: 60}
left_out:
  - copy_file_range # copy in the kernel; without: cp, Go and Rust read and write instead, libuv calls `sendfile`
syscalls:
  - accept4
  - openat
```

- It only narrows. A call is granted if the file names it **and** the base (or a capability of the service) grants it, with
  the base's tests of its arguments. A name that is beyond the base refuses the stack (SV137), and so does one that Linux
  does not have (SV136), each at its line; a file that is missing or has other keys cannot be read.
- What every container needs between the filter and its own program is kept whatever the file says; see below.
- It is part of what a container is: `plan` shows a changed file as a changed service, `up` and `run` recreate it, and
  `attest` compares what the engine was given.
- What it denies, the kernel writes down. `run` hears of it as it happens, and tells the service, the call, the program and
  the line to add: in its log, in `denials` of `/status` and in `supervisor_denials_total`. It listens to the audit system
  (`CAP_AUDIT_READ`, in the machine's own network namespace), which tells all of it, and to the kernel's log, which takes ten
  records at once. `attest` looks for the same afterwards, in the log and in an audit daemon's file: what was denied once may
  be gone by then. runc before 1.2 refuses the flag for it, and is given the same filter without.
- Under any profile the kernel tells of a call that ended its process, and of what AppArmor denied; `run` tells these, too.
  What Landlock denied it does not hear of. A process that has ended before it could be asked for its container is taken for
  one of the only service of its user, or of the only one of these that has its program; otherwise it is not counted.
- On an architecture on which nothing was recorded, every spelling of a recorded call is granted: where `mkdir` was seen on
  x86_64, aarch64 has `mkdirat` alone.

`supervisor profile record SERVICE` writes the file. The service is recreated by a plan, under a filter of the same base in
which each call that is not known yet is held until the recorder on the host lets it go on; it is used, restarted, executed
in; an interrupt ends the recording, and a plan puts the service back. Its stop is recorded, too. Recordings are merged;
`--fresh` begins anew. `supervisor profile diff SERVICE` says what is used and what falls away.

- What is recorded is within the base: what the base denies or tests, the recording's filter denies and tests.
- Nothing is in the container, and nothing is installed: the OCI runtime hands the filter's own descriptor to a socket of
  the recorder (`listenerPath`, runc 1.1, Linux 5.5).
- While a call is held, nobody looks at what it is about: it goes on, or is left out for its name. It costs some
  microseconds; what every container keeps is not held, and with it the calls that programs make most.
- If the recorder dies, held calls answer `ENOSYS`. A guard, a second process, sees that and puts the service back at once. If
  both die, with the machine perhaps, the next `up` or `run` does, for the container is not as the file says.
- Where `supervisor run` keeps the project, it is asked for the service and lets go of it once no plan and no restart is
  under way: meanwhile it neither heals nor attests that service, does not call it drift, relays its port, and is not ready.
  It takes the service back when the recording ends, or is killed, and brings it to what the file says.

A recording leaves out what nobody misses. For a few calls every known caller has a way that it goes where there is no such
call; they are in the table below, with the way. Such a call is heard and answered `ENOSYS` instead of going on, so that the
service is recorded on that way, and what it calls there is heard. The file has these under `left_out`, each with what its
callers do; a line that is moved to `syscalls` is granted. A denial of one is no news. One of a call that is on the way is, and
so is one of any other call.

With `--without-attributes` a recording leaves out extended attributes, access control lists among them: they answer
`EOPNOTSUPP`, as a file system without them does. That is a choice, and is made by name, since `cp -a` then silently copies none.
Later recordings keep to it, unless they are `--fresh`.

Seen by a test of the real programs, on x86_64:

| recorded | calls allowed | always | of its base |
|---|---|---|---|
| Caddy 2.11.4: start, HTTP/1.1 and 2, WebSocket, `exec`, stop | 75 | 71 | 129 |
| OpenClaw 2026.9.6: start, HTTP, WebSocket, `exec`, stop | 111 | 107 | 228 |
| the same, with the tools that an agent runs (git, tar, find, sed and their kind), without attributes | 135 | 130 | 228 |

Always is: whatever the arguments are. So the 361 names are counted that the engine's default allows unconditionally; `clone`,
`ioctl`, `prctl`, `socket` and `mknodat` are tested. With attributes the last row is eight more.

Of these, 60 are what every container keeps, ten of which are not in a trace of the tools: they are runc's, the engine's init's,
Landlock's, the C library's and the kernel's. All others were heard; a recording adds no call of its own, and no
other spelling of one. The 24 that the tools add have no way around: `mkdir` by git and `mkdirat` by tar are the same work under
two names, and without either that tool fails. Left out are `rseq`, which every program of glibc tries, `copy_file_range`,
`fadvise64`, and eight of attributes. Not left out, though what was recorded would go on without: `capget` (`ping` ends
without it), `timer_create` (`timeout` counts whole seconds then), `sendfile` (libuv copies no file without it, once
`copy_file_range` is gone).

The stack that `init` writes names no recorded profile. A recording is of one image, one C library and one use: what an agent
runs tomorrow was not recorded today, and another Caddyfile makes other calls. Record where it runs, after a while of use.

What it costs: the README's figures have what a start by runc takes with all confinement (filter, capabilities, masked paths,
Landlock) beside one with none; making all promises of a stack of two services takes 0.5 to 0.8 ms. `cargo xtask bench` and
`cargo xtask figures` measure both.

Other ways were tried and left. `SCMP_ACT_LOG` has the kernel write each call to its log: ten lines at once, the rest are
suppressed, and a start has thousands. Tracing of `sys_enter` (tracefs) sees a service that runs, and its children, without
recreating it, but not its start: who is to be traced is not known before; it overruns under load, and hosts lock it down.

";

#[test]
fn is_as_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/profiles.md");
    let text =
        [HEAD.to_owned(), counts(), kept(), groups(), calls(), filters(), capabilities(), TAIL.to_owned()]
            .concat();
    expect_file![path].assert_eq(&text);
}

/// A kernel newer than every row of the table.
const fn newest(arch: Arch) -> Kernel {
    Kernel { arch, version: (7, 0), apparmor: true, landlock: 0 }
}

fn counts() -> String {
    let mut text = "| base | allowed on x86_64 | on aarch64 |\n|---|---|---|\n".to_owned();
    for base in Base::ALL {
        let count = |arch| profile(base, &BTreeSet::new(), &newest(arch)).allowed().len();
        writeln!(text, "| `{}` | {} | {} |", base.name(), count(Arch::X86_64), count(Arch::Aarch64)).unwrap();
    }
    text + "\nThe engine's default allows 304 of the same names on x86_64 and 262 on aarch64 (361 with every architecture's own).\n\n"
}

fn kept() -> String {
    let mut needs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, who) in FLOOR {
        needs.entry(who).or_default().push(format!("`{name}`"));
    }
    let mut text = "### What every container keeps\n\n| for | calls |\n|---|---|\n".to_owned();
    for (who, names) in needs {
        writeln!(text, "| {who} | {} |", names.join(" ")).unwrap();
    }
    text + "\n`ppoll` is kept where there is no `poll`, `uretprobe` before Linux 6.14, which asks no filter about it.\n\n"
}

fn groups() -> String {
    let mut text =
        "### Groups\n\n| group | calls | granted to | else | why |\n|---|---|---|---|---|\n".to_owned();
    for row in GROUPS {
        let bases =
            Base::ALL.iter().filter(|base| base.groups().contains(&row.group)).map(|base| base.name());
        let bases: Vec<_> = bases.collect();
        let granted = if bases.is_empty() { "none".to_owned() } else { bases.join(", ") };
        let count = SYSCALLS.iter().filter(|call| call.group == row.group).count();
        let denied = denied(row.denied);
        writeln!(text, "| {} | {count} | {granted} | {denied} | {} |", row.name, row.why).unwrap();
    }
    text + "\n"
}

const fn denied(denied: Denied) -> &'static str {
    match denied {
        Denied::Absent => "`ENOSYS`",
        Denied::Refused => "`EPERM`",
        Denied::Killed => "`SIGSYS`",
    }
}

fn calls() -> String {
    let mut text = "### Calls\n\n`*`: x86_64 alone. A call that a kernel is too old for is left out.\n\n\
                    | group | call | since | why | where a recorded profile leaves it out |\n|---|---|---|---|---|\n"
        .to_owned();
    for row in GROUPS {
        for call in SYSCALLS.iter().filter(|call| call.group == row.group) {
            let mark = if call.x86_64_only { "*" } else { "" };
            let (major, minor) = call.since;
            let without = call.without.unwrap_or_default();
            writeln!(
                text,
                "| {} | `{}`{mark} | {major}.{minor} | {} | {without} |",
                row.name, call.name, call.why
            )
            .unwrap();
        }
    }
    text + "\n"
}

fn filters() -> String {
    let names = SYSCALLS.iter().map(|call| call.name);
    let filtered: Vec<_> = names.filter(|name| arguments::filter(name, &BTreeSet::new()).is_some()).collect();
    let mut text = "### Arguments\n\nThese are granted for some arguments alone:\n\n".to_owned();
    for (name, what) in FILTERS {
        writeln!(text, "- `{name}`: {what}").unwrap();
    }
    let told: Vec<_> = FILTERS.iter().flat_map(|(names, _)| names.split("`, `")).collect();
    assert!(filtered.iter().all(|name| told.contains(name)), "{filtered:?} are filtered, {told:?} are told");
    text + "\n"
}

/// What each filter lets through, in words.
const FILTERS: &[(&str, &str)] = &[
    ("clone", "no flag that makes a namespace; with one, `EPERM`"),
    (
        "socket",
        "unix; TCP and UDP over IPv4 and IPv6; ping without rights; netlink for addresses and routes. `EPERM` for raw sockets and for \
         every other family that Linux has, `AF_ALG`, `AF_VSOCK` and `AF_PACKET` among them; `ENOSYS` for other protocols, which \
         would load kernel modules (SCTP, MPTCP, DCCP, L2TP)",
    ),
    (
        "ioctl",
        "everything but `TIOCSTI` and `TIOCLINUX`, which type into a terminal, whatever the bits above the lower 32 say, for which it \
         is `EPERM`",
    ),
    ("prctl", "a list of options; not `PR_SET_MM`, `PR_SET_PTRACER`, `PR_SCHED_CORE`"),
    ("mknod`, `mknodat", "FIFOs, sockets and plain files; `EPERM` for devices"),
    ("personality", "in no base; with it, only the ordinary one and the question which it is"),
];

fn capabilities() -> String {
    let mut text = "### Capabilities\n\nAll are dropped but those that the file adds and the policy lets in. Some open calls:\n\n\
                    | capability | reach | lets a process | opens |\n|---|---|---|---|\n"
        .to_owned();
    for row in CAPABILITIES {
        let reach = match row.danger {
            Danger::Contained => "container",
            Danger::Weakens => "neighbours",
            Danger::Host => "host",
        };
        let opens = row.opens.iter().map(|call| format!("`{call}`")).collect::<Vec<_>>().join(" ");
        writeln!(text, "| `{}` | {reach} | {} | {opens} |", row.name, row.why).unwrap();
    }
    text + "\n"
}

/// What the document says after its tables.
const TAIL: &str = "## AppArmor

- What the container sees may be read, less the parts of `/proc` and `/sys` that tell of the host, and less the memory
  and the environment of processes in `/proc`.
- The writable mounts may be written, with locks. Nothing in them can be executed or mapped as code: nothing that was
  downloaded can be run, and neither can the same files by way of a read-only mount, while any service of the stack can
  write them. Code in memory files (`memfd`) cannot be executed either. `x-supervisor.exec_from` of a service opens a path
  in a volume by name, with everything below it.
- Everything else may be executed where the root is read-only, for nobody can have changed it. A script is data to its
  interpreter: where an image has a shell or Node.js, what was downloaded can still be given to that to read.
- Unix, TCP and UDP sockets; raw, packet, alg, vsock and xdp sockets are denied.
- No mount, no unmount, no taking over of processes. Signals come from the host, from the OCI runtime's own profile
  (`runc`, `crun`) and from the container's own processes.

The profile's name is `supervisor-PROJECT.SERVICE-HASH`. The hash is of its text, so that a container that runs keeps the
profile that it was given. Profiles are loaded through `apparmor_parser` (package `apparmor`) before each start, since a
boot forgets them; where the kernel has AppArmor and a profile does not load, the container is not started. One that is
not wanted any more is taken out of the kernel once no process runs under it. Where the kernel has none, `attest` says so.

`attest` compares the label and its mode, and asks the kernel what the policy under that name would refuse: a profile that
was removed, set to complain, or replaced by a weaker one of the same name is found, by `run` within a minute.

A container in which anything is not as promised is stopped at once, without grace, and kept: 83 to 140 ms after what was seen
is written down, as the tests of `attest` print it on a busy machine.

## Landlock

Where the kernel has it (Linux 5.19 and newer), with AppArmor or without: a small program of ours is mounted read-only at
`/.supervisor-confine` and executed first, as the service's own user. It gives rights up, and then is the service: the same
process, with the image's or the file's entry point and command, environment and working folder. If the rules cannot be
kept, it ends with code 125 and the service is not started.

- Everything may be read. Files are made, changed, moved and removed in the writable mounts alone, and in `/dev/shm` and
  `/dev/mqueue`. Nothing is written in `/proc`, by which a process could write another's memory; what some programs write
  about themselves there (`oom_score_adj`, `comm`) they go on without.
- Nothing is executed from a writable mount, `/dev`, `/proc` or `/sys`.
- TCP (Linux 6.7): `x-supervisor.tcp.bind` and `tcp.connect` list the ports that a service may listen on and connect to,
  at any address. Without a list, that direction stays open. Port 53 stays open for names.
- No signals to and no abstract sockets of processes outside (Linux 6.12): the engine's init and commands run by `exec`.
- No mounts, and no taking over of processes outside.

`x-supervisor.landlock: required` refuses to start the service where the kernel, or the runtime of the service, cannot keep
all of this; `off` goes without. What it does not do: a command that `exec` or the engine's own health check runs in a
container is under every other layer, but not under Landlock; code that a program maps by itself instead of executing a
file, and memory files (`memfd`), are not restricted; sockets with a path can be connected to. The kernel shows nobody
which rules a process is under: `attest` proves that the container was started through the program with the promised rules
and that the program's file is ours, and concludes the rest.

A file of a volume that is mapped as code is therefore stopped by AppArmor alone; in a tmpfs, `noexec` stops it, too. A volume has
no `noexec`: the engine's interface has no such option for a volume or a bind, and among the options of a volume of the local
driver (`type: none`, `o: bind,noexec`) it is accepted and lost, since the kernel takes no flags with a bind and the engine
repeats the mount for `ro` alone. A host without AppArmor can have it for every volume, where no service has `exec_from`:
`mount --bind /var/lib/docker/volumes /var/lib/docker/volumes`, then `mount -o remount,bind,noexec` of the same, before the engine
starts. Containers' mounts keep the flag.
";

#[test]
fn every_group_has_one_row_and_a_call() {
    let groups: BTreeSet<Group> = SYSCALLS.iter().map(|call| call.group).collect();
    let rows: Vec<Group> = GROUPS.iter().map(|row| row.group).collect();
    assert_eq!(rows.len(), rows.iter().collect::<BTreeSet<_>>().len(), "a group has two rows");
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), groups);
}
