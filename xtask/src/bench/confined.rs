//! What all confinement of a container costs at its start: the same program through the same runc, with nothing and with
//! everything, in CPU time of runc and of what it starts.
//!
//! Deliberately absent: the engine, whose own work for a container is the same in both, but for the text of the profile that
//! it passes on; and AppArmor, whose profile is loaded once and costs a look-up then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use profiles::seccomp::{self, Profile};
use profiles::{Arch, Base, Kernel};
use serde_json::{Value, json};

use super::measure::{Usage, measure, median};
use super::{Bench, ms, row};
use crate::engine::unpack::unpacked;
use crate::runc::Bed;
use crate::shell::{command, quiet};

/// This machine's.
const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// The same sum of work in both: a shell that ends.
const PROGRAM: [&str; 2] = ["/bin/busybox", "true"];
/// Where the program that keeps Landlock rules is in the root.
const CONFINE: &str = "/bin/confine";

/// What the program costs that keeps a service's Landlock rules: a start through it, beside one without it. The rules are
/// a container's; the file system is this machine's, which is larger.
pub(super) fn run(bench: &Bench, runs: usize) -> Result<()> {
    let small = bench.folder.join("small");
    let state = bench.folder.join("state");
    let at_small = |word: &str| {
        let mut command = bench.at(&bench.supervisor, &small);
        command.arg(word).arg("--state-dir").arg(&state);
        command
    };
    quiet(&mut at_small("up"))?;
    let staged = fs::read_dir(state.join("bench-small/contents"))?.flatten().map(|entry| entry.path());
    let is_program = |path: &PathBuf| path.to_string_lossy().contains("program-confine");
    let program = staged.into_iter().find(is_program).context("no program is staged")?;
    let rules =
        ["--abi=6", "--write=/tmp", "--write=/home", "--bind=443", "--connect=443", "--", "/bin/true"];
    let (mut through, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        through.push(measure(command(&program, rules).current_dir("/"))?);
        plain.push(measure(command("/bin/true", [""; 0]).current_dir("/"))?);
    }
    let kernel = Kernel { arch: ARCH, version: (7, 0), apparmor: false, landlock: 0 };
    let profile = seccomp::profile(Base::Generic, &BTreeSet::new(), &kernel);
    let runc = unpacked()?.join("root/usr/sbin/runc");
    let [nothing, all] = starts(&runc, &program, &profile, runs)?;
    // The program is staged for as long as the stack is there.
    quiet(&mut at_small("down"))?;
    let (nothing, all) = (ms(median(&nothing).cpu), ms(median(&all).cpu));
    row(
        "a start by runc with all confinement, CPU ms",
        &format!("{all:.1}"),
        "",
        &format!("{nothing:.1}"),
        None,
        "10 ms more at most",
    );
    let (through, plain) = (ms(median(&through).cpu), ms(median(&plain).cpu));
    let floor = format!("{plain:.1}");
    row(
        "a start through Landlock rules, CPU ms",
        &format!("{through:.1}"),
        "",
        &floor,
        None,
        "10 ms at most",
    );
    Ok(())
}

/// Starts of one kind after the other, so that both see the same machine: with nothing, and with everything.
fn starts(runc: &Path, confine: &Path, profile: &Profile, runs: usize) -> Result<[Vec<Usage>; 2]> {
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
