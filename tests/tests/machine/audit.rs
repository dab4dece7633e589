//! The audit of a machine that nobody has hardened.
//!
//! Of one that is hardened, it is in `server`. Deliberately absent: each row by itself; that is a unit test.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use tests::bed::ran;
use tests::machine::inside;

/// What the audit says of every row.
#[track_caller]
pub(crate) fn audit() -> BTreeMap<String, (String, String)> {
    let program = std::env::var_os("SUPERVISOR_BIN").expect("the binary");
    let audit =
        ran(Command::new(program).args(["audit", "--format", "json"]).current_dir("/etc/supervisor")).json();
    let rows = audit["rows"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(&row["id"]), (text(&row["verdict"]), text(&row["seen"])))).collect()
}

/// Rows that only the hardening makes pass: on the machine without it each fails, or has nothing to judge.
const OF_THE_HARDENING: [&str; 11] =
    ["AU121", "AU123", "AU162", "AU164", "AU165", "AU167", "AU205", "AU222", "AU223", "AU224", "AU229"];

#[test]
fn without_the_hardening_the_audit_fails_what_it_should() {
    inside(|| {
        let audit = audit();
        let verdicts: Vec<_> = OF_THE_HARDENING.iter().map(|id| (id, &audit[*id])).collect();
        let passed: Vec<_> = verdicts.iter().filter(|(_, (verdict, _))| verdict == "passed").collect();
        assert!(passed.is_empty(), "{passed:#?}");
        let failed = verdicts.iter().filter(|(_, (verdict, _))| verdict == "failed").count();
        assert!(failed > OF_THE_HARDENING.len() / 2, "{verdicts:#?}");
        println!("{audit:#?}");
    });
}
