//! The profiles as text, kept in `golden/`; `UPDATE_EXPECT=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::{expect, expect_file};
use profiles::{Arch, Base, Kernel, seccomp};

use crate::compile::ARCHES;

/// A kernel newer than every row of the table.
fn newest(arch: Arch) -> Kernel {
    Kernel { arch, version: (7, 0), apparmor: false, landlock: 0 }
}

#[test]
fn profiles_are_as_kept() {
    for base in Base::ALL {
        for arch in ARCHES {
            let name = format!("{}-{}.json", base.name(), format!("{arch:?}").to_lowercase());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
            let profile = seccomp::profile(base, &std::collections::BTreeSet::new(), &newest(arch));
            expect_file![path].assert_eq(&profile.to_pretty_json());
        }
    }
}

#[test]
fn so_many_calls_are_allowed() {
    let mut lines = String::new();
    for base in Base::ALL {
        for arch in ARCHES {
            let profile = seccomp::profile(base, &std::collections::BTreeSet::new(), &newest(arch));
            let (allowed, bytes) = (profile.allowed().len(), profile.to_json().len());
            writeln!(lines, "{} {arch:?}: {allowed} allowed, {bytes} bytes", base.name()).unwrap();
        }
    }
    expect![[r#"
        go X86_64: 129 allowed, 12449 bytes
        go Aarch64: 116 allowed, 12307 bytes
        node X86_64: 228 allowed, 14375 bytes
        node Aarch64: 195 allowed, 13677 bytes
        generic X86_64: 246 allowed, 14573 bytes
        generic Aarch64: 210 allowed, 13844 bytes
    "#]]
    .assert_eq(&lines);
}

#[test]
fn a_profile_is_read_back_as_it_was_written() {
    let profile = seccomp::profile(Base::Node, &std::collections::BTreeSet::new(), &newest(Arch::X86_64));
    assert_eq!(serde_json::from_str::<seccomp::Profile>(&profile.to_json()).unwrap(), profile);
}

#[test]
fn a_gate_that_would_be_lost_is_refused() {
    let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":[],"syscalls":
        [{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}"#;
    let problem = serde_json::from_str::<seccomp::Profile>(text).unwrap_err().to_string();
    expect![
        "unknown field `includes`, expected one of `action`, `args`, `errnoRet`, `names` at line 2 column 64"
    ]
    .assert_eq(&problem);
}
