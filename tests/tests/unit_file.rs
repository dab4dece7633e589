//! The systemd unit as systemd itself judges it, without starting anything.
//!
//! What it does when it runs is in `machine/unit.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::bed::ran;

/// The most that `systemd-analyze security` may say, in tenths. Two of them are for the right to set the guard.
const EXPOSURE: u32 = 31;

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("packaging/supervisor.service")
}

fn analyze(options: &[&str]) -> tests::bed::Ran {
    let mut command = Command::new("systemd-analyze");
    ran(command.args(["security", "--offline=true", "--no-pager"]).args(options).arg(unit()))
}

#[test]
fn systemd_finds_the_unit_no_more_exposed_than_its_work_asks_for() {
    analyze(&[&format!("--threshold={EXPOSURE}")]).expect(0);
}

#[test]
fn what_systemd_misses_in_the_unit_is_explained_there() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let explained: String = text.lines().filter(|line| line.starts_with('#')).collect();
    let rows: Value = serde_json::from_str(&analyze(&["--json=short"]).out).unwrap();
    let missing = rows.as_array().unwrap().iter().filter(|row| row["set"] == false);
    let names: Vec<&str> = missing.map(|row| row["name"].as_str().unwrap()).collect();
    assert!(!names.is_empty(), "nothing was read");
    for name in names {
        let directive = name.split('=').next().unwrap();
        let word = if directive == "RestrictAddressFamilies" { "families of addresses" } else { directive };
        assert!(explained.contains(word), "`{name}` is missing, and nothing says why");
    }
}

#[test]
fn the_packages_profile_has_the_name_by_which_containers_let_it_look() {
    let packaging = unit().with_file_name("");
    let text = |name: &str| std::fs::read_to_string(packaging.join(name)).unwrap();
    let name = profiles::apparmor::SUPERVISOR;
    assert!(text("supervisor.apparmor").contains(&format!("\nprofile {name} ")));
    assert!(text("packaged.conf").contains(&format!("\nAppArmorProfile=-{name}\n")));
}
