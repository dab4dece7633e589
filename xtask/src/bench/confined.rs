//! What all confinement of a container costs at its start: the same program through the same runc, with nothing, with what
//! the engine sets by itself, and with everything, in CPU time of runc and of what it starts.
//!
//! Deliberately absent: the engine, whose own work for a container is the same in all, but for the text of the profile that
//! it passes on; and AppArmor, whose profile is loaded once and costs a look-up then.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use profiles::seccomp::{self, Profile};
use profiles::{Arch, Base, Kernel};
use serde_json::{Value, json};

use super::measure::{Usage, measure, median};
use super::{Bench, compare, ms, row};
use crate::engine::unpack::unpacked;
use crate::runc::Bed;
use crate::shell::{command, quiet};

/// This machine's.
const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// The same sum of work in both: a shell that ends.
const PROGRAM: [&str; 2] = ["/bin/busybox", "true"];
/// Where the program that keeps Landlock rules is in the root.
const CONFINE: &str = "/bin/confine";
/// Where the engine's containerd keeps what runc is told, below the engine's folder for what runs.
const BUNDLES: &str = "containerd/daemon/io.containerd.runtime.v2.task/moby";

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
    let [nothing, by_default, all] = starts(&runc, &program, &profile, &of_the_engine(bench)?, runs)?;
    // The program is staged for as long as the stack is there.
    quiet(&mut at_small("down"))?;
    let [nothing, by_default, all] = [nothing, by_default, all].map(|samples| ms(median(&samples).cpu));
    let floor = format!("{nothing:.1}");
    compare("confined start by runc, CPU ms", all, by_default, &floor, "10 ms more than the floor at most");
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

/// Of what the engine hands to runc for a container of which nothing is asked: its filter, and what it hides in `/proc`.
fn of_the_engine(bench: &Bench) -> Result<Value> {
    let api = bench.api();
    let wanted = json!({"Image": bench.image, "Cmd": ["caddy", "respond", "--listen", ":8080", "ok"]});
    let created = api.post("/containers/create", &wanted)?;
    let id = created.pointer("/Id").and_then(Value::as_str).context("no id")?;
    api.post(&format!("/containers/{id}/start"), &Value::Null)?;
    let bundles = api.socket().with_file_name("exec").join(BUNDLES);
    let config = fs::read_to_string(bundles.join(id).join("config.json"))?;
    api.delete(&format!("/containers/{id}?force=1"))?;
    let config: Value = serde_json::from_str(&config)?;
    config.pointer("/linux").cloned().context("no linux")
}

/// Starts of one kind after the other, so that all see the same machine: with nothing, with what is the engine's own, and with
/// everything.
fn starts(
    runc: &Path,
    confine: &Path,
    profile: &Profile,
    by_default: &Value,
    runs: usize,
) -> Result<[Vec<Usage>; 3]> {
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
    let mut engines = without.clone();
    for key in ["seccomp", "maskedPaths", "readonlyPaths"] {
        let own = by_default.get(key).context("the engine confines nothing by itself")?;
        linux_of(&mut engines)?.insert(key.to_owned(), own.clone());
        linux_of(&mut without)?.remove(key);
    }
    let mut samples = [const { Vec::new() }; 3];
    for run in 0..runs {
        let kinds = [&without, &engines, &with].into_iter().zip(&mut samples);
        for (kind, (config, samples)) in kinds.enumerate() {
            fs::write(&file, config.to_string())?;
            let id = format!("bench-{}-{kind}-{run}", std::process::id());
            let mut start = command(runc, ["run", "--bundle"]);
            start.arg(&bed.folder).arg(id);
            samples.push(measure(&start)?);
        }
    }
    Ok(samples)
}

fn linux_of(config: &mut Value) -> Result<&mut serde_json::Map<String, Value>> {
    config.pointer_mut("/linux").and_then(Value::as_object_mut).context("no linux")
}

fn of(config: &Value, arguments: Value) -> Result<Value> {
    let mut config = config.clone();
    *config.pointer_mut("/process/args").context("no process")? = arguments;
    Ok(config)
}
