//! Builds the program that confines services from inside their containers, so that the supervisor can carry it in itself.
//!
//! A build of its own: whatever the supervisor is built as, the program is a release, linked statically, since it runs in
//! images that have no library at all. Its hash comes along, so that nothing has to be hashed at run time.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name: &str| env::var(name).map_err(|_| format!("cargo did not set {name}"));
    let confine = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../confine");
    for path in ["src", "Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", confine.join(path).display());
    }
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
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    if !build.status()?.success() {
        return Err("the program that confines services does not build".into());
    }
    let program = folder.join(&target).join("release/supervisor-confine");
    let bytes = std::fs::read(&program)?;
    let hash = Sha256::digest(&bytes)
        .iter()
        .try_fold(String::new(), |mut text, byte| write!(text, "{byte:02x}").map(|()| text))?;
    println!("cargo::rustc-env=CONFINE_PROGRAM={}", program.display());
    println!("cargo::rustc-env=CONFINE_SHA256={hash}");
    Ok(())
}
