//! `profile diff`: what a service's recorded profile makes of its base.
//!
//! Deliberately absent: judging the file, which reading the stack has done; it needs no engine and no root.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use profiles::recorded::{self, Difference};
use profiles::{Base, Kernel};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::{host, input};

pub(super) fn run(global: &GlobalArgs, service: &str) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let options =
        &stack.project().services.get(service).ok_or_else(|| super::unknown(&stack, service))?.supervisor;
    let base = Base::of(options.runtime.as_ref().map(|runtime| runtime.value));
    let kernel = host::kernel::read();
    let Some(recorded) = &options.seccomp else {
        return Err(Failure::new(Exit::Failed, format!("service `{service}` has no recorded profile"))
            .help(format!("`supervisor profile record {service}` makes one")));
    };
    let calls = recorded::granted(&recorded.value, kernel.arch);
    let mut out = std::io::stdout().lock();
    out.write_all(text(base, &calls, kernel).as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The difference for people: counts, what is used, and by group what falls away.
pub(super) fn text(base: Base, calls: &BTreeSet<&str>, kernel: Kernel) -> String {
    let Difference { kept, used, gone } = recorded::difference(base, calls, &kernel);
    let fallen: usize = gone.values().map(Vec::len).sum();
    let (major, minor) = kernel.version;
    let (whole, granted) = (kept.len() + used.len() + fallen, kept.len() + used.len());
    let mut text = String::new();
    let _ = writeln!(text, "base `{}`: {whole} calls of Linux {major}.{minor}", base.name());
    let _ = writeln!(
        text,
        "recorded: {granted}, of which every container keeps {} and the service uses {}",
        kept.len(),
        used.len()
    );
    let _ = writeln!(text, "used: {}", words(used.iter().copied()));
    let _ = writeln!(text, "falls away: {fallen}");
    for (group, names) in gone {
        let _ = writeln!(text, "  {group}: {}", words(names.into_iter()));
    }
    text
}

fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use profiles::Arch;

    use super::*;

    #[test]
    fn what_is_used_and_what_falls_away_is_said_by_group() {
        let calls = BTreeSet::from(["accept4", "bind", "listen", "socket"]);
        let kernel = Kernel { arch: Arch::Aarch64, version: (6, 12), apparmor: false, landlock: 0 };
        expect![[r#"
            base `go`: 116 calls of Linux 6.12
            recorded: 60, of which every container keeps 56 and the service uses 4
            used: accept4 bind listen socket
            falls away: 56
              change: fchmod fchmodat fchownat fdatasync flock fsync ftruncate linkat mkdirat renameat renameat2 symlinkat unlinkat utimensat
              copy: sendfile splice
              descriptors: close_range dup dup3 lseek pipe2 pwrite64 readv writev
              identity: getegid geteuid getgid getuid
              look: chdir faccessat faccessat2 getcwd statfs
              net: connect getpeername getsockname getsockopt recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown socketpair
              pidfd: pidfd_open pidfd_send_signal
              process: rseq waitid
              signals: rt_sigsuspend
              system: sysinfo uname
              time: clock_nanosleep
              watch: inotify_add_watch inotify_init1 inotify_rm_watch
        "#]].assert_eq(&text(Base::Go, &calls, kernel));
    }
}
