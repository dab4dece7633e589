//! What the kernel denied to services: counted with a bound, and what to write where one of them belongs to the service.
//!
//! Deliberately absent: hearing of it, and granting; a line is for a person to write.

use std::collections::BTreeMap;

use jiff::Timestamp;
use profiles::groups::{Denied, Group};
use profiles::{Base, seccomp, syscalls};
use serde::{Deserialize, Serialize};

use super::diagnose;
use super::spec::ContainerSpec;

/// Rows of one service; what comes beyond is counted under [`OTHER`].
const MOST: usize = 100;
/// What is denied beyond `MOST` calls.
pub const OTHER: &str = "other";

/// What denied it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The filter of system calls.
    Seccomp,
    /// The profile of accesses.
    AppArmor,
}

impl By {
    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seccomp => "seccomp",
            Self::AppArmor => "apparmor",
        }
    }
}

/// Something that was denied to a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Denial {
    /// The service.
    pub service: String,
    /// What denied it.
    pub by: By,
    /// The system call, or AppArmor's word for the operation.
    pub what: String,
    /// What it was about, such as a path; empty for a system call.
    pub target: String,
}

/// A denial, how often it was seen, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What.
    #[serde(flatten)]
    pub denial: Denial,
    /// How often since this process started, as far as the kernel told.
    pub count: u64,
    /// The first time.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
    /// The program that it was denied to last.
    pub program: String,
    /// What to do, with the line to write where one grants it.
    pub remedy: String,
}

/// The counts so far.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<Denial, Row>);

impl Tally {
    /// Counts one; its row, if it is news.
    pub fn take(&mut self, denial: Denial, program: &str, remedy: String, at: Timestamp) -> Option<&Row> {
        let full = self.0.keys().filter(|known| known.service == denial.service).count() >= MOST;
        let (denial, remedy) = if full && !self.0.contains_key(&denial) {
            let other = Denial { what: OTHER.to_owned(), target: String::new(), ..denial };
            (other, "more than are told apart; look into the service".to_owned())
        } else {
            (denial, remedy)
        };
        let row = self.0.entry(denial.clone()).or_insert_with(|| Row {
            denial,
            count: 0,
            first_at: at,
            last_at: at,
            program: String::new(),
            remedy: String::new(),
        });
        row.count = row.count.saturating_add(1);
        row.last_at = at;
        program.clone_into(&mut row.program);
        row.remedy = remedy;
        (row.count == 1).then_some(row)
    }

    /// By service, and what denied it.
    pub fn rows(&self) -> Vec<Row> {
        self.0.values().cloned().collect()
    }
}

/// What to do about a call that seccomp denied; `None` where it is no news: what its callers
/// do without, and what the recorded profile leaves out by name.
pub fn call(spec: &ContainerSpec, name: &str, killed: bool) -> Option<String> {
    let intruder =
        "no service is granted it, and nothing but an intruder is expected to make it: look into the service";
    let Some(row) = syscalls::syscall(name) else {
        return killed.then(|| intruder.to_owned());
    };
    let profile: seccomp::Profile = serde_json::from_str(spec.confinement.seccomp()).ok()?;
    let why = row.why;
    if profile.allowed().contains(row.name) {
        return Some(format!(
            "{why}: it is granted, but not with these arguments, and no setting opens them"
        ));
    }
    if row.without.is_some() && (row.group != Group::Attributes || profile.leaves_out(row.name)) {
        return None;
    }
    if Base::Generic.grants(row) {
        return Some(format!(
            "{why}: if it belongs to the service, add `- {name}` to its recorded profile, or record again"
        ));
    }
    match row.group.denied() {
        _ if killed => Some(format!("{why}: {intruder}")),
        Denied::Refused => Some(format!("{why}: no service is granted it; look into the service")),
        Denied::Absent | Denied::Killed => None,
    }
}

