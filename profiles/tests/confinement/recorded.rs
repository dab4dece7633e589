//! What a recorded profile does to the promise, and what is said of one that was edited by hand.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use compose::host::MemoryHost;
use compose::model::Date;
use compose::{Admitted, Policy, Report, Request, Severity, Source};
use expect_test::{Expect, expect};
use profiles::recorded::{self, Attributes};
use profiles::seccomp::Profile;
use profiles::{Arch, Base, Kernel, floor, seccomp};

use crate::KERNEL;

/// A service of a runtime, and its recorded profile.
fn judge(service: &str, recorded: &str) -> (Option<Admitted>, Report) {
    let mut host = MemoryHost::default();
    host.files.insert("/srv/stack/profiles/web.yaml".into(), recorded.into());
    let text = format!("services: {{web: {{image: a, {service}}}}}");
    let request = Request {
        files: vec![Source::new("compose.yaml", text)],
        directory: "/srv/stack".into(),
        project_name: Some("shop".to_owned()),
        environment: compose::Environment::default(),
    };
    let today = Date { year: 2026, month: 11, day: 22 };
    let policy =
        Policy { today, strict: false, calls: profiles::recorded::call, notes: compose::Notes::Told };
    compose::admit(compose::load(request, &host), &policy, &host)
}

const NODE: &str = "x-supervisor: {runtime: node, seccomp: ./profiles/web.yaml}";

/// The errors and warnings in the recorded profile, with their places.
#[track_caller]
fn check_findings(service: &str, recorded: &str, expected: &Expect) {
    let (admitted, report) = judge(service, recorded);
    let mut text = format!("{}\n", if admitted.is_some() { "admitted" } else { "refused" });
    for finding in report.findings.iter().filter(|finding| finding.severity != Severity::Note) {
        let Some(span) = finding.span else { continue };
        let source = report.sources.get(span.source).unwrap();
        let place = source.position(span.start);
        if source.name() != "compose.yaml" || finding.rule.starts_with("SV0") {
            writeln!(
                text,
                "{} {}:{}: {} {}",
                source.name(),
                place.line,
                place.column,
                finding.rule,
                finding.message
            )
            .unwrap();
        }
    }
    expected.assert_eq(&text);
}

/// What a recorded profile comes to.
#[track_caller]
fn promised(service: &str, recorded: &str, kernel: Kernel) -> Profile {
    let (admitted, report) = judge(service, recorded);
    let admitted = admitted.unwrap_or_else(|| panic!("refused: {:#?}", report.findings));
    serde_json::from_str(profiles::confine(&admitted, "web", &kernel).unwrap().seccomp()).unwrap()
}

#[test]
fn what_was_recorded_and_what_a_container_needs_to_start_is_granted() {
    let profile = promised(NODE, "base: node\nsyscalls: [mkdir, chmod, read]\n", KERNEL);
    let recorded = BTreeSet::from(["mkdir", "mkdirat", "chmod", "fchmodat"]);
    let beside: Vec<_> =
        profile.allowed().into_iter().filter(|name| !floor::keeps(name, KERNEL.arch)).collect();
    assert_eq!(beside, recorded.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    for (kept, _) in floor::FLOOR.iter().filter(|(name, _)| floor::keeps(name, KERNEL.arch)) {
        assert!(profile.allowed().contains(kept), "{kept} is needed to start");
    }
}

#[test]
fn where_it_was_recorded_no_other_spelling_is_granted() {
    let recorded =
        "base: node\nrecordings: [{arch: x86_64, when: 2026-11-26}]\nsyscalls: [mkdir, unlinkat]\n";
    let beside = |arch| {
        let profile = promised(NODE, recorded, Kernel { arch, ..KERNEL });
        let names = profile.allowed().into_iter().filter(|name| !floor::keeps(name, arch));
        names.collect::<Vec<_>>().join(" ")
    };
    expect!["mkdir unlinkat"].assert_eq(&beside(Arch::X86_64));
    expect!["mkdirat unlinkat"].assert_eq(&beside(Arch::Aarch64));
}

#[test]
fn a_recorded_profile_is_never_wider_than_its_base() {
    for base in Base::ALL {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let kernel = Kernel { arch, ..KERNEL };
            let everything: BTreeSet<&str> =
                profiles::syscalls::SYSCALLS.iter().map(|row| row.name).collect();
            let narrowed = seccomp::narrowed(base, &everything, &BTreeSet::new(), &kernel);
            let whole = seccomp::profile(base, &BTreeSet::new(), &kernel);
            // They are too long to be printed.
            assert!(narrowed.without_flags() == whole, "{} on {arch:?}", base.name());
        }
    }
}

