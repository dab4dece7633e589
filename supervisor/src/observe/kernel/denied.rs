//! What seccomp denied a container, by the kernel's log: record type 1326 of the audit system, where a filter asks for it.
//!
//! Without an audit daemon the kernel writes these to its own log, no more than ten at once; with one, they are in its
//! file. Deliberately absent: which of them matter.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use profiles::{Arch, Base, syscalls};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::records::{Record, What, record};
use super::{Read, Unread};

/// Most of an audit daemon's file that is read, from its end.
const MOST_AUDIT: u64 = 1024 * 1024;
/// Most records of the kernel's own log.
const MOST_RECORDS: usize = 100_000;
/// Where an audit daemon writes.
const AUDIT: &str = "/var/log/audit/audit.log";

/// A call that was denied, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// How often, as far as it was written down.
    pub times: u32,
    /// The program that made it last.
    pub program: String,
}

/// What of the calls that a base could grant was denied to a container since a time: those of its processes, and of
/// processes of its user that have ended.
pub(super) fn denied(container: &str, uid: u32, since: u64, arch: Arch) -> Read<BTreeMap<String, Denied>> {
    // A unit without a right to the kernel's log may have one to the daemon's file.
    let text = match (kernel_log(), audit_log()) {
        (Err(why), None) => return Err(why),
        (log, file) => log.unwrap_or_default() + &file.unwrap_or_default(),
    };
    let whose = |record: &Record| {
        std::fs::read_to_string(format!("/proc/{}/cgroup", record.pid))
            .map_or(record.uid == Some(uid), |cgroup| cgroup.contains(container))
    };
    Ok(tally(text.lines().filter_map(|line| record(line, arch)), since, whose))
}

fn tally(
    records: impl Iterator<Item = Record>,
    since: u64,
    whose: impl Fn(&Record) -> bool,
) -> BTreeMap<String, Denied> {
    let mut calls: BTreeMap<String, Denied> = BTreeMap::new();
    for record in records.filter(|record| record.id.0 >= since) {
        let Some(name) = grantable(&record).filter(|_| whose(&record)) else { continue };
        let call =
            calls.entry(name.to_owned()).or_insert_with(|| Denied { times: 0, program: String::new() });
        call.times += 1;
        call.program = record.program;
    }
    calls
}

/// A call that a base could grant: what a library tries and does without is no news.
fn grantable(record: &Record) -> Option<&'static str> {
    let What::Call { name, killed: false } = record.denied else { return None };
    syscalls::syscall(name).filter(|row| Base::Generic.grants(row)).map(|row| row.name)
}

/// The kernel's own log, from its oldest record on.
fn kernel_log() -> Read<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let unread = |error: std::io::Error| Unread(format!("the kernel's log: {error}"));
    let mut log = File::from(
        rustix::fs::open("/dev/kmsg", flags, Mode::empty()).map_err(|errno| unread(errno.into()))?,
    );
    let mut text = String::new();
    let mut record = [0_u8; 8192];
    for _ in 0..MOST_RECORDS {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(record.get(..length).unwrap_or_default())),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            // Records that were overwritten meanwhile: the next read is at the oldest that is left.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PIPE.raw_os_error()) => {}
            Err(error) => return Err(unread(error)),
        }
    }
    Ok(text)
}

/// The end of the audit daemon's file, if there is one.
fn audit_log() -> Option<String> {
    let mut file = File::open(AUDIT).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_AUDIT))).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST_AUDIT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const LOG: &str = "\
5,2,2584432188,-;audit: type=1326 audit(1795675740.230:2): auid=4294967295 uid=1000 gid=1000 ses=4294967295 pid=27667 comm=\"busybox\" exe=\"/bin/busybox\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x50000
5,3,2584432189,-;audit: type=1326 audit(1795675750.230:3): auid=4294967295 uid=1001 gid=1000 ses=4294967295 pid=27668 comm=\"busybox\" exe=\"/bin/busybox\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x50000
5,4,2584432190,-;audit: type=1326 audit(1795675750.230:4): auid=1 uid=1000 gid=1000 ses=1 pid=1 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=435 compat=0 ip=0x47b567 code=0x50000
5,5,2584432191,-;audit: type=1326 audit(1795675750.230:5): auid=1 uid=1000 gid=1000 ses=1 pid=1 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x7ffc0000
5,6,2584432192,-;audit: type=1400 audit(1795675750.230:6): apparmor=\"DENIED\" pid=1
type=SECCOMP msg=audit(1795675751.100:7): auid=1 uid=1000 gid=1000 ses=1 pid=9 comm=\"sh\" exe=\"/bin/sh\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x1 code=0x50000\u{1d}AUID=\"unset\"
type=SECCOMP msg=audit(1795675752.100:8): auid=1 uid=1000 gid=1000 ses=1 pid=9 comm=\"sh\" exe=\"/bin/sh\" sig=0 arch=c000003e syscall=258 compat=0 ip=0x1 code=0x50000
";

    #[test]
    fn denials_are_told_by_call_and_the_rest_of_the_log_is_not() {
        let records = || LOG.lines().filter_map(|line| record(line, Arch::X86_64));
        let told = |since| tally(records(), since, |record| record.uid == Some(1000));
        expect![[r#"{"mkdir": Denied { times: 2, program: "/bin/sh" }, "mkdirat": Denied { times: 1, program: "/bin/sh" }}"#]].assert_eq(&format!("{:?}", told(0)));
        expect![[r#"{"mkdirat": Denied { times: 1, program: "/bin/sh" }}"#]]
            .assert_eq(&format!("{:?}", told(1_795_675_752)));
    }
}
