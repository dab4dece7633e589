//! What fuzzing found and kept holds on the ordinary compiler too.
//!
//! Deliberately absent: finding more; `cargo xtask fuzz` does.

use std::path::{Path, PathBuf};

use tests::fuzz::TARGETS;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_kept_input_of_the_fuzzer_is_answered() {
    for (target, run) in TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            let answered = std::panic::catch_unwind(|| run(&bytes)).is_ok();
            assert!(answered, "{target} fails on {}", input.display());
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    for (target, _) in TARGETS {
        let text = std::fs::read_to_string(folder.join(format!("{target}.rs"))).unwrap();
        assert!(text.contains(&format!("tests::fuzz::{target}(data)")), "{target}");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), TARGETS.len());
}

#[test]
fn the_ledger_knows_no_other_target() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/ledger.tsv");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut rows = text.lines();
    assert_eq!(rows.next(), Some("target\tCPU seconds\texecutions\tlast run"));
    for row in rows {
        let [target, cpu, executions, _day] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        assert!(TARGETS.iter().any(|(name, _)| *name == target), "{row}");
        assert!(cpu.parse::<u64>().is_ok() && executions.parse::<u64>().is_ok(), "{row}");
    }
}
