//! Records of the kernel's audit system about what it denied: seccomp's (type 1326) and AppArmor's (type 1400).
//!
//! Pure. The same text is in the kernel's log, in an audit daemon's file and in what listeners of the audit system are
//! sent. Whatever a program can choose (its name, a path) is in quotes without a space in it, or in hexadecimal; it cannot
//! add a field. Deliberately absent: whose process it was, and what matters.

use profiles::{Arch, numbers};

/// Something that was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Seconds since 1970, and the record's number: together, no other has them.
    pub id: (u64, u64),
    /// The process.
    pub pid: u32,
    /// Its user, outside of any user namespace; AppArmor's records have none.
    pub uid: Option<u32>,
    /// The program: its path, or for AppArmor its name.
    pub program: String,
    /// What it was.
    pub denied: What,
}

/// What was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A system call, by seccomp.
    Call {
        /// Its name; [`FOREIGN`] by way of an entry that is closed.
        name: &'static str,
        /// It ended the process or thread.
        killed: bool,
    },
    /// An access, by AppArmor.
    Access {
        /// The profile that denied it.
        profile: String,
        /// Such as `open`, `exec`, `capable`.
        operation: String,
        /// A path, a capability, a family of sockets, a signal or another profile.
        target: String,
    },
}

/// The name of every call that does not come by way of the native entry.
pub const FOREIGN: &str = "32-bit call";

/// `SECCOMP_RET_ERRNO` with any number.
const ERRNO: u32 = 0x5_0000;
/// `SECCOMP_RET_KILL_PROCESS`, and `SECCOMP_RET_KILL_THREAD`, which is 0.
const KILLED: [u32; 2] = [0x8000_0000, 0];

/// Reads one line; `None` for all that is no denial.
pub fn record(line: &str, arch: Arch) -> Option<Record> {
    let is = |kinds: [&str; 2]| kinds.iter().any(|kind| line.contains(kind));
    if is(["type=1326 ", "type=SECCOMP "]) {
        return call(line, arch);
    }
    if is(["type=1400 ", "type=AVC "]) && field(line, "apparmor")? == "DENIED" {
        return access(line);
    }
    None
}

fn call(line: &str, arch: Arch) -> Option<Record> {
    let hex = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let code = hex(&field(line, "code")?)?;
    let killed = KILLED.contains(&code);
    if !killed && code & 0xffff_0000 != ERRNO {
        return None;
    }
    let native = hex(&field(line, "arch")?)? == numbers::audit_arch(arch);
    let name = if native { numbers::name(arch, field(line, "syscall")?.parse().ok()?)? } else { FOREIGN };
    Some(Record {
        id: id(line)?,
        pid: field(line, "pid")?.parse().ok()?,
        uid: Some(field(line, "uid")?.parse().ok()?),
        program: field(line, "exe").unwrap_or_default(),
        denied: What::Call { name, killed },
    })
}

fn access(line: &str) -> Option<Record> {
    let target = ["name", "capname", "family", "signal", "peer"].iter().find_map(|key| field(line, key));
    Some(Record {
        id: id(line)?,
        pid: field(line, "pid")?.parse().ok()?,
        uid: None,
        program: field(line, "comm").unwrap_or_default(),
        denied: What::Access {
            profile: field(line, "profile")?,
            operation: field(line, "operation")?,
            target: target.unwrap_or_default(),
        },
    })
}

/// `audit(SECONDS.MILLISECONDS:NUMBER)`.
fn id(line: &str) -> Option<(u64, u64)> {
    let (at, number) = line.split_once("audit(")?.1.split_once(')')?.0.split_once(':')?;
    Some((at.split('.').next()?.parse().ok()?, number.parse().ok()?))
}

/// The first field of a name. A value without quotes that the kernel has written in hexadecimal is read as text.
fn field(line: &str, key: &str) -> Option<String> {
    let words = line.split([' ', '\u{1d}', '\n']);
    let value = words.filter_map(|word| word.split_once('=')).find(|(name, _)| *name == key)?.1;
    if let Some(value) = value.strip_prefix('"') {
        return Some(value.trim_end_matches('"').to_owned());
    }
    let text = matches!(key, "exe" | "comm" | "name" | "profile" | "peer");
    Some(text.then(|| unhex(value)).flatten().unwrap_or_else(|| value.to_owned()))
}

