//! The systemd units as systemd itself judges them, without starting anything.
//!
//! What it does when it runs is in `machine/unit.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::bed::ran;

/// What runs, and what has the machine's rights for it, with the most that `systemd-analyze security` may say, in tenths.
const UNITS: [(&str, u32); 2] = [("supervisor.service", 19), ("supervisor-privileged@.service", 31)];

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("packaging").join(name)
}

fn analyze(unit: &str, options: &[&str]) -> tests::bed::Ran {
    let mut command = Command::new("systemd-analyze");
    ran(command.args(["security", "--offline=true", "--no-pager"]).args(options).arg(packaging(unit)))
}

#[test]
fn systemd_finds_the_units_no_more_exposed_than_their_work_asks_for() {
    for (unit, most) in UNITS {
        analyze(unit, &[&format!("--threshold={most}")]).expect(0);
    }
}

#[test]
fn what_systemd_misses_in_the_units_is_explained_there() {
    for (unit, _) in UNITS {
        let text = std::fs::read_to_string(packaging(unit)).unwrap();
        let explained: String = text.lines().filter(|line| line.starts_with('#')).collect();
        let rows: Value = serde_json::from_str(&analyze(unit, &["--json=short"]).out).unwrap();
        let missing = rows.as_array().unwrap().iter().filter(|row| row["set"] == false);
        let names: Vec<&str> = missing.map(|row| row["name"].as_str().unwrap()).collect();
        assert!(!names.is_empty(), "nothing was read");
        for name in names {
            let directive = name.split('=').next().unwrap();
            let word =
                if directive == "RestrictAddressFamilies" { "families of addresses" } else { directive };
            assert!(explained.contains(word), "`{name}` is missing in {unit}, and nothing says why");
        }
    }
}

#[test]
fn what_meets_the_world_has_no_capability_under_its_unit() {
    let text = std::fs::read_to_string(packaging("supervisor.service")).unwrap();
    for line in ["CapabilityBoundingSet=", "AmbientCapabilities=", "RestrictSUIDSGID=true"] {
        assert!(text.lines().any(|found| found == line), "no line `{line}`");
    }
    let (_, rest) = text.split_once("\nEnvironment=SUPERVISOR_PRIVILEGED=").unwrap();
    let socket = std::fs::read_to_string(packaging("supervisor-privileged.socket")).unwrap();
    assert!(socket.contains(&format!("\nListenStream={}\n", rest.lines().next().unwrap())));
}

#[test]
fn the_packages_profile_has_the_name_by_which_containers_let_it_look() {
    let text = |name: &str| std::fs::read_to_string(packaging(name)).unwrap();
    let name = profiles::apparmor::SUPERVISOR;
    assert!(text("supervisor.apparmor").contains(&format!("\nprofile {name} ")));
    assert!(text("packaged.conf").contains(&format!("\nAppArmorProfile=-{name}\n")));
}
