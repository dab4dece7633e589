//! The AppArmor profile as text, and as AppArmor's own parser reads it (package `apparmor`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use std::collections::BTreeMap;

use compose::rules;
use expect_test::{expect, expect_file};
use profiles::apparmor::{Access, is_just, refused};
use profiles::{AppArmor, Confinement};
use proptest::prelude::*;

use crate::{KERNEL, judged, web};

/// A service with one of everything that makes a rule.
const FULL: &str = "services:
  web:
    image: a
    user: '1000:1000'
    cap_add: [NET_BIND_SERVICE]
    tmpfs: ['/tmp:size=8m']
    volumes: ['db:/var/lib/db', './data:/data', './data:/pages:ro']
    secrets: [key]
volumes: {db: {}}
secrets: {key: {file: ./key}}
";

#[track_caller]
fn profile(file: &str) -> (String, String) {
    match web(file, KERNEL).apparmor() {
        AppArmor::Profile { name, text } => (name.clone(), text.clone()),
        AppArmor::Absent => panic!("no profile for a kernel with AppArmor"),
    }
}

/// What the parser says of a profile, without a kernel.
fn parser(text: &str) -> Result<(), String> {
    let mut parser = Command::new("apparmor_parser")
        .args(["--skip-kernel-load", "--skip-cache", "--kernel-features", "/etc/apparmor.d/abi/3.0"])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`apparmor_parser` of the package `apparmor` is needed for this test");
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_profile_is_as_kept_and_parses() {
    let (_, text) = profile(FULL);
    expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/apparmor.txt")].assert_eq(&text);
    parser(&text).unwrap();
}

#[test]
fn a_path_stays_a_path_whatever_is_in_it() {
    let paths = [
        "/a b",
        "/a\"b",
        "/a,b",
        "/{a}",
        "/[a]",
        "/a*?",
        "/@{PROC}",
        "/a^b",
        "/#include <x>",
        "/ä",
        "/a\\\\b",
    ];
    for path in paths {
        let file = format!(
            "services: {{web: {{image: a, volumes: [{{type: volume, source: v, target: '{path}'}}]}}}}\nvolumes: {{v: {{}}}}"
        );
        let (_, text) = profile(&file);
        parser(&text).unwrap_or_else(|said| panic!("{path}: {said}\n{text}"));
        let lines = |text: &str| text.lines().count();
        let plain = profile(
            "services: {web: {image: a, volumes: [{type: volume, source: v, target: /a}]}}\nvolumes: {v: {}}",
        )
        .1;
        assert_eq!(lines(&text), lines(&plain), "{path} made another rule");
    }
}

#[test]
fn the_name_changes_with_the_text_and_with_nothing_else() {
    let (name, _) = profile(FULL);
    assert_eq!(profile(FULL).0, name);
    let (other, text) = profile(&FULL.replace("/tmp:size=8m", "/run:size=8m"));
    assert_ne!(other, name);
    assert!(text.contains(&format!("profile \"{other}\"")), "{text}");
    assert!(other.starts_with("supervisor-shop.web-"), "{other}");
}

#[test]
fn a_writable_root_keeps_what_is_written_there_runnable_but_not_what_is_mounted() {
    let file = "x-supervisor: {exempt: [{rule: SV150, service: web, reason: writes its own code, until: 2027-01-31}]}
services: {web: {image: a, read_only: false, tmpfs: ['/tmp:size=8m']}}";
    let (_, text) = profile(file);
    parser(&text).unwrap();
    assert!(text.contains("\"/{,**}\" rwklmix,"), "{text}");
    assert!(text.contains("deny \"/tmp{,/,/**}\" mx,"), "{text}");
}

#[test]
fn a_path_is_opened_for_execution_by_name() {
    let opened = |paths: &str| {
        profile(&format!(
            "services:
  web:
    image: a
    volumes: ['data:/data', 'more:/data/lib/more', 'other:/other']
    tmpfs: ['/data/lib/tmp:size=8m']
    x-supervisor: {{exec_from: [{paths}]}}
volumes: {{data: {{}}, more: {{}}, other: {{}}}}"
        ))
        .1
    };
    let text = opened("/data/lib, /data/lib/node-1.2_3+x, /data/bin");
    parser(&text).unwrap();
    let closed: Vec<&str> = text.lines().map(str::trim).filter(|line| line.ends_with(" mx,")).collect();
    expect![[r#"
        [
            "deny \"/dev/{,**}\" mx,",
            "deny \"/data{,/,/[^bl]**,/b,/b[^i]**,/bi,/bi[^n]**,/bin[^/]**,/l,/l[^i]**,/li,/li[^b]**,/lib[^/]**}\" mx,",
            "deny \"/other{,/,/**}\" mx,",
            "deny \"/data/lib/tmp{,/,/**}\" mx,",
            "deny \"/tmp{,/,/**}\" mx,",
        ]
    "#]].assert_debug_eq(&closed);
    let whole = opened("/data");
    parser(&whole).unwrap();
    assert!(!whole.contains("deny \"/data{"), "{whole}");
}

/// Every profile of a file, by name.
fn profiles_of(stack: &compose::Admitted) -> BTreeMap<String, String> {
    let services = stack.project().services.keys();
    let confinements = services.filter_map(|service| profiles::confine(stack, service, &KERNEL));
    let profile = |confinement: Confinement| match confinement.apparmor() {
        AppArmor::Profile { name, text } => (name.clone(), text.clone()),
        AppArmor::Absent => panic!("no profile for a kernel with AppArmor"),
    };
    confinements.map(profile).collect()
}

#[test]
fn every_profile_of_the_good_examples_and_of_the_shipped_stack_parses() {
    let variables: Vec<(&str, &str)> = include_str!("../../../supervisor/src/stack/env.example")
        .lines()
        .filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='))
        .collect();
    let shipped = judged(include_str!("../../../supervisor/src/stack/compose.yaml"), &variables).unwrap();
    let mut all = profiles_of(&shipped);
    assert_eq!(all.len(), 2);
    let examples: Vec<_> =
        rules::all().filter_map(|rule| judged(rule.good, &[("TOKEN", "t")]).ok()).collect();
    assert!(examples.len() > 80, "only {} of the examples are admitted here", examples.len());
    all.extend(examples.iter().flat_map(profiles_of));

    for (name, text) in all {
        parser(&text).unwrap_or_else(|said| panic!("{name}: {said}\n{text}"));
        assert!(is_just(&text, &name) && !is_just(&text, "supervisor-a.b"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_path_and_no_name_is_read_as_more_than_that(
        parts in prop::collection::vec("[ -~\u{a0}-\u{17f}]{1,12}", 1..4),
        service in "[a-zA-Z0-9._-]{1,12}",
    ) {
        let target = format!("/{}", parts.join("/"));
        let quoted = serde_json::to_string(&target.replace('$', "$$")).unwrap();
        let file = |target: &str| format!(
            "services: {{\"{service}\": {{image: a, volumes: [{{type: volume, source: v, target: {target}}}]}}}}\nvolumes: {{v: {{}}}}"
        );
        // Some of these are no path to mount at, which is not the question here.
        let Ok(stack) = judged(&file(&quoted), &[]) else { return Ok(()) };
        let plain = judged(&file("/a"), &[]).unwrap();
        let lines = |stack: &compose::Admitted| profiles_of(stack).values().map(|text| text.lines().count()).sum::<usize>();
        prop_assert_eq!(lines(&stack), lines(&plain));
        for (name, text) in &profiles_of(&stack) {
            prop_assert_eq!(parser(text), Ok(()), "{}", text);
            prop_assert!(is_just(text, name), "{}", text);
        }
    }
}

#[test]
fn what_is_written_through_another_mount_is_not_run() {
    let file = "services:
  web:
    image: a
    volumes: ['shared:/plugins:ro', 'own:/own:ro', './data:/data:ro']
    x-supervisor: {exec_from: [/plugins/native]}
  other:
    image: a
    volumes: ['shared:/shared', './data/inside:/inside']
volumes: {shared: {}, own: {}}";
    let (_, text) = profile(file);
    parser(&text).unwrap();
    let closed = |path: &str| text.contains(&format!("deny \"{path}{{,/"));
    assert!(closed("/plugins") && closed("/data") && !closed("/own"), "{text}");
    assert!(!text.contains("\"/plugins{,/,/**}\" rwkl"), "{text}");
}

#[test]
fn what_the_kernel_is_asked_is_what_the_profile_refuses() {
    let asked: Vec<String> = refused(&web(FULL, KERNEL))
        .into_iter()
        .map(|question| match question.access {
            Access::Execute => format!("execute {}", question.path),
            Access::Write => format!("write {}", question.path),
            Access::Read => format!("read {}", question.path),
        })
        .collect();
    expect![[r#"
        execute /tmp/supervisor-asks
        execute /var/lib/db/supervisor-asks
        execute /data/supervisor-asks
        execute /pages/supervisor-asks
        execute /dev/shm/supervisor-asks
        write /proc/sysrq-trigger
        write /proc/sys/kernel/core_pattern
        write /sys/kernel/uevent_helper
        write /usr/supervisor-asks
        write /etc/supervisor-asks
        write /supervisor-asks
        read /proc/kcore
        read /sys/kernel/security/lsm"#]]
    .assert_eq(&asked.join("\n"));
}
