//! Hostile files through the real binary: exit code 2, one JSON object on standard output, nothing else, and no file changed.
//!
//! Deliberately absent: time and memory, which `cargo xtask bench` measures over the same cases.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tests::hostile::CASES;

fn binary() -> PathBuf {
    std::env::var_os("SUPERVISOR_BIN").expect("SUPERVISOR_BIN: `cargo xtask test` sets it").into()
}

fn check(binary: &Path, at: &Path, arguments: &[&str], format: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["check", "--format", format]).args(arguments).current_dir(at).env_clear();
    command
}

#[track_caller]
fn assert_unreadable(name: &str, output: &Output) {
    assert_eq!(output.status.code(), Some(2), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Regular files below a folder, with their content.
fn files(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|e| e.file_type().unwrap().is_file())
        .map(|e| (e.path(), std::fs::read(e.path()).unwrap()))
        .collect()
}

#[test]
fn every_hostile_file_is_an_error_that_a_machine_can_read() {
    let binary = binary();
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        (case.write)(folder.path());
        let before = files(folder.path());
        let output = check(&binary, folder.path(), case.arguments, "json").output().unwrap();
        assert_unreadable(case.name, &output);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["summary"]["errors"].as_u64() > Some(0), "{}: {report}", case.name);
        assert!(
            output.stdout.len() < 4 * 1024 * 1024,
            "{}: a report of {} bytes",
            case.name,
            output.stdout.len()
        );
        for format in ["human", "sarif", "github"] {
            let output = check(&binary, folder.path(), case.arguments, format).output().unwrap();
            assert_unreadable(case.name, &output);
            assert!(!String::from_utf8_lossy(&output.stdout).contains("panicked"), "{}", case.name);
        }
        assert_eq!(files(folder.path()), before, "{}", case.name);
    }
}

#[test]
fn a_folder_that_may_not_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let binary_here = folder.path().join("supervisor");
    std::fs::copy(binary(), &binary_here).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("compose.yaml"), "services: {}\n").unwrap();
    std::fs::write(folder.path().join("open.yaml"), "include: [closed/compose.yaml]\nservices: {}\n")
        .unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    for arguments in [["-f", "closed/compose.yaml"], ["-f", "open.yaml"], ["--project-directory", "closed"]] {
        let mut command = check(&binary_here, folder.path(), &arguments, "json");
        if folder.path().metadata().is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
            // Root may read everything.
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().unwrap();
        assert_unreadable(arguments[1], &output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
}
