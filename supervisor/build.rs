//! Builds the program that confines services from inside their containers, so that the supervisor can carry it in itself.
//!
//! A build of its own: whatever the supervisor is built as, the program is a release, linked statically, since it runs in
//! images that have no library at all. It is carried compressed, and its hash comes along, so that nothing has to be hashed
//! at run time.
//!
//! And compiles the filters of system calls for the supervisor's own processes.

#[path = "src/sandbox/calls.rs"]
#[allow(dead_code, unreachable_pub, reason = "the reasons are for people, and the library shares the file")]
mod calls;

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// Small; and with the names that this build has in place of the machine's folders, if it has some.
fn flags() -> String {
    let ours = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let named = ours.split('\u{1f}').filter(|flag| flag.starts_with("--remap-path-prefix="));
    SMALL.into_iter().chain(named).collect::<Vec<_>>().join("\u{1f}")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    confine()?;
    filters()
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

/// Each filter as bytes, eight an instruction, in a file of its process's name.
fn filters() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src/sandbox/calls.rs");
    let (arch, out) = (variable("CARGO_CFG_TARGET_ARCH")?, PathBuf::from(variable("OUT_DIR")?));
    for process in calls::PROCESSES {
        let text = json(process, &arch).to_string();
        let programs = seccompiler::compile_from_json(text.as_bytes(), arch.as_str().try_into()?)?;
        let program = programs.get(process.name).ok_or("no filter came of the list")?;
        let bytes: Vec<u8> = program
            .iter()
            .flat_map(|instruction| {
                let [c0, c1] = instruction.code.to_le_bytes();
                let [k0, k1, k2, k3] = instruction.k.to_le_bytes();
                [c0, c1, instruction.jt, instruction.jf, k0, k1, k2, k3]
            })
            .collect();
        std::fs::write(out.join(process.name).with_extension("bpf"), bytes)?;
    }
    Ok(())
}

/// The list in the form that the compiler reads.
fn json(process: &calls::Process, arch: &str) -> serde_json::Value {
    let calls = process.calls.iter().filter(|call| call.only_on.is_none_or(|only| only == arch));
    let rules: Vec<_> = calls
        .map(|call| {
            let conditions: Vec<_> = call
                .when
                .iter()
                .map(|c| {
                    let operation = serde_json::json!({ "masked_eq": c.mask });
                    serde_json::json!({"index": c.argument, "type": "qword", "op": operation, "val": c.value})
                })
                .collect();
            if conditions.is_empty() {
                serde_json::json!({"syscall": call.name})
            } else {
                serde_json::json!({"syscall": call.name, "args": conditions})
            }
        })
        .collect();
    // EPERM is 1 on every architecture (errno(3)).
    let (left, taken) = (serde_json::json!("allow"), serde_json::json!({"errno": 1}));
    let (matched, other) = match process.these {
        calls::Fate::Left => (left, taken),
        calls::Fate::Taken => (taken, left),
    };
    let filter = serde_json::json!({"mismatch_action": other, "match_action": matched, "filter": rules});
    serde_json::json!({ process.name: filter })
}

/// Linked statically, with compact relocations, and with no tables for unwinding (`release.ld`).
const SMALL: [&str; 4] = [
    "-Ctarget-feature=+crt-static",
    "-Clink-arg=-Wl,-z,pack-relative-relocs",
    "-Clink-arg=-Wl,--no-eh-frame-hdr",
    // The compiler runs in the workspace's folder.
    "-Clink-arg=-Wl,-T,supervisor/release.ld",
];

fn confine() -> Result<(), Box<dyn std::error::Error>> {
    let confine = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../confine");
    for path in ["src", "Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", confine.join(path).display());
    }
    println!("cargo::rerun-if-changed=release.ld");
    let (target, out) = (variable("TARGET")?, PathBuf::from(variable("OUT_DIR")?));
    let folder = out.join("confine");
    let mut build = Command::new(variable("CARGO")?);
    build
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--bin",
            "supervisor-confine",
            "--target",
            &target,
        ])
        .arg("--manifest-path")
        .arg(confine.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        // What this build is compiled with is not for that one: a linter in the place of the compiler, other flags.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_BUILD_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags());
    if !build.status()?.success() {
        return Err("the program that confines services does not build".into());
    }
    let program = folder.join(&target).join("release/supervisor-confine");
    let bytes = std::fs::read(&program)?;
    let hash = Sha256::digest(&bytes)
        .iter()
        .try_fold(String::new(), |mut text, byte| write!(text, "{byte:02x}").map(|()| text))?;
    let packed = out.join("supervisor-confine.deflated");
    // The best that the format can do; it is one megabyte, once a build.
    std::fs::write(&packed, miniz_oxide::deflate::compress_to_vec(&bytes, 10))?;
    println!("cargo::rustc-env=CONFINE_PROGRAM={}", packed.display());
    println!("cargo::rustc-env=CONFINE_SHA256={hash}");
    Ok(())
}