#[test]
fn what_every_container_keeps_is_in_every_base() {
    for (name, who) in floor::FLOOR {
        let row =
            profiles::syscalls::syscall(name).unwrap_or_else(|| panic!("{name}, for {who}, is no call"));
        assert!(Base::ALL.iter().all(|base| base.grants(row)), "{name}, for {who}, is not in every base");
    }
}

#[test]
fn a_line_that_is_beyond_the_base_or_misspelled_refuses_the_stack_at_its_place() {
    check_findings(
        "x-supervisor: {runtime: go, seccomp: ./profiles/web.yaml}",
        "base: go\nsyscalls:\n  - read\n  - accpet4\n  - ptrace\n  - mkdir\n  - semget\n  - clone3\n",
        &expect![[r#"
            refused
            ./profiles/web.yaml 4:5: SV136 Linux has no system call `accpet4`; did you mean `accept4`?
            ./profiles/web.yaml 5:5: SV137 `ptrace` is beyond the base `go`: a service has no business in another process; no base grants it
            ./profiles/web.yaml 6:5: SV137 `mkdir` is beyond the base `go`: mkdirat's old spelling; the base `node` or `generic` grants it
            ./profiles/web.yaml 7:5: SV137 `semget` is beyond the base `go`: System V semaphores; the base `generic` grants it
            ./profiles/web.yaml 8:5: SV137 `clone3` is beyond the base `go`: would open what the filter on `clone` closes; no base grants it
        "#]],
    );
}

#[test]
fn another_base_is_told_and_the_names_are_judged_by_the_services_own() {
    check_findings(
        NODE,
        "base: generic\nsyscalls: [read, semget]\n",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:7: SV137 recorded within the base `generic`, and the service's is `node`
        ./profiles/web.yaml 2:18: SV137 `semget` is beyond the base `node`: System V semaphores; the base `generic` grants it
    "#]],
    );
}

#[test]
fn what_is_no_recorded_profile_cannot_be_read() {
    check_findings(
        NODE,
        "base: node\nsyscall: [read]\n",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:1: SV016 the recorded profile has no `syscalls`
        ./profiles/web.yaml 2:1: SV013 unknown key `syscall` in `the recorded profile`
    "#]],
    );
    check_findings(
        NODE,
        "base: rust\nsyscalls: [read]\n",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:7: SV015 `base` is `rust`, not `generic`, `node` or `go`
    "#]],
    );
    check_findings(
        NODE,
        "defaultAction: SCMP_ACT_ALLOW\nbase: node\nsyscalls: []\n",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:1: SV013 unknown key `defaultAction` in `the recorded profile`
    "#]],
    );
    check_findings(
        NODE,
        "[read, write]",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:1: SV014 `the recorded profile` must be a mapping, not a list
    "#]],
    );
    check_findings(
        NODE,
        "",
        &expect![[r#"
        refused
        ./profiles/web.yaml 1:1: SV014 `the recorded profile` must be a mapping, not empty
    "#]],
    );
    check_findings(
        "x-supervisor: {seccomp: ./profiles/gone.yaml}",
        "",
        &expect![[r#"
        refused
        compose.yaml 1:52: SV001 `/srv/stack/profiles/gone.yaml` does not exist
    "#]],
    );
    check_findings(
        "x-supervisor: {seccomp: 'https://example.com/a.yaml'}",
        "",
        &expect![[r#"
        refused
        compose.yaml 1:52: SV025 `https://example.com/a.yaml` is not a file of this machine
    "#]],
    );
}

#[test]
fn every_old_spelling_has_a_modern_one_that_is_everywhere() {
    let mut pairs = 0;
    for row in profiles::syscalls::SYSCALLS {
        let Some(modern) = row.modern() else { continue };
        let modern =
            profiles::syscalls::syscall(modern).unwrap_or_else(|| panic!("{}: {}", row.name, row.why));
        assert!(row.x86_64_only && !modern.x86_64_only, "{} and {}", row.name, modern.name);
        pairs += 1;
    }
    assert!(pairs > 30, "{pairs}");
}

/// A rule with what is heard of as what is granted.
fn silent(profile: &Profile) -> BTreeSet<String> {
    let rules = profile.syscalls.iter().flat_map(|rule| {
        let action = match rule.action {
            seccomp::Action::Notify => seccomp::Action::Allow,
            other => other,
        };
        rule.names.iter().map(move |name| format!("{name} {action:?} {:?} {:?}", rule.errno_ret, rule.args))
    });
    rules.collect()
}

#[test]
fn what_is_recorded_is_within_the_base_and_what_is_kept_is_not_asked_about() {
    for base in Base::ALL {
        let whole = seccomp::profile(base, &BTreeSet::new(), &KERNEL);
        let heard =
            seccomp::heard(base, &BTreeSet::from(["mkdir"]), &BTreeSet::new(), &KERNEL, "/run/l.sock");
        assert_eq!(silent(&heard), silent(&whole), "{}", base.name());
        let asked: Vec<&seccomp::Rule> =
            heard.syscalls.iter().filter(|rule| rule.action == seccomp::Action::Notify).collect();
        let asked = |name: &str| asked.iter().any(|rule| rule.names.iter().any(|asked| asked == name));
        assert!(asked("mkdirat") && asked("socket") && !asked("mkdir") && !asked("write"), "{}", base.name());
        assert!(floor::FLOOR.iter().all(|(kept, _)| !asked(kept) || !floor::keeps(kept, KERNEL.arch)));
    }
}

#[test]
fn a_runtime_that_knows_no_flags_gets_the_same_filter() {
    let (admitted, _) = judge(NODE, "base: node\nsyscalls: [mkdir]\n");
    let promise = profiles::confine(&admitted.unwrap(), "web", &KERNEL).unwrap();
    let whole: Profile = serde_json::from_str(promise.seccomp()).unwrap();
    let without: Profile = serde_json::from_str(&promise.seccomp_without_flags()).unwrap();
    assert_eq!((whole.flags.len(), without.flags.len()), (1, 0));
    assert_eq!(whole.without_flags(), without);
}

#[test]
fn a_profile_that_is_written_is_read_back_as_it_was() {
    let recording = compose::model::Recording {
        when: Some("2026-11-26".to_owned()),
        arch: Some("x86_64".to_owned()),
        kernel: Some("6.18.1: \"odd\" #".to_owned()),
        ..compose::model::Recording::default()
    };
    let calls = BTreeSet::from(["mkdir", "unlinkat", "read", "fadvise64"]);
    let left_out = BTreeSet::from(["copy_file_range", "fadvise64", "getxattr"]);
    let text = recorded::text("web", Base::Node, &[recording.clone(), recording.clone()], &calls, &left_out);
    expect![[r##"
        # The system calls that service `web` was seen to use, besides those that every container keeps. Each line is
        # granted; what is not here is not, though the base grants it. `supervisor profile diff web` compares.
        base: node
        recordings:
          - {when: "2026-11-26", arch: "x86_64", kernel: "6.18.1: \"odd\" #"}
          - {when: "2026-11-26", arch: "x86_64", kernel: "6.18.1: \"odd\" #"}
        # Heard, and left out: while it was recorded, its callers were told that there is no such call, and went on as is said
        # beside it. To grant one, move its line to `syscalls`.
        left_out:
          - copy_file_range # copy in the kernel; without: cp, Go and Rust read and write instead, libuv calls `sendfile`
          - getxattr # extended attribute, as `ls -l` shows; without: goes on as on a file system without attributes: they are not shown, copied or set
        syscalls:
          - unlinkat # remove
          - mkdir # mkdirat's old spelling
          - fadvise64 # how a file will be read
    "##]].assert_eq(&text);
    let (admitted, report) = judge(NODE, &text);
    let admitted = admitted.unwrap_or_else(|| panic!("refused: {:#?}", report.findings));
    let read = admitted.project().services["web"].supervisor.seccomp.clone().unwrap().value;
    assert_eq!(read.recordings, [recording.clone(), recording]);
    assert_eq!(
        read.calls.iter().map(|call| call.value.as_str()).collect::<Vec<_>>(),
        ["unlinkat", "mkdir", "fadvise64"]
    );
    assert_eq!(
        read.left_out.iter().map(|call| call.value.as_str()).collect::<Vec<_>>(),
        ["copy_file_range", "getxattr"]
    );
}

#[test]
fn what_was_left_out_is_answered_as_its_callers_know_it_and_a_line_grants_it() {
    let profile = promised(
        NODE,
        "base: node\nleft_out: [copy_file_range, getxattr, mkdir, listxattr]\nsyscalls: [listxattr]\n",
        KERNEL,
    );
    for name in ["copy_file_range", "getxattr", "mkdir"] {
        assert!(!profile.allowed().contains(name), "{name}");
    }
    assert!(profile.allowed().contains("listxattr"));
    // ENOSYS is what the filter says of everything that it does not name.
    let named: Vec<_> = profile.syscalls.iter().filter(|rule| rule.errno_ret == Some(95)).collect();
    assert!(matches!(named[..], [rule] if rule.names == ["getxattr"]), "{named:?}");
    assert!(profile.leaves_out("getxattr") && !profile.leaves_out("listxattr"));
}

#[test]
fn a_recording_answers_what_callers_do_without_and_attributes_where_it_is_told_to() {
    let always = recorded::answers(Attributes::Granted);
    expect!["close_range 38, copy_file_range 38, fadvise64 38, rseq 38"].assert_eq(
        &always.iter().map(|(name, errno)| format!("{name} {errno}")).collect::<Vec<_>>().join(", "),
    );
    let all = recorded::answers(Attributes::LeftOut);
    let attributes: Vec<_> = all.iter().filter(|(name, _)| !always.contains_key(*name)).collect();
    assert!(
        attributes.len() == 12
            && attributes.iter().all(|&(name, errno)| name.contains("xattr") && *errno == 95)
    );
    assert_eq!(recorded::attributes(&BTreeSet::from(["rseq"])), Attributes::Granted);
    assert_eq!(recorded::attributes(&BTreeSet::from(["rseq", "getxattr"])), Attributes::LeftOut);
}

#[test]
fn a_difference_says_what_is_used_and_what_falls_away() {
    let difference = recorded::difference(Base::Go, &BTreeSet::from(["bind", "ptrace"]), &KERNEL);
    assert_eq!(difference.used, BTreeSet::from(["bind"]));
    assert_eq!(difference.gone["pidfd"], ["pidfd_open", "pidfd_send_signal"]);
    let gone: usize = difference.gone.values().map(Vec::len).sum();
    let whole = seccomp::profile(Base::Go, &BTreeSet::new(), &KERNEL).allowed().len();
    assert_eq!(difference.kept.len() + difference.used.len() + gone, whole);
}