/// What to do about an access that AppArmor denied.
pub fn access(spec: &ContainerSpec, operation: &str, target: &str) -> String {
    let kernels = ["/proc/", "/sys/", "/dev/"].iter().any(|folder| target.starts_with(folder));
    if !target.starts_with('/') || kernels {
        let service = &spec.service;
        return format!(
            "no service is granted it: `supervisor profile show {service}` prints its profile; look into the service"
        );
    }
    match operation {
        "exec" | "file_mmap" => diagnose::not_executed(spec, target),
        _ => diagnose::not_written(spec, target),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::testing::want_on;
    use super::*;

    fn spec() -> ContainerSpec {
        let text = "
services:
  web:
    image: i:1
    user: '1000:1000'
    volumes: ['data:/data']
    x-supervisor: {runtime: go}
volumes: {data: {}}
";
        want_on(text, 6).services["web"].containers[0].clone()
    }

    #[track_caller]
    fn check_call(name: &str, killed: bool, expect: Expect) {
        expect.assert_eq(&call(&spec(), name, killed).unwrap_or_else(|| "-".to_owned()));
    }

    #[test]
    fn a_call_is_told_with_the_line_that_grants_it_or_that_nothing_does() {
        check_call(
            "symlink",
            false,
            expect![
                "symlinkat's old spelling: if it belongs to the service, add `- symlink` to its recorded profile, or record again"
            ],
        );
        check_call(
            "clone",
            false,
            expect![
                "start a thread or a process; new namespaces are filtered out: it is granted, but not with these arguments, and no setting opens them"
            ],
        );
        check_call(
            "ptrace",
            false,
            expect!["take over another process: no service is granted it; look into the service"],
        );
        check_call(
            "kexec_load",
            true,
            expect![
                "replace the kernel: no service is granted it, and nothing but an intruder is expected to make it: look into the service"
            ],
        );
        check_call(
            "32-bit call",
            true,
            expect![
                "no service is granted it, and nothing but an intruder is expected to make it: look into the service"
            ],
        );
        check_call("clone3", false, expect!["-"]);
        check_call("copy_file_range", false, expect!["-"]);
        check_call(
            "getxattr",
            false,
            expect![
                "extended attribute, as `ls -l` shows: if it belongs to the service, add `- getxattr` to its recorded profile, or record again"
            ],
        );
    }

    #[test]
    fn a_call_that_was_left_out_by_name_is_no_news_and_one_that_was_not_is() {
        let text = "services: {web: {image: i, x-supervisor: {seccomp: ./profiles/recorded.yaml}}}";
        let spec = want_on(text, 6).services["web"].containers[0].clone();
        for (name, news) in [("getxattr", false), ("rseq", false), ("setxattr", true), ("sendfile", true)] {
            assert_eq!(call(&spec, name, false).is_some(), news, "{name}");
        }
    }

    #[track_caller]
    fn check_access(operation: &str, target: &str, expect: Expect) {
        expect.assert_eq(&access(&spec(), operation, target));
    }

    #[test]
    fn an_access_is_told_with_the_line_that_opens_it_or_that_nothing_does() {
        check_access(
            "exec",
            "/data/tool",
            expect![
                "`/data/tool` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write `x-supervisor: {exec_from: [/data]}` if what is written there is to be trusted like the image"
            ],
        );
        check_access(
            "open",
            "/srv/x",
            expect![
                "it could not write to `/srv/x`, since its root is read-only; write `tmpfs: [/srv]` for what may be lost, or `volumes: [NAME:/srv]` for what is to stay; a tmpfs hides what the image has there"
            ],
        );
        check_access(
            "open",
            "/proc/kcore",
            expect![
                "no service is granted it: `supervisor profile show web` prints its profile; look into the service"
            ],
        );
        check_access(
            "create",
            "alg",
            expect![
                "no service is granted it: `supervisor profile show web` prints its profile; look into the service"
            ],
        );
    }

    #[test]
    fn each_is_news_once_and_a_service_that_makes_up_paths_crowds_nobody_out() {
        let mut tally = Tally::default();
        let mut take = |service: &str, target: &str| {
            let denial = Denial {
                service: service.to_owned(),
                by: By::AppArmor,
                what: "open".to_owned(),
                target: target.to_owned(),
            };
            tally.take(denial, "sh", String::new(), Timestamp::UNIX_EPOCH).is_some()
        };
        assert!(take("web", "/0"));
        assert!(!take("web", "/0"));
        let news = (1..1000).filter(|n| take("web", &format!("/{n}"))).count();
        // All but the first, up to the bound, and one for all others.
        assert_eq!(news, MOST);
        assert!(take("db", "/0"));
        let rows = tally.rows();
        let other: u64 = rows.iter().filter(|row| row.denial.what == OTHER).map(|row| row.count).sum();
        assert_eq!((rows.len(), other), (MOST + 2, 1000 - MOST as u64));
    }
}
