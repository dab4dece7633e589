//! Landlock: what can be proven of it from outside.
//!
//! The kernel shows no process's Landlock rules to anybody. What is compared is the chain that leads to them: the engine
//! started the container with the program that keeps the rules as its first word, and with exactly the promised rules; the
//! program's file, as the container sees it, is ours byte for byte and mounted read-only (`files`); and that program
//! executes the service only after the kernel took every rule, and ends otherwise. Deliberately absent: believing more.

use profiles::Landlock;

use super::{Case, Check, Verdict};
use crate::decide::start::is_started_so;

/// Started through the program, with the promised rules.
pub(super) fn landlock(case: &Case<'_>) -> Vec<Check> {
    let noted = |why: &str| Check {
        item: "landlock".to_owned(),
        promised: format!("nothing: {why}"),
        seen: "not asked for".to_owned(),
        verdict: Verdict::Noted,
    };
    let check = match case.spec.confinement.landlock() {
        Landlock::Rules { abi, .. } => {
            let kept = is_started_so(case.spec, &case.engine.executes);
            let seen = if kept { "started through its rules" } else { "started another way" };
            Check::compared(
                "landlock",
                format!("started through its rules, of version {abi}"),
                Ok((seen.to_owned(), kept)),
            )
        }
        Landlock::Absent { why, .. } => noted(why),
        Landlock::Off => noted("the file switches it off"),
    };
    vec![check]
}