fn unhex(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()
        })
        .collect();
    bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(lines: &str, arch: Arch, expect: &Expect) {
        let mut text = String::new();
        for record in lines.lines().filter_map(|line| record(line, arch)) {
            let Record { id, pid, uid, program, denied } = record;
            writeln!(text, "{}:{} {pid} {uid:?} {program} {denied:?}", id.0, id.1).unwrap();
        }
        expect.assert_eq(&text);
    }

    /// As the kernel's log, an audit daemon's file and the audit system itself have them.
    const SECCOMP: &str = "\
5,2,2584432188,-;audit: type=1326 audit(1795675740.230:2): auid=4294967295 uid=1000 gid=1000 ses=4294967295 pid=27667 comm=\"busybox\" exe=\"/bin/busybox\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x50000
5,4,2584432190,-;audit: type=1326 audit(1795675750.230:4): auid=1 uid=1000 gid=1000 ses=1 pid=1 comm=\"x\" exe=2F6120622F63 sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x5001
5,4,2584432190,-;audit: type=1326 audit(1795675750.230:5): auid=1 uid=1000 gid=1000 ses=1 pid=1 comm=\"x\" exe=2F6120622F63 sig=0 arch=c000003e syscall=435 compat=0 ip=0x47b567 code=0x50000
5,5,2584432191,-;audit: type=1326 audit(1795675750.230:6): auid=1 uid=1000 gid=1000 ses=1 pid=1 comm=\"x\" exe=\"/x\" sig=0 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x7ffc0000
type=SECCOMP msg=audit(1795675751.100:7): auid=1 uid=1000 gid=1000 ses=1 pid=9 comm=\"sh\" exe=\"/bin/sh\" sig=31 arch=c000003e syscall=246 compat=0 ip=0x1 code=0x80000000\u{1d}AUID=\"unset\"
type=1326 audit(1795675752.100:8): auid=1 uid=0 gid=0 ses=1 pid=9 comm=\"a\" exe=\"/a\" sig=31 arch=40000003 syscall=20 compat=1 ip=0x1 code=0x0
";

    #[test]
    fn denied_calls_are_read_wherever_they_are_written_down_and_nothing_else_is() {
        check(
            SECCOMP,
            Arch::X86_64,
            &expect![[r#"
                1795675740:2 27667 Some(1000) /bin/busybox Call { name: "mkdir", killed: false }
                1795675750:5 1 Some(1000) /a b/c Call { name: "clone3", killed: false }
                1795675751:7 9 Some(1000) /bin/sh Call { name: "kexec_load", killed: true }
                1795675752:8 9 Some(0) /a Call { name: "32-bit call", killed: true }
            "#]],
        );
    }

    #[test]
    fn what_apparmor_denied_is_read_with_what_it_was_about() {
        check(
            "\
[  12.5] audit: type=1400 audit(1795675750.230:6): apparmor=\"DENIED\" operation=\"exec\" class=\"file\" profile=\"supervisor-shop.web-0a1b2c\" name=\"/data/tool\" pid=812 comm=\"sh\" requested_mask=\"x\" denied_mask=\"x\" fsuid=1000 ouid=1000
[  12.5] audit: type=1400 audit(1795675750.231:7): apparmor=\"DENIED\" operation=\"open\" class=\"file\" profile=\"supervisor-shop.web-0a1b2c\" name=2F64617461206E616D65 pid=812 comm=\"sh\" requested_mask=\"r\" denied_mask=\"r\" fsuid=1000 ouid=1000
[  12.5] audit: type=1400 audit(1795675750.232:8): apparmor=\"DENIED\" operation=\"create\" class=\"net\" profile=\"supervisor-shop.web-0a1b2c\" pid=812 comm=\"sh\" family=\"alg\" sock_type=\"seqpacket\" protocol=0 requested_mask=\"create\" denied_mask=\"create\"
[  12.5] audit: type=1400 audit(1795675750.233:9): apparmor=\"STATUS\" operation=\"profile_load\" profile=\"unconfined\" name=\"x\" pid=1 comm=\"apparmor_parser\"
[  12.5] audit: type=1400 audit(1795675750.234:10): avc:  denied  { read } for  pid=1
",
            Arch::X86_64,
            &expect![[r#"
                1795675750:6 812 None sh Access { profile: "supervisor-shop.web-0a1b2c", operation: "exec", target: "/data/tool" }
                1795675750:7 812 None sh Access { profile: "supervisor-shop.web-0a1b2c", operation: "open", target: "/data name" }
                1795675750:8 812 None sh Access { profile: "supervisor-shop.web-0a1b2c", operation: "create", target: "alg" }
            "#]],
        );
    }

    #[test]
    fn another_architectures_calls_are_foreign() {
        assert!(SECCOMP.lines().filter_map(|line| record(line, Arch::Aarch64)).all(
            |record| record.denied == What::Call { name: FOREIGN, killed: matches!(record.id.1, 7 | 8) }
        ));
    }
}
