//! A service's Landlock rules, as text, and read back by the program that keeps them.

use std::ffi::OsString;

use expect_test::{Expect, expect};
use profiles::{Kernel, Landlock};

use super::{KERNEL, web};

/// The rules of a service that says this, on a kernel that offers this version of Landlock.
#[track_caller]
fn check(version: u8, says: &str, expect: Expect) {
    let text = format!("services:\n  web:\n    image: a\n{says}");
    let promise = web(&text, Kernel { landlock: version, ..KERNEL });
    expect.assert_eq(&match promise.landlock() {
        Landlock::Rules { abi, arguments } => {
            let words =
                arguments.iter().map(OsString::from).chain([OsString::from("--")]).collect::<Vec<_>>();
            let (rules, _) = confine::Rules::parse(&words).unwrap();
            assert_eq!(rules.abi, *abi);
            let mounted = promise.mounts().iter().any(|mount| mount.target == profiles::landlock::PROGRAM);
            assert!(mounted, "the program is not mounted");
            arguments.join(" ")
        }
        Landlock::Absent { why, required } => {
            format!("{}{why}", if *required { "required, but " } else { "" })
        }
        Landlock::Off => "off".to_owned(),
    });
}

#[test]
fn the_writable_mounts_are_all_that_is_written_to() {
    check(
        6,
        "    volumes: ['./data:/data', './data:/conf:ro', 'state:/var/lib/v']\nvolumes: {state: {}}\n",
        expect!["--abi=6 --write=/data --write=/var/lib/v --write=/tmp"],
    );
}

#[test]
fn a_path_is_opened_for_execution_by_name() {
    let says = "    volumes: ['./data:/data']\n    x-supervisor: {exec_from: [/data/plugins]}\n";
    check(6, says, expect!["--abi=6 --write=/data --write=/tmp --execute=/data/plugins"]);
}

#[test]
fn ports_are_bounded_where_the_file_says_which() {
    check(6, "    ports: ['127.0.0.1:80:80']\n", expect!["--abi=6 --write=/tmp"]);
    check(6, "    x-supervisor: {tcp: {bind: [443, 80]}}\n", expect!["--abi=6 --write=/tmp --bind=443,80"]);
    check(
        6,
        "    x-supervisor: {tcp: {connect: [18789]}}\n",
        expect!["--abi=6 --write=/tmp --connect=18789,53"],
    );
    check(
        6,
        "    x-supervisor: {tcp: {bind: [], connect: [53]}}\n",
        expect!["--abi=6 --write=/tmp --bind= --connect=53"],
    );
}

#[test]
fn an_older_kernel_keeps_what_it_can_and_what_is_required_is_not_started_without() {
    let ports = "    x-supervisor: {tcp: {bind: [443]}}\n";
    let required = "    x-supervisor: {landlock: required, tcp: {bind: [443]}}\n";
    check(9, ports, expect!["--abi=6 --write=/tmp --bind=443"]);
    check(3, ports, expect!["--abi=3 --write=/tmp"]);
    check(3, required, expect!["required, but this kernel's Landlock does not bound TCP ports (Linux 6.7)"]);
    check(1, ports, expect!["this kernel has no Landlock of version 2 or newer (Linux 5.19)"]);
    check(
        0,
        required,
        expect!["required, but this kernel has no Landlock of version 2 or newer (Linux 5.19)"],
    );
}

#[test]
fn a_service_that_switches_it_off_or_runs_on_another_kernel_has_no_rules() {
    check(6, "    x-supervisor: {landlock: 'off'}\n", expect!["off"]);
    check(6, "    runtime: runsc\n", expect!["its runtime may not run it on this kernel"]);
}
