//! What to know about an engine's version besides that it is new enough.
//!
//! Deliberately absent: refusing; `EngineError::TooOld` does.

use super::port::EngineVersion;

/// The first engine whose loopback ports neighbours on the link cannot reach (moby 28.0 release notes).
const LOOPBACK_KEPT: (u64, u64, u64) = (28, 0, 0);
/// The first runc of each line without the container escapes of November 2025 (CVE-2025-31133, -52565, -52881).
const RUNC_1_2: (u64, u64, u64) = (1, 2, 8);
const RUNC_1_3: (u64, u64, u64) = (1, 3, 3);

/// What the administrator should change about this engine, one sentence each.
pub fn advice(version: &EngineVersion) -> Vec<String> {
    let mut advice = Vec::new();
    if numbers(&version.engine).is_some_and(|engine| engine < LOOPBACK_KEPT) {
        advice.push(format!(
            "engine {}: ports published on 127.0.0.1 can be reached by neighbours on the same network; upgrade to 28.0 or later",
            version.engine
        ));
    }
    let runc = version.runc.as_deref().and_then(|text| Some((text, numbers(text)?)));
    if let Some((text, number)) = runc {
        let mended = number >= RUNC_1_3 || (number >= RUNC_1_2 && number < (1, 3, 0));
        if !mended {
            advice.push(format!(
                "runc {text} has known container escapes (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881): upgrade to 1.3.3, 1.2.8 or later"
            ));
        }
    }
    advice
}

/// Whether the engine's runc takes a seccomp profile with filter flags: 1.2 does, 1.1 refuses it. Of another runtime or
/// an unknown version nothing is known against it.
pub fn takes_filter_flags(version: &EngineVersion) -> bool {
    version.runc.as_deref().and_then(numbers).is_none_or(|runc| runc >= (1, 2, 0))
}

/// Three numbers of `28.5.2`, `1.3.3+ds1`, `25.0.0-rc.1`.
fn numbers(text: &str) -> Option<(u64, u64, u64)> {
    let text = text.trim_start_matches('v');
    let mut parts = text.splitn(3, '.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(engine: &str, runc: &str, expect: Expect) {
        let version = EngineVersion { engine: engine.into(), runc: Some(runc.into()) };
        expect.assert_eq(&advice(&version).join("\n"));
    }

    #[test]
    fn a_current_engine_needs_no_word() {
        check("28.5.2", "1.3.6+ds1", expect![""]);
        check("29.0.0", "1.2.8", expect![""]);
        check("unknown", "unknown", expect![""]);
    }

    #[test]
    fn old_engines_and_runtimes_are_named() {
        check(
            "25.0.6",
            "1.3.2",
            expect![[r"
                engine 25.0.6: ports published on 127.0.0.1 can be reached by neighbours on the same network; upgrade to 28.0 or later
                runc 1.3.2 has known container escapes (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881): upgrade to 1.3.3, 1.2.8 or later"]],
        );
    }
}
