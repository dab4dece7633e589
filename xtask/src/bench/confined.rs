//! What all confinement of a container costs at its start: the same program through the same runc, with nothing and with
//! everything, in CPU time of runc and of what it starts.
//!
//! Deliberately absent: the engine, whose own work for a container is the same in both, but for the text of the profile that
//! it passes on; and AppArmor, whose profile is loaded once and costs a look-up then.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use profiles::seccomp::Profile;
use serde_json::{Value, json};

use super::measure::{Usage, measure};
use crate::runc::Bed;
use crate::shell::command;

/// The same sum of work in both: a shell that ends.
const PROGRAM: [&str; 2] = ["/bin/busybox", "true"];
/// Where the program that keeps Landlock rules is in the root.
const CONFINE: &str = "/bin/confine";

/// Starts of one kind after the other, so that both see the same machine: with nothing, and with everything.
pub(super) fn starts(runc: &Path, confine: &Path, profile: &Profile, runs: usize) -> Result<[Vec<Usage>; 2]> {
    let bed = Bed::new()?;
    fs::copy(confine, bed.folder.join("rootfs").join(CONFINE.trim_start_matches('/')))?;
    bed.config(runc, profile)?;
    let file = bed.folder.join("config.json");
    let all: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let rules = ["--abi=6", "--write=/tmp", "--write=/dev/shm", "--bind=443", "--connect=443", "--"];
    let confined: Vec<&str> = [CONFINE].into_iter().chain(rules).chain(PROGRAM).collect();
    let with = of(&all, json!(confined))?;
    let mut without = of(&all, json!(PROGRAM))?;
    *without.pointer_mut("/process/noNewPrivileges").context("no process")? = json!(false);
    *without.pointer_mut("/root/readonly").context("no root")? = json!(false);
    let linux = without.pointer_mut("/linux").and_then(Value::as_object_mut).context("no linux")?;
    for key in ["seccomp", "maskedPaths", "readonlyPaths"] {
        linux.remove(key);
    }
    let mut samples = [Vec::new(), Vec::new()];
    for run in 0..runs {
        for (kind, (config, samples)) in [&without, &with].into_iter().zip(&mut samples).enumerate() {
            fs::write(&file, config.to_string())?;
            let id = format!("bench-{}-{kind}-{run}", std::process::id());
            let mut start = command(runc, ["run", "--bundle"]);
            start.arg(&bed.folder).arg(id);
            samples.push(measure(&start)?);
        }
    }
    Ok(samples)
}

fn of(config: &Value, arguments: Value) -> Result<Value> {
    let mut config = config.clone();
    *config.pointer_mut("/process/args").context("no process")? = arguments;
    Ok(config)
}
